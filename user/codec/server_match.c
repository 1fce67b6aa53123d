/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Is a configured server what a registry's entry describes? */
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "codec/server_json.h"
#include "codec/url.h"

#define GITHUB "io.github."
#define SPACES " \t"

const char *const verify_result_names[VERIFY_RESULT_COUNT + 1] = { "matches", "differs", "unknown",
								   "note", NULL };
const char *const verify_check_names[VERIFY_CHECK_COUNT + 1] = { "status", "url", "package",
								 "namespace", NULL };

/* --- URLs ------------------------------------------------------------------------------------ */

/* The parts of a URL, or of a pattern: borrowed. */
struct parts {
	bool https;
	const char *host;
	size_t host_len;
	const char *port; /* with its length 0: by the scheme */
	size_t port_len;
	const char *path;
	size_t path_len; /* without a slash at its end */
};

static bool split(const char *url, struct parts *ret)
{
	const char *at, *end;

	ret->https = !strncasecmp(url, "https://", 8);
	if (!ret->https && strncasecmp(url, "http://", 7) != 0)
		return false;
	ret->host = url + (ret->https ? 8 : 7);
	end = ret->host + strcspn(ret->host, "/?#");
	at = *ret->host == '[' ? memchr(ret->host, ']', (size_t)(end - ret->host)) : ret->host;
	at = at ? memchr(at, ':', (size_t)(end - at)) : NULL;
	ret->host_len = (size_t)((at ? at : end) - ret->host);
	ret->port = at ? at + 1 : end;
	ret->port_len = (size_t)(end - ret->port);
	if ((ret->port_len == 3 && ret->https && !strncmp(ret->port, "443", 3)) ||
	    (ret->port_len == 2 && !ret->https && !strncmp(ret->port, "80", 2)))
		ret->port_len = 0;
	ret->path = end;
	ret->path_len = strcspn(end, "?#");
	while (ret->path_len && end[ret->path_len - 1] == '/')
		ret->path_len--;
	return ret->host_len > 0;
}

static bool same_char(char a, char b, bool host)
{
	return host ? tolower((unsigned char)a) == tolower((unsigned char)b) : a == b;
}

/* One label or segment against a pattern; a variable stands for one character at least. The last
 * variable alone is tried again: in one piece that finds what there is to find. */
static bool piece_matches(const char *p, size_t n, const char *s, size_t m, bool host)
{
	const char *end = p + n;
	const char *stop = s + m;
	const char *after = NULL; /* behind the last variable */
	const char *from = NULL;  /* where what follows it was tried last */

	while (s < stop || p < end) {
		if (p < end && *p == '{') {
			after = memchr(p, '}', (size_t)(end - p));
			if (!after || s == stop)
				return false;
			p = ++after;
			from = ++s;
		} else if (p < end && s < stop && same_char(*p, *s, host)) {
			p++;
			s++;
		} else if (after && from < stop) {
			p = after;
			s = ++from;
		} else {
			return false;
		}
	}
	return true;
}

static bool is_hidden(const char *s, size_t n)
{
	return n == 3 && !memcmp(s, "***", 3);
}

/* Piece by piece between delimiters; as many on both sides. */
static enum verify_result pieces_match(const char *p, size_t n, const char *s, size_t m,
				       char delimiter)
{
	enum verify_result r = VERIFY_MATCHES;

	for (;;) {
		const char *pe = memchr(p, delimiter, n);
		const char *se = memchr(s, delimiter, m);
		size_t i = pe ? (size_t)(pe - p) : n;
		size_t k = se ? (size_t)(se - s) : m;

		if (!piece_matches(p, i, s, k, delimiter == '.')) {
			if (!is_hidden(s, k))
				return VERIFY_DIFFERS;
			r = VERIFY_UNKNOWN;
		}
		if (!pe || !se)
			return pe || se ? VERIFY_DIFFERS : r;
		p = pe + 1;
		s = se + 1;
		n -= i + 1;
		m -= k + 1;
	}
}

enum verify_result server_json_url_matches(const char *pattern, const char *url)
{
	struct parts p, u;

	if (!split(pattern, &p) || !split(url, &u) || p.https != u.https)
		return VERIFY_DIFFERS;
	if (pieces_match(p.host, p.host_len, u.host, u.host_len, '.') != VERIFY_MATCHES ||
	    (p.port_len || u.port_len ? !piece_matches(p.port, p.port_len, u.port, u.port_len, true)
				      : false))
		return VERIFY_DIFFERS;
	if (!*u.path && p.path_len) /* shown as far as its origin alone */
		return VERIFY_UNKNOWN;
	return pieces_match(p.path, p.path_len, u.path, u.path_len, '/');
}

/* --- names ----------------------------------------------------------------------------------- */

bool server_json_owns(const char *name, const char *host)
{
	size_t n = strcspn(name, "/");
	size_t m = strlen(host);
	size_t labels = 0;

	if (m && host[m - 1] == '.')
		m--;
	while (n) {
		size_t label = strcspn(name, "./");
		size_t start = m;

		while (start && host[start - 1] != '.')
			start--;
		if (!label || m - start != label || strncasecmp(host + start, name, label) != 0)
			return false;
		labels++;
		n -= label;
		name += label;
		m = start ? start - 1 : 0;
		if (n) {
			n--;
			name++;
			if (!start)
				return false;
		}
	}
	return labels >= 2;
}

/* --- packages -------------------------------------------------------------------------------- */

/* By what a type separates a version from an identifier. */
static const char *separator(const char *type, const char *rest)
{
	if (!strcmp(type, "pypi") && !strncmp(rest, "==", 2))
		return "==";
	if (!strcmp(type, "oci"))
		return *rest == ':' ? ":" : "@";
	return "@";
}

/* Whether this word names the package: the version behind it goes to *ret, "" without one. */
static bool names_package(const struct registry_package *p, const char *word, size_t n, char *ret,
			  size_t size)
{
	size_t len = strlen(p->identifier);
	const char *by;

	*ret = '\0';
	if (n < len || strncmp(word, p->identifier, len) != 0)
		return false;
	if (n == len)
		return true;
	by = separator(p->type, word + len);
	if (n - len <= strlen(by) || strncmp(word + len, by, strlen(by)) != 0)
		return false;
	len += strlen(by);
	snprintf(ret, size, "%.*s", (int)(n - len), word + len);
	return true;
}

static enum verify_result one_package(const struct registry_package *p, const char *command,
				      char *detail)
{
	char version[64];

	for (const char *word = command + strspn(command, SPACES); *word;) {
		size_t n = strcspn(word, SPACES);

		if (names_package(p, word, n, version, sizeof(version))) {
			if (!*version || !p->version) {
				snprintf(detail, VERIFY_DETAIL_MAX,
					 "runs %s package %.100s, whose version is not pinned "
					 "(registered: %.60s)",
					 p->type, p->identifier, p->version ? p->version : "none");
				return VERIFY_MATCHES;
			}
			snprintf(detail, VERIFY_DETAIL_MAX,
				 "runs %s package %.100s %.60s, registered is %.60s", p->type,
				 p->identifier, version, p->version);
			return strcmp(version, p->version) ? VERIFY_DIFFERS : VERIFY_MATCHES;
		}
		word += n;
		word += strspn(word, SPACES);
	}
	return VERIFY_UNKNOWN; /* another one */
}

/* --- the checks ------------------------------------------------------------------------------ */

static void set(struct verification *v, enum verify_check check, enum verify_result result,
		const char *detail)
{
	v->checks[check].result = result;
	snprintf(v->checks[check].detail, VERIFY_DETAIL_MAX, "%s", detail);
}

static void check_status(const struct server_json *s, struct verification *v)
{
	static const char *const details[REGISTRY_STATUS_COUNT] = {
		[REGISTRY_UNKNOWN] = "the file does not say",
		[REGISTRY_ACTIVE] = "active",
		[REGISTRY_DEPRECATED] = "deprecated: its publisher advises against it",
		[REGISTRY_DELETED] = "deleted from the registry",
	};

	set(v, VERIFY_STATUS,
	    s->status == REGISTRY_DELETED  ? VERIFY_DIFFERS
	    : s->status == REGISTRY_ACTIVE ? VERIFY_MATCHES
					   : VERIFY_NOTE,
	    details[s->status]);
}

static void check_url(const struct server_json *s, const char *url, struct verification *v)
{
	enum verify_result best = VERIFY_DIFFERS;
	const char *which = NULL;

	for (size_t i = 0; i < s->n_remotes && best != VERIFY_MATCHES; i++) {
		enum verify_result r = server_json_url_matches(s->remotes[i].url, url);

		if (r == VERIFY_DIFFERS)
			continue;
		best = r;
		which = s->remotes[i].url;
	}
	set(v, VERIFY_URL, best, "");
	if (which)
		snprintf(v->checks[VERIFY_URL].detail, VERIFY_DETAIL_MAX, "%s remote %.200s%s",
			 best == VERIFY_MATCHES ? "is the" : "may be the", which,
			 best == VERIFY_MATCHES ? "" : ": not all of its path is shown");
	else
		snprintf(v->checks[VERIFY_URL].detail, VERIFY_DETAIL_MAX,
			 "%.200s is none of the %zu remotes", url, s->n_remotes);
}

static void check_package(const struct server_json *s, const char *command, struct verification *v)
{
	char detail[VERIFY_DETAIL_MAX];

	set(v, VERIFY_PACKAGE, VERIFY_DIFFERS, "its command runs none of the packages");
	for (size_t i = 0; i < s->n_packages; i++) {
		enum verify_result r = one_package(&s->packages[i], command, detail);

		if (r != VERIFY_UNKNOWN)
			set(v, VERIFY_PACKAGE, r, detail);
		if (r == VERIFY_MATCHES)
			return;
	}
}

static void check_namespace(const struct server_json *s, const char *url, struct verification *v)
{
	char *detail = v->checks[VERIFY_NAMESPACE].detail;
	int n = (int)strcspn(s->name, "/");
	char host[URL_HOST_MAX + 1];
	struct parts p;

	v->checks[VERIFY_NAMESPACE].result = VERIFY_NOTE;
	if (!url || !split(url, &p) || p.host_len >= sizeof(host)) {
		snprintf(detail, VERIFY_DETAIL_MAX, "%.*s: there is no host to compare it with", n,
			 s->name);
		return;
	}
	snprintf(host, sizeof(host), "%.*s", (int)p.host_len, p.host);
	if (server_json_owns(s->name, host)) {
		v->checks[VERIFY_NAMESPACE].result = VERIFY_MATCHES;
		snprintf(detail, VERIFY_DETAIL_MAX,
			 "strong: %.*s is of who owns the domain of %.100s", n, s->name, host);
	} else if (!strncmp(s->name, GITHUB, strlen(GITHUB))) {
		snprintf(detail, VERIFY_DETAIL_MAX,
			 "weak: %.*s is an account at GitHub, and says nothing of %.100s", n,
			 s->name, host);
	} else {
		snprintf(detail, VERIFY_DETAIL_MAX, "weak: %.*s is of another domain than %.100s",
			 n, s->name, host);
	}
}

void server_json_verify(const struct server_json *s, const char *url, const char *command,
			struct verification *ret)
{
	*ret = (struct verification){ 0 };
	check_status(s, ret);
	check_namespace(s, url, ret);
	set(ret, VERIFY_URL, VERIFY_NOTE, "it has no URL");
	set(ret, VERIFY_PACKAGE, VERIFY_NOTE,
	    url ? "it is reached by its URL" : "it has no command");
	if (url)
		check_url(s, url, ret);
	else if (command)
		check_package(s, command, ret);
	ret->matches = s->status != REGISTRY_DELETED &&
		       (ret->checks[VERIFY_URL].result == VERIFY_MATCHES ||
			ret->checks[VERIFY_PACKAGE].result == VERIFY_MATCHES);
}
