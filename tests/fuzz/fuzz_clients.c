/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Whatever a client's file holds, the configuration made of it is one that
 * config_parse() accepts. The first byte chooses the client.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "codec/clients.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *lookup(void *arg, const char *name)
{
	(void)arg;
	return strcmp(name, "HOST") ? NULL : "example.com";
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct config_env env = { lookup, NULL };
	CLEANUP(client_list_done) struct client_list list = {};
	CLEANUP(config_freep) struct config *config = NULL;
	CLEANUP(buf_done) struct buf out = {};
	CLEANUP(buf_done) struct buf errors = {};
	int r;

	if (!size)
		return 0;
	out = BUF(CONFIG_SIZE_MAX);
	errors = BUF(1 << 20);
	r = clients_parse(&client_places[data[0] % client_places_count], (const char *)data + 1,
			  size - 1, &env, &list);
	if (r < 0)
		return 0;
	if (clients_to_config(&list, &out) < 0)
		return 0;
	if (config_parse(buf_str(&out), out.len, "made", NULL, &config, &errors) < 0)
		abort();
	return 0;
}
