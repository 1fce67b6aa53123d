/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "fake/resolver.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>

#define QUESTIONS_MAX 64

struct answer {
	uint64_t id;
	size_t n;
	struct addr addrs[RESOLVER_ADDRS_MAX];
	const char *error;
};

struct resolver {
	resolver_fn *fn;
	void *data;
	int fd;
};

static struct {
	struct resolver *now;
	char hosts[QUESTIONS_MAX][RESOLVER_HOST_MAX + 1];
	uint64_t ids[QUESTIONS_MAX];
	size_t asked;
	struct answer answers[QUESTIONS_MAX];
	size_t answers_n;
	int refuse;
} fake;

int resolver_new(resolver_fn *fn, void *data, uint64_t patience_ns, struct resolver **ret)
{
	struct resolver *r = calloc(1, sizeof(*r));

	(void)patience_ns;
	if (!r)
		return -ENOMEM;
	r->fn = fn;
	r->data = data;
	r->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	memset(&fake, 0, sizeof(fake));
	fake.now = r;
	*ret = r;
	return 0;
}

void resolver_free(struct resolver *r)
{
	if (!r)
		return;
	close(r->fd);
	free(r);
}

int resolver_fd(const struct resolver *r)
{
	return r->fd;
}

uint64_t resolver_due_ns(const struct resolver *r)
{
	(void)r;
	return UINT64_MAX;
}

void resolver_run(struct resolver *r)
{
	eventfd_t unused;
	size_t n = fake.answers_n;

	fake.answers_n = 0;
	(void)!eventfd_read(r->fd, &unused);
	for (size_t i = 0; i < n; i++)
		r->fn(r->data, fake.answers[i].id, fake.answers[i].addrs, fake.answers[i].n,
		      fake.answers[i].error);
}

int resolver_ask(struct resolver *r, uint64_t id, const char *host)
{
	int refuse = fake.refuse;

	(void)r;
	fake.refuse = 0;
	if (refuse)
		return refuse;
	if (fake.asked == QUESTIONS_MAX)
		return -ENOBUFS;
	snprintf(fake.hosts[fake.asked], sizeof(fake.hosts[0]), "%s", host);
	fake.ids[fake.asked++] = id;
	return 0;
}

size_t fake_resolver_asked(void)
{
	return fake.asked;
}

uint64_t fake_resolver_id(const char *host)
{
	for (size_t i = fake.asked; i-- > 0;)
		if (!strcmp(fake.hosts[i], host))
			return fake.ids[i];
	return 0;
}

void fake_resolver_refuse(int r)
{
	fake.refuse = r;
}

void fake_resolver_answer(uint64_t id, unsigned int first, size_t n, const char *error)
{
	struct answer *a = &fake.answers[fake.answers_n++];

	memset(a, 0, sizeof(*a));
	a->id = id;
	a->n = n;
	a->error = error;
	for (size_t i = 0; i < n; i++) {
		a->addrs[i].bytes[10] = a->addrs[i].bytes[11] = 0xff;
		a->addrs[i].bytes[12] = 127;
		a->addrs[i].bytes[15] = (uint8_t)(first + i);
	}
	eventfd_write(fake.now->fd, 1);
}
