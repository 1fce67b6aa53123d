#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# A container behind a bridge calls a server of its host by the bridge's address, while the
# configuration has the loopback's: its calls are that server's, but for refused connects.
. "$(dirname "$0")/lib.sh"

BRIDGE4=10.85.0.1 BRIDGE6=fd85::1
config '"a": { "url": "http://127.0.0.1:3001/mcp", "deny_errno": "EHOSTUNREACH" },
	"six": { "url": "http://[::1]:3002/mcp", "deny_errno": "EHOSTUNREACH" },
	"slow": { "url": "http://localhost:3003/mcp", "deny_errno": "EHOSTUNREACH",
		"breaker": { "timeout_seconds": 0.5, "abandon_seconds": 0.5 } },
	"down": { "url": "http://127.0.0.1:3004/mcp", "deny_errno": "EHOSTUNREACH" }'
peer_start a 0.0.0.0:3001
peer_start six "[::]:3002"
peer_start slow "[::]:3003" --answer hang
start_daemon

# The container comes when the daemon runs already, as containers do.
ns_new "$NS_OTHER"
ip -n "$NS" link add "sg${HASH}b" type bridge
ns_pair "$NS" "sg${HASH}h" '' '' "$NS_OTHER" "sg${HASH}c" 10.85.0.2 fd85::2
ip -n "$NS" link set "sg${HASH}h" master "sg${HASH}b"
ns_address "$NS" "sg${HASH}b" $BRIDGE4 $BRIDGE6
AGENT_NS=$NS_OTHER
expect_soon 10 eval "agent --connect $BRIDGE4:3001 | grep -q ' ok - 200 '"
expect_soon 10 eval '[ "$(counter a responses.2xx)" -ge 1 ]' # the daemon knows of the bridge

# Of the calls of a server in this test so far: "class cause address", counted.
outcomes() { # NAME
	sg events --calls --json --since 600s --server "$1" >"$TMP/events"
	paste -d ' ' <("$TOOLS/jget" --lines "$TMP/events" outcome op=call) \
		<("$TOOLS/jget" --lines "$TMP/events" cause op=call) \
		<("$TOOLS/jget" --lines "$TMP/events" address op=call) | sort | uniq -c |
		sed 's/^ *//' | paste -sd ','
}

outcomes_are() { # NAME PATTERN
	# shellcheck disable=SC2053
	[[ $(outcomes "$1") == $2 ]]
}

t "its calls are judged, and the third failure opens the breaker for all"
expect_answer $BRIDGE4:3001 200
peer_ctl a answer 503
for k in 1 2 3; do
	expect_server a state closed
	expect_answer $BRIDGE4:3001 503
	[ $k -eq 3 ] || expect_server a breaker.consecutive_failures $k
done
expect_server a state open
expect_soon 5 outcomes_are a "*3 hard status $BRIDGE4:3001*"
expect_eq "$(counter a untrusted)" 0

t "open, it is denied in the container and on the host"
expect_denied $BRIDGE4:3001
expect_denied "[::ffff:$BRIDGE4]:3001"
AGENT_NS=
expect_denied 127.0.0.1:3001
AGENT_NS=$NS_OTHER

t "its good answers close it again"
expect_ok sg reset a
peer_ctl a answer ok
expect_answer $BRIDGE4:3001 200
expect_server a state closed

t "so it is by IPv6"
expect_answer "[$BRIDGE6]:3002" 200
peer_ctl six answer 503
for _ in 1 2 3; do
	expect_answer "[$BRIDGE6]:3002" 503
done
expect_server six state open
expect_denied "[$BRIDGE6]:3002"
AGENT_NS=
expect_denied "[::1]:3002"
AGENT_NS=$NS_OTHER

t "and where the server takes a call and never answers"
agent --connect $BRIDGE4:3003 --count 3 --timeout $((1500 * SLOW)) >/dev/null
expect_soon 5 eval '[ "$(server slow state)" = open ]'
expect_denied $BRIDGE4:3003

t "a quarantine holds there, and kills"
pool_ns() {
	POOL_NS=$NS_OTHER pool_start "$@"
}
pool_ns $BRIDGE4:3001 3 --hold 60000
expect_ok sg quarantine a --reason test
expect_match "$OUT" "*3 connections killed, 0 survivors*"
pool_wait 5
expect_denied $BRIDGE4:3001
expect_ok sg release a

t "connects that are refused there prove nothing, however many"
for _ in 1 2 3 4 5; do
	expect_error $BRIDGE4:3004 ECONNREFUSED
done
expect_soon 5 outcomes_are down "5 caller other_address $BRIDGE4:3004"
expect_server down state closed
expect_server down breaker.consecutive_failures 0

t "the container's own loopback is nobody's"
denied=$(counter a denied)
expect_ok sg trip a
expect_error 127.0.0.1:3001 ECONNREFUSED
expect_eq "$(counter a denied)" "$denied"
expect_denied $BRIDGE4:3001

finish
