/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The command line and environment of switchgeard. */
#ifndef SWITCHGEAR_DAEMON_OPTIONS_H
#define SWITCHGEAR_DAEMON_OPTIONS_H

#include <stdbool.h>

#define OPTIONS_INTERFACES_MAX 8

/* NULL: not given; the configuration, else the default, holds. */
struct options {
	const char *config;
	const char *cgroup;
	const char *interfaces[OPTIONS_INTERFACES_MAX + 1];
	const char *pin_dir;
	const char *socket;
	const char *state_dir;
	const char *metrics;
	const char *mode;   /* "enforce" or "observe" */
	const char *import; /* a home directory: print a configuration made from its clients */
	bool check;
};

enum options_result {
	OPTIONS_RUN,
	OPTIONS_DONE,  /* help or version was printed: exit 0 */
	OPTIONS_USAGE, /* a message was printed: exit 2 */
};

/* argv must outlive *ret. Command line over environment (SWITCHGEAR_CONFIG, ...). */
enum options_result options_parse(int argc, char **argv, struct options *ret);

#endif
