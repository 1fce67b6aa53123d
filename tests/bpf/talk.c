/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "bpf/talk.h"

#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#define PATIENCE_MS 2000
#define UNHEARD_MS 20

static const char *const class_names[] = { "success", "hard",  "soft",   "app",
					   "caller",  "local", "unknown" };
_Static_assert(ARRAY_SIZE(class_names) == SG_CLASS_COUNT, "a class has no name");

static const char *const cause_names[] = {
	"none",      "refused",     "timeout",      "unreachable",  "reset",
	"truncated", "no answer",   "abandoned",    "status",       "bad response",
	"tls",       "killed",      "lease",        "answer",       "other_address",
	"options",   "stale",       "asleep",       "host_offline", "unseen",
	"distrust",  "certificate", "rate_limited", "no_route",     "proxy",
};
_Static_assert(ARRAY_SIZE(cause_names) == SG_CAUSE_COUNT, "a cause has no name");

const char *talk_class_name(unsigned int class)
{
	return class < SG_CLASS_COUNT ? class_names[class] : "?";
}

const char *talk_cause_name(unsigned int cause)
{
	return cause < SG_CAUSE_COUNT ? cause_names[cause] : "?";
}

/* --- sockets ------------------------------------------------------------------------- */

static void no_delay(int fd)
{
	int one = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}

void talk_init(struct talk *t, struct dataplane *dp)
{
	struct sockaddr_in6 any = { .sin6_family = AF_INET6 };
	socklen_t len = sizeof(any);
	int off = 0;

	*t = (struct talk){ .dp = dp, .client = -1, .server = -1 };
	t->listener = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(t->listener >= 0);
	setsockopt(t->listener, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
	assert_int_equal(bind(t->listener, (struct sockaddr *)&any, sizeof(any)), 0);
	assert_int_equal(listen(t->listener, 64), 0);
	assert_int_equal(getsockname(t->listener, (struct sockaddr *)&any, &len), 0);
	t->port = ntohs(any.sin6_port);
	rig_endpoint(dp, "127.0.0.1", t->port);
}

void talk_end(struct talk *t)
{
	closep(&t->client);
	closep(&t->server);
	t->client = -1;
	t->server = -1;
}

void talk_done(struct talk *t)
{
	talk_end(t);
	closep(&t->listener);
	t->listener = -1;
}

void talk_reset(int fd)
{
	struct linger hard = { .l_onoff = 1, .l_linger = 0 };

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
	close(fd);
}

int talk_socket(const struct talk *t, struct sockaddr_storage *ret_addr, socklen_t *ret_len)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)ret_addr;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)ret_addr;
	int fd = socket(t->name == TALK_V4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	uint64_t cookie;

	assert_true(fd >= 0);
	memset(ret_addr, 0, sizeof(*ret_addr));
	if (t->name == TALK_V4) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(t->port);
		v4->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		*ret_len = sizeof(*v4);
	} else {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons(t->port);
		v6->sin6_addr.s6_addr[15] = 1;
		*ret_len = sizeof(*v6);
	}
	if (t->name == TALK_MAPPED) {
		v6->sin6_addr.s6_addr[10] = 0xff;
		v6->sin6_addr.s6_addr[11] = 0xff;
		v6->sin6_addr.s6_addr[12] = 127;
	}
	if (t->device)
		assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, t->device,
					    (socklen_t)strlen(t->device) + 1),
				 0);
	if (t->own)
		assert_int_equal(dataplane_own_add(t->dp, fd, &cookie), 0);
	no_delay(fd);
	return fd;
}

int talk_dial(struct talk *t)
{
	struct sockaddr_storage addr;
	socklen_t len;

	assert_int_equal(t->client, -1);
	t->client = talk_socket(t, &addr, &len);
	if (connect(t->client, (struct sockaddr *)&addr, len)) {
		int r = -errno;

		close(t->client);
		t->client = -1;
		return r;
	}
	t->server = accept4(t->listener, NULL, NULL, SOCK_CLOEXEC);
	assert_true(t->server >= 0);
	no_delay(t->server);
	return 0;
}

/* Sends all of it; the other end has received all of it, in step if it is much. */
static void transfer(int from, int to, const char *data, size_t len)
{
	char buf[65536];
	size_t sent = 0;
	size_t got = 0;

	while (got < len) {
		struct pollfd p = { .fd = to, .events = POLLIN };
		ssize_t n;

		if (sent < len) {
			n = send(from, data + sent, len - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
			if (n > 0)
				sent += (size_t)n;
			else
				assert_int_equal(errno, EAGAIN);
		}
		if (poll(&p, 1, PATIENCE_MS) != 1)
			fail_msg("%zu of %zu bytes arrived", got, len);
		n = recv(to, buf, sizeof(buf), MSG_DONTWAIT);
		assert_true(n > 0);
		got += (size_t)n;
	}
	assert_int_equal(got, len);
}

static void say(struct talk *t, const char *text, size_t len)
{
	if (t->tear == TALK_BYTES) {
		for (size_t i = 0; i < len; i++)
			transfer(t->server, t->client, text + i, 1);
	} else if (t->tear && t->tear < len) {
		transfer(t->server, t->client, text, t->tear);
		transfer(t->server, t->client, text + t->tear, len - t->tear);
	} else {
		transfer(t->server, t->client, text, len);
	}
}

void talk_ask(struct talk *t, const char *text)
{
	transfer(t->client, t->server, text, strlen(text));
}

void talk_say(struct talk *t, const char *text)
{
	say(t, text, strlen(text));
}

bool talk_heard(struct talk *t)
{
	struct pollfd p = { .fd = t->server, .events = POLLIN };

	return poll(&p, 1, UNHEARD_MS) == 1;
}

int talk_error(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN | POLLRDHUP };
	char byte;

	if (poll(&p, 1, PATIENCE_MS) != 1)
		return -1;
	return recv(fd, &byte, 1, MSG_DONTWAIT) < 0 ? errno : 0;
}

static void step(struct talk *t, const struct talk_step *s)
{
	struct dataplane_sweep sweep;

	switch (s->op) {
	case TALK_CONNECT:
		assert_int_equal(talk_dial(t), 0);
		break;
	case TALK_ASK:
		transfer(t->client, t->server, s->text, s->n);
		break;
	case TALK_SAY:
		say(t, s->text, s->n);
		break;
	case TALK_PAUSE:
		usleep((useconds_t)s->n * 1000);
		break;
	case TALK_FIN:
		close(t->server);
		t->server = -1;
		assert_int_equal(talk_error(t->client), 0);
		break;
	case TALK_RST:
		talk_reset(t->server);
		t->server = -1;
		assert_int_equal(talk_error(t->client), ECONNRESET);
		break;
	case TALK_CLOSE:
		close(t->client);
		t->client = -1;
		break;
	case TALK_ABORT:
		talk_reset(t->client);
		t->client = -1;
		break;
	case TALK_SHUT:
		shutdown(t->client, SHUT_WR);
		assert_int_equal(talk_error(t->server), 0);
		break;
	case TALK_SWEEP:
		assert_int_equal(dataplane_sweep(t->dp, &sweep), 0);
		break;
	case TALK_END:
		break;
	}
}

void talk_play(struct talk *t, const struct talk_step *steps)
{
	for (size_t i = 0; i < TALK_STEPS_MAX && steps[i].op != TALK_END; i++)
		step(t, &steps[i]);
}

/* --- what it must lead to ------------------------------------------------------------ */

static void show(const struct talk_want *want, const struct rig_events *events)
{
	print_message("%s: wanted", want->name);
	for (size_t i = 0; i < want->n; i++)
		print_message(" (%s, %s, %u)", talk_class_name(want->outcomes[i].class),
			      talk_cause_name(want->outcomes[i].cause), want->outcomes[i].status);
	print_message("; got");
	for (size_t i = 0; i < events->n; i++) {
		const struct sg_event *e = &events->e[i];

		if (e->type == SG_EV_OUTCOME)
			print_message(" (%s, %s, %u, flags %x)", talk_class_name(e->outcome),
				      talk_cause_name(e->cause), e->status, e->flags);
		else
			print_message(" (type %u)", e->type);
	}
	print_message("\n");
}

static bool is(const struct talk_outcome *want, const struct sg_event *e)
{
	return e->type == SG_EV_OUTCOME && e->server == RIG_SERVER && e->outcome == want->class &&
	       e->cause == want->cause &&
	       (want->status == ANY_STATUS || e->status == want->status) &&
	       !!(e->flags & SG_OUT_COMPLETE) == want->complete &&
	       !!(e->flags & SG_OUT_LATE) == want->late && !!e->was_ns == want->late &&
	       e->retry_after_ns == want->retry_s * NS_PER_SEC;
}

static void count_outcome(struct sg_stats *st, const struct talk_outcome *o)
{
	__u64 *const by_class[] = { &st->success, &st->hard,    &st->soft,   &st->ignored,
				    &st->ignored, &st->ignored, &st->ignored };
	__u64 *const by_cause[SG_CAUSE_COUNT] = {
		[SG_CAUSE_REFUSED] = &st->refused,
		[SG_CAUSE_TIMEOUT] = &st->timeout,
		[SG_CAUSE_UNREACHABLE] = &st->unreachable,
		[SG_CAUSE_RESET] = &st->reset,
		[SG_CAUSE_TRUNCATED] = &st->reset,
		[SG_CAUSE_TLS] = &st->reset,
		[SG_CAUSE_NO_ANSWER] = &st->timeouts,
		[SG_CAUSE_LEASE] = &st->timeouts,
		[SG_CAUSE_ABANDONED] = &st->abandoned,
		[SG_CAUSE_BAD_RESPONSE] = &st->bad_responses,
	};

	if (o->late) {
		st->corrected++;
		return;
	}
	++*by_class[o->class];
	if (o->cause == SG_CAUSE_TLS || o->cause == SG_CAUSE_DISTRUST ||
	    o->cause == SG_CAUSE_CERTIFICATE)
		st->handshake_failures++;
	if (by_cause[o->cause])
		++*by_cause[o->cause];
}

static void count_status(struct sg_stats *st, unsigned int status)
{
	__u64 *const by_hundred[] = { &st->r1xx, &st->r2xx, &st->r3xx, &st->r4xx, &st->r5xx };

	if (status >= 100 && status < 600)
		++*by_hundred[status / 100 - 1];
}

void talk_expect(struct talk *t, const struct talk_want *want, struct rig_events *events)
{
	struct sg_stats st = { .connects = want->connects,
			       .requests = want->requests,
			       .r1xx = want->interims,
			       .r2xx = want->late,
			       .handshakes = want->handshakes,
			       .h2 = want->h2,
			       .unframed = want->unframed };
	struct sg_stats got;
	bool same;

	rig_wait(t->dp, events, want->n);
	same = events->n == want->n;
	for (size_t i = 0; i < want->n && same; i++) {
		same = is(&want->outcomes[i], &events->e[i]);
		count_outcome(&st, &want->outcomes[i]);
		if (i >= want->uncounted)
			count_status(&st, want->outcomes[i].status);
	}
	if (!same) {
		show(want, events);
		fail_msg("%s: other outcomes (name %d, torn at %zd)", want->name, t->name,
			 (ssize_t)t->tear);
	}
	got = rig_stats(t->dp);
	st.established = got.established;
	st.rtt_us_sum = got.rtt_us_sum;
	st.rtt_count = got.rtt_count;
	st.retransmits = got.retransmits;
	for (size_t i = 0; i < sizeof(st) / sizeof(__u64); i++)
		if (((__u64 *)&st)[i] != ((__u64 *)&got)[i])
			fail_msg("%s: counter %zu of sg_stats is %llu, not %llu", want->name, i,
				 (unsigned long long)((__u64 *)&got)[i],
				 (unsigned long long)((__u64 *)&st)[i]);
}
