#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Clients of both official SDKs, unmodified and on one object each, while their server dies: the
# relay answers in its place, or hands on what they say to another server, and back to it. The
# relay's process is the real one; the daemon and the kernel are played by build/tools/standby.
. "$(dirname "$0")/lib.sh"

command -v npm >/dev/null || {
	t_skip "clients of the official SDKs" "npm is not installed"
	finish
}
NODE=$BUILD/demo/node_modules/node/bin/node
FIRST=3001 SECOND=3002 # ports of the server, and of the one that stands in
STAND_IN_MS=250        # five times what is promised
AT_ONCE_MS=2000        # of a call that lives for 100
SETTLE=2.5
declare -A SDK=([1]=$BUILD/demo [2]=$BUILD/sdk2)
declare -A SERVER

# --- servers ------------------------------------------------------------------------------------

start_server() { # GENERATION NAME PORT
	: >"$TMP/$2.out"
	"${IN_CG[@]}" "$NODE" "${SDK[$1]}/relay_server.mjs" "$1" 127.0.0.1 "$3" "$2" "$TMP/$2.log" \
		>"$TMP/$2.out" 2>&1 &
	SERVER[$2]=$!
	PIDS+=("$!")
	expect_soon 15 grep -q listening "$TMP/$2.out"
}

start_everything() { # NAME PORT
	: >"$TMP/$1.out"
	env "PORT=$2" "${IN_CG[@]}" "$NODE" "$BUILD/demo/node_modules/.bin/mcp-server-everything" \
		streamableHttp >"$TMP/$1.out" 2>&1 &
	SERVER[$1]=$!
	PIDS+=("$!")
	expect_soon 15 grep -q listening "$TMP/$1.out"
}

stop_server() { # NAME
	kill -KILL "${SERVER[$1]}" 2>/dev/null
	wait "${SERVER[$1]}" 2>/dev/null
}

asked() { # NAME PATTERN: how many of its requests were so
	grep -cE -- "$2" "$TMP/$1.log"
}

slow_is_asked_for() { # again since there were $before
	[ "$(asked second ' slow ')" -gt "$before" ]
}

streams_are_open() { # of notifications, at the other server
	[ "$(asked second "^(GET -|POST subscriptions/listen) ")" -gt 0 ]
}

# --- the relay -----------------------------------------------------------------------------------

start_standby() {
	mkfifo "$TMP/standby.in" "$TMP/standby.pipe"
	"${IN_CG[@]}" "$TOOLS/standby" "$BUILD/switchgear-relay" \
		<"$TMP/standby.in" >"$TMP/standby.pipe" 2>"$TMP/standby.err" &
	STANDBY=$!
	PIDS+=("$STANDBY")
	exec 5>"$TMP/standby.in" 6<"$TMP/standby.pipe"
	read -r -t 20 READY RELAY _ <&6
	expect_eq "$READY" ready
}

order() { # FIELD...: divided by tabs; what it says to that is in SAID
	local IFS=$'\t'

	echo "$*" >&5
	SAID=
	read -r -t 60 SAID <&6 || fail "standby: no answer to \"$*\": $(cat "$TMP/standby.err")"
}

sessions_are() { # NUMBER
	order stats
	[ "${SAID##* }" = "$1" ]
}

rule() { # PORT KIND [PRIMARY]
	order set at "127.0.0.1:$1"
	order set target_host "127.0.0.1:$1"
	order set primary "${3:-0}"
	order "$2"
}

# --- agents --------------------------------------------------------------------------------------

start_agent() { # GENERATION
	stop_agent
	mkfifo "$TMP/agent.in" "$TMP/agent.pipe"
	"${IN_CG[@]}" "$NODE" "${SDK[$1]}/relay_agent.mjs" "$1" "http://127.0.0.1:$FIRST/mcp" \
		<"$TMP/agent.in" >"$TMP/agent.pipe" 2>"$TMP/agent.err" &
	AGENT=$!
	PIDS+=("$AGENT")
	exec 7>"$TMP/agent.in" 8<"$TMP/agent.pipe"
	rm "$TMP/agent.in" "$TMP/agent.pipe"
}
AGENT=

stop_agent() {
	[ -n "$AGENT" ] || return 0
	exec 7>&- 8<&-
	kill "$AGENT" 2>/dev/null
	wait "$AGENT" 2>/dev/null
	AGENT=
}

says() { # ORDER...: sets TOOK and SAID
	echo "$*" >&7
	SAID=
	read -r -t 60 TOOK SAID <&8 || fail "agent: no answer to \"$*\": $(cat "$TMP/agent.err")"
}

has_changed() { # it was told so
	says changed
	[ "$SAID" != "ok 0" ]
}

expect_says() { # PATTERN ORDER...
	local want=$1

	shift
	says "$@"
	expect_match "$SAID" "$want" "$*"
}

# --- the tests -----------------------------------------------------------------------------------

t "the packages are there"
expect_ok "$E2E_DIR/../demo/packages" "$BUILD/demo"
expect_ok "$E2E_DIR/../demo/packages" "$BUILD/sdk2" "$E2E_DIR/sdk2"
for to in "$BUILD/demo" "$BUILD/sdk2"; do
	expect_ok add_scripts "$to" "$E2E_DIR/relay_agent.mjs" "$E2E_DIR/relay_server.mjs"
done
[ "$T_FAILED" -eq 0 ] || finish
start_standby
order set name files
order set path /mcp
order set reason "it does not answer"
order set instead "\"second\""
order set target second
order set target_path /mcp

t "its process has no rights"
order pid
PID=$SAID
expect_eq "$(cat "/proc/$PID/comm")" sg-relay
expect_ne "$(stat -c %u "/proc/$PID")" 0
expect_match "$(grep CapEff "/proc/$PID/status")" "*0000000000000000"
expect_match "$(grep Seccomp: "/proc/$PID/status")" "*2"
expect_match "$(grep NoNewPrivs "/proc/$PID/status")" "*1"

for gen in 1 2; do
	t "SDK $gen: the server dies, and the next call on the same client is another server's"
	rm -f "$TMP"/first.log "$TMP"/second.log
	start_server $gen first $FIRST
	start_server $gen second $SECOND
	start_agent $gen
	expect_says "ok first:*" connect
	expect_says "ok first" call who
	stop_server first
	rule $SECOND forward
	expect_says "ok" go "$RELAY"
	expect_says "ok second" call who
	expect_says "ok who,slow,count,die" list
	for n in 1 2 3; do
		expect_says "ok $n" call count
	done

	t "SDK $gen: progress streams through"
	expect_says "ok slow 5" call slow

	t "SDK $gen: what the agent identifies itself with stays here"
	expect_ne "$(asked first authorization)" 0
	expect_ne "$(asked second 'tools/call')" 0
	expect_eq "$(asked second 'authorization|cookie|x-api-key')" 0
	expect_eq "$(asked second "127.0.0.1:$SECOND")" "$(asked second .)"

	t "SDK $gen: the other one dies in mid-call, which is told at once"
	expect_says "told *\"second\", which stands in for it, ended while this was under way*" call die
	expect_ms "$TOOK" $AT_ONCE_MS "ms, of which it lived 100"
	expect_eq "$(asked second ' die ')" 1 "calls that went there"
	expect_says "told *\"second\", which stands in for it, cannot be reached; nothing was sent*" call who
	start_server $gen second $SECOND
	expect_says "ok second" call who

	t "SDK $gen: the stand-in says what is not available, why, and what else there is"
	order stand-in
	for _ in 1 2 3; do
		expect_says "told The MCP server \"files\" is not available, because it does not answer. Use \"second\". Do not retry." call who
		expect_ms "$TOOK" $STAND_IN_MS "ms until the stand-in's answer"
	done
	expect_says "ok" list
	printf '[{"name":"read","inputSchema":{"type":"object"}}]' >"$TMP/tools.json"
	order set tools "$TMP/tools.json"
	order stand-in
	expect_says "ok read" list
	order set tools ""

	t "SDK $gen: an agent that begins meanwhile finds a server that says so"
	start_agent $gen
	says go "$RELAY"
	expect_says "ok files: The MCP server \"files\" is not available*" connect
	expect_says "told *" call who

	t "SDK $gen: a session that began with the other server goes on with the first one"
	rule $SECOND forward
	start_agent $gen
	says go "$RELAY"
	expect_says "ok second:*" connect
	expect_says "ok second" call who
	if [ $gen = 1 ]; then
		pass
		# the one that was translated, that of the stand-in, and this one
		wait_for 5 sessions_are 3 || fail "sessions that live: $SAID"
	fi
	start_server $gen first $FIRST
	expect_soon 5 streams_are_open
	rule $FIRST forward 1
	expect_says "ok first" call who
	expect_says "ok 1" call count

	t "SDK $gen: and its stream of notifications says that the list of tools has changed"
	expect_soon 5 has_changed

	t "SDK $gen: without a rule nobody gets through"
	order drop
	expect_says "failed *" call who
	rule $SECOND forward
	expect_says "ok second" call who

	# a client of the first one waits for the rest of a stream of events up to its own time-out; if
	# not even its head has come, it knows at once
	t "SDK $gen: the relay is killed in mid-call: that one fails, and the next is served"
	before=$(asked second ' slow ')
	says begin slow 3000 quiet
	expect_soon 5 slow_is_asked_for
	order kill
	case $gen in
	1) expect_says "failed *@(timed out|fetch failed*)" end ;;
	2) expect_says "failed *fetch failed*" end ;;
	esac
	expect_says "ok second" call who
	stop_agent
	stop_server first
	stop_server second
done

# The call was under way at the server itself, so that nobody here knows its id: that the client
# does not come again and again, and what it reports, is what can be had.
t "a call that was lost with the server is told of to clients that ask for the rest of it"
rm -f "$TMP/first.log"
start_server 1 first $FIRST
start_agent 1
order stand-in
expect_says "ok first:*" connect
says begin slow 5000
expect_soon 5 eval '[ "$(asked first " slow ")" -gt 0 ]'
pass_time 0.2 "the first event of the stream has an id"
says go "$RELAY"
stop_server first
expect_says "failed *timed out" end
says errors
expect_match "$SAID" "*is not available*This was under way there*"
pass_time $SETTLE "stats come once a second, and clients try twice"
order stats
answered=${SAID%% *}
pass_time $SETTLE "stats come once a second, and clients try twice"
order stats
expect_eq "${SAID%% *}" "$answered" "requests that were answered since"
stop_agent

t "between two servers of the SDK's authors"
start_everything first $FIRST
start_everything second $SECOND
start_agent 1
expect_says "ok mcp-servers/everything*" connect
expect_says "ok Echo: hello" call echo
stop_server first
rule $SECOND forward
says go "$RELAY"
for _ in 1 2 3; do
	expect_says "ok Echo: hello" call echo
done
stop_server second
expect_says "told *cannot be reached*" call echo
stop_agent

finish
