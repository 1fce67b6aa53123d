/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "core/event.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "unit/unit.h"

static void test_names(void **state)
{
	static const char *const names[] = { "call",  "transition", "quarantine", "release", "kill",
					     "alarm", "loss",       "reload",     "selftest" };

	(void)state;
	for (unsigned int i = 0; i < EVENT_TYPE_COUNT; i++) {
		assert_string_equal(event_type_name(i), names[i]);
		assert_int_equal(event_type_from_name(names[i]), i);
	}
	assert_string_equal(event_type_name(EVENT_TYPE_COUNT), "unknown");
	assert_int_equal(event_type_from_name("Call"), -EINVAL);
}

static size_t width(const struct event_field *f)
{
	switch (f->kind) {
	case FIELD_TEXT:
	case FIELD_NUMBER:
		return f->size;
	case FIELD_COUNT:
		return sizeof(uint32_t);
	case FIELD_WORD:
		return sizeof(enum sg_class);
	case FIELD_BOOL:
		return sizeof(bool);
	default:
		return sizeof(uint64_t);
	}
}

/* A row says what its member is, and no type has a key or a member twice. */
static void test_fields(void **state)
{
	(void)state;
	for (size_t i = 0; i < n_event_fields; i++) {
		const struct event_field *f = &event_fields[i];

		assert_int_equal(f->size, width(f));
		assert_true(f->offset + f->size <= sizeof(struct event));
		assert_true(f->types && f->types < 1U << EVENT_TYPE_COUNT);
		assert_int_equal(f->kind == FIELD_WORD, f->word && f->value);
		for (size_t j = 0; j < i; j++) {
			if (!(f->types & event_fields[j].types))
				continue;
			assert_string_not_equal(f->key, event_fields[j].key);
			assert_true(f->offset != event_fields[j].offset);
		}
	}
}

static void test_init(void **state)
{
	struct event e;

	(void)state;
	memset(&e, 0xff, sizeof(e));
	event_init(&e, EVENT_KILL);
	assert_int_equal(e.type, EVENT_KILL);
	assert_true(isnan(e.failure_rate) && isnan(e.slow_rate));
	assert_true(e.until_wall_ns == STATUS_NEVER);
	assert_int_equal(e.wall_ns, 0);
	assert_int_equal(e.survivors, 0);
	assert_string_equal(e.text, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_init),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
