/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The parts of struct dataplane, for this directory only. */
#ifndef SWITCHGEAR_DATAPLANE_PRIVATE_H
#define SWITCHGEAR_DATAPLANE_PRIVATE_H

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include "dataplane/cgroup_names.h"
#include "dataplane/dataplane.h"
#include "dataplane/netns.h"
#include "switchgear.skel.h"

#define DATAPLANE_LINKS_MAX (DATAPLANE_PROGRAMS_MAX + DATAPLANE_XDP_MAX)

struct dataplane_link {
	char pin[32]; /* file name in the pin directory */
	struct bpf_link *link;
};

struct dataplane {
	struct switchgear_bpf *skel;
	char *pin_dir;
	char *cgroup; /* where a child may be put that tells a namespace's cookie */
	int dir_fd;   /* holds the lock */
	bool taken_over;
	bool quiet; /* only trying: losses are returned, not logged */
	bool observe;
	bool detached; /* nothing is pinned any more */
	struct netns *netns;
	uint64_t home_netns;
	struct sg_cfg *cfg;                  /* mapped */
	struct sg_pulse *pulse;              /* mapped */
	uint64_t *cutoff;                    /* mapped */
	uint64_t *quarantine;                /* mapped, SG_SERVERS_MAX */
	uint64_t swept_ns;                   /* when the latest sweep began */
	uint64_t sweep_next_ns;              /* what it knew to be due next */
	uint64_t soonest_ns[SG_SERVERS_MAX]; /* nothing that begins is due before; 0: unused id */
	/* by id: so many connects without a record were looked for, and none is left of them */
	uint64_t unrecorded_ended[SG_SERVERS_MAX];
	bool unadopted;            /* open connections may have no record yet: kill_adopted() */
	bool left[SG_SERVERS_MAX]; /* see dataplane_endpoints_left() */
	struct ring_buffer *ring;
	struct ring_buffer *captures;
	dataplane_capture_fn *capture_fn; /* while that one is read */
	void *capture_data;
	dataplane_event_fn *event_fn; /* while the ring is read */
	void *event_data;
	struct dataplane_link links[DATAPLANE_LINKS_MAX];
	size_t n_links;
	char unix_error[192]; /* why connects to Unix sockets are not seen; "": nobody knows of any */
	struct bpf_link *iter_adopt_tcp;
	struct bpf_link *iter_adopt_udp;
	struct bpf_link *iter_held;
	struct dataplane_xdp xdp[DATAPLANE_XDP_MAX]; /* that are asked for */
	size_t n_xdp;
	char xdp_error[DATAPLANE_XDP_MAX][256]; /* why it is not attached; "": it is */
	char degraded[DATAPLANE_DEGRADED_MAX][256];
	size_t n_degraded;
	unsigned int cpus;
	struct cgroup_names *cgroups;
};

/*
 * As bpf_map_update_elem(). Where the kernel allocates elements one by one it takes
 * them from a small reserve that it fills again in the background, and refuses when
 * many are made at once: what it refused is tried again for a while.
 */
int dataplane_map_put(const struct bpf_map *map, const void *key, const void *value,
		      uint64_t flags) MUST_CHECK;

/*
 * Calls fn with a copy of each element, read in batches, of a hash or an array that is not per
 * CPU. A result that is not 0 ends the walk and is returned. -errno: also logged, as `failure`,
 * if the map cannot be read.
 */
typedef int dataplane_element_fn(void *data, const void *key, const void *value);
int dataplane_map_walk(const struct bpf_map *map, const char *failure, dataplane_element_fn *fn,
		       void *data) MUST_CHECK;
/* Removes all keys but these; with an owner, a server's id, of its entries only (values of SG_AT),
 * with SG_NOBODY of all. -errno: also logged, as `failure`, if the map cannot be read. */
int dataplane_map_keep(const struct bpf_map *map, const char *failure, uint32_t owner,
		       const void *keys, size_t n) MUST_CHECK;

/* Notes what is lost, once, and logs it. */
void dataplane_degrade(struct dataplane *dp, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* load.c: dp->skel, loaded; with o->pin_dir NULL nothing pinned is touched. */
int dataplane_load(struct dataplane *dp, const struct dataplane_options *o) MUST_CHECK;

/* The device number of the file system that our root is in, as the kernel has it, from the text
 * of the file /proc/self/mountinfo; 0: not known. */
uint32_t dataplane_root_dev(const char *mountinfo);
/* Says of programs in an opened object what hook they are for, where libbpf may not know it. */
void dataplane_hooks_set(struct bpf_object *obj);

/* pins.c: makes, locks and checks the pin directory: -ENOTSUP, -EBUSY, -ESTALE as
 * dataplane_open(). */
int dataplane_pins_open(struct dataplane *dp) MUST_CHECK;
/* As a load before left it; -ENOENT: none did. */
int dataplane_pinned_cfg(const struct dataplane *dp, struct sg_cfg *ret) MUST_CHECK;
/* Takes over pinned maps before a load; -ESTALE if they are of another layout. */
int dataplane_maps_prepare(struct dataplane *dp, uint32_t endpoints_max) MUST_CHECK;
/* Is this pin ours, by name, kind, and its name in the kernel? */
bool dataplane_pin_ours(const struct dataplane *dp, const char *name);
/* Pins those that are not pinned yet. */
int dataplane_maps_pin(struct dataplane *dp) MUST_CHECK;

/* captures.c: logs what fails. */
int dataplane_captures_open(struct dataplane *dp) MUST_CHECK;

/* attach.c: attaches what is loaded, updating pinned links in place. */
int dataplane_attach(struct dataplane *dp, const struct dataplane_options *o) MUST_CHECK;

/* addrs.c: the low bits of an id's incarnation, as entries have them; is an entry (SG_AT) that of
 * another server which is in use? */
uint32_t dataplane_incarnation(struct dataplane *dp, uint32_t id);
bool dataplane_others(struct dataplane *dp, uint32_t id, uint32_t at);

/* attach.c: detaches what sees connects to Unix sockets, also if a load before attached it. */
void dataplane_unix_end(struct dataplane *dp);

/* unixsock.c: the spellings of a name that are entered, the configured one first; how many. */
#define UNIX_KEYS_MAX 3U
size_t dataplane_unix_keys(const char *name, struct sg_unix *ret);

/* A program of the skeleton, and what is lost without it (NULL: nothing works). */
struct dataplane_part {
	const char *name;
	const char *since; /* the first kernel that takes it, for people */
	enum {
		PART_MEASURES = 0,
		PART_ENFORCES, /* its loss weakens enforcement, not only what is known */
		PART_RECENT,   /* measures, and older kernels refuse it */
	} kind;
	const char *works; /* what it is good for */
	const char *loss;
	bool concerns_few;   /* those whom its loss concerns say so themselves */
	const char *instead; /* the program that does its work where it is refused */
	const char *change;  /* what is different then */
};
const struct dataplane_part *dataplane_part(const char *name);
bool dataplane_loaded(const struct bpf_program *prog);

/* sources.c: writes whose subordinate user ids are; what fails is logged. */
void dataplane_subuids_write(struct dataplane *dp);
int dataplane_subuid_parse(char *line, uint32_t *ret_owner, uint32_t *ret_first,
			   uint64_t *ret_n) MUST_CHECK;

/* cookie.c: can a namespace tell its cookie without a child? */
bool dataplane_cookie_quick(void);

/* walk.c: ends the records of a server that is no longer in use; their sockets go on. */
int dataplane_flows_forget(struct dataplane *dp, uint32_t server) MUST_CHECK;

#endif
