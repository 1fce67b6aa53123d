#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Threshold N, failures one after another: N connects fail by themselves, connect
# N+1 is refused, with the daemon running, stopped, and dead. With many clients
# at once only those already in flight slip through.
. "$(dirname "$0")/lib.sh"

N=5
BREAKER="$BREAKER,\"consecutive_failures\":$N,\"connect_seconds\":1,\"timeout_seconds\":1,
\"abandon_seconds\":1"
BREAKER=${BREAKER/\"consecutive_failures\":3,/}
config '"dead": { "url": "http://127.0.0.1:3001/mcp", "deny_errno": "EHOSTUNREACH" },
	"dead6": { "url": "http://[::1]:3002/mcp", "deny_errno": "EHOSTUNREACH" },
	"bad": { "url": "http://127.0.0.1:3003/mcp", "deny_errno": "EHOSTUNREACH" },
	"silent": { "url": "http://10.83.0.77:3004/mcp", "deny_errno": "EACCES" },
	"nohost": { "url": "http://10.83.0.78:3005/mcp", "deny_errno": "EACCES",
		    "breaker": { "connect_seconds": 10 } },
	"slow-net": { "url": "http://10.83.0.2:3006/mcp", "deny_errno": "EACCES" }'
join_wire
ip -n "$NS" neigh add 10.83.0.77 lladdr 02:00:00:00:00:77 dev "$DEV" nud permanent
peer_start bad 127.0.0.1:3003
wire_start --delay 60
start_daemon

all="dead dead6 bad silent nohost slow-net"

# The same assertions in each state of the daemon; every breaker starts closed.
one_after_another() {
	t "$1: $N refused connects, then refusals by the breaker"
	expect_eq "$(agent_counts 127.0.0.1:3001 --count $((N + 3)))" \
		"$N error ECONNREFUSED -"$'\n'"3 error $DENIED -"
	expect_eq "$(agent_counts "[::1]:3002" --count $((N + 1)) --mode nonblock)" \
		"$N error ECONNREFUSED -"$'\n'"1 error $DENIED -"

	t "$1: $N resets before an answer, then refusals"
	peer_ctl bad zero
	peer_ctl bad answer "rst,eof,truncate,503,500,ok"
	for want in "error ECONNRESET" "eof -" "truncated -" "ok -" "ok -" "error $DENIED"; do
		call 127.0.0.1:3003
		expect_eq "$RESULT $ERR" "$want"
	done
	expect_eq "$(peer_stat bad agent)" $N "requests that reached the server"
}

at_once() {
	t "$1: 50 at once on this host, only those in flight slip through"
	local out own

	out=$(agent --connect 127.0.0.1:3001 --concurrent 50)
	own=$(tr ' ' '\n' <<<"$out" | sed -n 's/^ECONNREFUSED=//p')
	expect_within "${own:-0}" $N $((N + 8)) "failed by themselves of 50"
	expect_match "$out" "*$DENIED=$((50 - own))*"
	expect_error 127.0.0.1:3001 EHOSTUNREACH

	t "$1: 50 in flight at once over a slow network all end by themselves, the next is refused"
	out=$(agent --connect $REMOTE4:3006 --concurrent 50)
	expect_match "$out" "concurrent 50 ECONNREFUSED=50 ms=*"
	expect_error $REMOTE4:3006 EACCES
	expect_ms "$MS" 50 "ms"
}

all_reset() {
	local name

	for name in $all; do
		sg reset $name >/dev/null
	done
	expect_server_soon dead state closed
	expect_server_soon bad state closed
}

one_after_another "running"

t "running: counted exactly"
expect_server dead state open
expect_eq "$(counter dead connect_failures.refused)" $N
expect_eq "$(counter dead denied)" 3
expect_server bad state open
expect_eq "$(counter bad denied)" 1
expect_eq "$(counter bad responses.5xx)" 2
expect_eq "$(counter bad requests)" $N

t "reset closes at once"
all_reset
at_once "running"

t "a SYN without an answer fails at connect_seconds, also when the agent gives up"
for ((i = 1; i <= N; i++)); do
	call 10.83.0.77:3004 --timeout 1300 --mode nonblock
	expect_eq "$RESULT" timeout "connect $i"
done
expect_error 10.83.0.77:3004 EACCES --timeout 1300
expect_eq "$(counter silent connect_failures.timeout)" $N

t "a call without an answer fails at timeout_seconds, also when the agent gives up"
all_reset
peer_ctl bad answer hang
for ((i = 1; i <= N; i++)); do
	call 127.0.0.1:3003 --timeout 1400
	expect_eq "$RESULT" timeout "call $i"
done
expect_error 127.0.0.1:3003 EHOSTUNREACH

t "an agent that gives up early is no failure of the server"
all_reset
for ((i = 1; i <= N + 2; i++)); do
	call 127.0.0.1:3003 --timeout 100
	expect_eq "$RESULT" timeout "call $i"
done
expect_server bad state closed

t "an unreachable host counts"
ip -n "$NS" ntable change name arp_cache dev "$DEV" retrans 100
expect_match "$(agent --connect 10.83.0.78:3005 --concurrent $N)" \
	"concurrent $N EHOSTUNREACH=$N ms=*"
expect_eq "$(counter nohost connect_failures.unreachable)" $N
expect_eq "$(counter nohost connect_failures.timeout)" 0
expect_error 10.83.0.78:3005 EACCES

t "wrong answers count: not HTTP, web page instead of JSON"
all_reset
peer_ctl bad answer malformed
call 127.0.0.1:3003
peer_ctl bad answer html
agent --connect 127.0.0.1:3003 --count $((N - 1)) >/dev/null
expect_error 127.0.0.1:3003 EHOSTUNREACH

t "success resets the streak, the caller's faults and overload leave it"
all_reset
peer_ctl bad answer "503*4,ok,503*4,404,429,503+retry-after=1,501,503"
agent --connect 127.0.0.1:3003 --count 13 >/dev/null
expect_server bad state closed
expect_server bad breaker.consecutive_failures 4
call 127.0.0.1:3003
expect_error 127.0.0.1:3003 EHOSTUNREACH

t "stopped daemon: everything closed"
all_reset
freeze_daemon
one_after_another "stopped daemon"
thaw_daemon
t "stopped daemon, next: everything closed"
all_reset
freeze_daemon
at_once "stopped daemon"
thaw_daemon

t "the daemon that goes on knows what happened"
expect_server dead state open
expect_server slow-net state open
all_reset
kill9_daemon
daemon_forgotten
one_after_another "dead daemon"

t "a new daemon goes on from there"
start_daemon
expect_server dead state open
expect_server bad state open
all_reset
kill9_daemon
daemon_forgotten
at_once "dead daemon"

t "dead daemon: agents that gave up on a SYN or a call count when it was late enough"
peer_ctl bad answer hang
for to in 10.83.0.77:3004 127.0.0.1:3003; do
	for ms in 500 1100; do
		expect_match "$(agent --connect $to --concurrent $N --timeout $ms)" \
			"* timeout=$N ms=*"
	done
done
expect_error 10.83.0.77:3004 EACCES
expect_error 127.0.0.1:3003 EHOSTUNREACH

finish
