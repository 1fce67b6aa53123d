/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Any text is a configuration or is refused with a message; one is equal to itself. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "codec/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *lookup(void *arg, const char *name)
{
	(void)arg;
	return strcmp(name, "HOST") ? NULL : "example.com";
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct config_env env = { lookup, NULL };
	CLEANUP(config_freep) struct config *config = NULL;
	CLEANUP(buf_done) struct buf errors = {};
	int r;

	errors = BUF(1 << 20);
	r = config_parse((const char *)data, size, "fuzz", &env, &config, &errors);
	if (r != 0 && r != -EINVAL)
		abort();
	if (r == -EINVAL && (!errors.len || config))
		abort();
	/* the scanner and json-c must agree on what JSON is */
	if (!strncmp(buf_str(&errors), "fuzz: not JSON", 14))
		abort();
	for (size_t i = 0; config && i < config->n_servers; i++) {
		const struct config_server *s = &config->servers[i];

		if (config_server_diff(s, s) || !config_find(config, s->name) || !s->deny_errno)
			abort();
		if (s->has_url && (!s->port || !*s->host || !s->url_shown))
			abort();
	}
	return 0;
}
