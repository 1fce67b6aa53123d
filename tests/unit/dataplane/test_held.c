/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dataplane/held.h"

#define MANY 1500U

/* Whoever reads gets it in pieces of this size, as far as the pipe goes along. */
static int written_in_pieces(const void *bytes, size_t len, size_t piece, pid_t *ret)
{
	int ends[2];

	assert_int_equal(pipe(ends), 0);
	*ret = fork();
	assert_true(*ret >= 0);
	if (!*ret) {
		close(ends[0]); /* so that it ends if nobody reads any more */
		for (size_t at = 0; at < len; at += piece)
			if (write(ends[1], (const char *)bytes + at,
				  len - at < piece ? len - at : piece) < 0)
				_exit(1);
		_exit(0);
	}
	close(ends[1]);
	return ends[0];
}

struct reading {
	uint32_t n;
	uint32_t stop; /* at this one */
};

static int in_order(void *data, const struct sg_held *h)
{
	struct reading *r = data;

	assert_int_equal(h->cookie, r->n);
	assert_int_equal(h->server, ~r->n);
	return ++r->n == r->stop ? -ECANCELED : 0;
}

static int read_pieces(const struct sg_held *h, size_t len, size_t piece, struct reading *ret)
{
	pid_t child;
	int fd = written_in_pieces(h, len, piece, &child);
	int r = held_read(fd, in_order, ret);

	close(fd);
	assert_int_equal(waitpid(child, NULL, 0), child);
	return r;
}

static void reads_what_is_cut_anywhere(void **state)
{
	static struct sg_held h[MANY];
	static const size_t pieces[] = { 1, 71, 72, 73, 4096, 40000, sizeof(h) };
	struct reading got;

	(void)state;
	for (uint32_t i = 0; i < MANY; i++)
		h[i] = (struct sg_held){ .cookie = i, .server = ~i };
	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		got = (struct reading){ 0 };
		assert_int_equal(read_pieces(h, sizeof(h), pieces[i], &got), 0);
		assert_int_equal(got.n, MANY);
	}
	got = (struct reading){ 0 };
	assert_int_equal(read_pieces(h, 0, 1, &got), 0);
	assert_int_equal(got.n, 0);
	/* not whole at its end */
	assert_int_equal(read_pieces(h, 2 * sizeof(*h) + 5, 50, &got), -EBADMSG);
	assert_int_equal(got.n, 2);
	got = (struct reading){ .stop = 3 };
	assert_int_equal(read_pieces(h, 10 * sizeof(*h), 200, &got), -ECANCELED);
	assert_int_equal(got.n, 3);
	got = (struct reading){ 0 };
	assert_int_equal(held_read(-1, in_order, &got), -EBADF);
}

static void has_each_socket_once(void **state)
{
	struct sg_kill_target v[] = {
		{ .netns = 2, .inode = 7 }, { .netns = 1, .inode = 8 }, { .netns = 2, .inode = 7 },
		{ .netns = 1, .inode = 7 }, { .netns = 2, .inode = 7 },
	};
	struct dataplane_targets all = { .v = v, .n = 5 };
	struct dataplane_targets none = { 0 };

	(void)state;
	held_unite(&all);
	assert_int_equal(all.n, 3);
	assert_int_equal(v[0].netns, 1);
	assert_int_equal(v[0].inode, 7);
	assert_int_equal(v[1].netns, 1);
	assert_int_equal(v[1].inode, 8);
	assert_int_equal(v[2].netns, 2);
	assert_int_equal(v[2].inode, 7);
	held_unite(&none);
	assert_int_equal(none.n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_what_is_cut_anywhere),
		cmocka_unit_test(has_each_socket_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
