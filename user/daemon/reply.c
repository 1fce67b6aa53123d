/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "daemon/reply.h"

#include <pwd.h>
#include <string.h>

#include "daemon/settings.h"
#include "io/store.h"

#define COMM_MAX 64 /* the kernel's are shorter */

bool reply_may(const struct daemon *d, const struct http_request *q, enum api_right right)
{
	if ((right == API_READ || (right == API_RATE && q->local)) &&
	    !servers_config(d->servers)->api_read_group)
		return true;
	return q->local &&
	       (!q->peer.uid || (d->settings->has_gid && http_peer_in_group(q, d->settings->gid)));
}

enum url_view reply_view(const struct daemon *d, const struct http_request *q)
{
	return reply_may(d, q, API_CHANGE) ? URL_MASKED : URL_ORIGIN;
}

/* NULL: without a name, or none of this host's own. */
static char *user_name(uid_t uid)
{
	FILE *file = fopen("/etc/passwd", "re");
	const struct passwd *user = NULL;
	char *name;

	if (!file)
		return NULL;
	do {
		user = fgetpwent(file);
	} while (user && user->pw_uid != uid);
	name = user ? strdup(user->pw_name) : NULL;
	fclose(file);
	return name;
}

void reply_who(const struct http_request *q, char *to, size_t size)
{
	CLEANUP(freep) char *name = user_name(q->peer.uid);
	CLEANUP(freep) char *comm = NULL;
	char path[32];
	size_t len;

	if (name)
		snprintf(to, size, "%.32s (uid %u)", name, (unsigned int)q->peer.uid);
	else
		snprintf(to, size, "uid %u", (unsigned int)q->peer.uid);
	if (q->peer.pid <= 0) /* of a namespace that is not seen from here */
		return;
	len = strlen(to);
	snprintf(to + len, size - len, ", pid %d", q->peer.pid);
	snprintf(path, sizeof(path), "/proc/%d/comm", q->peer.pid);
	if (file_read(path, COMM_MAX, &comm, &len))
		return; /* it is gone */
	comm[strcspn(comm, "\n")] = '\0';
	len = strlen(to);
	snprintf(to + len, size - len, " (%s)", comm);
	for (char *p = to; *p; p++)
		if (*p < ' ' || *p > '~')
			*p = '?';
}

void reply_error(struct http_request *q, unsigned int status, const char *code, const char *message,
		 const char *hint)
{
	struct buf out = BUF(4096);

	if (!reply_error_encode(code, message, hint, &out))
		http_reply(q, status, REPLY_JSON, out.data, out.len);
	buf_done(&out);
}

void reply_failure(struct http_request *q, int r, const char *why)
{
	reply_error(q, 500, "failed", why[0] ? why : strerror(-r), "see the daemon's log");
}

void reply_document(struct http_request *q, const char *type, struct buf *out, int r)
{
	if (!r)
		r = buf_error(out);
	if (r)
		reply_error(q, 500, "internal", strerror(-r), "see the daemon's log");
	else
		http_reply(q, 200, type, buf_str(out), out->len);
	buf_done(out);
}

void reply_deferred(struct http_deferred *asker, unsigned int status, const struct buf *out, int r)
{
	if (!r)
		r = buf_error(out);
	http_reply_deferred(asker, r ? 500 : status, REPLY_JSON, r ? "" : buf_str(out),
			    r ? 0 : out->len);
}

void reply_stopping(struct http_deferred *asker, const char *message, const char *hint)
{
	CLEANUP(buf_done) struct buf out = BUF(1024);
	int r;

	r = reply_error_encode("stopping", message, hint, &out);
	reply_deferred(asker, 503, &out, r);
}

bool reply_decode(struct http_request *q, enum request_verb verb, struct request *ret)
{
	char why[256] = "";

	if (!request_decode(verb, q->body, q->body_len, ret, why, sizeof(why)))
		return true;
	reply_error(q, 400, "bad_request", why, "");
	return false;
}

void reply_state(struct http_request *q, struct server *s, bool unchanged)
{
	struct reply_state state = { .unchanged = unchanged };
	struct buf out = BUF(1024);
	int r = server_read(s);

	snprintf(state.server, sizeof(state.server), "%s", s->config->name);
	state.state = sg_breaker_shown(&s->breaker);
	if (!r)
		r = reply_state_encode(&state, &out);
	reply_document(q, REPLY_JSON, &out, r);
}
