#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# The self-test proves that enforcement bites, and says so when it does not.
. "$(dirname "$0")/lib.sh"

config '"a": { "url": "http://127.0.0.1:3001/mcp" }'
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

# The rule of the canary is the entry with server id 0.
remove_canary() {
	local n i value removed=1

	bpftool -j map dump pinned "$PINS/ep2srv" >"$TMP/dump" || return 1
	n=$("$TOOLS/jget" "$TMP/dump" .#)
	for ((i = 0; i < n; i++)); do
		value=$("$TOOLS/jget" "$TMP/dump" $i.value | tr -cd '[:xdigit:]x')
		[[ $value =~ ^(0x00)+$ ]] || continue
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

finish
