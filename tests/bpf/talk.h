/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A conversation between a client and a server on this host, played by one
 * thread from a script: every step waits until the other end has seen it, so
 * that segments, and the events they cause, come in the order of the script.
 */
#ifndef SWITCHGEAR_TESTS_BPF_TALK_H
#define SWITCHGEAR_TESTS_BPF_TALK_H

#include "bpf/rig.h"

enum talk_op {
	TALK_END,
	TALK_CONNECT,
	TALK_ASK,   /* the client sends, the server has received all of it */
	TALK_SAY,   /* the server sends, the client has received all of it */
	TALK_PAUSE, /* milliseconds */
	TALK_FIN,   /* the server closes, the client has seen it */
	TALK_RST,   /* the server resets */
	TALK_CLOSE, /* the client closes */
	TALK_ABORT, /* the client resets */
	TALK_SHUT,  /* the client has nothing more to send */
	TALK_SWEEP, /* what the clock says */
};

struct talk_step {
	enum talk_op op;
	const char *text;
	size_t n; /* bytes, or milliseconds */
};

#define CONNECT                       \
	{                             \
		TALK_CONNECT, NULL, 0 \
	}
#define ASK(text)                                \
	{                                        \
		TALK_ASK, text, sizeof(text) - 1 \
	}
#define SAY(text)                                \
	{                                        \
		TALK_SAY, text, sizeof(text) - 1 \
	}
#define PAUSE(ms)                    \
	{                            \
		TALK_PAUSE, NULL, ms \
	}
#define FIN                       \
	{                         \
		TALK_FIN, NULL, 0 \
	}
#define RST                       \
	{                         \
		TALK_RST, NULL, 0 \
	}
#define CLOSE                       \
	{                           \
		TALK_CLOSE, NULL, 0 \
	}
#define ABORT                       \
	{                           \
		TALK_ABORT, NULL, 0 \
	}
#define SHUT                       \
	{                          \
		TALK_SHUT, NULL, 0 \
	}
#define SWEEP                       \
	{                           \
		TALK_SWEEP, NULL, 0 \
	}

#define TALK_STEPS_MAX 16
#define TALK_BYTES (~(size_t)0) /* as tear: every byte is a segment */

/* The address as the client calls it. */
enum talk_name {
	TALK_V4,
	TALK_V6,
	TALK_MAPPED,
	TALK_NAME_COUNT
};

struct talk {
	struct dataplane *dp;
	enum talk_name name;
	size_t tear;        /* where what the server says is torn; 0: whole */
	bool own;           /* the client is one of the daemon's own sockets */
	const char *device; /* that the client is bound to; NULL: none */
	int listener;
	int client;
	int server;
	uint16_t port;
};

/* Listens at a free port under every name; the endpoint is RIG_SERVER's. */
void talk_init(struct talk *t, struct dataplane *dp);
void talk_done(struct talk *t);

void talk_play(struct talk *t, const struct talk_step *steps); /* to TALK_END or the 16th */
void talk_end(struct talk *t); /* closes what is open, the client first */

/* The single steps. */
int talk_dial(struct talk *t); /* a new client socket; 0 or -errno of connect() */
void talk_ask(struct talk *t, const char *text);
void talk_say(struct talk *t, const char *text);
/* Did the server get anything within a time in which it would have come? */
bool talk_heard(struct talk *t);
int talk_error(int fd);  /* waits for the end of a socket; its errno, 0 at end of stream */
void talk_reset(int fd); /* closes with RST */
/* A socket and the address that it is to dial. */
int talk_socket(const struct talk *t, struct sockaddr_storage *ret_addr, socklen_t *ret_len);

/* --- what it must lead to ------------------------------------------------------------ */

#define TALK_OUTCOMES_MAX 6
#define ANY_STATUS 0xffff

struct talk_outcome {
	enum sg_class class;
	enum sg_cause cause;
	unsigned int status;
	bool complete;
	unsigned int retry_s;
	bool late; /* replaces a failure of the clock */
};

/* Exactly these outcomes and nothing else are in the ring, and in the counters. */
struct talk_want {
	const char *name;
	const struct talk_outcome *outcomes; /* n of them */
	size_t n;
	unsigned int connects;
	unsigned int requests;
	unsigned int interims;   /* answers 1xx */
	unsigned int late;       /* answers 200 without an outcome of their own */
	unsigned int handshakes; /* of TLS, to their end */
	unsigned int h2;         /* offers of HTTP/2 */
	unsigned int uncounted;  /* outcomes whose status is in no r?xx counter */
	unsigned int unframed;   /* answers whose chunks cannot be followed */
};
void talk_expect(struct talk *t, const struct talk_want *want, struct rig_events *events);

const char *talk_class_name(unsigned int class);
const char *talk_cause_name(unsigned int cause);

#endif
