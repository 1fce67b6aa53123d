/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "cli/pins.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <linux/bpf.h>
#include <linux/magic.h>

#include "abi.h"
#include "base/buf.h"

#define CFG_MAX 4096U /* bytes of its value, in any version */

#define fail(r, why, ...) explain(r, why, PINS_WHY_MAX, __VA_ARGS__)

/* --- what is pinned ------------------------------------------------------------------ */

static int bpf(enum bpf_cmd cmd, union bpf_attr *attr)
{
	int r = (int)syscall(SYS_bpf, cmd, attr, sizeof(*attr));

	return r < 0 ? -errno : r;
}

static int pin_get(const char *dir, const char *name)
{
	union bpf_attr attr = { 0 };
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	attr.pathname = (uintptr_t)path;
	return bpf(BPF_OBJ_GET, &attr);
}

static int info_get(int fd, void *info, size_t size)
{
	union bpf_attr attr = { 0 };

	memset(info, 0, size);
	attr.info.bpf_fd = (__u32)fd;
	attr.info.info = (uintptr_t)info;
	attr.info.info_len = (__u32)size;
	return bpf(BPF_OBJ_GET_INFO_BY_FD, &attr);
}

/* "map", "link" or "prog": only the name of the descriptor tells. */
static bool is_kind(int fd, const char *kind)
{
	char self[48];
	char target[64] = "";

	snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	return readlink(self, target, sizeof(target) - 1) > 0 && strstr(target, kind);
}

static bool runs_xdp(int fd)
{
	union bpf_attr attr = { 0 };
	CLEANUP(closep) int prog = -1;
	struct bpf_link_info link;
	struct bpf_prog_info info;

	if (info_get(fd, &link, sizeof(link)) || link.type != BPF_LINK_TYPE_XDP)
		return false;
	attr.prog_id = link.prog_id;
	prog = bpf(BPF_PROG_GET_FD_BY_ID, &attr);
	return prog >= 0 && !info_get(prog, &info, sizeof(info)) &&
	       !strcmp(info.name, PINS_XDP_PROGRAM);
}

enum pin {
	PIN_FOREIGN,
	PIN_LINK,
	PIN_MAP,
	PIN_CFG,
};

static enum pin pin_of(const char *dir, const char *name)
{
	bool xdp = !strncmp(name, PINS_XDP, strlen(PINS_XDP));
	CLEANUP(closep) int fd = -1;
	struct bpf_map_info map;

	if (!xdp && !pins_link(name) && !pins_map(name))
		return PIN_FOREIGN;
	fd = pin_get(dir, name);
	if (fd < 0)
		return PIN_FOREIGN;
	if (is_kind(fd, "link"))
		return (xdp && runs_xdp(fd)) || pins_link(name) ? PIN_LINK : PIN_FOREIGN;
	if (!is_kind(fd, "map") || info_get(fd, &map, sizeof(map)) || strcmp(map.name, name) != 0)
		return PIN_FOREIGN;
	return strcmp(name, PINS_CFG) ? PIN_MAP : PIN_CFG;
}

/* The layout that the map "cfg" says the others are of; -ENOENT: there is no such map. */
static int layout_get(const char *dir, uint32_t *ret)
{
	CLEANUP(closep) int fd = -1;
	union bpf_attr attr = { 0 };
	struct bpf_map_info map;
	uint8_t value[CFG_MAX];
	uint32_t zero = 0;
	int r;

	if (pin_of(dir, PINS_CFG) != PIN_CFG)
		return -ENOENT;
	fd = pin_get(dir, PINS_CFG);
	r = fd < 0 ? fd : info_get(fd, &map, sizeof(map));
	if (r)
		return r;
	if (map.type != BPF_MAP_TYPE_ARRAY || map.key_size != sizeof(zero) ||
	    map.value_size > sizeof(value) ||
	    map.value_size < offsetof(struct sg_cfg, abi) + sizeof(*ret))
		return -ENOENT;
	attr.map_fd = (__u32)fd;
	attr.key = (uintptr_t)&zero;
	attr.value = (uintptr_t)value;
	r = bpf(BPF_MAP_LOOKUP_ELEM, &attr);
	if (!r)
		memcpy(ret, value + offsetof(struct sg_cfg, abi), sizeof(*ret));
	return r;
}

/* --- removing them --------------------------------------------------------------------- */

/*
 * A link lets go of what it is attached to when its last reference is gone, which the
 * kernel puts off for a while after the pin is. So it is told to let go at once. One of a kind
 * that cannot be told (tracing) is left to that.
 */
static void let_go(const char *dir, const char *name)
{
	CLEANUP(closep) int fd = pin_get(dir, name);
	union bpf_attr attr = { 0 };

	attr.link_detach.link_fd = (__u32)fd;
	if (fd >= 0)
		(void)bpf(BPF_LINK_DETACH, &attr);
}

/* Of one kind, in a directory that is read anew, since its entries go; names what is foreign. */
static int remove_kind(int at, const char *dir, enum pin kind, struct detach_result *to, char *why)
{
	CLEANUP(closedirp) DIR *list = opendir(dir);
	const struct dirent *d;
	int r = 0;

	if (!list)
		return fail(-errno, why, "cannot read %.300s: %s", dir, strerror(errno));
	while (!r && (d = readdir(list))) {
		if (!strcmp(d->d_name, ".") || !strcmp(d->d_name, "..") ||
		    pin_of(dir, d->d_name) != kind)
			continue;
		if (kind == PIN_FOREIGN) {
			r = detach_result_keep(to, d->d_name);
			continue;
		}
		if (kind == PIN_LINK)
			let_go(dir, d->d_name);
		if (unlinkat(at, d->d_name, 0))
			r = fail(-errno, why, "cannot remove %.300s/%s: %s", dir, d->d_name,
				 strerror(errno));
		else
			to->removed++;
	}
	return r;
}

static bool is_empty(const char *dir)
{
	CLEANUP(closedirp) DIR *list = opendir(dir);
	const struct dirent *d;

	while (list && (d = readdir(list)))
		if (strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0)
			return false;
	return list;
}

static int refuse(const char *dir, int r, uint32_t layout, char *why)
{
	if (r == -ENOENT)
		return fail(
			-ESTALE, why,
			"%.300s has no map \"cfg\" of Switchgear, so nothing in it is known to be "
			"Switchgear's: nothing was removed; name the pin directory with "
			"--pin-dir, or if you are sure: rm -r",
			dir);
	if (r)
		return fail(r, why, "cannot read %.300s/" PINS_CFG ": %s", dir, strerror(-r));
	return fail(
		-ESTALE, why,
		"the pins in %.300s are of layout %u of Switchgear, and this is layout %u: nothing "
		"was removed; detach with the switchgear of that version, or if you are sure: "
		"rm -r",
		dir, layout, SG_ABI);
}

int pins_remove(const char *dir, struct detach_result *ret, char *why)
{
	static const enum pin order[] = { PIN_LINK, PIN_MAP, PIN_CFG, PIN_FOREIGN };
	CLEANUP(closep) int fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	uint32_t layout = 0;
	struct statfs fs;
	int r;

	if (fd < 0 || fstatfs(fd, &fs))
		return fail(-errno, why, "cannot open the pin directory %.300s: %s", dir,
			    strerror(errno));
	if ((unsigned int)fs.f_type != BPF_FS_MAGIC)
		return fail(
			-EMEDIUMTYPE, why,
			"%.300s is not on a BPF file system, so there are no pins in it: name the "
			"pin directory with --pin-dir",
			dir);
	if (flock(fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK)
		return fail(-EBUSY, why,
			    "a daemon holds the pins in %.300s: name its socket with --socket",
			    dir);
	if (is_empty(dir)) {
		ret->gone = !rmdir(dir);
		return -ENOENT;
	}
	r = layout_get(dir, &layout);
	if (r || layout != SG_ABI)
		return refuse(dir, r, layout, why);
	for (size_t i = 0; i < ARRAY_SIZE(order) && !r; i++)
		r = remove_kind(fd, dir, order[i], ret, why);
	if (!r)
		ret->gone = !rmdir(dir);
	return r;
}
