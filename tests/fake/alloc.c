/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "fake/alloc.h"

#include <stdlib.h>

static size_t left; /* until one fails; 0: none will */
static bool for_good;
static bool failed;

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
char *__real_strdup(const char *text);
char *__real_strndup(const char *text, size_t n);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t size);
char *__wrap_strdup(const char *text);
char *__wrap_strndup(const char *text, size_t n);

void fake_alloc_fail(size_t n, bool all)
{
	left = n;
	for_good = all;
	failed = false;
}

bool fake_alloc_failed(void)
{
	left = 0;
	for_good = false;
	return failed;
}

static bool fails(void)
{
	if (failed && for_good)
		return true;
	if (!left || --left)
		return false;
	failed = true;
	return true;
}

void *__wrap_malloc(size_t size)
{
	return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
	return fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t size)
{
	return fails() ? NULL : __real_realloc(p, size);
}

char *__wrap_strdup(const char *text)
{
	return fails() ? NULL : __real_strdup(text);
}

char *__wrap_strndup(const char *text, size_t n)
{
	return fails() ? NULL : __real_strndup(text, n);
}
