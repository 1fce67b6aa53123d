/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "lab.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static unsigned int n_hold;
static unsigned int n_broken;
static uint64_t state = 1;

void lab_bound(bool holds, const char *fmt, ...)
{
	va_list ap;

	n_hold += holds;
	n_broken += !holds;
	if (holds)
		return;
	fprintf(stderr, "experiments: this does not hold: ");
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

void lab_seed(uint64_t seed)
{
	state = seed;
}

/* splitmix64, after Steele, Lea and Flood (2014). */
uint64_t lab_random(void)
{
	uint64_t z = state += 0x9e3779b97f4a7c15ULL;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return z ^ z >> 31;
}

double lab_chance(void)
{
	return (double)(lab_random() >> 11) * 0x1p-53;
}

void lab_server_init(struct lab_server *s, const struct trust_policy *p, uint64_t now_ns)
{
	memset(s, 0, sizeof(*s));
	trust_init(&s->trust, p, now_ns);
	trust_give(&s->trust, s->tools, s->findings);
}

void lab_call(struct trust *t, const struct trust_policy *p, uint64_t now_ns, bool good)
{
	const struct trust_call call = { .class = good ? SG_SUCCESS : SG_HARD,
					 .latency_ns = SG_FOREVER };

	trust_call(t, p, now_ns, &call);
}

struct trust_view lab_read(const struct trust *t, const struct trust_policy *p, uint64_t now_ns)
{
	struct trust_view view;

	trust_read(t, p, now_ns, &view);
	return view;
}

void lab_must(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "experiments: cannot go on: %s\n", what);
	exit(2);
}

static void *memory(size_t n, size_t size)
{
	void *p = calloc(n, size);

	lab_must(p, "out of memory");
	return p;
}

struct reputation *lab_web(uint32_t keys, uint32_t records, uint32_t servers)
{
	struct reputation *r = memory(1, sizeof(*r));

	r->keys = memory(keys, sizeof(*r->keys));
	r->records = memory(records, sizeof(*r->records));
	r->servers = memory(servers, sizeof(*r->servers));
	r->keys_cap = keys;
	r->records_cap = records;
	r->servers_cap = servers;
	r->seed = 42;
	reputation_init(r);
	return r;
}

void lab_web_free(struct reputation *r)
{
	free(r->keys);
	free(r->records);
	free(r->servers);
	free(r);
}

struct trust_id lab_id(uint32_t kind, uint32_t n)
{
	struct trust_id id = { { 0 } };

	memcpy(id.b, &kind, sizeof(kind));
	memcpy(id.b + sizeof(kind), &n, sizeof(n));
	return id;
}

void lab_say(struct reputation *r, enum reputation_type type, struct trust_id from,
	     struct trust_id about, double value, uint64_t now_ns)
{
	static uint64_t seq;
	const struct reputation_statement s = { .type = type,
						.issuer = from,
						.subject = about,
						.value = value,
						.depth = 16,
						.seq = ++seq,
						.not_before_ns = now_ns,
						.expires_ns = now_ns + 180 * LAB_DAY };
	enum reputation_verdict verdict = reputation_accept(r, &s, true, now_ns);

	lab_must(verdict == REPUTATION_ACCEPTED, reputation_verdict_names[verdict]);
}

double lab_weight(const struct reputation *r, struct trust_id key)
{
	const struct reputation_key *k = reputation_key(r, &key);

	return k ? (double)k->weight * 0x1p-40 : 0;
}

int main(void)
{
	printf("# Experiments on the trust model\n\n"
	       "Written by `make experiments`, which fails if a bound that is named here does not "
	       "hold. Numbers\nof others are as they published them; how their models were "
	       "rebuilt is said with each table.\n\n");
	on_off();
	peers();
	eigenvector();
	farms();
	attacks();
	market();
	fprintf(stderr, "%u passed, %u failed\n", n_hold, n_broken);
	return n_broken != 0;
}
