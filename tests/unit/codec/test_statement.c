/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "codec/statement.h"

#include <errno.h>
#include <string.h>

#include "unit/unit.h"

static uint8_t secret[STATEMENT_SECRET_LEN];
static struct trust_id key;

static struct statement some(void)
{
	struct statement s = { .says = { .type = REPUTATION_VOUCH,
					 .value = 0.25,
					 .depth = 2,
					 .seq = 7,
					 .not_before_ns = 1767225600000000001ULL,
					 .expires_ns = 1777225600000000000ULL } };

	memset(s.says.subject.b, 0x5a, sizeof(s.says.subject.b));
	s.evidence.b[31] = 1;
	assert_int_equal(statement_sign(&s, secret), 0);
	return s;
}

static int setup(void **state)
{
	struct trust_id again;

	(void)state;
	assert_int_equal(statement_key_new(&key, secret), 0);
	statement_key_public(secret, &again);
	assert_memory_equal(again.b, key.b, sizeof(key.b));
	return 0;
}

static void test_a_line_says_the_same(void **state)
{
	struct statement s = some();
	struct statement again;
	struct buf line = BUF(STATEMENT_LINE_MAX);
	char why[128];

	(void)state;
	assert_true(statement_verify(&s));
	assert_memory_equal(s.says.issuer.b, key.b, sizeof(key.b));
	assert_int_equal(statement_encode(&s, &line), 0);
	if (statement_decode(line.data, line.len, &again, why, sizeof(why)))
		fail_msg("%s", why);
	assert_true(statement_verify(&again));
	assert_true(again.says.value == s.says.value && again.says.seq == s.says.seq &&
		    again.says.not_before_ns == s.says.not_before_ns);
	buf_done(&line);
}

/* Whatever of it is changed, it is not what was signed. */
static void test_each_part_is_signed(void **state)
{
	struct statement s = some();

	(void)state;
#define CHANGED(member, other)                      \
	do {                                        \
		struct statement t = s;             \
		t.member = other;                   \
		assert_false(statement_verify(&t)); \
	} while (0)
	CHANGED(says.type, REPUTATION_RATING);
	CHANGED(says.issuer.b[0], (uint8_t)(s.says.issuer.b[0] ^ 1));
	CHANGED(says.subject.b[31], 0x5b);
	CHANGED(says.value, 0.250000001);
	CHANGED(says.value, -0.25);
	CHANGED(says.depth, 3);
	CHANGED(says.seq, 8);
	CHANGED(says.not_before_ns, s.says.not_before_ns + 1);
	CHANGED(says.expires_ns, s.says.expires_ns + 1);
	CHANGED(nonce[3], (uint8_t)(s.nonce[3] ^ 0x80));
	CHANGED(evidence.b[0], 1);
	CHANGED(signature[10], (uint8_t)(s.signature[10] ^ 1));
#undef CHANGED
	assert_true(statement_verify(&s));
}

/* What is finer than is signed does not make another statement of it. */
static void test_values_are_rounded_before_they_are_signed(void **state)
{
	struct statement s = some();

	(void)state;
	s.says.value = 0.1234567891234;
	assert_int_equal(statement_sign(&s, secret), 0);
	assert_true(s.says.value == 0.123456789);
	assert_true(statement_verify(&s));
}

static void refused(const char *text, const char *wanted)
{
	struct statement s;
	char why[128] = "";

	assert_int_equal(statement_decode(text, strlen(text), &s, why, sizeof(why)), -EINVAL);
	if (!strstr(why, wanted))
		fail_msg("%s is not in %s", wanted, why);
}

#define H32 "0000000000000000000000000000000000000000000000000000000000000000"
#define WITH(v, type, value, seq, sig)                                                             \
	"{\"v\":" v ",\"type\":\"" type "\",\"issuer\":\"" H32 "\",\"subject\":\"" H32             \
	"\",\"value\":" value ",\"depth\":0,\"seq\":" seq ",\"not_before_ns\":1,\"expires_ns\":2," \
	"\"nonce\":\"00000000000000000000000000000000\",\"evidence\":\"" H32 "\",\"sig\":\"" sig   \
	"\"}"

static void test_mistakes_are_named(void **state)
{
	struct statement s;
	char why[128];
	static char longer[STATEMENT_LINE_MAX + 2];

	(void)state;
	assert_int_equal(statement_decode(WITH("1", "rating", "0.5", "1", H32 H32),
					  strlen(WITH("1", "rating", "0.5", "1", H32 H32)), &s, why,
					  sizeof(why)),
			 0);
	assert_false(statement_verify(&s));
	refused("", "column");
	refused("[]", "no object");
	refused("{}", "\"v\"");
	refused(WITH("2", "rating", "0.5", "1", H32 H32), "\"v\" is not 1");
	refused(WITH("1", "praise", "0.5", "1", H32 H32), "\"type\" is none of");
	refused(WITH("1", "rating", "1.5", "1", H32 H32), "\"value\"");
	refused(WITH("1", "rating", "null", "1", H32 H32), "\"value\"");
	refused(WITH("1", "rating", "0.5", "-1", H32 H32), "\"seq\"");
	refused(WITH("1", "rating", "0.5", "1.5", H32 H32), "\"seq\"");
	refused(WITH("1", "rating", "0.5", "1", H32), "\"sig\" is not 128");
	refused(WITH("1", "rating", "0.5", "1,\"more\":1", H32 H32), "members");
	memset(longer, ' ', sizeof(longer) - 1);
	refused(longer, "longer than");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_line_says_the_same),
		cmocka_unit_test(test_each_part_is_signed),
		cmocka_unit_test(test_values_are_rounded_before_they_are_signed),
		cmocka_unit_test(test_mistakes_are_named),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
