/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "daemon/mark.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "io/store.h"

bool mark_find(const char *state_dir, char *who)
{
	CLEANUP(freep) char *text = NULL;
	char path[512];
	struct stat st;
	size_t len = 0;

	snprintf(path, sizeof(path), "%s/" MARK_FILE, state_dir);
	if (lstat(path, &st))
		return errno != ENOENT && errno != ENOTDIR &&
		       mark_describe(NULL, 0, who); /* who knows what is there */
	if (!S_ISREG(st.st_mode) || file_read(path, MARK_SIZE_MAX, &text, &len))
		text = NULL;
	mark_describe(text, len, who);
	return true;
}

int mark_put(const char *state_dir, const char *by)
{
	CLEANUP(store_closep) struct store *store = NULL;
	CLEANUP(buf_done) struct buf text = BUF(MARK_SIZE_MAX);
	struct mark mark = { .wall_ns = clock_wall_ns() };
	int r;

	snprintf(mark.by, sizeof(mark.by), "%s", by);
	r = mark_encode(&mark, &text);
	if (!r)
		r = store_open_beside(state_dir, &store);
	return r ? r : store_write(store, MARK_FILE, text.data, text.len);
}

int mark_remove(const char *state_dir)
{
	CLEANUP(store_closep) struct store *store = NULL;
	int r = store_open_beside(state_dir, &store);

	return r ? r : store_remove(store, MARK_FILE);
}
