#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# An ordinary user in user and network namespaces of his own cannot open, close
# or probe a breaker, whatever he connects to or answers himself.
. "$(dirname "$0")/lib.sh"

BREAKER=${BREAKER/\"open_seconds\":60/\"open_seconds\":2,\"abandon_seconds\":1}
config '"here": { "url": "http://127.0.0.1:3001/mcp", "deny_errno": "EHOSTUNREACH" },
	"far": { "url": "http://10.83.0.2:3004/mcp", "deny_errno": "EHOSTUNREACH" },
	"far6": { "url": "http://[fd53::2]:3004/mcp", "deny_errno": "EHOSTUNREACH" }'
join_remote
peer_start here 127.0.0.1:3001
PEER_NS=$NS_REMOTE peer_start far "[::]:3004"
publish "$TOOLS/peer" "$TOOLS/agent"

# Runs a script as nobody, in namespaces of his own where he owns the servers'
# addresses; $0 is PUBLIC.
as_user() {
	"$TOOLS/nsrun" --cgroup "$CG" --user --addr $REMOTE4 --addr $REMOTE6 -- \
		bash -c "cd /tmp; $1" "$PUBLIC" 2>&1
}

out=$(as_user 'exit 0')
[ $? -ne 77 ] || skip "this kernel gives ordinary users no namespaces: $out"
start_daemon

# Each says that it is ready.
SERVE='exec 3< <(exec "$0/peer" --listen "[::]:3004" --seconds 60 --answer "$A"); P=$!
exec 4< <(exec "$0/peer" --listen 127.0.0.1:3001 --seconds 60 --answer "$A"); Q=$!
read -rt 5 _ <&3 && read -rt 5 _ <&4;'
CALLS='for to in 10.83.0.2:3004 "[fd53::2]:3004" 127.0.0.1:3001; do
	"$0/agent" --connect $to --count 12 --timeout 1300 --keepalive | cut -d " " -f 2-4 | uniq -c
done;'
END='kill $P $Q 2>/dev/null'

expect_unharmed() {
	local name

	for name in here far far6; do
		expect_server $name state closed
		expect_server $name breaker.consecutive_failures 0
	done
	expect_answer 127.0.0.1:3001 200
	expect_answer $REMOTE4:3004 200
	expect_answer "[$REMOTE6]:3004" 200
}

t "refused connects of his open nothing"
out=$(as_user "$CALLS")
expect_match "$out" "*12 error ECONNREFUSED -*12 error ECONNREFUSED -*12 error ECONNREFUSED -*"
expect_unharmed

for answer in 503 rst eof malformed truncate; do
	t "\"$answer\" from a server of his own opens nothing"
	out=$(as_user "A=$answer; $SERVE $CALLS $END")
	expect_match "$out" "*12 *12 *12 *"
	expect_unharmed
done

t "hanging answers of his open nothing"
out=$(as_user "A=hang; $SERVE ${CALLS/--count 12/--concurrent 5} $END")
expect_match "$out" "*timeout=5*timeout=5*timeout=5*"
expect_unharmed

t "what he does is not counted as anybody's call"
expect_eq "$(counter far responses.5xx)" 0
expect_eq "$(counter far connect_failures.refused)" 0

t "a verdict holds in his namespaces all the same"
sg quarantine far --reason test >/dev/null
out=$(as_user "A=ok; $SERVE \"\$0/agent\" --connect $REMOTE4:3004; $END")
expect_match "$out" "*error $DENIED*"
out=$(as_user "A=ok; $SERVE \"\$0/agent\" --connect $REMOTE4:3004 --mark $((0x53474752)); $END")
expect_match "$out" "*error $DENIED*"
sg release far >/dev/null
expect_server_soon far verdict allow

t "the mark of the daemon's sockets exempts nobody in his namespaces"
sg trip far >/dev/null
out=$(as_user "A=ok; $SERVE \"\$0/agent\" --connect $REMOTE4:3004 --mark $((0x53474752)); $END")
expect_match "$out" "*error $DENIED*"
sg reset far >/dev/null
expect_server_soon far verdict allow

# The daemon is dead, so that nobody but agents can probe.
t "half-open: he takes no probe and closes nothing"
peer_ctl far answer 503
agent --connect $REMOTE4:3004 --count 3 >/dev/null
tripped=$(now_ms)
expect_denied $REMOTE4:3004
kill9_daemon
daemon_forgotten
until_ms $((tripped + 2050))
out=$(as_user "A=ok; $SERVE \"\$0/agent\" --connect $REMOTE4:3004 --count 5; $END")
expect_match "$out" "*1 error $DENIED*5 error $DENIED*" "his calls in half-open"
peer_ctl far answer hang
steps_start $REMOTE4:3004
expect_step ok - - start 1
expect_denied $REMOTE4:3004

t "half-open: with the probe handed out he decides nothing either"
out=$(as_user "A=503; $SERVE \"\$0/agent\" --connect $REMOTE4:3004 --count 5; $END")
expect_match "$out" "*error $DENIED*"
peer_ctl far answer ok
steps_stop
expect_soon 5 eval "agent --connect $REMOTE4:3004 | grep -q ' ok - 200 '"
start_daemon
expect_server far state closed

finish
