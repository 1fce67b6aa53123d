/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Both sides of the job in one process; tests/unit/worker/test_sandbox.c has one in its sandbox. */
#include "unit/unit.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "io/findings_job.h"

#define LINE(rule)                                                                             \
	"{\"source\":\"s\",\"severity\":\"low\",\"confidence\":1,\"server\":{\"name\":\"a\"}," \
	"\"rule\":\"" rule "\"}\n"

struct fixture {
	struct findings_job job;
	struct findings_done done;
	struct findings f;
	struct buf errors;
	int fd;
};

static int begin(struct fixture *x, const char *text)
{
	*x = (struct fixture){ .errors = BUF(1 << 16) };
	x->job.len = (uint32_t)strlen(text);
	snprintf(x->job.file, sizeof(x->job.file), "report.json");
	x->fd = findings_job_open(text, strlen(text));
	assert_true(x->fd >= 0);
	return findings_job_do(&x->job, x->fd, &x->done);
}

static int take(struct fixture *x)
{
	return findings_job_take(&x->job, x->fd, &x->done, &x->f, &x->errors);
}

static void end(struct fixture *x)
{
	findings_done(&x->f);
	buf_done(&x->errors);
	closep(&x->fd);
}

static void carries_records(void **state)
{
	struct fixture x;

	(void)state;
	assert_int_equal(begin(&x, LINE("1") LINE("2")), 0);
	assert_int_equal(take(&x), 0);
	assert_int_equal(x.f.n, 2);
	assert_string_equal(x.f.v[1].rule, "2");
	assert_int_equal(x.f.format, FINDINGS_NATIVE);
	end(&x);
}

static void carries_what_is_wrong(void **state)
{
	struct fixture x;

	(void)state;
	assert_int_equal(begin(&x, LINE("1") "{\"source\""), 0);
	assert_int_equal(take(&x), -EINVAL);
	assert_int_equal(x.f.n, 0);
	assert_ptr_equal(strstr(buf_str(&x.errors), "report.json:2:"), buf_str(&x.errors));
	end(&x);
}

static void counts_what_is_passed_over(void **state)
{
	struct fixture x;

	(void)state;
	assert_int_equal(begin(&x, "{\"version\":\"2.1.0\",\"runs\":[{\"tool\":{\"driver\":"
				   "{\"name\":\"t\"}},\"results\":[{\"kind\":\"pass\"}]}]}"),
			 0);
	snprintf(x.job.server, sizeof(x.job.server), "a");
	assert_int_equal(take(&x), 0);
	assert_int_equal(x.f.format, FINDINGS_SARIF);
	assert_int_equal(x.f.n_passed_over, 1);
	assert_int_equal(x.f.n, 1);
	assert_int_equal(x.f.v[0].severity, FINDING_CLEAN);
	end(&x);
}

/* Nothing that a worker says makes more of it than a refusal. */
static void disbelieves_a_worker(void **state)
{
	struct fixture x;
	char *memory;

	(void)state;
	assert_int_equal(begin(&x, LINE("1")), 0);
	x.done.len = FINDINGS_OUT_MAX + 1;
	assert_int_equal(take(&x), -EBADMSG);
	x.done.len = 7; /* the end of a line is missing */
	assert_int_equal(take(&x), -EBADMSG);
	x.done.len = 8;
	x.done.format = FINDINGS_FORMAT_COUNT;
	assert_int_equal(take(&x), -EBADMSG);
	x.done.format = FINDINGS_NATIVE;
	memset(x.done.why, 'x', sizeof(x.done.why));
	assert_int_equal(take(&x), -EBADMSG);
	memset(x.done.why, 0, sizeof(x.done.why));
	memory = mmap(NULL, x.job.len + 8, PROT_READ | PROT_WRITE, MAP_SHARED, x.fd, 0);
	assert_ptr_not_equal(memory, MAP_FAILED);
	memcpy(memory + x.job.len, "garbage!", 8);
	munmap(memory, x.job.len + 8);
	assert_int_equal(take(&x), -EBADMSG);
	end(&x);
}

static void nobody_changes_its_size(void **state)
{
	struct fixture x;

	(void)state;
	assert_int_equal(begin(&x, LINE("1")), 0);
	assert_int_equal(ftruncate(x.fd, 1), -1);
	assert_int_equal(ftruncate(x.fd, 1 << 28), -1);
	end(&x);
	assert_int_equal(findings_job_open("", FINDINGS_SIZE_MAX + 1), -E2BIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(carries_records),
		cmocka_unit_test(carries_what_is_wrong),
		cmocka_unit_test(counts_what_is_passed_over),
		cmocka_unit_test(disbelieves_a_worker),
		cmocka_unit_test(nobody_changes_its_size),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
