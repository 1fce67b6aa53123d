/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Addresses and networks as text; parse.h has the contract. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/parse.h"

#define ADDR_TEXT_MAX 64

static const uint8_t addr_mapped_prefix[12] = { [10] = 0xff, [11] = 0xff };

static void addr_set_v4(struct addr *a, const uint8_t v4[4])
{
	memcpy(a->bytes, addr_mapped_prefix, sizeof(addr_mapped_prefix));
	memcpy(a->bytes + 12, v4, 4);
}

/* Parses s[0..len); brackets only around IPv6. */
static int addr_parse(const char *s, size_t len, struct addr *ret)
{
	char text[ADDR_TEXT_MAX];
	bool bracketed = len >= 2 && s[0] == '[' && s[len - 1] == ']';
	struct in6_addr v6;
	struct in_addr v4;

	if (bracketed) {
		s++;
		len -= 2;
	}
	if (len >= sizeof(text))
		return -EINVAL;
	memcpy(text, s, len);
	text[len] = '\0';
	if (!bracketed && inet_pton(AF_INET, text, &v4) == 1) {
		addr_set_v4(ret, (const uint8_t *)&v4.s_addr);
		return 0;
	}
	if (inet_pton(AF_INET6, text, &v6) != 1)
		return -EINVAL;
	memcpy(ret->bytes, v6.s6_addr, sizeof(ret->bytes));
	return 0;
}

int parse_addr(const char *s, struct addr *ret)
{
	return addr_parse(s, strlen(s), ret);
}

char *format_addr(char *out, size_t size, const struct addr *a)
{
	const char *done;

	if (addr_is_v4(a))
		done = inet_ntop(AF_INET, a->bytes + 12, out, (socklen_t)size);
	else
		done = inet_ntop(AF_INET6, a->bytes, out, (socklen_t)size);
	if (!done && size)
		out[0] = '\0';
	return out;
}

char *format_addr_port(char *out, size_t size, const struct addr *a, uint16_t port)
{
	char text[INET6_ADDRSTRLEN];

	format_addr(text, sizeof(text), a);
	snprintf(out, size, addr_is_v4(a) ? "%s:%u" : "[%s]:%u", text, port);
	return out;
}

bool addr_is_v4(const struct addr *a)
{
	return !memcmp(a->bytes, addr_mapped_prefix, sizeof(addr_mapped_prefix));
}

bool addr_is_loopback(const struct addr *a)
{
	static const uint8_t loopback[16] = { [15] = 1 };

	return addr_is_v4(a) ? a->bytes[12] == 127 : !memcmp(a->bytes, loopback, 16);
}

bool addr_is_unspecified(const struct addr *a)
{
	static const uint8_t zero[16];

	return !memcmp(a->bytes, zero, 16) || (addr_is_v4(a) && !memcmp(a->bytes + 12, zero, 4));
}

static bool addr_host_bits(const struct addr *a, unsigned int len)
{
	for (unsigned int bit = len; bit < 128; bit++)
		if (a->bytes[bit / 8] & (0x80 >> bit % 8))
			return true;
	return false;
}

int parse_network(const char *s, struct addr *ret, unsigned int *ret_len)
{
	const char *slash = strchr(s, '/');
	unsigned int base;
	struct addr a;
	uint64_t len;
	int r;

	if (!slash)
		return -EINVAL;
	r = addr_parse(s, (size_t)(slash - s), &a);
	if (r)
		return r;
	base = memchr(s, ':', (size_t)(slash - s)) ? 0 : 96;
	r = parse_u64(slash + 1, 0, 128 - base, &len);
	if (r)
		return r;
	if (addr_host_bits(&a, base + (unsigned int)len))
		return -EINVAL;
	*ret = a;
	*ret_len = base + (unsigned int)len;
	return 0;
}

int parse_addr_port(const char *s, struct addr *ret, uint16_t *ret_port)
{
	const char *colon = strrchr(s, ':');
	struct addr a = { 0 };
	uint64_t port;
	int r;

	if (!colon)
		return -EINVAL;
	/* "::1:80" could mean two things: IPv6 needs its brackets here. */
	if (s[0] != '[' && strchr(s, ':') != colon)
		return -EINVAL;
	if (colon != s) {
		r = addr_parse(s, (size_t)(colon - s), &a);
		if (r)
			return r;
	}
	r = parse_u64(colon + 1, 0, UINT16_MAX, &port);
	if (r)
		return r;
	*ret = a;
	*ret_port = (uint16_t)port;
	return 0;
}
