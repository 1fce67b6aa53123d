/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Reads one value out of JSON, for shell scripts on hosts that have no other
 * tool for it. Strict: a text that is not one JSON value is an error.
 */
#include "util.h"

#define TEXT_MAX (64UL << 20)
#define DEPTH_MAX 64

static const char usage[] =
	"usage: jget FILE|- PATH        print the value at PATH\n"
	"       jget --check FILE|-     is it JSON?\n"
	"       jget --lines FILE|- PATH [KEY=VALUE]...   one JSON text a line: the value at PATH\n"
	"                               of each line whose members KEY have these values\n"
	"PATH: a.b.0.c, a[0].b, a[name=x].b, a.# (number of members), . (everything)\n"
	"Strings print without quotes, other values as they stand in the text.\n"
	"Exit status: 0 printed, 1 no such value, 2 usage, 3 not JSON.\n";

struct text {
	const char *at;
	const char *end;
};

static void skip_space(struct text *t)
{
	while (t->at < t->end && strchr(" \t\r\n", *t->at))
		t->at++;
}

static bool eat(struct text *t, char c)
{
	skip_space(t);
	if (t->at >= t->end || *t->at != c)
		return false;
	t->at++;
	return true;
}

static bool skip_value(struct text *t, int depth);

static bool skip_string(struct text *t)
{
	if (!eat(t, '"'))
		return false;
	for (; t->at < t->end && *t->at != '"'; t->at++) {
		if ((unsigned char)*t->at < 0x20)
			return false;
		if (*t->at == '\\' && ++t->at >= t->end)
			return false;
	}
	return t->at++ < t->end;
}

static bool skip_literal(struct text *t)
{
	static const char *const words[] = { "true", "false", "null" };
	const char *start = t->at;

	for (int i = 0; i < 3; i++) {
		size_t len = strlen(words[i]);

		if ((size_t)(t->end - t->at) >= len && !strncmp(t->at, words[i], len)) {
			t->at += len;
			return true;
		}
	}
	while (t->at < t->end && *t->at && strchr("+-.0123456789eE", *t->at))
		t->at++;
	return t->at > start && strchr("-0123456789", *start) && strchr("0123456789", t->at[-1]);
}

static bool skip_members(struct text *t, char close, int depth)
{
	bool object = close == '}';

	if (eat(t, close))
		return true;
	do {
		if (object && (!skip_string(t) || !eat(t, ':')))
			return false;
		if (!skip_value(t, depth + 1))
			return false;
	} while (eat(t, ','));
	return eat(t, close);
}

static bool skip_value(struct text *t, int depth)
{
	skip_space(t);
	if (t->at >= t->end || depth > DEPTH_MAX)
		return false;
	if (*t->at == '"')
		return skip_string(t);
	if (eat(t, '{'))
		return skip_members(t, '}', depth);
	if (eat(t, '['))
		return skip_members(t, ']', depth);
	return skip_literal(t);
}

/* The text of the value at t->at, which must be valid JSON. */
static struct text value_at(struct text t)
{
	struct text value;

	skip_space(&t);
	value.at = t.at;
	skip_value(&t, 0);
	value.end = t.at;
	return value;
}

static bool text_is(struct text value, const char *want, size_t len)
{
	if (value.at < value.end && *value.at == '"') {
		value.at++;
		value.end--;
	}
	return (size_t)(value.end - value.at) == len && !strncmp(value.at, want, len);
}

/*
 * The member of `value` called key, or with that number; with key NULL counts
 * the members into *count. value must be valid JSON.
 */
static bool find_member(struct text value, const char *key, size_t len, long *count,
			struct text *ret)
{
	bool object = *value.at == '{';
	long number = 0;
	char index[32];

	if (!object && *value.at != '[')
		return false;
	value.at++;
	skip_space(&value);
	if (*value.at == ']' || *value.at == '}') {
		*count = 0;
		return false;
	}
	do {
		struct text name, member;

		skip_space(&value);
		name = value_at(value);
		if (object) {
			skip_string(&value);
			eat(&value, ':');
		} else {
			snprintf(index, sizeof(index), "%ld", number);
			name = (struct text){ index, index + strlen(index) };
		}
		member = value_at(value);
		if (key && text_is(name, key, len)) {
			*ret = member;
			return true;
		}
		number++;
		value.at = member.end;
	} while (eat(&value, ','));
	*count = number;
	return false;
}

/* The first element of an array whose member `key` has the value `want`. */
static bool find_where(struct text array, const char *key, size_t key_len, const char *want,
		       size_t want_len, struct text *ret)
{
	struct text element, member;
	char index[32];
	long count;

	for (long i = 0;; i++) {
		snprintf(index, sizeof(index), "%ld", i);
		if (!find_member(array, index, strlen(index), &count, &element))
			return false;
		if (find_member(element, key, key_len, &count, &member) &&
		    text_is(member, want, want_len)) {
			*ret = element;
			return true;
		}
	}
}

/* One step of a path; *path is left behind it. */
static bool step(struct text *value, const char **path)
{
	const char *p = *path;
	bool bracket = *p == '[';
	size_t len, equals;
	long count;
	bool found;

	if (*p == '.' || bracket)
		p++;
	len = bracket ? strcspn(p, "]") : strcspn(p, ".[");
	equals = strcspn(p, "=");
	if (bracket && equals < len)
		found = find_where(*value, p, equals, p + equals + 1, len - equals - 1, value);
	else
		found = find_member(*value, p, len, &count, value);
	*path = p + len + (bracket && p[len] == ']');
	return found;
}

static void print_string(struct text s)
{
	static const char from[] = "nrtbf";
	static const char to[] = "\n\r\t\b\f";
	const char *known;

	for (s.at++; s.at < s.end - 1; s.at++) {
		if (*s.at != '\\') {
			putchar(*s.at);
			continue;
		}
		s.at++;
		known = strchr(from, *s.at);
		if (*s.at == 'u') {
			fputs("\\u", stdout); /* kept as written: scripts compare bytes */
			continue;
		}
		putchar(known ? to[known - from] : *s.at);
	}
}

/* 0 printed, 1 no such value. */
static int print_path(struct text value, const char *path)
{
	struct text none;
	long count = -1;

	value = value_at(value);
	if (!strcmp(path, "."))
		path = "";
	while (*path) {
		if (!strcmp(path, "#") || !strcmp(path, ".#")) {
			find_member(value, NULL, 0, &count, &none);
			if (count < 0)
				return 1;
			printf("%ld\n", count);
			return 0;
		}
		if (!step(&value, &path))
			return 1;
	}
	if (*value.at == '"')
		print_string(value);
	else
		fwrite(value.at, 1, (size_t)(value.end - value.at), stdout);
	putchar('\n');
	return 0;
}

static bool is_json(struct text t)
{
	if (!skip_value(&t, 0))
		return false;
	skip_space(&t);
	return t.at == t.end;
}

static struct text read_all(const char *name)
{
	FILE *in = strcmp(name, "-") ? fopen(name, "r") : stdin;
	char *data = NULL;
	size_t len = 0, size = 0, n;

	if (!in)
		die("jget: %s: %s", name, strerror(errno));
	do {
		if (len + 65536 > size) {
			size = len + (1UL << 20);
			data = size <= TEXT_MAX ? realloc(data, size) : NULL;
			if (!data)
				die("jget: %s: too large", name);
		}
		n = fread(data + len, 1, 65535, in);
		len += n;
	} while (n);
	data[len] = '\0';
	return (struct text){ data, data + len };
}

static bool matches(struct text line, char **wheres)
{
	for (; *wheres; wheres++) {
		struct text value = value_at(line);
		size_t key = strcspn(*wheres, "=");
		const char *want = *wheres + key + 1;
		struct text member;
		long count;

		if (!(*wheres)[key])
			die("%s", usage);
		if (!find_member(value, *wheres, key, &count, &member) ||
		    !text_is(member, want, strlen(want)))
			return false;
	}
	return true;
}

static int print_lines(struct text all, const char *path, char **wheres)
{
	int r = 1;

	while (all.at < all.end) {
		const char *end = memchr(all.at, '\n', (size_t)(all.end - all.at));
		struct text line = { all.at, end ? end : all.end };

		all.at = end ? end + 1 : all.end;
		skip_space(&line);
		if (line.at == line.end)
			continue;
		if (!is_json(line)) {
			fprintf(stderr, "jget: not JSON: %.*s\n", (int)(line.end - line.at),
				line.at);
			return 3;
		}
		if (matches(line, wheres) && !print_path(line, path))
			r = 0;
	}
	return r;
}

int main(int argc, char **argv)
{
	struct text all;

	if (argc == 3 && !strcmp(argv[1], "--check"))
		return is_json(read_all(argv[2])) ? 0 : 3;
	if (argc >= 4 && !strcmp(argv[1], "--lines"))
		return print_lines(read_all(argv[2]), argv[3], argv + 4);
	if (argc != 3)
		die("%s", usage);
	all = read_all(argv[1]);
	if (!is_json(all)) {
		fprintf(stderr, "jget: %s is not JSON\n", argv[1]);
		return 3;
	}
	return print_path(all, argv[2]);
}
