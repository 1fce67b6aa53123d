/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <stdlib.h>
#include <string.h>

#include "daemon/app.h"
#include "daemon/import.h"

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
	CLEANUP(app_freep) struct app *app = NULL;
	struct options options;
	int r;

	log_level_from_environment();
	switch (options_parse(argc, argv, &options)) {
	case OPTIONS_DONE:
		return 0;
	case OPTIONS_USAGE:
		return 2;
	default:
		break;
	}
	if (options.import)
		return import_print(options.import) ? 1 : 0;
	if (options.check)
		return app_check(&options) ? 1 : 0;
	r = app_new(&options, &app);
	if (!r)
		r = app_run(app);
	return r ? 1 : 0;
}
