/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What a configuration is, whoever reads it: limits, structs, their end. */
#ifndef SWITCHGEAR_CODEC_CONFIG_TYPES_H
#define SWITCHGEAR_CODEC_CONFIG_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/parse.h"
#include "codec/url.h"
#include "core/policy.h"
#include "core/status.h"
#include "core/trust_policy.h"

#define CONFIG_SIZE_MAX (4U << 20) /* bytes of a file */
#define CONFIG_DEPTH_MAX 16U
#define CONFIG_ERRORS_MAX 20U /* reported at once */
#define CONFIG_FALLBACK_MAX 16U
#define CONFIG_NETWORKS_MAX 256U /* of one server */
#define CONFIG_SERVERS_MAX (SG_SERVERS_MAX - SG_RESERVED)
#define CONFIG_HISTORY_DAYS 90U
#define CONFIG_HISTORY_MEGABYTES 256U
#define CONFIG_INTERFACES_MAX 32U
#define CONFIG_PROXIES_MAX 32U
#define CONFIG_ARGS_MAX 256U
#define CONFIG_ALLOW_MAX 32U /* of all servers, and of one beside */
#define CONFIG_LOCAL_MAX \
	127U /* bytes of names of units and containers; a path has four times that */
#define CONFIG_TOOLS_MAX 256U
#define CONFIG_UNIQUE ((size_t)-1)
#define CONFIG_UNIX_SCHEME "unix:"
#define CONFIG_UNIX_HIDDEN CONFIG_UNIX_SCHEME "***" /* shown: the variable of a secret is in it */

enum on_open {
	ON_OPEN_REFUSE,
	ON_OPEN_STAND_IN,
	ON_OPEN_FALLBACK,
	ON_OPEN_COUNT
};

struct config_list {
	char **v;
	size_t n;
};

struct config_network {
	struct addr addr;
	unsigned int prefix; /* of the 128-bit address: IPv4 is 96 + its own */
	char text[64];
};

/* What isolated processes may reach, and be reached from. */
struct config_allowed {
	struct addr addr;
	unsigned int prefix; /* of the 128-bit address: IPv4 is 96 + its own */
	uint16_t port;       /* 0: any */
	uint16_t pad;        /* compared by their bytes */
};

struct config_isolation {
	struct config_allowed *allow;
	size_t n_allow;
	bool asked; /* only where an order asks for it (freeze, force) */
};

/* Are others at the addresses of its host, too? */
enum config_shared {
	CONFIG_SHARED_LEARNED, /* as it turns out */
	CONFIG_SHARED_ALWAYS,
	CONFIG_SHARED_NEVER,
};

struct config_server {
	char name[SG_NAME_LEN];
	char *url_shown;     /* redacted; NULL without URL */
	char *command_shown; /* redacted; NULL without command */
	char *bridge; /* "mcp-remote@0.1.10", by which clients reach it: codec/bridges.h; NULL: none */
	bool has_url;  /* scheme, host, port, maybe addr are valid */
	bool has_addr; /* the host is a literal address */
	enum config_shared shared;
	char *unix_name; /* of the Unix socket at which it is: "/run/x.sock", "@x"; NULL: at none */
	enum url_scheme scheme;
	uint16_t port;
	char host[URL_HOST_MAX + 1]; /* lower case; IPv6 without brackets */
	struct addr addr;
	struct config_network *networks;
	size_t n_networks;
	struct breaker_policy policy; /* defaults applied */
	uint32_t deny_errno;          /* positive; also in policy where that has one */
	enum on_open on_open;
	struct config_list fallback; /* names of other servers with URLs */
	bool fallback_keyed;         /* in the file they stand below "servers" */
	bool fallback_by_trust;      /* the order among them: by trust, else as listed */
	bool fallback_partial;       /* they need not offer all of its tools */
	bool fallback_shares;        /* they may see the credentials that agents send it */
	bool fallback_direct;        /* by redirect alone: sessions are not translated */
	char *group;                 /* NULL: none */
	enum visibility visibility;  /* what its scheme allows: plaintext, metadata or none */
	bool inspect_tls;
	struct config_list idempotent_tools;
	char *local_unit; /* "local": where the server runs on this host, each may be NULL */
	char *local_cgroup;
	char *local_container;
	char *local_listen;
	struct config_isolation isolation; /* beside what is allowed to all */
	/* The first server in the list with the same host and port, or socket, whose breaker covers
	 * this one too; CONFIG_UNIQUE if there is none. */
	size_t same_endpoint;
	unsigned int line; /* of its key in the file */
};

/*
 * The daemon's settings that are one text and change only at a restart, one line each:
 * the key, which is the option with a dash for each underscore (--pin-dir), and in
 * capitals the variable (SWITCHGEAR_PIN_DIR); its reader in config.c; its argument, NULL:
 * no option; the default, NULL: none; and what --help says.
 */
#define CONFIG_SETTINGS(X)                                                                      \
	X(cgroup, read_cgroup, "PATH|auto", NULL,                                               \
	  "whose processes are protected (auto: the whole host)")                               \
	X(pin_dir, read_path, "DIR", "/sys/fs/bpf/switchgear/v1",                               \
	  "where maps and links are pinned")                                                    \
	X(socket, read_path, "PATH", "/run/switchgear/switchgear.sock", "API socket")           \
	X(state_dir, read_path, "DIR", "/var/lib/switchgear", "durable state")                  \
	X(metrics, read_metrics, "ADDR:PORT|off", "127.0.0.1:9464", "Prometheus metrics")       \
	X(ca_file, read_path, "FILE", NULL,                                                     \
	  "certificates to trust in own probes, beside the system's")                           \
	X(findings_dir, read_path, "DIR", NULL, "whose files are reports of security scanners") \
	X(api_group, config_read_text, NULL, NULL, NULL)

/* NULL and 0 mean: not given, the daemon's default holds. */
struct config {
	bool observe; /* mode */
#define CONFIG_MEMBER(key, reader, argument, fallback, help) char *key;
	CONFIG_SETTINGS(CONFIG_MEMBER)
#undef CONFIG_MEMBER
	struct config_list interfaces;
	struct config_list proxies;        /* HTTP proxies, each as "host:port" */
	bool api_read_group;               /* reading is for the group only */
	uint32_t limit_endpoints;          /* SG_ENDPOINTS_DEFAULT */
	uint32_t limit_servers;            /* CONFIG_SERVERS_MAX */
	uint32_t history_days;             /* CONFIG_HISTORY_DAYS */
	uint32_t history_megabytes;        /* of 2^20 bytes; CONFIG_HISTORY_MEGABYTES */
	uint64_t resolve_ns;               /* 30 s */
	struct config_isolation isolation; /* of every server */
	struct breaker_policy policy;      /* defaults.breaker over the built-in one */
	struct trust_policy trust;         /* defaults.trust over the built-in one */
	enum on_open on_open;              /* defaults.on_open, else to refuse */
	struct config_server *servers;     /* in the order of the file, disabled ones left out */
	size_t n_servers;
};

/* Where ${VAR} in URLs comes from: lookup returns NULL for what is not set. */
struct config_env {
	const char *(*lookup)(void *arg, const char *name);
	void *arg;
};

void config_free(struct config *config); /* NULL is fine */

static inline void config_freep(struct config **config)
{
	config_free(*config);
}

const struct config_server *config_find(const struct config *config, const char *name);

/* What differs between two servers of one name: what a reload has to touch. */
#define CONFIG_DIFF_ENDPOINTS 1U /* URL, networks, command: resolve and register anew */
#define CONFIG_DIFF_POLICY 2U    /* breaker numbers, errno */
#define CONFIG_DIFF_ROUTE 4U     /* on_open, fallback, group */
#define CONFIG_DIFF_SHOWN 8U     /* the rest, shown texts among them */
unsigned int config_server_diff(const struct config_server *a, const struct config_server *b);

extern const char *const on_open_words[ON_OPEN_COUNT + 1]; /* ends with NULL */
void config_list_done(struct config_list *list);
int config_list_add(struct config_list *list, const char *text) MUST_CHECK; /* a copy; -ENOMEM */
bool config_list_same(const struct config_list *a, const struct config_list *b);
bool config_isolation_same(const struct config_isolation *a, const struct config_isolation *b);
/* "10.0.0.5", "192.0.2.0/24:514", "[fd00::5]:514": -EINVAL, -ENOMEM. */
int config_parse_allowed(const char *text, struct config_allowed *ret) MUST_CHECK;
bool config_text_same(const char *a, const char *b); /* each may be NULL */

#endif
