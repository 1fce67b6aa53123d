/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * libcurl makes the connection secure and no more: the socket is the probe's, and so is what
 * is said over it.
 */
#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/log.h"
#include "worker/worker.h"

#define SUB "worker"
#define CA_MAX (4U << 20)
#define VERIFY_EXPIRED 10L /* X509_V_ERR_CERT_HAS_EXPIRED, of CURLINFO_SSL_VERIFYRESULT */

struct tls {
	CURLM *multi;
	CURL *easy;
	struct curl_slist *names;
	int socket;
	char error[CURL_ERROR_SIZE];
};

static char *own_ca; /* NULL: none */
static size_t own_ca_len;
static bool blind; /* what was to be trusted could not be read */

/* --- before the sandbox ------------------------------------------------------------------------- */

static int read_ca(const char *path)
{
	CLEANUP(closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat st;
	ssize_t n;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || !st.st_size || st.st_size > CA_MAX)
		return -EINVAL;
	own_ca = malloc((size_t)st.st_size);
	if (!own_ca)
		return -ENOMEM;
	n = read(fd, own_ca, (size_t)st.st_size);
	if (n < 0)
		return -errno;
	own_ca_len = (size_t)n;
	return 0;
}

int tls_prepare(const char *ca_file)
{
	int r = curl_global_init(CURL_GLOBAL_DEFAULT) ? -ENOMEM : 0;

	if (!r && ca_file)
		r = read_ca(ca_file);
	blind = r != 0;
	if (r && ca_file)
		log_error(SUB,
			  "certificates cannot be read from %s: %s; no https server is asked; "
			  "correct \"ca_file\"",
			  ca_file, strerror(-r));
	return r;
}

/* --- what libcurl asks ---------------------------------------------------------------------------- */

static curl_socket_t give_socket(void *data, UNUSED curlsocktype purpose,
				 UNUSED struct curl_sockaddr *address)
{
	const struct tls *t = data;

	return t->socket;
}

static int is_connected(UNUSED void *data, UNUSED curl_socket_t socket, UNUSED curlsocktype purpose)
{
	return CURL_SOCKOPT_ALREADY_CONNECTED;
}

static int leave_open(UNUSED void *data, UNUSED curl_socket_t socket)
{
	return 0;
}

/* --- the handshake ----------------------------------------------------------------------------------- */

static void tls_close(void *data)
{
	struct tls *t = data;

	if (!t)
		return;
	if (t->multi && t->easy)
		curl_multi_remove_handle(t->multi, t->easy);
	if (t->easy)
		curl_easy_cleanup(t->easy);
	if (t->multi)
		curl_multi_cleanup(t->multi);
	curl_slist_free_all(t->names);
	free(t);
}

static void tls_closep(struct tls **t)
{
	tls_close(*t);
}

/* The name is not looked up: the socket is connected. */
static int set_target(struct tls *t, const char *host, uint16_t port)
{
	bool v6 = strchr(host, ':') != NULL;
	char text[320];

	snprintf(text, sizeof(text), "%s:%u:127.0.0.1", host, port);
	t->names = v6 ? NULL : curl_slist_append(NULL, text);
	if (!v6 && !t->names)
		return -ENOMEM;
	snprintf(text, sizeof(text), "https://%s%s%s:%u/", v6 ? "[" : "", host, v6 ? "]" : "",
		 port);
	return curl_easy_setopt(t->easy, CURLOPT_URL, text) ||
			       curl_easy_setopt(t->easy, CURLOPT_RESOLVE, t->names)
		       ? -EINVAL
		       : 0;
}

static int set_options(struct tls *t)
{
	struct curl_blob ca = { own_ca, own_ca_len, CURL_BLOB_NOCOPY };
	CURL *e = t->easy;
	int r = 0;

	r |= (int)curl_easy_setopt(e, CURLOPT_CONNECT_ONLY, 1L);
	r |= (int)curl_easy_setopt(e, CURLOPT_ERRORBUFFER, t->error);
	r |= (int)curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
	r |= (int)curl_easy_setopt(e, CURLOPT_PROXY, "");
	r |= (int)curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	r |= (int)curl_easy_setopt(e, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	r |= (int)curl_easy_setopt(e, CURLOPT_SSL_VERIFYPEER, 1L);
	r |= (int)curl_easy_setopt(e, CURLOPT_SSL_VERIFYHOST, 2L);
	r |= (int)curl_easy_setopt(e, CURLOPT_OPENSOCKETFUNCTION, give_socket);
	r |= (int)curl_easy_setopt(e, CURLOPT_OPENSOCKETDATA, t);
	r |= (int)curl_easy_setopt(e, CURLOPT_SOCKOPTFUNCTION, is_connected);
	r |= (int)curl_easy_setopt(e, CURLOPT_CLOSESOCKETFUNCTION, leave_open);
	r |= (int)curl_easy_setopt(e, CURLOPT_SSL_SESSIONID_CACHE, 0L);
	if (own_ca)
		r |= (int)curl_easy_setopt(e, CURLOPT_CAINFO_BLOB, &ca);
	return r ? -EINVAL : 0;
}

static int tls_open(int socket, const char *host, uint16_t port, void **ret)
{
	CLEANUP(tls_closep) struct tls *t = calloc(1, sizeof(*t));
	int r;

	if (!t)
		return -ENOMEM;
	t->socket = socket;
	t->multi = curl_multi_init();
	t->easy = curl_easy_init();
	if (!t->multi || !t->easy)
		return -ENOMEM;
	r = set_options(t);
	if (!r)
		r = set_target(t, host, port);
	if (!r && curl_multi_add_handle(t->multi, t->easy))
		r = -ENOMEM;
	if (r)
		return r;
	*ret = TAKE_PTR(t);
	return 0;
}

static bool said(const struct tls *t, const char *words)
{
	return strcasestr(t->error, words) != NULL;
}

/*
 * What is the server's: that its certificate has expired, that it hangs up, that it fails
 * and says so. That it is not trusted here, or wants a certificate of ours, is not.
 */
static void judge(const struct tls *t, CURLcode code, struct probe_objection *o)
{
	long verify = 0;

	*o = (struct probe_objection){ .class = SG_CALLER, .cause = SG_CAUSE_TLS };
	snprintf(o->why, sizeof(o->why), "%.127s",
		 t->error[0] ? t->error : curl_easy_strerror(code));
	curl_easy_getinfo(t->easy, CURLINFO_SSL_VERIFYRESULT, &verify);
	if (code == CURLE_PEER_FAILED_VERIFICATION) {
		if (verify == VERIFY_EXPIRED)
			o->class = SG_HARD;
	} else if (code != CURLE_SSL_CONNECT_ERROR) {
		o->class = SG_LOCAL;
		o->cause = SG_CAUSE_NONE;
	} else if (said(t, "reset by peer")) {
		*o = (struct probe_objection){ .class = SG_HARD, .cause = SG_CAUSE_RESET };
	} else if (said(t, "syscall") || said(t, "unexpected eof") || said(t, "internal error") ||
		   said(t, "wrong version number") || said(t, "packet length")) {
		o->class = SG_HARD;
	}
}

static int tls_shake(void *data, struct probe_objection *objection)
{
	struct tls *t = data;
	const CURLMsg *m;
	int running;
	int left;

	if (blind) {
		*objection =
			(struct probe_objection){ .class = SG_LOCAL,
						  .cause = SG_CAUSE_NONE,
						  .why = "what is to be trusted cannot be read" };
		return -EPROTO;
	}
	if (curl_multi_perform(t->multi, &running))
		running = 0;
	if (running)
		return -EAGAIN;
	m = curl_multi_info_read(t->multi, &left);
	if (m && m->data.result == CURLE_OK)
		return 0;
	judge(t, m ? m->data.result : CURLE_FAILED_INIT, objection);
	return -EPROTO;
}

/* --- over it --------------------------------------------------------------------------------------------- */

static ssize_t tls_send(void *data, const void *text, size_t len)
{
	const struct tls *t = data;
	size_t n = 0;
	CURLcode code = curl_easy_send(t->easy, text, len, &n);

	if (code == CURLE_AGAIN)
		return -EAGAIN;
	return code ? -EPIPE : (ssize_t)n;
}

/* OpenSSL takes an end without a farewell for an error: so it is, of an answer without length. */
static ssize_t tls_recv(void *data, void *text, size_t len)
{
	const struct tls *t = data;
	size_t n = 0;
	CURLcode code = curl_easy_recv(t->easy, text, len, &n);

	if (code == CURLE_AGAIN)
		return -EAGAIN;
	return code ? -ECONNRESET : (ssize_t)n;
}

const struct probe_tls tls_curl = {
	.open = tls_open,
	.shake = tls_shake,
	.send = tls_send,
	.recv = tls_recv,
	.close = tls_close,
};
