/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What modules answer requests of the API with, and who may ask for what. */
#ifndef SWITCHGEAR_DAEMON_REPLY_H
#define SWITCHGEAR_DAEMON_REPLY_H

#include "base/buf.h"
#include "codec/messages.h"
#include "daemon/servers.h"
#include "io/http.h"

#define REPLY_JSON "application/json"
#define REPLY_LINES "application/x-ndjson"
#define REPLY_MAX (16U << 20)

/* Reading is for every local user unless the configuration says otherwise, changing for
 * root and the configured group; rating for every local user who may read. Over TCP nobody may
 * change or rate. */
bool reply_may(const struct daemon *d, const struct http_request *q, enum api_right right);
/* How URLs are shown to this client: as they are kept only if it may also change something. */
enum url_view reply_view(const struct daemon *d, const struct http_request *q);
/* Who asked, for the record: "root (uid 0), pid 4711 (switchgear)". The name is that of
 * /etc/passwd, since others may take time; of the process that connected nothing else. */
void reply_who(const struct http_request *q, char *to, size_t size);

void reply_error(struct http_request *q, unsigned int status, const char *code, const char *message,
		 const char *hint);
/* Something failed with r; `why`: a sentence, or "" for the error's own text. */
void reply_failure(struct http_request *q, int r, const char *why);
/* Sends a document that `r` says was written well, and frees it. */
void reply_document(struct http_request *q, const char *type, struct buf *out, int r);
/* Sends the document to who waited, NULL-safe; it stays. */
void reply_deferred(struct http_deferred *asker, unsigned int status, const struct buf *out, int r);
/* Tells who waited that the daemon stops. */
void reply_stopping(struct http_deferred *asker, const char *message, const char *hint);
/* The request's body as an order; answers and returns false if it is none. */
bool reply_decode(struct http_request *q, enum request_verb verb, struct request *ret);
/* The state of a server, read anew; `unchanged`: there was nothing to do. */
void reply_state(struct http_request *q, struct server *s, bool unchanged);

#endif
