/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* `detach`: by the daemon, or, where there is none, of the pin directory by this command itself. */
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <stdint.h>
#include <string.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <sys/vfs.h>

#include <linux/bpf.h>
#include <linux/magic.h>

#include "cli/command.h"

#define DEPTH_MAX 4

/* --- pins -------------------------------------------------------------------- */

static void fts_closep(FTS **tree)
{
	if (*tree)
		fts_close(*tree);
}

/*
 * A link lets go of what it is attached to when its last reference is gone, which the
 * kernel puts off for a while after the pin is. So it is told to let go at once. What is no
 * link, or of a kind that cannot be told (tracing), is left to that.
 */
static void let_go(const char *path)
{
	union bpf_attr attr = { 0 };
	int fd;

	attr.pathname = (uintptr_t)path;
	fd = (int)syscall(SYS_bpf, BPF_OBJ_GET, &attr, sizeof(attr));
	if (fd < 0)
		return;
	memset(&attr, 0, sizeof(attr));
	attr.link_detach.link_fd = (__u32)fd;
	(void)syscall(SYS_bpf, BPF_LINK_DETACH, &attr, sizeof(attr));
	close(fd);
}

static int take_away(const FTSENT *e, size_t *removed)
{
	switch (e->fts_info) {
	case FTS_D: /* before what is in it */
		return e->fts_level > DEPTH_MAX ? -EISDIR : 0;
	case FTS_DP: /* after it */
		return rmdir(e->fts_path) < 0 ? -errno : 0;
	case FTS_DNR:
	case FTS_ERR:
	case FTS_NS:
		return -e->fts_errno;
	default:
		let_go(e->fts_path);
		if (unlink(e->fts_path) < 0)
			return -errno;
		++*removed;
		return 0;
	}
}

/*
 * Removes every pin below dir, and dir. Only on a BPF file system (-EMEDIUMTYPE
 * elsewhere: nothing of anybody's is deleted by a mistyped option). -ENOENT:
 * there is none; -EBUSY: a daemon holds a lock on it. On another failure some pins may
 * be gone already. *ret_removed counts them.
 */
static int pins_remove(const char *dir, size_t *ret_removed)
{
	CLEANUP(closep) int fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	char *const paths[] = { (char *)(uintptr_t)dir, NULL };
	CLEANUP(fts_closep) FTS *tree = NULL;
	const FTSENT *entry;
	struct statfs fs;
	int r = 0;

	*ret_removed = 0;
	if (fd < 0)
		return -errno;
	if (fstatfs(fd, &fs) < 0)
		return -errno;
	if ((unsigned int)fs.f_type != BPF_FS_MAGIC)
		return -EMEDIUMTYPE;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK)
		return -EBUSY;
	tree = fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR | FTS_XDEV, NULL);
	if (!tree)
		return -errno;
	/* A directory is read as a whole before the first of its entries is here. */
	while (!r && (entry = fts_read(tree)))
		r = take_away(entry, ret_removed);
	return r ? r : -errno; /* 0 after the last one */
}

/* --- the command ------------------------------------------------------------- */

static int detach_failed(const struct context *context, int r)
{
	bool permitted = r != -EACCES && r != -EPERM;
	const char *hint = "look at what is left there";

	if (!permitted)
		hint = "run as root";
	else if (r == -EMEDIUMTYPE)
		hint = "it is not on a BPF file system: name the pin directory with --pin-dir";
	else if (r == -EBUSY)
		hint = "a daemon holds it: name its socket with --socket";
	return command_fail(context, permitted ? EXIT_FAILED : EXIT_NOT_PERMITTED, "detach", hint,
			    "cannot remove the pins in %.300s (%s)", context->pin_dir,
			    r == -EMEDIUMTYPE ? "not pins" : strerror(-r));
}

/* Nobody answers: what is pinned is all that enforces. */
static int detach_alone(const struct context *context)
{
	size_t removed = 0;
	int r = pins_remove(context->pin_dir, &removed);

	if (r && r != -ENOENT)
		return detach_failed(context, r);
	if (context->args.json)
		printf("{\"detached\":true,\"daemon\":false,\"removed\":%zu}\n", removed);
	else if (r == -ENOENT)
		printf("nothing was attached: no daemon answers on %s and %s does not exist\n",
		       context->socket, context->pin_dir);
	else
		printf("detached: removed %zu pins in %s (no daemon was running)\n", removed,
		       context->pin_dir);
	return EXIT_DONE;
}

static int report_detached(const struct context *context, const struct buf *answer)
{
	if (context->args.json)
		return command_print_json(answer);
	printf("detached: nothing is enforced any more, and the daemon ends\n");
	return EXIT_DONE;
}

int run_detach(struct context *context)
{
	const struct client_request request = { .socket = context->socket,
						.method = "POST",
						.target = "/v1/detach" };

	return command_call(context, &request, report_detached, detach_alone);
}
