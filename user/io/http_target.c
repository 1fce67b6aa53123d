/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The request target. Parts are split before they are decoded, so that an
 * encoded slash in a server's name stays inside its part.
 */
#include <errno.h>
#include <string.h>

#include "io/http_private.h"

/* In place. An encoded NUL is refused: it would cut the text short unseen. */
static int decode(char *s, bool plus)
{
	char *out = s;

	for (; *s; s++) {
		if (*s == '%') {
			int high = parse_hex(s[1]);
			int low = high < 0 ? -1 : parse_hex(s[2]);

			if (low < 0 || (high == 0 && low == 0))
				return -EINVAL;
			*out++ = (char)(high << 4 | low);
			s += 2;
		} else {
			*out++ = plus && *s == '+' ? ' ' : *s;
		}
	}
	*out = '\0';
	return 0;
}

static int parse_query(struct http_call *call, char *query)
{
	char *save = NULL;

	for (char *p = strtok_r(query, "&", &save); p; p = strtok_r(NULL, "&", &save)) {
		char *value = strchr(p, '=');

		if (call->queries == HTTP_QUERIES_MAX)
			return -E2BIG;
		if (value)
			*value++ = '\0';
		else
			value = p + strlen(p);
		if (decode(p, true) || decode(value, true))
			return -EINVAL;
		call->query[call->queries][0] = p;
		call->query[call->queries][1] = value;
		call->queries++;
	}
	return 0;
}

int http_call_parse(struct http_call *call, const char *target)
{
	struct http_request *request = &call->request;
	char *save = NULL;
	char *query;

	call->target = strdup(target);
	if (!call->target)
		return -ENOMEM;
	query = strchr(call->target, '?');
	if (query)
		*query++ = '\0';
	call->text = strdup(call->target);
	if (!call->text)
		return -ENOMEM;
	request->path = call->target;
	if (call->text[0] != '/')
		return -EINVAL;
	for (char *p = strtok_r(call->text, "/", &save); p; p = strtok_r(NULL, "/", &save)) {
		if (request->segments == HTTP_SEGMENTS_MAX)
			return -E2BIG;
		if (decode(p, false))
			return -EINVAL;
		request->segment[request->segments++] = p;
	}
	return query ? parse_query(call, query) : 0;
}

const char *http_query(const struct http_request *request, const char *key)
{
	const struct http_call *call = request->call;

	for (size_t i = 0; i < call->queries; i++)
		if (!strcmp(call->query[i][0], key))
			return call->query[i][1];
	return NULL;
}
