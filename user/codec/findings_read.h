/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the formats' readers share: walking a document with its places, and making records.
 * Internal to findings*.c. Mistakes are complained of and counted, and what is missing or wrong
 * reads as the fallback, so that a reader goes on; findings_read() refuses the file at its end.
 */
#ifndef SWITCHGEAR_CODEC_FINDINGS_READ_H
#define SWITCHGEAR_CODEC_FINDINGS_READ_H

#include "codec/config_read.h"
#include "codec/findings.h"

struct findings_reader {
	struct config_reader r;
	const struct findings_options *o;
	struct findings *to;
};

/* A format whose files are one document: by what it is known, and how it is read. */
struct findings_kind {
	bool (*is)(const struct json_object *root, const char *file);
	void (*read)(struct findings_reader *f, const struct config_value *root);
	bool lines; /* a document in each line */
};

extern const struct findings_kind findings_native;
extern const struct findings_kind findings_sarif;
extern const struct findings_kind findings_snyk;
extern const struct findings_kind findings_cisco;
extern const struct findings_kind findings_mcpspy;
extern const struct findings_kind findings_guardian;

/* The document itself, and where a value stands: NULL for that. */
struct config_value finding_document(struct json_object *root);
const struct json_path *finding_path(const struct config_value *v);
/* Complains unless it is of the type. */
bool finding_is(struct findings_reader *f, const struct config_value *v, enum json_type type,
		const char *wanted);

/* A member that is there and not null, whatever its type; the child holds its place. */
bool finding_member(const struct config_value *of, const char *key, struct config_value *ret);
/* The same of a type, after a complaint if it is of another. */
bool finding_object(struct findings_reader *f, const struct config_value *of, const char *key,
		    struct config_value *ret);
bool finding_list(struct findings_reader *f, const struct config_value *of, const char *key,
		  struct config_value *ret);
/* The element of a list, which has to be an object. */
bool finding_item(struct findings_reader *f, const struct config_value *list, size_t i,
		  struct config_value *ret);
size_t finding_count(const struct config_value *list);

/* Borrowed; NULL without, or after a complaint. */
const char *finding_text(struct findings_reader *f, const struct config_value *of, const char *key);
/* The same; complains if it is missing. */
const char *finding_needed(struct findings_reader *f, const struct config_value *of,
			   const char *key);
/* The fallback without, or after a complaint that it is none or outside. */
double finding_number(struct findings_reader *f, const struct config_value *of, const char *key,
		      double min, double max, double fallback);
bool finding_bool(struct findings_reader *f, const struct config_value *of, const char *key,
		  bool fallback);
/* -1 without or after a complaint. */
int finding_index(struct findings_reader *f, const struct config_value *of, const char *key);
uint64_t finding_time(struct findings_reader *f, const struct config_value *of, const char *key);

/* Borrowed parts of a record. */
struct finding_draft {
	const char *name;
	const char *url;
	const char *command; /* redacted */
	const char *source;
	const char *version;
	const char *rule;
	const char *location;
	const char *digest;
	const char *message;
	const char *evidence;
	enum finding_severity severity;
	double confidence;
	uint64_t wall_ns;
};

/* Adds a record; `at` is where it stands. */
void finding_add(struct findings_reader *f, const struct config_value *at,
		 const struct finding_draft *d);

/* Of an object with "url", or "command" and "args": into *url, borrowed, or *command, redacted. */
void finding_transport(struct findings_reader *f, const struct config_value *of, const char **url,
		       struct buf *command);

#endif
