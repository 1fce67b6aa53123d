#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# This host sleeps: what was under way meanwhile tells nothing of a server, nor does what
# fails in the first seconds after it. A test cannot suspend the host: it adds to what the
# kernel's part takes for the time asleep, which leaves the clocks alone.
. "$(dirname "$0")/lib.sh"

LIMIT=$((SLOW > 1 ? 5 : 2)) # s, of each call
WAKING=3                    # for so long after it failures tell nothing
SLEPT=2                     # what `bpfpin asleep` adds
BREAKER='"consecutive_failures":3,"window_calls":10,"min_calls":4,"failure_rate":0.5,
"slow_seconds":0.3,"slow_rate":0.5,"window_seconds":0,"window_buckets":0,"open_seconds":60,
"open_factor":1,"jitter":0,"ramp_seconds":0,"half_open_probes":1,'
BREAKER+="\"connect_seconds\":$LIMIT,\"timeout_seconds\":$LIMIT,\"abandon_seconds\":$LIMIT"

config '"hangs": { "url": "http://127.0.0.1:3001/mcp" },
	"late": { "url": "http://127.0.0.1:3002/mcp" },
	"gone": { "url": "http://10.83.0.2:3003/mcp" }'
join_remote
ip -n "$NS_REMOTE" route add blackhole $LOCAL4/32 # nothing comes back from there
peer_start hangs 127.0.0.1:3001 --answer hang
peer_start late 127.0.0.1:3002 --answer "ok+delay=1500"

CALLS=()
begin() { # ADDR:PORT N [OPTION...]: that many calls at once
	local at=$1 n=$2

	shift 2
	: >"$TMP/calls"
	for ((i = 0; i < n; i++)); do
		"${IN_CG[@]}" "$TOOLS/agent" --connect "$at" --timeout $((30000 * (SLOW > 1 ? 2 : 1))) \
			"$@" >>"$TMP/calls" 2>&1 &
		CALLS+=("$!")
		PIDS+=("$!")
	done
}

finish_calls() {
	wait "${CALLS[@]}" 2>/dev/null
	CALLS=()
}

give_up() { # the agents do
	kill "${CALLS[@]}" 2>/dev/null
	finish_calls
}

fall_asleep() {
	expect_ok "$TOOLS/bpfpin" asleep "$PINS/cfg"
}

asleep_calls() { # SERVER: how many ended so
	sg events --since 600s --calls --server "$1" | grep -c 'local (asleep)'
}

all_told() { # SERVER N
	[ "$(asleep_calls "$1")" -ge "$2" ]
}

state_in_kernel() { # ID
	bpftool -j map lookup pinned "$PINS/srv_state" key "$1" 0 0 0 |
		"$TOOLS/jget" - formatted.value.breaker.state
}

awake() { # what begins from here on counts
	until_ms $(($(now_ms) + WAKING * 1000 + 500))
}

start_daemon

t "calls that are under way when this host falls asleep tell nothing, and open nothing"
begin 127.0.0.1:3001 5
wait_for 10 server_is hangs counters.requests 5
fall_asleep
wait_for $((LIMIT + SLEPT + 8)) all_told hangs 5
expect_eq "$(asleep_calls hangs)" 5
expect_server hangs state closed
expect_server hangs breaker.consecutive_failures 0
give_up

t "they are not late for the time asleep"
awake
begin 127.0.0.1:3001 1
wait_for 10 server_is hangs counters.requests 6
before=$(now_us)
fall_asleep
wait_for $((LIMIT + SLEPT + 8)) all_told hangs 6
expect_eq $(($(now_us) - before > (LIMIT + SLEPT) * 1000000 - 900000)) 1 "it had its time, and that asleep"
give_up

t "a connect that is under way tells nothing either"
awake
begin 10.83.0.2:3003 4
wait_for 10 server_is gone counters.connects 4
fall_asleep
wait_for $((LIMIT + SLEPT + 8)) all_told gone 4
expect_server gone state closed
give_up

t "what an agent gives up meanwhile is no failure"
awake
begin 127.0.0.1:3001 4
wait_for 10 server_is hangs counters.requests 10
fall_asleep
give_up
wait_for 5 all_told hangs 10
expect_server hangs state closed

t "a whole answer counts, and the time asleep does not make it slow"
awake
begin 127.0.0.1:3002 6
wait_for 10 server_is late counters.requests 6
fall_asleep
finish_calls
expect_eq "$(grep -c ' ok ' "$TMP/calls")" 6
expect_server_soon late breaker.slow_rate 0
expect_match "$(sg events --since 600s --calls --server late)" "*success*"
expect_server late state closed

t "awake, the same is slow"
awake
begin 127.0.0.1:3002 8
finish_calls
expect_server_soon late state open

t "what begins in the first seconds after it tells nothing if nothing comes back"
awake
fall_asleep
begin 10.83.0.2:3003 4
wait_for $((LIMIT + SLEPT + 8)) all_told gone 8
expect_server gone state closed
give_up

t "what begins later does"
awake
begin 10.83.0.2:3003 4
expect_server_soon gone state open $((LIMIT + 8))
give_up
begin 127.0.0.1:3001 4
expect_server_soon hangs state open $((LIMIT + 8))
give_up

t "the same without a daemon"
expect_ok sg reset hangs
expect_ok sg reset gone
hangs=$(server_id hangs)
gone=$(server_id gone)
kill9_daemon
daemon_forgotten
begin 127.0.0.1:3001 4
begin 10.83.0.2:3003 4
until_ms $(($(now_ms) + LIMIT * 500)) # they are under way
fall_asleep
until_ms $(($(now_ms) + (LIMIT + SLEPT + 2) * 1000))
give_up
expect_eq "$(state_in_kernel "$hangs") $(state_in_kernel "$gone")" "0 0"

t "and who starts then knows nothing of sleep, but what the kernel tells"
start_daemon
expect_server hangs state closed
expect_server gone state closed
awake
begin 10.83.0.2:3003 4
expect_server_soon gone state open $((LIMIT + 8))
give_up

finish
