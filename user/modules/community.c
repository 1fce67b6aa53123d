/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What others say of the servers, and what is said here: keys, signed statements, and how much of
 * them counts (core/reputation.h), which goes to whoever keeps the trust (SIGNAL_RATED).
 *
 * Nothing here is needed to enforce, and nothing leaves the host but what is exported. Secret keys
 * are files (io/keyring.h), read for each signature. A statement is on disk before it is answered
 * that it counts; where it cannot be, that is said.
 */
#include <errno.h>
#include <math.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/log.h"
#include "codec/community_explain.h"
#include "codec/messages_community.h"
#include "core/quota.h"
#include "daemon/bus.h"
#include "daemon/community_disk.h"
#include "daemon/reply.h"
#include "daemon/settings.h"
#include "daemon/signer.h"
#include "io/keyring.h"
#include "io/store.h"
#include "modules/modules.h"

#define SUB "community"
#define HOUR_NS (3600 * NS_PER_SEC)
#define RETRY_NS (60 * NS_PER_SEC)
#define USERS_MAX 64U
#define LIFE_NS (180 * 86400 * NS_PER_SEC) /* of a statement, unless it is said */

struct community_module {
	struct part part;
	struct community all;
	struct signer signer; /* the keys of this host, of all */
	struct trust_policy policy;
	struct quota quota;
	struct store *store; /* NULL: the file can be neither read nor written */
	bool changed;        /* weigh again */
	bool dirty;          /* what is there is not on disk */
	bool restored;       /* statements were read back, and not weighed yet */
	uint64_t weighed_ns; /* wall time; 0: never */
	uint64_t next_ns;    /* and when something begins or ends to count */
	uint64_t tried_ns;   /* boot time of the latest attempt to write */
	uint32_t homeless;   /* servers for whose identity there was no room */
	char error[256];     /* why it cannot be kept; "" */
};

/* Of one server: its index in web.servers, and one more; 0: none. */
struct rated {
	uint32_t place;
};

static struct rated *of(const void *m, const struct server *s)
{
	return module_server(m, s->covered_by ? s->covered_by : s);
}

static const char *state_dir(const struct community_module *m)
{
	return m->part.d->settings->state_dir;
}

/* --- weighing --------------------------------------------------------------------------------- */

/* This host's own ratings, by server: by them raters are judged. */
static void judge(struct community_module *m, uint64_t wall)
{
	CLEANUP(freep) double *own = malloc(COMMUNITY_SERVERS * sizeof(*own));

	if (!own)
		return; /* credibility stays as it was */
	for (size_t i = 0; i < COMMUNITY_SERVERS; i++)
		own[i] = NAN;
	for (struct server *s = servers_first(m->part.d->servers); s; s = s->next)
		if (!s->covered_by && of(m, s)->place)
			own[of(m, s)->place - 1] = s->own_rating;
	reputation_credit(&m->all.web, own, wall);
}

static void weigh(struct community_module *m, uint64_t wall)
{
	reputation_weigh(&m->all.web, &m->policy, wall);
	if (m->restored)
		reputation_restored(&m->all.web);
	m->restored = false;
	judge(m, wall);
	reputation_sums(&m->all.web, &m->policy, wall);
	m->changed = false;
	m->weighed_ns = wall;
	m->next_ns = reputation_next_ns(&m->all.web, wall);
	for (struct server *s = servers_first(m->part.d->servers); s; s = s->next) {
		struct signal signal = { .type = SIGNAL_RATED, .server = s };

		if (s->covered_by || !of(m, s)->place)
			continue;
		signal.ratings = m->all.web.servers[of(m, s)->place - 1].ratings;
		bus_emit(m->part.d->bus, &signal);
	}
}

/* A disk that fails is tried once a minute. */
static bool is_to_save(const struct community_module *m)
{
	return m->dirty && (!m->error[0] || clock_boot_ns() - m->tried_ns >= RETRY_NS);
}

static void community_turn(void *data, UNUSED uint64_t now)
{
	struct community_module *m = data;
	uint64_t wall = clock_wall_ns();
	bool due = wall < m->weighed_ns || wall >= m->next_ns || wall - m->weighed_ns >= HOUR_NS;

	if (m->changed || (m->weighed_ns && due))
		weigh(m, wall);
	if (is_to_save(m))
		bus_dirty(m->part.d->bus);
}

/* --- over restarts ------------------------------------------------------------------------------ */

/* Once, when the directory can be used: that it cannot is said by who keeps the rest there. */
static void load(struct community_module *m)
{
	struct stat st;

	if (m->store)
		return;
	m->tried_ns = clock_boot_ns();
	if (stat(state_dir(m), &st) || !S_ISDIR(st.st_mode) ||
	    store_open_beside(state_dir(m), &m->store)) {
		snprintf(m->error, sizeof(m->error),
			 "keys and ratings cannot be kept in %.100s: what is accepted now would "
			 "not survive a restart; trying again",
			 state_dir(m));
		return;
	}
	m->error[0] = '\0';
	m->dirty |= community_disk_load(m->store, m->part.d->bus, &m->all);
	m->dirty |= signer_learn(&m->signer);
	m->changed = true;
	m->restored = true;
}

static void save(struct community_module *m)
{
	int r = community_disk_save(m->store, &m->all);

	m->tried_ns = clock_boot_ns();
	m->dirty = r != 0;
	m->error[0] = '\0';
	if (r)
		snprintf(m->error, sizeof(m->error),
			 "keys and ratings cannot be written to %.100s (%s): what is accepted now "
			 "would not survive a restart; trying again",
			 state_dir(m), strerror(-r));
}

static int community_commit(void *data)
{
	struct community_module *m = data;

	if (!m->store)
		load(m);
	if (m->store && is_to_save(m))
		save(m);
	return 0;
}

/* What was accepted counts, and is on disk, or m->error says why not. */
static void settle(struct community_module *m)
{
	m->changed = true;
	m->dirty = true;
	m->tried_ns = 0;
	m->error[0] = '\0';
	bus_pass(m->part.d->bus);
}

/* --- what is told of keys --------------------------------------------------------------------------- */

static void answer_key(const struct community_module *m, struct http_request *q, const char *name)
{
	const struct community_key *k = community_named(&m->all, name);
	CLEANUP(freep) uint32_t *n = signer_count(&m->signer);
	struct buf out = BUF(REPLY_MAX);
	struct key_entry entry;

	if (!k)
		return;
	signer_show(&m->signer, k, n, &entry);
	if (!entry.error[0])
		snprintf(entry.error, sizeof(entry.error), "%s", m->error);
	reply_document(q, REPLY_JSON, &out, reply_key_encode(&entry, &out));
}

/* Who rates whom is not everybody's business. */
static bool may_see(const struct community_module *m, struct http_request *q)
{
	if (reply_may(m->part.d, q, API_CHANGE))
		return true;
	reply_error(q, 403, "not_permitted",
		    "keys and statements are for root and the configured group",
		    "use sudo, or join the group named by \"api_group\"");
	return false;
}

static void on_list(void *data, struct http_request *q, UNUSED struct server *s)
{
	struct community_module *m = data;
	CLEANUP(freep) uint32_t *n = NULL;
	struct reply_keys reply = { 0 };
	struct buf out = BUF(REPLY_MAX);
	int r = -ENOMEM;

	if (!may_see(m, q))
		return;
	m->dirty |= signer_learn(&m->signer);
	n = signer_count(&m->signer);
	reply.keys = calloc(m->all.n_keys + 1, sizeof(*reply.keys));
	for (size_t i = 0; n && reply.keys && i < m->all.n_keys; i++)
		signer_show(&m->signer, &m->all.keys[i], n, &reply.keys[reply.n_keys++]);
	if (n && reply.keys)
		r = reply_keys_encode(&reply, &out);
	reply_document(q, REPLY_JSON, &out, r);
	reply_keys_done(&reply);
}

static void no_key(struct http_request *q, const char *text)
{
	char message[256];

	snprintf(message, sizeof(message), "there is no key \"%.128s\"", text);
	reply_error(q, 404, "not_found", message,
		    "`switchgear keys list` lists them; 64 hexadecimal digits are a key, too");
}

static void on_export(void *data, struct http_request *q, UNUSED struct server *s)
{
	struct community_module *m = data;
	const char *name = http_query(q, "key");
	const char *said = http_query(q, "statements");
	bool all = !said || strcmp(said, "0") != 0;
	const struct community_key *k = name ? community_named(&m->all, name) : NULL;
	struct buf out = BUF(COMMUNITY_FILE_MAX);
	struct trust_id key;
	int r = 0;

	if (!may_see(m, q))
		return;
	if (name && !community_find(&m->all, name, &key)) {
		no_key(q, name);
		return;
	}
	if (k && (!all || !signer_is_users(k->name))) /* that name says nothing elsewhere */
		r = community_key_line(k, &out);
	if (!r && all)
		r = community_export(&m->all, name ? &key : NULL, &out);
	reply_document(q, REPLY_LINES, &out, r);
}

/* --- changes of keys ----------------------------------------------------------------------------------- */

/* By its name or its digits; NULL: it has no name. */
static const struct community_key *entry_of(const struct community_module *m, const char *text)
{
	struct trust_id key;

	return community_find(&m->all, text, &key) ? community_name_of(&m->all, &key) : NULL;
}

/* Adds a name; false after an answer. */
static bool add_key(struct community_module *m, struct http_request *q, const char *name,
		    const struct trust_id *key)
{
	char message[256];
	const char *known = "";
	int r = community_add(&m->all, name, key, &known);

	if (!r || (r == -EALREADY && !strcmp(known, name)))
		return true;
	if (r == -EALREADY)
		snprintf(message, sizeof(message), "this key is known as %s already", known);
	else if (r == -EEXIST)
		snprintf(message, sizeof(message), "another key is known as %s", name);
	else
		snprintf(message, sizeof(message), "there are %u keys by name already",
			 COMMUNITY_NAMES);
	reply_error(q, 409, "exists", message, "`switchgear keys remove NAME` forgets a name");
	return false;
}

static bool new_key(struct community_module *m, struct http_request *q, const char *name)
{
	struct trust_id key;
	char why[SIGNER_WHY_MAX] = "";
	int r;

	if (!community_name_is_good(name) || signer_is_users(name)) {
		reply_error(q, 400, "bad_request",
			    "a name is 1 to 63 letters, digits, '.', '_', '-' or '@', begins with "
			    "a letter or digit, and not with \"uid-\"",
			    "");
		return false;
	}
	if (community_named(&m->all, name)) {
		reply_error(q, 409, "exists", "there is a key of that name", "choose another name");
		return false;
	}
	r = keyring_new(state_dir(m), name, &key, why, sizeof(why));
	if (r) {
		reply_error(q, r == -EEXIST ? 409 : 500, r == -EEXIST ? "exists" : "failed", why,
			    "nothing was made");
		return false;
	}
	return add_key(m, q, name, &key);
}

/* One without a name gets one of its digits, so that it can be listed and removed. */
static bool anchor(struct community_module *m, struct http_request *q, const char *text, bool on)
{
	const struct community_key *k = entry_of(m, text);
	char name[COMMUNITY_NAME_LEN];
	struct trust_id key;

	if (!k && on && community_find(&m->all, text, &key)) {
		snprintf(name, sizeof(name), "key-%.16s", text);
		if (!add_key(m, q, name, &key))
			return false;
		k = community_named(&m->all, name);
	}
	if (!k) {
		no_key(q, text);
		return false;
	}
	if (!community_anchor(&m->all, k->name, on))
		return true;
	reply_error(q, 503, "no_room", "there is no room for one key more", "");
	return false;
}

/* Its secret half, too, if it is here. Answers in any case. */
static void remove_key(struct community_module *m, struct http_request *q, const char *text)
{
	const struct community_key *k = entry_of(m, text);
	struct buf out = BUF(REPLY_MAX);
	struct key_entry entry;
	char why[SIGNER_WHY_MAX] = "";

	if (!k) {
		no_key(q, text);
		return;
	}
	signer_show(&m->signer, k, NULL, &entry);
	if (entry.own && keyring_remove(state_dir(m), k->name, why, sizeof(why))) {
		reply_error(q, 500, "failed", why, "nothing was removed");
		return;
	}
	community_remove(&m->all, k->name);
	settle(m);
	entry.own = false;
	entry.anchor = false;
	snprintf(entry.error, sizeof(entry.error), "%s", m->error);
	reply_document(q, REPLY_JSON, &out, reply_key_encode(&entry, &out));
}

static bool import_key(struct community_module *m, struct http_request *q,
		       const struct request_keys *ask)
{
	struct trust_id key;

	if (community_name_is_good(ask->name) && !signer_is_users(ask->name) &&
	    hex_parse(ask->key, key.b, sizeof(key.b)))
		return add_key(m, q, ask->name, &key);
	reply_error(q, 400, "bad_request",
		    "a key is 64 hexadecimal digits, and its name 1 to 63 letters, digits, '.', "
		    "'_', '-' or '@'",
		    "");
	return false;
}

static void on_keys(void *data, struct http_request *q, UNUSED struct server *s)
{
	struct community_module *m = data;
	const struct community_key *k;
	struct request_keys ask;
	char who[STATUS_BY_LEN];
	char why[SIGNER_WHY_MAX] = "";
	bool done = false;

	if (request_keys_decode(q->body, q->body_len, &ask, why, sizeof(why))) {
		reply_error(q, 400, "bad_request", why, "");
		return;
	}
	reply_who(q, who, sizeof(who));
	log_notice(SUB, "keys %s \"%s\", asked for by %s", keys_order_name(ask.order), ask.name,
		   who);
	if (ask.order == KEYS_REMOVE)
		remove_key(m, q, ask.name);
	else if (ask.order == KEYS_NEW)
		done = new_key(m, q, ask.name);
	else if (ask.order == KEYS_ADD)
		done = import_key(m, q, &ask);
	else
		done = anchor(m, q, ask.name, ask.order == KEYS_ANCHOR);
	if (!done)
		return;
	settle(m);
	k = entry_of(m, ask.name);
	answer_key(m, q, k ? k->name : ask.name);
}

/* --- statements from elsewhere --------------------------------------------------------------------------- */

static void take_line(struct community_module *m, const struct community_line *line,
		      struct reply_taken *reply)
{
	struct taken_line *to = &reply->lines[reply->n_lines++];
	enum reputation_verdict verdict;
	const char *known = "";
	int r;

	to->line = line->number;
	if (line->is_key) {
		r = signer_is_users(line->key.name)
			    ? -EEXIST
			    : community_add(&m->all, line->key.name, &line->key.key, &known);
		reply->accepted += !r;
		reply->old += r == -EALREADY;
		reply->refused += r && r != -EALREADY;
		snprintf(to->issuer, sizeof(to->issuer), "%s", line->key.name);
		snprintf(to->verdict, sizeof(to->verdict), "%s%s",
			 !r               ? "accepted"
			 : r == -EALREADY ? "known as "
			 : r == -EEXIST   ? "another key has this name"
					  : reputation_verdict_names[REPUTATION_FULL],
			 r == -EALREADY ? known : "");
		return;
	}
	verdict = community_take(&m->all, &line->statement, clock_wall_ns());
	reply->accepted += verdict == REPUTATION_ACCEPTED;
	reply->old += verdict == REPUTATION_OLD;
	reply->unknown += verdict == REPUTATION_UNKNOWN;
	reply->refused += verdict != REPUTATION_ACCEPTED && verdict != REPUTATION_OLD &&
			  verdict != REPUTATION_UNKNOWN;
	community_show(&m->all, &line->statement.says.issuer, to->issuer);
	snprintf(to->verdict, sizeof(to->verdict), "%s", reputation_verdict_names[verdict]);
}

static int take_all(struct community_module *m, const struct community_lines *lines,
		    struct reply_taken *reply)
{
	reply->lines = calloc(lines->n + 1, sizeof(*reply->lines));
	if (!reply->lines)
		return -ENOMEM;
	for (size_t i = 0; i < lines->n; i++)
		take_line(m, &lines->v[i], reply);
	if (reply->accepted)
		settle(m);
	snprintf(reply->error, sizeof(reply->error), "%s", m->error);
	return 0;
}

static void on_statements(void *data, struct http_request *q, UNUSED struct server *s)
{
	struct community_module *m = data;
	CLEANUP(community_lines_done) struct community_lines lines = { 0 };
	CLEANUP(reply_taken_done) struct reply_taken reply = { 0 };
	struct buf out = BUF(REPLY_MAX);
	char who[STATUS_BY_LEN];
	char why[SIGNER_WHY_MAX] = "";
	int r = community_lines_read(q->body, q->body_len, &lines, why, sizeof(why));

	if (r == -EINVAL) {
		reply_error(q, 400, "bad_statements", why, "nothing of it was taken");
		return;
	}
	if (!r)
		r = take_all(m, &lines, &reply);
	if (r) {
		reply_failure(q, r, "");
		return;
	}
	reply_who(q, who, sizeof(who));
	log_notice(
		SUB,
		"%zu lines imported by %s: %u accepted, %u known, %u of no server here, %u refused",
		reply.n_lines, who, reply.accepted, reply.old, reply.unknown, reply.refused);
	reply_document(q, REPLY_JSON, &out, reply_taken_encode(&reply, &out));
}

/* --- what is said here -------------------------------------------------------------------------------------- */

/* The subject of what is to be signed; false after an answer. */
static bool find_subject(struct community_module *m, struct http_request *q,
			 const struct request_say *ask, struct trust_id *ret)
{
	const struct server *s;
	char message[256];

	if (ask->type != REPUTATION_RATING) {
		if (community_find(&m->all, ask->subject, ret))
			return true;
		no_key(q, ask->subject);
		return false;
	}
	s = servers_by_name(m->part.d->servers, ask->subject);
	if (!s) {
		snprintf(message, sizeof(message), "there is no server \"%.128s\"", ask->subject);
		reply_error(q, 404, "not_found", message, "`switchgear status` lists the servers");
	} else if (!of(m, s)->place) {
		reply_error(q, 503, "no_room", "there is no room for ratings of one server more",
			    "see `degraded` in `switchgear status`");
	} else {
		*ret = m->all.web.servers[of(m, s)->place - 1].id;
		return true;
	}
	return false;
}

/* Who signs: who is named, for a revocation the key itself if it is here, or the only one there
 * is; false after an answer. */
static bool find_signer(const struct community_module *m, struct http_request *q,
			const struct request_say *ask, char name[COMMUNITY_NAME_LEN])
{
	const struct community_key *k = *ask->by ? entry_of(m, ask->by) : NULL;
	size_t n = 1;
	struct trust_id key;
	char why[SIGNER_WHY_MAX];

	if (*ask->by && !k) {
		no_key(q, ask->by);
		return false;
	}
	if (!k && ask->type == REPUTATION_REVOKE) {
		k = entry_of(m, ask->subject);
		k = k && signer_key(&m->signer, k->name, &key, why) != -ENOENT ? k : NULL;
	}
	if (!k)
		n = signer_only(&m->signer, name);
	if (n != 1) {
		reply_error(q, 400, "bad_request",
			    n ? "there are several keys here that could sign"
			      : "there is no key here that could sign",
			    n ? "name one with --key" : "make one with `switchgear keys new NAME`");
		return false;
	}
	if (k)
		snprintf(name, COMMUNITY_NAME_LEN, "%s", k->name);
	return true;
}

static void answer_said(const struct community_module *m, struct http_request *q,
			const struct request_say *ask, const char *name, const struct statement *s)
{
	CLEANUP(reply_said_done)
	struct reply_said said = {
		.type = ask->type,
		.value = s->says.value,
		.expires_wall_ns = s->says.expires_ns,
	};
	CLEANUP(buf_done) struct buf line = BUF(STATEMENT_LINE_MAX);
	struct buf out = BUF(REPLY_MAX);
	int r = statement_encode(s, &line);

	snprintf(said.name, sizeof(said.name), "%s", name);
	snprintf(said.subject, sizeof(said.subject), "%s", ask->subject);
	snprintf(said.error, sizeof(said.error), "%s", m->error);
	hex_print(s->says.issuer.b, sizeof(s->says.issuer.b), said.key);
	if (!r && line.len)
		said.statement = strndup(line.data, line.len - 1);
	if (!said.statement)
		r = -ENOMEM;
	reply_document(q, REPLY_JSON, &out, r ? r : reply_said_encode(&said, &out));
}

/* Signs as `name`, takes it, answers. */
static void say(struct community_module *m, struct http_request *q, const struct request_say *ask,
		const char *name, const struct trust_id *subject)
{
	uint64_t wall = clock_wall_ns();
	struct statement s = { .says = { .type = (enum reputation_type)ask->type,
					 .subject = *subject,
					 .value = ask->value,
					 .depth = (uint32_t)ask->depth,
					 .not_before_ns = wall,
					 .expires_ns =
						 wall + (ask->for_ns ? ask->for_ns : LIFE_NS) },
			       .evidence = ask->evidence };
	enum reputation_verdict verdict;
	char message[128];
	char why[SIGNER_WHY_MAX] = "";
	int r = signer_sign(&m->signer, name, &s, why);

	if (r) {
		reply_error(q, 500, "not_signed", why, "nothing was signed");
		return;
	}
	verdict = community_take(&m->all, &s, wall);
	if (verdict != REPUTATION_ACCEPTED) {
		snprintf(message, sizeof(message), "what was to be signed is not accepted here: %s",
			 reputation_verdict_names[verdict]);
		reply_error(q, 409, "not_accepted", message,
			    verdict == REPUTATION_REVOKED ? "sign with another key" : "");
		return;
	}
	settle(m);
	log_info(SUB, "%s of %s by %s: %g", statement_type_name(ask->type), ask->subject, name,
		 ask->value);
	answer_said(m, q, ask, name, &s);
}

static void on_sign(void *data, struct http_request *q, UNUSED struct server *s)
{
	struct community_module *m = data;
	char name[COMMUNITY_NAME_LEN];
	struct trust_id subject;
	struct request_say ask;
	char why[SIGNER_WHY_MAX] = "";

	if (request_say_decode(false, q->body, q->body_len, &ask, why, sizeof(why))) {
		reply_error(q, 400, "bad_request", why, "");
		return;
	}
	m->dirty |= signer_learn(&m->signer);
	if (find_subject(m, q, &ask, &subject) && find_signer(m, q, &ask, name))
		say(m, q, &ask, name, &subject);
}

/* --- what users of this host say ------------------------------------------------------------------------------ */

/* His key, made if he has none; false after an answer. */
static bool users_key(struct community_module *m, struct http_request *q, const char *name)
{
	struct trust_id key;
	const char *known = "";
	char why[SIGNER_WHY_MAX] = "";
	size_t n = 0;
	int r;

	if (community_named(&m->all, name))
		return true;
	for (size_t i = 0; i < m->all.n_keys; i++)
		n += signer_is_users(m->all.keys[i].name);
	if (n >= USERS_MAX) {
		reply_error(q, 503, "no_room", "too many users of this host have rated already",
			    "an operator can forget one: switchgear keys remove uid-N");
		return false;
	}
	r = keyring_new(state_dir(m), name, &key, why, sizeof(why));
	if (r == -EEXIST)
		r = signer_key(&m->signer, name, &key, why);
	if (!r)
		r = community_add(&m->all, name, &key, &known);
	if (r)
		reply_error(q, 500, "not_signed", *why ? why : strerror(-r), "nothing was signed");
	return !r;
}

static void on_rating(void *data, struct http_request *q, UNUSED struct server *s)
{
	struct community_module *m = data;
	char name[COMMUNITY_NAME_LEN];
	struct trust_id subject;
	struct request_say ask;
	char why[SIGNER_WHY_MAX] = "";
	uint64_t wait;

	if (request_say_decode(true, q->body, q->body_len, &ask, why, sizeof(why))) {
		reply_error(q, 400, "bad_request", why, "");
		return;
	}
	if (!find_subject(m, q, &ask, &subject))
		return;
	wait = quota_take(&m->quota, q->peer.uid, clock_boot_ns());
	if (wait) {
		http_retry_after(q, (unsigned int)((wait + NS_PER_SEC - 1) / NS_PER_SEC));
		reply_error(q, 429, "too_many", "too many ratings",
			    "ask again after what Retry-After says");
		return;
	}
	snprintf(name, sizeof(name), SIGNER_USERS "%u", (unsigned int)q->peer.uid);
	if (users_key(m, q, name))
		say(m, q, &ask, name, &subject);
}

/* --- the rest --------------------------------------------------------------------------------------------------- */

static int community_fill_explain(void *data, struct server *s, struct reply_explain *to)
{
	const struct community_module *m = data;
	uint32_t place = of(m, s)->place;

	return place ? community_explain(&m->all, &m->policy, place - 1, clock_wall_ns(), to) : 0;
}

static int community_degraded(void *data, struct status *to)
{
	const struct community_module *m = data;
	char text[128];
	int r = m->error[0] ? status_degrade(to, m->error) : 0;

	if (r || !m->homeless)
		return r;
	snprintf(text, sizeof(text),
		 "ratings of %u servers cannot be weighed: %u identities are known already",
		 m->homeless, COMMUNITY_SERVERS);
	return status_degrade(to, text);
}

static void community_applied(void *data, const struct config *config)
{
	struct community_module *m = data;

	load(m);
	m->policy = config->trust;
	m->homeless = 0;
	for (struct server *s = servers_first(m->part.d->servers); s; s = s->next) {
		uint32_t before = m->all.web.n_servers;
		uint32_t place = 0;
		struct rated *rated = module_server(m, s);

		rated->place = 0;
		if (s->covered_by)
			continue;
		if (community_server(&m->all, s->config->name, &s->identity, &place))
			m->homeless++;
		else
			rated->place = place + 1;
		m->dirty |= m->all.web.n_servers != before;
	}
	m->changed = true;
}

static int community_start(void *data)
{
	struct community_module *m = data;
	uint64_t seed = clock_boot_ns();

	if (getrandom(&seed, sizeof(seed), GRND_NONBLOCK) != sizeof(seed))
		log_warning(SUB, "no randomness for the tables of keys: who chooses keys could "
				 "make look-ups slow");
	m->signer = (struct signer){ .all = &m->all, .dir = state_dir(m) };
	m->policy = trust_policy_defaults();
	m->next_ns = UINT64_MAX;
	return community_init(&m->all, seed);
}

static void community_stop(void *data)
{
	struct community_module *m = data;

	if (m->store && m->dirty)
		save(m);
	store_close(m->store);
	community_done(&m->all);
}

static const struct api_route routes[] = {
	{ "GET", "v1/keys", API_READ, on_list },
	{ "POST", "v1/keys", API_CHANGE, on_keys },
	{ "GET", "v1/statements", API_READ, on_export },
	{ "POST", "v1/statements", API_REPORT, on_statements },
	{ "POST", "v1/sign", API_CHANGE, on_sign },
	{ "POST", "v1/ratings", API_RATE, on_rating },
	{ 0 },
};

const struct module community_module = {
	.name = SUB,
	.size = sizeof(struct community_module),
	.server_size = sizeof(struct rated),
	.start = community_start,
	.stop = community_stop,
	.applied = community_applied,
	.turn = community_turn,
	.commit = community_commit,
	.degraded = community_degraded,
	.explain = community_fill_explain,
	.routes = routes,
};
