#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Half-open: it comes at the deadline by the clock, hands out so many probes and
# no more, and what is no probe decides nothing. Most of it without a daemon, so
# that only the agents' calls can be probes.
. "$(dirname "$0")/lib.sh"

BREAKER=${BREAKER/\"open_seconds\":60/\"open_seconds\":$((2 * SLOW)),\"abandon_seconds\":$SLOW}
config '"a": { "url": "http://127.0.0.1:3001/mcp", "deny_errno": "EHOSTUNREACH" },
	"three": { "url": "http://127.0.0.1:3002/mcp", "deny_errno": "EHOSTUNREACH",
		   "breaker": { "half_open_probes": 3 } },
	"short": { "url": "http://127.0.0.1:3003/mcp", "deny_errno": "EHOSTUNREACH",
		   "breaker": { "half_open_max_seconds": '$((2 * SLOW))' } },
	"lease": { "url": "http://127.0.0.1:3004/mcp", "deny_errno": "EHOSTUNREACH",
		   "breaker": { "probe_lease_seconds": '$SLOW' } }'
peer_start a 127.0.0.1:3001
peer_start three 127.0.0.1:3002
peer_start short 127.0.0.1:3003
peer_start lease 127.0.0.1:3004
start_daemon

declare -A PORT_OF=([a]=3001 [three]=3002 [short]=3003 [lease]=3004)

# Opens NAME's breaker by failures; TRIPPED is when.
open_it() {
	peer_ctl "$1" answer 503
	agent --connect 127.0.0.1:${PORT_OF[$1]} --count 3 >/dev/null
	TRIPPED=$(now_ms)
	expect_denied 127.0.0.1:${PORT_OF[$1]}
}

# Returns when that many ms have gone by since the trip; more where all is slower.
at() {
	until_ms $((TRIPPED + $1 * SLOW))
}

# Half-open without a daemon, the server healthy again.
half_open() {
	open_it "$1"
	peer_ctl "$1" answer ok
	peer_ctl "$1" zero
	at 2050
}

t "with a daemon: it heals within seconds, probed by agents or by the daemon"
open_it a
expect_server a state open
peer_ctl a answer ok
at 1500
expect_denied 127.0.0.1:3001
expect_soon 5 eval "agent --connect 127.0.0.1:3001 | grep -q ' ok - 200 '"
expect_server_soon a state closed 5

t "the events tell how it went"
out=$(sg events --json --since 60s --server a)
moves=$("$TOOLS/jget" --lines <(echo "$out") to event=transition | tr '\n' ' ')
expect_match "$moves" "*open half_open closed *"
expect_match "$("$TOOLS/jget" --lines <(echo "$out") reason event=transition | tr '\n' ' ')" \
	"*consecutive deadline probes_passed *"

t "with a daemon: a server that stays ill stays refused"
open_it a
at 3500
pass_time 2 "the daemon probes meanwhile, more than once"
expect_match "$(server a state)" "@(open|half_open)"
sg reset a >/dev/null
kill9_daemon
daemon_forgotten

t "before the deadline every connect is refused, at the deadline one probe gets through"
open_it a
peer_ctl a answer hang
peer_ctl a zero
all_until $((TRIPPED + 1850 * SLOW)) expect_denied 127.0.0.1:3001
at 2050
steps_start 127.0.0.1:3001
expect_step ok - - start 1
# One process: the probe is not to grow old enough to count as abandoned.
expect_match "$(agent --connect 127.0.0.1:3001 --concurrent 5)" "concurrent 5 $DENIED=5 *"
expect_eq "$(peer_stat a agent)" 1

t "a probe given up early is given back, the next one decides"
peer_ctl a answer ok
expect_step ok - - reset 1
expect_answer 127.0.0.1:3001 200
expect_answer 127.0.0.1:3001 200
steps_stop

t "a failed probe opens again, for the full time"
open_it a
at 2050
expect_answer 127.0.0.1:3001 503
TRIPPED=$(now_ms)
peer_ctl a answer ok
expect_denied 127.0.0.1:3001
at 1500
expect_denied 127.0.0.1:3001
at 2050
expect_answer 127.0.0.1:3001 200

t "a refused connect is a failed probe, too"
open_it a
peer_ctl a unlisten
at 2050
expect_error 127.0.0.1:3001 ECONNREFUSED
expect_denied 127.0.0.1:3001
peer_ctl a listen
peer_ctl a answer ok
TRIPPED=$(now_ms)
at 2050
expect_answer 127.0.0.1:3001 200

t "three probes: three at a time, and three successes close"
open_it three
peer_ctl three answer hang
at 2050
expect_match "$(agent --connect 127.0.0.1:3002 --concurrent 10 --timeout 500)" \
	"*$DENIED=7*timeout=3*"
peer_ctl three answer ok
for _ in 1 2 3 4; do
	expect_answer 127.0.0.1:3002 200
done
expect_match "$(agent --connect 127.0.0.1:3002 --concurrent 10)" "concurrent 10 http_200=10 *"

t "three probes on one connection, one at a time"
half_open three
steps_start 127.0.0.1:3002
for _ in 1 2 3 4; do
	expect_step ok - 200 call 1
done
steps_stop
expect_match "$(agent --connect 127.0.0.1:3002 --concurrent 10)" "concurrent 10 http_200=10 *"

t "an idle pre-connect holds a probe only until it closes, and reopens nothing"
half_open three
steps_start 127.0.0.1:3002
expect_step ok - - open 1
pass_time 0.5 "a probe that is idle says nothing, however long"
expect_step ok - - close 1
for _ in 1 2 3 4; do
	expect_answer 127.0.0.1:3002 200
done
steps_stop

t "a standing GET stream is no probe and reopens nothing"
peer_ctl three answer GET stream
half_open three
steps_start 127.0.0.1:3002 --timeout 500
expect_step timeout ETIME 200 get 1
for _ in 1 2 3 4; do
	expect_answer 127.0.0.1:3002 200
done
expect_step ok - - reset 1
expect_answer 127.0.0.1:3002 200
steps_stop

t "neutral answers give their probe back"
half_open three
peer_ctl three answer "404*4,ok"
for _ in 1 2 3 4; do
	expect_answer 127.0.0.1:3002 404
done
for _ in 1 2 3 4; do
	expect_answer 127.0.0.1:3002 200
done

t "a healed server that answers 404 to old sessions closes as reachable"
half_open short
peer_ctl short answer 404
steps_start 127.0.0.1:3003
expect_step ok - 404 call 1
expect_step ok - 404 call 1
pass_time 2.2 "half_open_max_seconds, from the first answer"
expect_match "$(agent --connect 127.0.0.1:3003 --concurrent 5)" "concurrent 5 http_404=5 *"
steps_stop

t "a probe without an answer fails when its lease runs out"
half_open lease
peer_ctl lease answer hang
steps_start 127.0.0.1:3004
expect_step ok - - start 1
pass_time 1.4 "probe_lease_seconds, with nobody there to tell"
start_daemon
# In the log, for the next deadline may have come where all is slower.
expect_soon 1 eval 'grep -q "lease: half_open -> open (half_open_failed)" "$LOG"'
steps_stop

t "a probe that finds none is refused on a pooled connection, too"
sg reset lease >/dev/null
peer_ctl lease answer ok
steps_start 127.0.0.1:3004
expect_step ok - 200 call 1
expect_step ok - 200 call 2
kill9_daemon
daemon_forgotten
half_open lease
peer_ctl lease answer hang
expect_step ok - - start 1
peer_ctl lease zero
expect_denied 127.0.0.1:3004
expect_eq "$(peer_stat lease agent)" 0
steps_stop

finish
