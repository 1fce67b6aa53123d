/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "io/findings_job.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>

static size_t whole(size_t len)
{
	return len + FINDINGS_OUT_MAX;
}

/* NULL with errno. */
static char *map(int fd, size_t len)
{
	char *p = mmap(NULL, whole(len), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	return p == MAP_FAILED ? NULL : p;
}

int findings_job_open(const char *text, size_t len)
{
	CLEANUP(closep) int fd = -1;

	if (len > FINDINGS_SIZE_MAX)
		return -E2BIG;
	fd = memfd_create("sg-findings", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0 || ftruncate(fd, (off_t)whole(len)) < 0)
		return -errno;
	for (size_t at = 0; at < len;) {
		ssize_t n = pwrite(fd, text + at, len - at, (off_t)at);

		if (n < 0 && errno != EINTR)
			return -errno;
		at += n > 0 ? (size_t)n : 0;
	}
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) < 0)
		return -errno;
	return TAKE_FD(fd);
}

/* The lines fit, or the file is refused. */
static int put_records(const struct findings *f, struct findings_done *done, char *to)
{
	CLEANUP(buf_done) struct buf out = BUF(FINDINGS_OUT_MAX);
	int r = 0;

	for (size_t i = 0; i < f->n && !r; i++)
		r = finding_encode(&f->v[i], &out);
	if (r == -EMSGSIZE) {
		snprintf(done->why, sizeof(done->why), "too many long findings; split the file\n");
		return 0;
	}
	if (r)
		return r;
	if (out.len)
		memcpy(to, out.data, out.len);
	done->len = (uint32_t)out.len;
	return 0;
}

int findings_job_do(const struct findings_job *job, int fd, struct findings_done *done)
{
	const struct findings_options o = { .format = job->format < FINDINGS_FORMAT_COUNT
							      ? job->format
							      : FINDINGS_AUTO,
					    .file = *job->file ? job->file : "-",
					    .server = *job->server ? job->server : NULL };
	CLEANUP(findings_done) struct findings f = { 0 };
	CLEANUP(buf_done) struct buf errors = BUF(FINDINGS_WHY_MAX - 1);
	char *memory;
	int r;

	*done = (struct findings_done){ 0 };
	if (job->len > FINDINGS_SIZE_MAX || fd < 0)
		return -EINVAL;
	memory = map(fd, job->len);
	if (!memory)
		return -errno;
	r = findings_read(memory, job->len, &o, &f, &errors);
	if (r == -EINVAL) {
		/* lines that do not fit are left out; the first one does */
		snprintf(done->why, sizeof(done->why), "%s", errors.len ? buf_str(&errors) : "?\n");
		r = 0;
	} else if (!r) {
		done->format = f.format;
		done->n_passed_over = (uint32_t)f.n_passed_over;
		r = put_records(&f, done, memory + job->len);
	}
	munmap(memory, whole(job->len));
	return r;
}

/* What a worker says is believed as far as it is of the format. */
static int read_records(const struct findings_done *done, const char *records, struct findings *ret)
{
	const struct findings_options native = { .format = FINDINGS_NATIVE, .file = "records" };
	CLEANUP(buf_done) struct buf errors = BUF(FINDINGS_WHY_MAX);
	int r;

	if (!done->len)
		return 0;
	r = findings_read(records, done->len, &native, ret, &errors);
	return r == -EINVAL ? -EBADMSG : r;
}

int findings_job_take(const struct findings_job *job, int fd, const struct findings_done *done,
		      struct findings *ret, struct buf *errors)
{
	CLEANUP(freep) char *copy = NULL;
	char *memory;
	int r;

	*ret = (struct findings){ 0 };
	if (!memchr(done->why, '\0', sizeof(done->why)) || done->len > FINDINGS_OUT_MAX ||
	    done->format >= FINDINGS_FORMAT_COUNT)
		return -EBADMSG;
	if (*done->why) {
		buf_puts(errors, done->why);
		return -EINVAL;
	}
	memory = map(fd, job->len);
	if (!memory)
		return -errno;
	/* a copy: the worker could still write */
	copy = malloc(done->len + 1);
	if (copy)
		memcpy(copy, memory + job->len, done->len);
	munmap(memory, whole(job->len));
	if (!copy)
		return -ENOMEM;
	r = read_records(done, copy, ret);
	ret->format = (enum findings_format)done->format;
	ret->n_passed_over = done->n_passed_over;
	return r;
}
