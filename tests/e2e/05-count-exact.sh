#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Five 503 answers count as five, with lost, repeated, duplicated and forged
# segments too, on one connection and on many.
. "$(dirname "$0")/lib.sh"

BREAKER=${BREAKER/\"consecutive_failures\":3/\"consecutive_failures\":50}
config '"many": { "url": "http://10.83.0.2:3004/mcp" },
	"many6": { "url": "http://[fd53::2]:3004/mcp" },
	"five": { "url": "http://10.83.0.2:3005/mcp", "deny_errno": "EHOSTUNREACH",
		  "breaker": { "consecutive_failures": 5 } }'
join_wire
wire_start
PEER_NS=$NS_REMOTE peer_start many "[::]:3004"
PEER_NS=$NS_REMOTE peer_start five 0.0.0.0:3005
start_daemon

# Five 503 answers to NAME at ADDR count as five of everything.
exactly_five() { # NAME ADDR:PORT [OPTION...]
	local name=$1 to=$2 requests answers

	shift 2
	sg reset $name >/dev/null
	requests=$(counter $name requests) answers=$(counter $name responses.5xx)
	peer_ctl many answer 503
	expect_eq "$(agent_counts "$to" --count 5 "$@")" "5 ok - 503"
	expect_eq "$(($(counter $name requests) - requests))" 5 "requests"
	expect_eq "$(($(counter $name responses.5xx) - answers))" 5 "5xx answers"
	expect_server $name breaker.consecutive_failures 5
}

faults=("" "--dup" "--forge" "--dup --forge" "--drop 2,4,6 --from b" "--drop 1,3 --from a"
	"--drop 2,5 --dup" "--delay 20 --dup")
for fault in "${faults[@]}"; do
	# shellcheck disable=SC2086 # several options
	wire_start $fault
	t "${fault:-no fault}: five on one connection"
	exactly_five many $REMOTE4:3004 --keepalive
	t "${fault:-no fault}: five on five connections"
	exactly_five many $REMOTE4:3004
	t "${fault:-no fault}: five over IPv6"
	exactly_five many6 "[$REMOTE6]:3004" --keepalive
done

t "duplicates: the fifth answer trips, not an earlier one"
wire_start --dup --forge
peer_ctl five answer 503
expect_eq "$(agent_counts $REMOTE4:3005 --count 6)" "5 ok - 503"$'\n'"1 error $DENIED -"
expect_eq "$(peer_stat five agent)" 5

t "losses: the fifth answer trips, not an earlier one"
sg reset five >/dev/null
wire_start --drop 2,5,7 --from b
peer_ctl five zero
expect_eq "$(agent_counts $REMOTE4:3005 --count 6)" "5 ok - 503"$'\n'"1 error $DENIED -"

t "successes count exactly, too"
wire_start --dup --forge --drop 3
peer_ctl many answer split+gap=20
ok=$(counter many responses.2xx)
expect_eq "$(agent_counts $REMOTE4:3004 --count 5 --keepalive)" "5 ok - 200"
expect_eq "$(($(counter many responses.2xx) - ok))" 5
expect_server many breaker.consecutive_failures 0

t "an answer whose second part overtook its first is a whole one"
for how in "" "+close"; do
	wire_start --drop 1,5 --from b
	peer_ctl many answer "split+gap=20$how"
	sg reset many >/dev/null
	ok=$(counter many responses.2xx) failed=$(counter many connect_failures.reset)
	expect_eq "$(agent_counts $REMOTE4:3004 --count 4 --keepalive)" "4 ok - 200"
	expect_eq "$(($(counter many responses.2xx) - ok))" 4 "2xx answers"
	expect_eq "$(($(counter many connect_failures.reset) - failed))" 0 "truncated answers"
	expect_server many breaker.consecutive_failures 0
	wire_stop
	expect_eq "$(wire_stat dropped)" 2
done

t "the daemon is dead: five are five"
wire_start --dup --forge
sg reset five >/dev/null
kill9_daemon
expect_eq "$(agent_counts $REMOTE4:3005 --count 6)" "5 ok - 503"$'\n'"1 error $DENIED -"

finish
