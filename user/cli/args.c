/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "cli/args.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "base/parse.h"
#include "breaker.h"

#define BIT(id) (1U << (id))
#define WORDS_MAX 64

const struct option_spec args_options[OPTION_COUNT] = {
#define ROW(id, type, member, kind, global, name, value, help) \
	{ name, value, OPTION_##kind, offsetof(struct args, member), global, help },
	ARGS_OPTIONS(ROW)
#undef ROW
};

const struct command *args_find(const struct command *commands, size_t n_commands, const char *name)
{
	for (size_t i = 0; i < n_commands; i++)
		if (!strcmp(commands[i].name, name))
			return &commands[i];
	return NULL;
}

/* --- suggestions ------------------------------------------------------------- */

static int complain(struct buf *why, const char *word, const char *const *candidates)
{
	const char *near = word ? nearest_word(word, candidates) : NULL;

	if (near)
		buf_printf(why, ": did you mean \"%s\"?", near);
	return -EINVAL;
}

static int unknown_command(const struct command *commands, size_t n_commands, const char *word,
			   struct buf *why)
{
	const char *names[WORDS_MAX + 1] = { NULL };
	size_t n = 0;

	for (size_t i = 0; i < n_commands && n < WORDS_MAX; i++)
		if (!commands[i].hidden)
			names[n++] = commands[i].name;
	buf_printf(why, "there is no command \"%s\"", word);
	return complain(why, word, names);
}

static bool takes(const struct command *command, size_t id)
{
	return args_options[id].global || (command && command->options & BIT(id));
}

static int unknown_option(const struct command *command, const char *word, struct buf *why)
{
	char names[OPTION_COUNT][32];
	const char *candidates[OPTION_COUNT + 1] = { NULL };
	size_t n = 0;

	for (size_t id = 0; id < OPTION_COUNT; id++) {
		if (!takes(command, id))
			continue;
		snprintf(names[n], sizeof(names[n]), "--%s", args_options[id].name);
		candidates[n] = names[n];
		n++;
	}
	if (command)
		buf_printf(why, "%s has no option \"%s\"", command->name, word);
	else
		buf_printf(why, "there is no option \"%s\"", word);
	return complain(why, word, candidates);
}

/* --- parsing ----------------------------------------------------------------- */

static int set(struct args *args, size_t id, const char *value, struct buf *why)
{
	const struct option_spec *spec = &args_options[id];
	void *target = (char *)args + spec->offset;
	uint64_t ns;

	switch (spec->kind) {
	case OPTION_FLAG:
		*(bool *)target = true;
		break;
	case OPTION_TEXT:
		if (!*value) {
			buf_printf(why, "--%s needs a value that is not empty", spec->name);
			return -EINVAL;
		}
		*(const char **)target = value;
		break;
	case OPTION_DURATION:
		if (parse_duration(value, &ns) || !ns) {
			buf_printf(
				why,
				"--%s: \"%s\" is not a valid duration: 90s, 10m, 2h, 1d, or seconds",
				spec->name, value);
			return -EINVAL;
		}
		*(uint64_t *)target = ns;
		break;
	case OPTION_NUMBER:
		if (parse_u64(value, 0, UINT64_MAX, target)) {
			buf_printf(why, "--%s: \"%s\" is not a valid 64-bit integer", spec->name,
				   value);
			return -EINVAL;
		}
		break;
	}
	args->given |= BIT(id);
	return 0;
}

/* -0.5 is a number, not an option. */
static bool is_number(const char *word)
{
	return word[0] == '-' && (isdigit((unsigned char)word[1]) ||
				  (word[1] == '.' && isdigit((unsigned char)word[2])));
}

/* word is "--name" or "--name=value"; *argv moves on when the value is the next word. */
static int take_option(struct args *args, char *const **argv, struct buf *why)
{
	const char *word = strcmp(**argv, "-w") ? **argv : "--write"; /* as of tshark and tcpdump */
	const char *equals = strchr(word, '=');
	size_t len = equals ? (size_t)(equals - word) - 2 : strlen(word) - 2;

	for (size_t id = 0; id < OPTION_COUNT; id++) {
		const struct option_spec *spec = &args_options[id];
		const char *value = equals ? equals + 1 : NULL;

		if (strlen(spec->name) != len || strncmp(spec->name, word + 2, len))
			continue;
		if (!spec->value && value) {
			buf_printf(why, "--%s takes no value", spec->name);
			return -EINVAL;
		}
		if (spec->value && !value) {
			value = (*argv)[1];
			if (!value) {
				buf_printf(why, "--%s needs a value: --%s %s", spec->name,
					   spec->name, spec->value);
				return -EINVAL;
			}
			++*argv;
		}
		return set(args, id, value, why);
	}
	return unknown_option(args->command, word, why);
}

static int check(const struct args *args, struct buf *why)
{
	const struct command *c = args->command;

	for (size_t id = 0; id < OPTION_COUNT; id++) {
		const struct option_spec *spec = &args_options[id];
		char word[64];

		snprintf(word, sizeof(word), "--%s", spec->name);
		if (args->given & BIT(id) && !takes(c, id))
			return unknown_option(c, word, why);
		if (c && c->required & BIT(id) && !(args->given & BIT(id))) {
			buf_printf(why, "%s needs --%s %s: %s", c->name, spec->name, spec->value,
				   spec->help);
			return -EINVAL;
		}
	}
	if (!c || args->operands >= c->least)
		return 0;
	buf_printf(why, "%s needs %s", c->name, c->operands);
	return -EINVAL;
}

static int take_word(struct args *args, const struct command *commands, size_t n_commands,
		     const char *word, struct buf *why)
{
	if (!args->command) {
		args->command = args_find(commands, n_commands, word);
		return args->command ? 0 : unknown_command(commands, n_commands, word, why);
	}
	if (args->operands == args->command->most) {
		buf_printf(why, "%s: \"%s\" is one word too many", args->command->name, word);
		return -EINVAL;
	}
	args->operand[args->operands++] = word;
	return 0;
}

int args_parse(const struct command *commands, size_t n_commands, char *const *argv,
	       struct args *ret, struct buf *why)
{
	struct args args = { .for_ns = SG_FOREVER, .since_ns = SINCE_ALL };
	bool options = true;
	int r = 0;

	for (argv++; *argv && r == 0; argv++) {
		if (options && !strcmp(*argv, "--"))
			options = false;
		else if (options && !strcmp(*argv, "-h"))
			args.help = true;
		else if (options && (!strncmp(*argv, "--", 2) || !strcmp(*argv, "-w")))
			r = take_option(&args, &argv, why);
		else if (options && (*argv)[0] == '-' && (*argv)[1] && !is_number(*argv))
			r = unknown_option(args.command, *argv, why);
		else
			r = take_word(&args, commands, n_commands, *argv, why);
	}
	if (r == 0 && !args.help && !args.version)
		r = check(&args, why);
	if (r == 0)
		*ret = args;
	return r;
}
