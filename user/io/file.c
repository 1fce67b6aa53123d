/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "io/file.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define CHUNK 65536

int file_read(const char *path, size_t max, char **ret, size_t *ret_len)
{
	CLEANUP(closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
	CLEANUP(freep) char *text = NULL;
	size_t len = 0;
	ssize_t n;

	if (fd < 0)
		return -errno;
	do {
		char *more;

		if (len > max)
			return -EFBIG;
		more = realloc(text, len + CHUNK + 1);
		if (!more)
			return -ENOMEM;
		text = more;
		n = read(fd, text + len, CHUNK);
		if (n < 0)
			return -errno;
		len += (size_t)n;
	} while (n);
	if (len > max)
		return -EFBIG;
	text[len] = '\0';
	*ret = TAKE_PTR(text);
	*ret_len = len;
	return 0;
}
