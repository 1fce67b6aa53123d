/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Our own records, one a line. */
#include <errno.h>
#include <string.h>

#include "codec/findings_read.h"
#include "codec/jsonget.h"

#define SHA256_DIGITS 64

static bool native_is(const struct json_object *root, const char *file)
{
	(void)file;
	return json_object_is_type(root, json_type_object) && jget(root, "severity") &&
	       jget(root, "source");
}

static void read_server(struct findings_reader *f, const struct config_value *v,
			struct finding_draft *d)
{
	struct config_value server;

	if (!finding_member(v, "server", &server))
		return;
	if (json_object_is_type(server.obj, json_type_string)) {
		d->name = json_object_get_string(server.obj);
		return;
	}
	if (!finding_is(f, &server, json_type_object, "a name, or an object"))
		return;
	d->name = finding_text(f, &server, "name");
	d->url = finding_text(f, &server, "url");
	d->command = finding_text(f, &server, "command");
}

static void read_severity(struct findings_reader *f, const struct config_value *v,
			  struct finding_draft *d)
{
	const char *word = finding_needed(f, v, "severity");
	int severity = word ? finding_severity_from_name(word) : FINDING_INFO;
	struct config_value at;

	d->severity = severity < 0 ? FINDING_INFO : (enum finding_severity)severity;
	if (severity < 0 && finding_member(v, "severity", &at))
		config_complain(&f->r, finding_path(&at), true,
				"\"%s\" is no severity; they are: critical, high, medium, low, "
				"info, clean",
				word);
}

static void read_evidence(struct findings_reader *f, const struct config_value *v,
			  struct finding_draft *d)
{
	struct config_value at;

	d->evidence = finding_text(f, v, "evidence_sha256");
	if (d->evidence && finding_member(v, "evidence_sha256", &at) &&
	    (strlen(d->evidence) != SHA256_DIGITS ||
	     strspn(d->evidence, "0123456789abcdefABCDEF") != SHA256_DIGITS))
		config_complain(&f->r, finding_path(&at), true,
				"this is no SHA-256: 64 hexadecimal digits");
}

static void native_read(struct findings_reader *f, const struct config_value *v)
{
	struct finding_draft d = {};

	if (!finding_is(f, v, json_type_object, "a finding, an object"))
		return;
	read_server(f, v, &d);
	read_severity(f, v, &d);
	read_evidence(f, v, &d);
	d.source = finding_needed(f, v, "source");
	d.rule = d.severity == FINDING_CLEAN ? NULL : finding_needed(f, v, "rule");
	d.version = finding_text(f, v, "version");
	d.location = finding_text(f, v, "location");
	d.digest = finding_text(f, v, "digest");
	d.message = finding_text(f, v, "message");
	d.confidence = finding_number(f, v, "confidence", 0, 1, 1);
	d.wall_ns = finding_time(f, v, "time");
	finding_add(f, v, &d);
}

const struct findings_kind findings_native = { native_is, native_read, .lines = true };
