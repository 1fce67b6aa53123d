/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Whatever a registry's file holds, it is refused with a reason, or compared with anything. */
#include <stdint.h>
#include <stdlib.h>

#include "codec/server_json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const urls[] = { NULL, "https://a.example.com/mcp", "http://h/***/x",
					    "http://[::1]:3001" };
	CLEANUP(buf_done) struct buf errors = BUF(1 << 16);
	struct server_json s;

	if (server_json_read((const char *)data, size, "f", &s, &errors) < 0) {
		if (!errors.len)
			abort();
		return 0;
	}
	for (size_t i = 0; i < ARRAY_SIZE(urls); i++) {
		struct verification v;

		server_json_verify(&s, urls[i], "npx -y @u/p@1.0.0 x", &v);
	}
	server_json_done(&s);
	return 0;
}
