/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "daemon/app.h"
#include "daemon/import.h"

int main(int argc, char **argv)
{
	CLEANUP(app_freep) struct app *app = NULL;
	struct options options;
	int r;

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
