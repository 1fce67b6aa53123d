/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "dataplane/check.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define KERNEL_ENOTSUPP 524 /* the kernel's own, which strerror() does not know */

/* What an operator can do while a program is missing. */
static const struct {
	const char *name;
	const char *instead;
} remedies[] = {
	{ "sg_sendmsg4", "reject UDP to these servers with a firewall" },
	{ "sg_sendmsg6", "reject UDP to these servers with a firewall" },
	{ "sg_sockops", "keep the daemon running (Restart=always in its unit)" },
	{ "sg_xdp", "drop them with a firewall" },
};

static bool is_lost(const struct dataplane_feature *f)
{
	return !f->there && f->enforces;
}

enum check_result check_result(const struct check *c)
{
	if (c->error)
		return CHECK_NONE;
	for (size_t i = 0; i < c->n; i++)
		if (is_lost(&c->features[i]))
			return CHECK_PARTIAL;
	return CHECK_FULL;
}

/* --- what works -------------------------------------------------------------------------- */

/* Several programs, which are neighbours, may do one thing together: it works if all of them are
 * there. */
static void format_works(const struct check *c, struct buf *out)
{
	size_t end;

	for (size_t i = 0; i < c->n; i = end) {
		const char *what = c->features[i].works;
		bool there = true;

		for (end = i; end < c->n && !strcmp(c->features[end].works, what); end++)
			there &= c->features[end].there;
		if (!there)
			continue;
		buf_printf(out, "works: %s (%s", what, c->features[i].name);
		for (size_t k = i + 1; k < end; k++)
			buf_printf(out, ", %s", c->features[k].name);
		buf_puts(out, ")\n");
	}
}

/* --- what does not ----------------------------------------------------------------------- */

static const char *cause(int error)
{
	return -error == KERNEL_ENOTSUPP ? "Not supported by this kernel" : strerror(-error);
}

/* Only for advice: what is there is found by trying. Unreadable versions are not older. */
static bool is_older(const char *release, const char *since)
{
	unsigned int have[2];
	unsigned int need[2];

	if (sscanf(release, "%u.%u", &have[0], &have[1]) != 2 ||
	    sscanf(since, "%u.%u", &need[0], &need[1]) != 2)
		return false;
	return have[0] != need[0] ? have[0] < need[0] : have[1] < need[1];
}

/* What to do about the kernel's refusal. */
static void format_remedy(const struct check *c, int error, const char *since, struct buf *out)
{
	if (error == -EPERM)
		buf_puts(out, "run it as root; where root is refused, too, a container, a security "
			      "module or kernel lockdown forbids bpf(2)");
	else if (error == -ENOMEM)
		buf_puts(out, "free memory, or raise the limit of locked memory (LimitMEMLOCK=)");
	else if (since && is_older(c->release, since))
		buf_printf(out, "boot kernel %s or newer", since);
	else
		buf_puts(out, "SWITCHGEAR_LOG=debug shows what the kernel says of it");
}

static void format_missing(const struct check *c, const char *word,
			   const struct dataplane_feature *f, struct buf *out)
{
	buf_printf(out, "%s %s (%s ", word, f->loss, f->name);
	if (f->error)
		buf_printf(out, "refused: %s", cause(f->error));
	else
		buf_puts(out, "is missing");
	if (f->since)
		buf_printf(out, "; needs kernel %s", f->since);
	buf_puts(out, ") -- ");
	format_remedy(c, f->error, f->since, out);
	for (size_t i = 0; i < ARRAY_SIZE(remedies); i++)
		if (!strcmp(remedies[i].name, f->name))
			buf_printf(out, "; until then %s", remedies[i].instead);
	buf_putc(out, '\n');
}

/* Once each, however many programs it takes. */
static void format_losses(const struct check *c, struct buf *out)
{
	const char *separator = ": ";

	for (size_t i = 0; i < c->n; i++) {
		const struct dataplane_feature *f = &c->features[i];
		bool told = false;

		for (size_t k = 0; k < i; k++)
			told |= is_lost(&c->features[k]) && !strcmp(c->features[k].loss, f->loss);
		if (!is_lost(f) || told)
			continue;
		buf_printf(out, "%s%s", separator, f->loss);
		separator = "; ";
	}
}

/* With an error nothing is loaded, and what was not tried did not work: only what the
 * kernel refused is told. */
static void format_none(const struct check *c, struct buf *out)
{
	for (size_t i = 0; i < c->n; i++)
		if (!c->features[i].there && c->features[i].error)
			format_missing(c, "LOST: ", &c->features[i], out);
	buf_printf(out, "\nThis kernel cannot enforce: %s -- ", cause(c->error));
	format_remedy(c, c->error, NULL, out);
	buf_puts(out, ".\n");
}

void check_format(const struct check *c, struct buf *out)
{
	enum check_result result = check_result(c);

	buf_printf(out, "kernel: %s (asked by loading every program, attaching none)\n",
		   c->release);
	if (result == CHECK_NONE) {
		format_none(c, out);
		return;
	}
	format_works(c, out);
	for (size_t i = 0; i < c->n; i++)
		if (!c->features[i].there && !c->features[i].enforces)
			format_missing(c, "lacks:", &c->features[i], out);
	for (size_t i = 0; i < c->n; i++)
		if (is_lost(&c->features[i]))
			format_missing(c, "LOST: ", &c->features[i], out);
	buf_puts(out, result == CHECK_FULL ? "\nThis kernel can enforce fully"
					   : "\nThis kernel enforces partially");
	format_losses(c, out);
	buf_puts(out, ".\n");
}
