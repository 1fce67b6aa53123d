/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "unit/modules/modules_rig.h"

struct rig rig;

int modules_setup(void **state)
{
	const struct rig_parts parts = { modules_all, n_modules_all, modules_table,
					 n_modules_table };

	(void)state;
	rig_make(&rig, &parts);
	return 0;
}

int modules_teardown(void **state)
{
	(void)state;
	rig_free(&rig);
	return 0;
}
