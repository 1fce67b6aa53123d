/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "daemon/listing.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "codec/tools.h"

#define FILE_LEN 48

static void file_of(const char *server, char out[FILE_LEN])
{
	snprintf(out, FILE_LEN, "listing-%016" PRIx64 ".json", fnv1a(server, strlen(server)));
}

void listing_keep(struct store *store, const char *server, const struct buf *listing, char **kept)
{
	char file[FILE_LEN];
	char *copy;

	if (!listing->len || buf_error(listing) || (*kept && !strcmp(*kept, buf_str(listing))))
		return;
	copy = strdup(buf_str(listing));
	if (!copy)
		return;
	free(*kept);
	*kept = copy;
	file_of(server, file);
	if (store)
		(void)!store_write(store, file, listing->data, listing->len);
}

char *listing_load(struct store *store, const char *server)
{
	CLEANUP(freep) char *text = NULL;
	char file[FILE_LEN];
	size_t len = 0;

	file_of(server, file);
	if (!store || store_read(store, file, TOOLS_LISTING_MAX, &text, &len) || !len ||
	    memchr(text, '\0', len) || text[0] != '[' || text[len - 1] != ']')
		return NULL;
	return TAKE_PTR(text);
}
