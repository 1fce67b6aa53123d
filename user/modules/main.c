/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "daemon/import.h"
#include "daemon/run.h"
#include "modules/modules.h"

/* SWITCHGEAR_LOG: error, warning, notice, info (default) or debug. */
static void log_level_from_environment(void)
{
	static const char *const names[] = { "error", "warning", "notice", "info", "debug" };
	const char *wanted = getenv("SWITCHGEAR_LOG");

	for (unsigned int i = 0; wanted && i < ARRAY_SIZE(names); i++)
		if (!strcmp(wanted, names[i]))
			log_set_level((enum log_level)i);
}

int main(int argc, char **argv)
{
	struct settings settings;
	const struct run run = { .settings = &settings,
				 .modules = modules_all,
				 .n_modules = n_modules_all,
				 .table = modules_table,
				 .n_table = n_modules_table };
	int r;

	log_level_from_environment();
	switch (settings_parse(argc, argv, &settings)) {
	case SETTINGS_DONE:
		return 0;
	case SETTINGS_USAGE:
		return 2;
	default:
		break;
	}
	if (settings.import)
		r = import_print(settings.import);
	else if (settings.check)
		r = run_check(&settings);
	else
		r = run_daemon(&run);
	settings_done(&settings);
	return r < 0 ? 1 : r; /* of a daemon: MARK_EXIT */
}
