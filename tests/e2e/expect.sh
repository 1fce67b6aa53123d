# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Subtests, what they assert, and waiting. Sourced by lib.sh.
#
# shellcheck disable=SC2015 # "test && test || fail" means what it says here
# shellcheck disable=SC2034 # tests use the variables

T_NUMBER=0 T_NAME='' T_ASSERTED=0 T_FAILED=0 T_ANY_FAILED=0 T_FINISHED=0

t_close() {
	[ -n "$T_NAME" ] || return 0
	[ "$T_ASSERTED" -gt 0 ] || fail "asserted nothing"
	if [ "$T_FAILED" -eq 0 ]; then
		echo "ok $T_NUMBER - $T_NAME"
	else
		echo "not ok $T_NUMBER - $T_NAME"
		T_ANY_FAILED=1
	fi
	T_NAME=''
}

# Starts the next subtest; the one before ends here.
t() {
	t_close
	T_NUMBER=$((T_NUMBER + 1)) T_NAME=$1 T_ASSERTED=0 T_FAILED=0
}

# t_skip NAME REASON: only for what this kernel or host truly cannot do. In CI a
# program that is not installed is a fault.
t_skip() {
	if [ -n "${CI:-}" ] && [[ $2 == *"not installed"* ]]; then
		t "$1"
		pass
		fail "$2"
		return
	fi
	t_close
	T_NUMBER=$((T_NUMBER + 1))
	echo "ok $T_NUMBER - $1 # SKIP $2"
}

fail() {
	T_FAILED=1
	[ -n "$T_NAME" ] || T_ANY_FAILED=1
	echo "# ${BASH_SOURCE[-1]##*/}:${BASH_LINENO[-2]}: $*"
}

pass() {
	T_ASSERTED=$((T_ASSERTED + 1))
}

# The whole test cannot run here.
skip() {
	echo "1..0 # SKIP $*"
	T_NAME='' T_FINISHED=1
	exit 77
}

# The test is over: every test ends with this line.
finish() {
	t_close
	T_FINISHED=1
	echo "1..$T_NUMBER"
	exit "$T_ANY_FAILED"
}

expect_eq() { # GOT WANT WHAT
	pass
	[ "$1" = "$2" ] || fail "${3:-value}: \"$1\", wanted \"$2\""
}

expect_ne() { # GOT UNWANTED WHAT
	pass
	[ "$1" != "$2" ] || fail "${3:-value}: \"$1\", wanted anything else"
}

# shellcheck disable=SC2053 # the second argument is a pattern
expect_match() { # GOT GLOB WHAT
	pass
	[[ $1 == $2 ]] || fail "${3:-text}: does not match \"$2\": $1"
}

# A decimal number as an integer of millionths, to compare it.
micros() {
	local whole=${1%%.*} part=000000

	[[ $1 =~ ^-?[0-9]+(\.[0-9]+)?$ ]] || { echo -1; return; }
	[[ $1 == *.* ]] && part=${1#*.}000000
	part=${part:0:6}
	echo $((${whole:-0} * 1000000 + 10#$part))
}

expect_within() { # NUMBER LOW HIGH WHAT, both ends included, decimals allowed
	local n low high

	pass
	n=$(micros "$1") low=$(micros "$2") high=$(micros "$3")
	[[ $1 =~ ^[0-9.]+$ ]] && [ "$n" -ge "$low" ] && [ "$n" -le "$high" ] ||
		fail "${4:-number}: $1, wanted $2 to $3"
}

expect_ms() { # NUMBER HIGH WHAT: it took at most so long
	expect_within "$1" 0 $(($2 * MS_SLOW)) "$3"
}

# deadline NAME MS LIMIT WHAT: what is promised of a machine of one's own. `make bench`
# reads the line that this prints and holds it to the limit; the suite, which shares its
# processors, to five times that. What no number came of, or came of something that
# failed before, has not been measured.
deadline() {
	local ms=$2

	[[ $ms =~ ^[0-9]+(\.[0-9]+)?$ ]] && [ "$T_FAILED" -eq 0 ] || ms=-
	echo "# deadline: $1 $ms $3 ms $4"
	expect_ms "$2" $(($3 * 5)) "$1: ms $4"
}

# Exit status of a command; its output stays in $OUT for further assertions.
expect_status() { # STATUS COMMAND...
	local want=$1 got=0

	shift
	OUT=$("$@" 2>&1) || got=$?
	pass
	[ "$got" = "$want" ] || fail "$*: exit status $got, wanted $want: $OUT"
}

expect_ok() {
	expect_status 0 "$@"
}

expect_refused() { # COMMAND...: fails, with a message
	local got=0

	OUT=$("$@" 2>&1) || got=$?
	pass
	[ "$got" -ne 0 ] || fail "$*: succeeded, wanted a failure: $OUT"
	[ -n "$OUT" ] || fail "$*: failed without a message"
}

now_ms() {
	local t=${EPOCHREALTIME/[.,]/}

	echo "${t:0:-3}"
}

# Sleeps so many seconds without another process: there are many naps.
nap() { # SECONDS
	read -rt "$1" -u "$NAP" 2>/dev/null || :
}
exec {NAP}<> <(:)

# Lets so many seconds go by, more where everything takes longer: where something is not to
# happen meanwhile, and no event tells that it has been long enough. What does happen is
# waited for instead, by expect_soon, wait_for, daemon_forgotten or until_ms.
pass_time() { # SECONDS WHY
	local n

	: "${2:?pass_time: say why}"
	n=$(($(micros "$1") * SLOW))
	sleep "$((n / 1000000)).$(printf '%06d' $((n % 1000000)))"
}

# Returns at that time of now_ms: a deadline that the test knows.
until_ms() { # MS
	local left=$(($1 - $(now_ms)))

	while [ "$left" -gt 0 ]; do
		nap "$((left / 1000)).$(printf '%03d' $((left % 1000)))"
		left=$(($1 - $(now_ms)))
	done
}

# Repeats an assertion until that time of now_ms, a few times a second.
all_until() { # MS COMMAND...
	local end=$1

	shift
	while [ "$(now_ms)" -lt "$end" ]; do
		"$@"
		nap 0.1
	done
}

# wait_for SECONDS COMMAND...: polls until the command succeeds.
wait_for() {
	local t=${EPOCHREALTIME/[.,]/} until

	until=$((t + $1 * SLOW * 1000000))
	shift
	until "$@" >/dev/null 2>&1; do
		t=${EPOCHREALTIME/[.,]/}
		[ "$t" -lt "$until" ] || return 1
		nap $POLL
	done
	return 0 # not what the last nap returned
}

expect_soon() { # SECONDS COMMAND...
	pass
	wait_for "$@" || fail "not within $1 s: ${*:2}"
}
