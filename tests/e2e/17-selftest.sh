#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# The self-test proves that enforcement bites, and says so when it does not; and a
# daemon that lives but cannot kill is told from one that can.
. "$(dirname "$0")/lib.sh"

config '"a": { "url": "http://127.0.0.1:3001/mcp", "deny_errno": "EHOSTUNREACH" }'
peer_start a 127.0.0.1:3001
start_daemon

t "it passes, and does not take long"
start=$(now_ms)
expect_ok sg selftest
deadline selftest $(($(now_ms) - start)) 1000 "of the self-test"
expect_eq "$(status health.selftest)" ok
expect_degraded
expect_match "$(sg metrics | grep '^switchgear_selftest')" "* 1" "the metric"

t "the canary is nobody's server"
expect_eq "$(status servers.#)" 1
expect_answer 127.0.0.1:3001 200

# The rules of the canary, its alias too, are the entries with server id 0: the low 16 bits.
remove_canary() {
	local n i value removed=1

	bpftool -j map dump pinned "$PINS/ep2srv" >"$TMP/dump" || return 1
	n=$("$TOOLS/jget" "$TMP/dump" .#)
	for ((i = 0; i < n; i++)); do
		value=$("$TOOLS/jget" "$TMP/dump" $i.value | tr -cd '[:xdigit:]x')
		[[ $value == 0x000x00* ]] || continue
		# shellcheck disable=SC2046
		bpftool map delete pinned "$PINS/ep2srv" key hex $("$TOOLS/jget" "$TMP/dump" \
			$i.key | tr -d '[]",' | sed 's/0x/ /g') && removed=0
	done
	return $removed
}

if command -v bpftool >/dev/null; then
	t "a canary without a rule: the test fails, says what to do, and the status shows it"
	expect_ok remove_canary
	expect_status 1 sg selftest
	expect_ne "$OUT" "" "a message"
	expect_match "${OUT,,}" "*canary*"
	expect_ne "$(status health.selftest)" ok
	expect_match "$(sg metrics | grep '^switchgear_selftest')" "* 0" "the metric"
	expect_within "$(log_lines canary)" 1 100 "log lines"

	t "the next start repairs it"
	stop_daemon
	start_daemon
	expect_ok sg selftest
	expect_eq "$(status health.selftest)" ok

	t "programs that were detached: the test fails"
	expect_ok bpftool link detach pinned "$PINS/sg_connect4"
	expect_status 1 sg selftest
	expect_ne "$(status health.selftest)" ok
else
	t_skip "a canary without a rule" "bpftool is not installed"
fi
stop_daemon
start_daemon

# It fails, and says this: not at once, where its own limit of time was shorter than the
# processor was slow.
selftest_says() { # PATTERN
	local out

	out=$(sg selftest 2>&1) && return 1
	# shellcheck disable=SC2053 # a pattern
	[[ $out == $1 ]]
}

t "requests and answers in quarantine are seen to be stopped, each by its own program"
for row in "egress request" "ingress answer"; do
	read -r program what <<<"$row"
	expect_ok "$TOOLS/bpfpin" pass "$PINS/sg_$program" # the link is where it was
	expect_soon 5 selftest_says "*$what*in quarantine was not stopped (sg_$program)*"
	expect_match "$(status health.degraded)" "*self-test: *(sg_$program)*"
	expect_match "$(sg metrics | grep '^switchgear_selftest')" "* 0" "the metric"
	stop_daemon
	start_daemon # puts its program back
	expect_soon 5 sg selftest
done

if command -v bpftool >/dev/null; then
	t "of a program that was detached it says what no longer works, too"
	for row in "egress request" "ingress answer"; do
		read -r program what <<<"$row"
		expect_ok bpftool link detach pinned "$PINS/sg_$program"
		expect_soon 5 selftest_says "*$what*was not stopped (sg_$program)*1 link was detached*"
		expect_match "$(status health.selftest)" "*(sg_$program)*1 link was detached*"
		stop_daemon
		start_daemon
		expect_soon 5 sg selftest
	done
else
	t_skip "of a program that was detached" "bpftool is not installed"
fi

AT=127.0.0.1:3001

t "where connections can be killed, one that the breaker denies ends and asks nobody"
steps_start $AT --timeout 3000
expect_step ok - 200 call 1
peer_ctl a zero
expect_ok sg trip a
expect_step error ECONNABORTED - call 1
expect_eq "$(peer_stat a requests)" 0
expect_server a counters.passed_open 0
expect_ok sg reset a
steps_stop

# A request on an open connection, right after the breaker opened by itself and before any
# kill: within its lease a daemon that is stopped counts as alive. ARRIVED: requests that did.
between_trip_and_kill() {
	local start

	sg reset a >/dev/null
	peer_ctl a answer ok
	steps_start $AT --timeout 3000
	expect_step ok - 200 call 1
	expect_step ok - 200 call 2
	peer_ctl a zero
	peer_ctl a answer 503
	start=$(now_ms)
	kill -STOP "$DAEMON"
	for _ in 1 2 3; do
		step call 2
	done
	step start 1
	ARRIVED=$(peer_stat a agent)
	kill -CONT "$DAEMON"
	[ $(($(now_ms) - start)) -lt 800 ]
}

t "a request that comes before the kill is dropped first"
TRIES=10
until between_trip_and_kill || [ $((TRIES -= 1)) -eq 0 ]; do :; done
expect_eq "$ARRIVED" 3 "requests that arrived"
expect_step error ECONNABORTED - wait 1 3000
expect_server a counters.passed_open 0
expect_eq "$(peer_stat a agent)" 3 "requests that arrived"
steps_stop
peer_ctl a answer ok
expect_ok sg reset a
stop_daemon

DAEMON_AS=(--no-sockdiag)
start_daemon

t "a connection that cannot be killed: the test fails and says what that means"
expect_status 1 sg selftest
expect_match "$OUT" "*could not be killed (SOCK_DESTROY)*"
expect_match "$(status health.degraded)" "*self-test: *could not be killed*"

# This one takes a quarter of a second, in which the child waits for its connection's end.
both_same() {
	local one

	sg selftest --json >"$TMP/one" 2>/dev/null &
	one=$!
	sg selftest --json >"$TMP/two" 2>/dev/null
	wait $one
	grep -q elapsed_ms "$TMP/one" && cmp -s "$TMP/one" "$TMP/two"
}

answers_meanwhile() {
	local one start took

	sg selftest >/dev/null 2>&1 &
	one=$!
	pass_time 0.05 "the self-test has begun, and takes half a second"
	start=$(now_ms)
	sg status >/dev/null
	took=$(($(now_ms) - start))
	kill -0 $one 2>/dev/null || took=1000 # it had ended: that says nothing
	wait $one
	[ $took -lt 100 ]
}

t "who asks while it runs gets the same result, and others are answered meanwhile"
expect_soon 5 both_same
expect_soon 5 answers_meanwhile

t "a quarantine counts who survived it, and fails"
pool_start $AT 5
expect_status 1 sg quarantine a --reason test
# where it has to look for connections without a record, too, it cannot
expect_match "$OUT" "*0 connections killed, @(5 survivors|survivors unknown)*"
if [[ $OUT == *"5 survivors"* ]]; then
	expect_match "$(sg metrics | grep '^switchgear_kill_survivors{server="a"}')" "* 5"
else
	expect_eq "$(sg metrics | grep '^switchgear_kill_survivors{server="a"}')" ""
fi
expect_denied $AT
kill "$POOL"
expect_ok sg release a

t "a daemon that lives and cannot kill: what the breaker denies passes instead of hanging"
steps_start $AT --timeout 3000
expect_step ok - 200 call 1
expect_ok sg trip a
expect_step ok - 200 call 1
expect_ms "$MS" 500 "ms"
expect_server a counters.passed_open 1
expect_denied $AT
steps_stop

t "also what comes before it tried"
TRIES=10
until between_trip_and_kill || [ $((TRIES -= 1)) -eq 0 ]; do :; done
expect_eq "$ARRIVED" 4 "requests that arrived"
expect_step ok - '*' finish 1
expect_within "$(counter a passed_open)" 2 100
steps_stop
stop_daemon
DAEMON_AS=()

finish
