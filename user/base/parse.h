/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Strict parsers of what people type: the whole string or -EINVAL, outputs
 * untouched on failure, -ERANGE where the value is a number outside the range.
 */
#ifndef SWITCHGEAR_BASE_PARSE_H
#define SWITCHGEAR_BASE_PARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"

/* An address as the maps store it: IPv4 is v4-mapped. */
struct addr {
	uint8_t bytes[16];
};

int parse_hex(char c); /* the value of one digit; -1: it is none */
int parse_u64(const char *s, uint64_t min, uint64_t max, uint64_t *ret) MUST_CHECK;

/* "90s", "10m", "2h", "1d", "250ms", or seconds ("1.5"); at most 10 years. */
int parse_duration(const char *s, uint64_t *ret_ns) MUST_CHECK;
/* "1h 30m", "12.5 s", "0 s": for people; returns out. */
char *format_duration(char *out, size_t size, uint64_t ns);

int parse_addr(const char *s, struct addr *ret) MUST_CHECK;      /* 10.0.0.1, ::1, [::1] */
char *format_addr(char *out, size_t size, const struct addr *a); /* IPv4 as IPv4; size >= 46 */
/* With its port, "[::1]:80"; size >= 54. */
char *format_addr_port(char *out, size_t size, const struct addr *a, uint16_t port);
bool addr_is_v4(const struct addr *a);
bool addr_is_loopback(const struct addr *a);    /* 127/8, ::1, mapped too */
bool addr_is_unspecified(const struct addr *a); /* 0.0.0.0, ::, ::ffff:0.0.0.0 */

/* "10.0.0.0/8", "fd00::/8"; ret_len counts in the 128-bit address (IPv4: 96 + n).
 * Host bits must be zero. */
int parse_network(const char *s, struct addr *ret, unsigned int *ret_len) MUST_CHECK;

/* "127.0.0.1:9464", "[::1]:80", ":80" (any address: all zero); port 0 is accepted.
 * "off" is the caller's business. */
int parse_addr_port(const char *s, struct addr *ret, uint16_t *ret_port) MUST_CHECK;

/* The candidate nearest to word by edit distance, or NULL if none is near
 * enough to be a likely slip. candidates ends with NULL. */
const char *nearest_word(const char *word, const char *const *candidates);

#endif
