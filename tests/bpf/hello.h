/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* ClientHellos of many lengths, in records of many lengths. */
#ifndef SWITCHGEAR_TESTS_BPF_HELLO_H
#define SWITCHGEAR_TESTS_BPF_HELLO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define HELLO_MAX 16384
#define HELLO_KEY 2200 /* bytes of a key share that is large */
#define HELLO_X10 "xxxxxxxxxx"
#define HELLO_X60 HELLO_X10 HELLO_X10 HELLO_X10 HELLO_X10 HELLO_X10 HELLO_X10
#define HELLO_127 HELLO_X60 HELLO_X60 "xx.test"
#define HELLO_LONG HELLO_X60 HELLO_X60 HELLO_X60 ".test"

static inline size_t hello_u16(uint8_t *v, size_t n)
{
	v[0] = (uint8_t)(n >> 8);
	v[1] = (uint8_t)n;
	return 2;
}

/* An extension of `len` bytes of filling. */
static inline size_t hello_extension(uint8_t *v, unsigned int type, size_t len)
{
	hello_u16(v, type);
	hello_u16(v + 2, len);
	memset(v + 4, 0x5a, len);
	return 4 + len;
}

/*
 * Writes one, HELLO_MAX at most, with this server name (NULL: none), behind a large key share or
 * in front of a small one, in records of `record` bytes. Returns its length.
 */
static inline size_t hello_make(uint8_t *out, const char *name, bool big, size_t record)
{
	static uint8_t m[HELLO_MAX];
	size_t at = 4 + 2 + 32;
	size_t extensions;
	size_t n = 0;

	memset(m, 7, at);
	m[0] = 1;
	m[at++] = 32; /* session id */
	memset(m + at, 9, 32);
	at += 32;
	at += hello_u16(m + at, 4); /* cipher suites */
	memset(m + at, 0x13, 4);
	at += 4;
	m[at++] = 1; /* compression */
	m[at++] = 0;
	extensions = at;
	at += 2;
	at += hello_extension(m + at, 0x0a0a, 0); /* as Chrome greases */
	at += hello_extension(m + at, 43, 5);
	if (big)
		at += hello_extension(m + at, 51, HELLO_KEY);
	if (name) {
		size_t len = strlen(name);

		at += hello_extension(m + at, 0, len + 5);
		hello_u16(m + at - len - 5, len + 3);
		m[at - len - 3] = 0;
		hello_u16(m + at - len - 2, len);
		memcpy(m + at - len, name, len);
	}
	at += hello_extension(m + at, 51, 36);
	hello_u16(m + extensions, at - extensions - 2);
	m[1] = 0;
	hello_u16(m + 2, at - 4);
	for (size_t done = 0; done < at;) {
		size_t len = at - done < record ? at - done : record;

		out[n++] = 0x16;
		out[n++] = 3;
		out[n++] = 1;
		n += hello_u16(out + n, len);
		memcpy(out + n, m + done, len);
		n += len;
		done += len;
	}
	return n;
}

#endif
