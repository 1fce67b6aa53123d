#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# kill -9 of the daemon in any state, under load: enforcement and deadlines as
# before, and the next daemon continues with the same counters, verdicts and
# remaining open time.
. "$(dirname "$0")/lib.sh"

# How long breakers are open. Emulated, beside other tests and under load, a daemon needs most of
# a minute to start: `short` has to stay open over one start, `dead` over all of them.
DEAD_S=$((SLOW > 1 ? 200 * SLOW : 60))
SHORT_S=$((SLOW > 1 ? 50 * SLOW : 12))

config '"good": { "url": "http://127.0.0.1:3001/mcp" },
	"dead": { "url": "http://127.0.0.1:3002/mcp", "deny_errno": "EHOSTUNREACH",
		  "breaker": { "open_seconds": '$DEAD_S' } },
	"short": { "url": "http://127.0.0.1:3003/mcp", "deny_errno": "EHOSTUNREACH",
		   "breaker": { "open_seconds": '$SHORT_S' } },
	"held": { "url": "http://127.0.0.1:3004/mcp", "deny_errno": "EHOSTUNREACH" },
	"forced": { "url": "http://127.0.0.1:3005/mcp", "deny_errno": "EHOSTUNREACH" }'
peer_start good 127.0.0.1:3001
peer_start short 127.0.0.1:3003
peer_start held 127.0.0.1:3004
peer_start forced 127.0.0.1:3005
start_daemon

# Calls to `good` all the time; load_stop leaves their results in $TMP/load.
load_start() {
	"${IN_CG[@]}" "$TOOLS/agent" --connect 127.0.0.1:3001 --count 100000 >"$TMP/load" 2>&1 &
	LOAD=$!
	PIDS+=("$LOAD")
}

load_stop() {
	kill $LOAD
	wait $LOAD 2>/dev/null
	expect_within "$(grep -c ' ok - 200 ' "$TMP/load")" 50 1000000 "calls under load"
	expect_eq "$(grep -vc ' ok - 200 ' "$TMP/load")" 0 "failed calls under load"
}

snapshot() {
	sg status --json >"$TMP/before"
}

before() { # NAME PATH
	"$TOOLS/jget" "$TMP/before" "servers[name=$1].$2"
}

t "before: one open, one quarantined, one forced open, one closed, under load"
load_start
expect_eq "$(agent_counts 127.0.0.1:3002 --count 5)" \
	"3 error ECONNREFUSED -"$'\n'"2 error $DENIED -"
expect_ok sg quarantine held --reason "still there"
expect_ok sg trip forced --for 1h
expect_server dead state open
expect_within "$(server dead breaker.open_remaining_s)" $((DEAD_S * 17 / 20)) $DEAD_S

t "dead: every verdict holds"
snapshot
kill9_daemon
for _ in 1 2 3; do
	expect_denied 127.0.0.1:3002
	expect_denied 127.0.0.1:3004
	expect_denied 127.0.0.1:3005
done

t "dead: failures still trip"
peer_ctl short answer rst
tripping=$(now_ms)
expect_eq "$(agent_counts 127.0.0.1:3003 --count 4)" \
	"3 error ECONNRESET -"$'\n'"1 error $DENIED -"
tripped=$(now_ms)

t "dead: the verdicts outlive every lease"
daemon_forgotten
pass_time 1 "a verdict that hung on the lease would have gone with it"
expect_denied 127.0.0.1:3002
expect_denied 127.0.0.1:3004
expect_denied 127.0.0.1:3005

t "the next daemon continues with the same counters"
start_daemon
expect_eq "$(counter dead denied)" $(($(before dead counters.denied) + 4)) "dead denied"
expect_eq "$(counter dead connect_failures.refused)" 3
expect_eq "$(counter held denied)" $(($(before held counters.denied) + 4)) "held denied"
expect_eq "$(counter short connect_failures.reset)" 3
expect_within "$(counter good responses.2xx)" "$(before good counters.responses.2xx)" 10000000

t "the next daemon continues with the same verdicts and the remaining time"
expect_server dead state open
expect_server dead breaker.generation "$(before dead breaker.generation)"
expect_within "$(server dead breaker.open_remaining_s)" $((DEAD_S / 2)) \
	"$(before dead breaker.open_remaining_s)"
expect_server held quarantine.reason "still there"
expect_server held quarantine.since "$(before held quarantine.since)"
expect_server forced state forced_open
expect_server short state open
expect_denied 127.0.0.1:3002
expect_denied 127.0.0.1:3004

t "open since a trip without a daemon: half-open at the deadline, not later"
kill9_daemon
daemon_forgotten # while its lease lasts the first probe is reserved for it
peer_ctl short answer ok
all_until $((tripping + SHORT_S * 1000 - 1000 * SLOW)) expect_denied 127.0.0.1:3003
until_ms $((tripped + SHORT_S * 1000 + 100 * SLOW))
expect_answer 127.0.0.1:3003 200
expect_answer 127.0.0.1:3003 200

t "the next daemon finds it closed"
start_daemon
expect_server short state closed

t "killed again and again under load: nobody notices"
for _ in 1 2 3; do
	kill9_daemon
	expect_denied 127.0.0.1:3004
	start_daemon
	expect_denied 127.0.0.1:3004
done
load_stop

t "orders taken back after a restart are taken back"
expect_ok sg reset dead
peer_start dead 127.0.0.1:3002 --answer 503
agent --connect 127.0.0.1:3002 --count 3 >/dev/null
expect_server dead state open
expect_ok sg release held
expect_ok sg reset forced
expect_answer 127.0.0.1:3004 200
expect_answer 127.0.0.1:3005 200

t "killed just after an order: the order is there"
expect_ok sg quarantine good --reason "last words"
kill9_daemon
expect_error 127.0.0.1:3001 ECONNREFUSED
start_daemon
expect_server good quarantine.reason "last words"
expect_ok sg release good
expect_answer 127.0.0.1:3001 200

t "a clean exit leaves enforcement in place, too"
stop_daemon
expect_eq "$DAEMON_STATUS" 0 "exit status"
expect_denied 127.0.0.1:3002
start_daemon
expect_server dead state open

t "the pins are gone but the state file is there: quarantine and open time survive"
expect_ok sg quarantine held --reason "through a reboot"
remaining=$(server dead breaker.open_remaining_s)
stop_daemon
rm -rf "$PINS"
start_daemon
expect_server held quarantine.reason "through a reboot"
expect_denied 127.0.0.1:3004
expect_server dead state open
expect_within "$(server dead breaker.open_remaining_s)" 0.5 "$remaining"

finish
