#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Slow, late and given up: what was only late is no failure, what was awaited for too long is one
# even if its caller closes first, and who loses patience says nothing of a server that is well.
. "$(dirname "$0")/lib.sh"

# How long an answer may take here, and how long one takes that is late.
LIMIT_MS=$((SLOW > 1 ? 2000 : 500))
LATE_MS=$((3 * LIMIT_MS))
seconds() { # MS
	awk -v ms="$1" 'BEGIN { print ms / 1000 }'
}
STRICT='"consecutive_failures": 3, "min_calls": 20, "open_seconds": 600,
	"timeout_seconds": '$(seconds $LIMIT_MS)

entry() { # NAME PORT STRICT
	echo "\"$1\": { \"url\": \"http://127.0.0.1:$2/mcp\", \"deny_errno\": \"EHOSTUNREACH\",
		\"breaker\": { $3 } }"
}
config "$(entry late 3001 "$STRICT"), $(entry many 3002 "$STRICT"),
	$(entry hung 3003 "$STRICT, \"abandon_seconds\": 600"),
	$(entry esc 3004 '"consecutive_failures": 3, "min_calls": 20, "open_seconds": 600,
		"abandon_seconds": '"$(seconds $LIMIT_MS)")"
peer_start late 127.0.0.1:3001
peer_start many 127.0.0.1:3002
peer_start hung 127.0.0.1:3003
peer_start esc 127.0.0.1:3004
start_daemon

patient() { # ADDR:PORT [OPTION...]
	agent --connect "$1" --timeout $((20 * LIMIT_MS)) "${@:2}"
}
impatient() { # ADDR:PORT MS [OPTION...]
	agent --connect "$1" --timeout "$2" "${@:3}" >/dev/null
}

t "an answer that comes late replaces the failure of its time-out"
peer_ctl late answer "ok+delay=$LATE_MS*4,hang"
for _ in 1 2 3 4; do
	expect_match "$(patient 127.0.0.1:3001)" "* ok - 200 *" "a late answer"
	expect_server_soon late breaker.consecutive_failures 0
done
expect_soon 5 causes_are late "1 hard no_answer,4 success answer"
expect_server late state closed

t "and teaches how long this server takes: a hang is one after that"
impatient 127.0.0.1:3001 $((LATE_MS * 11 / 10))
expect_soon 5 causes_are late "1 caller abandoned,1 hard no_answer,4 success answer"
impatient 127.0.0.1:3001 $((2 * LATE_MS))
expect_soon 5 causes_are late "1 caller abandoned,2 hard no_answer,4 success answer"

t "what opened only because answers were late closes when they come"
peer_ctl many answer "ok+delay=$LATE_MS"
expect_match "$(patient 127.0.0.1:3002 --concurrent 6)" "*http_200=6*" "calls at once, all late"
expect_server_soon many state closed
expect_match "$(sg events --since 600s --server many --json)" \
	'*"to":"open"*"reason":"consecutive"*"to":"closed"*"reason":"reachable"*' "its events"
expect_match "$(patient 127.0.0.1:3002 --concurrent 6)" "*http_200=6*" "and again"
expect_server many state closed

t "who gives up after the time for an answer reports a failure"
peer_ctl hung answer hang
impatient 127.0.0.1:3003 $((LIMIT_MS * 2)) --concurrent 3
expect_server_soon hung state open
expect_soon 5 causes_are hung "3 hard no_answer"

t "the same with the daemon stopped, and dead"
expect_ok sg reset hung
freeze_daemon
impatient 127.0.0.1:3003 $((LIMIT_MS * 2)) --concurrent 3
expect_denied 127.0.0.1:3003
thaw_daemon
expect_ok sg reset hung
kill9_daemon
impatient 127.0.0.1:3003 $((LIMIT_MS * 2)) --concurrent 3
expect_denied 127.0.0.1:3003
start_daemon
expect_ok sg reset hung

t "who loses patience while others are answered is impatient"
asked() { # CALLS that were given up, each beside one that was not
	[ "$(peer_stat esc requests)" -ge $((2 * $1 - 1)) ]
}
for k in 1 2 3 4 5; do
	impatient 127.0.0.1:3004 $((2 * LIMIT_MS)) --path /as/hang &
	CANCELS=$!
	wait_for 5 asked $k
	expect_match "$(patient 127.0.0.1:3004)" "* ok - 200 *" "another call meanwhile"
	wait $CANCELS
done
expect_server_soon esc breaker.consecutive_failures 0
expect_soon 5 causes_are esc "5 caller abandoned,5 success answer"

t "and so is who cancels before the usual time of a slow tool is over"
peer_ctl esc answer "ok+delay=$LATE_MS,hang"
expect_match "$(patient 127.0.0.1:3004)" "* ok - 200 *" "the usual time"
for _ in 1 2 3 4 5; do
	impatient 127.0.0.1:3004 $((2 * LIMIT_MS))
done
expect_server esc state closed
expect_soon 5 causes_are esc "10 caller abandoned,6 success answer"

t "after that it hangs"
for _ in 1 2 3; do
	impatient 127.0.0.1:3004 $((2 * LATE_MS))
done
expect_server_soon esc state open
expect_denied 127.0.0.1:3004

finish
