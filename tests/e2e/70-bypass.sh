#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# The bypass: for a while everything passes, quarantine included, which is said and counted; it
# ends by itself, without a daemon, too.
. "$(dirname "$0")/lib.sh"

AT=127.0.0.1:3001
QUIC=127.0.0.1:3002
config '"a": { "url": "http://127.0.0.1:3001/mcp", "deny_errno": "EHOSTUNREACH" },
	"q": { "url": "https://127.0.0.1:3002/mcp", "deny_errno": "EHOSTUNREACH" }'
peer_start a $AT
peer_start q $QUIC --udp
start_daemon

bypass_until() {
	status bypass.until
}

t "it takes a time, of a day at most"
expect_status 2 sg bypass on
expect_status 2 sg bypass maybe --for 10m
expect_status 1 sg bypass on --for 2d
expect_match "$OUT" "*24 hours*"
expect_eq "$(status bypass)" null

t "what is in quarantine is refused"
expect_ok sg quarantine a --reason "test of $TEST"
expect_ok sg quarantine q --reason "test of $TEST"
expect_denied $AT
expect_eq "$(counter a would_deny)" 0

t "with the bypass on it is reached, and counted as what would have been denied"
expect_ok sg bypass on --for 10m --reason "fire"
expect_match "$OUT" "*nothing is refused until*"
DENIED_SO_FAR=$(counter a denied)
expect_answer $AT 200
expect_answer $AT 200
expect_within "$(counter a would_deny)" 2 4
expect_eq "$(counter a denied)" "$DENIED_SO_FAR"
expect_server a verdict allow
expect_server a quarantine.reason "test of $TEST"

t "datagrams pass, too"
call $QUIC --mode udp-sendto
expect_eq "$RESULT" ok "a datagram in the bypass ($ERR)"

t "it is said wherever one looks"
expect_match "$(status health.degraded)" "*NOTHING IS REFUSED until*"
expect_eq "$(status bypass.reason)" fire
expect_match "$(bypass_until)" "20??-*"
expect_match "$(sg metrics)" "*"$'\nswitchgear_bypass 1\n'"*"
expect_match "$(sg events --since 600s)" "*everything passes until*fire*root*"
expect_match "$(log_lines 'NOTHING IS REFUSED from now on')" 1

t "the self-test knows of it"
expect_ok sg selftest

t "off means off: refused at once, and what was opened meanwhile is cut off"
pool_start $AT 3
expect_ok sg bypass off
expect_denied $AT
expect_eq "$(status bypass)" null
expect_match "$(sg events --since 600s)" "*what is denied is refused again*"
expect_ok sg quarantine a --reason "again"
pool_wait 5
expect_eq "$(pool_stat left)" 0

t "it outlives its daemon, and ends by itself without one"
expect_ok sg bypass on --for 3s
BEFORE=$(now_ms)
kill9_daemon
expect_answer $AT 200
denied_again() {
	call $AT
	[ "$ERR" = "$DENIED" ]
}
expect_soon 15 denied_again
expect_within $(($(now_ms) - BEFORE)) 2900 15000 "ms that everything passed"

t "the next daemon tells what it found, and when it is over"
start_daemon
expect_eq "$(status bypass)" null
expect_denied $AT

finish
