#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# A server that is gone costs an agent of the official SDK, on one client object, the calls in flight
# at most: it goes on with a verified secondary, or reads why the server is not available. What is
# sent elsewhere comes back, and nobody else notices.
. "$(dirname "$0")/lib.sh"

command -v npm >/dev/null || {
	t_skip "agents and servers of the official SDK" "npm is not installed"
	finish
}
NODE=$BUILD/demo/node_modules/node/bin/node

t "the packages are there"
expect_ok "$E2E_DIR/../demo/packages" "$BUILD/demo"
expect_ok cp "$E2E_DIR/relay_agent.mjs" "$E2E_DIR/relay_server.mjs" "$BUILD/demo/"
[ "$T_FAILED" -eq 0 ] || finish

declare -A AGENT_IN AGENT_OUT AGENT_N SERVER_PID
server_start() { # NAME PORT [GENERATION]
	"$TOOLS/nsrun" --net "$NS" -- "$NODE" "$BUILD/demo/relay_server.mjs" "${3:-1}" :: "$2" "$1" "$TMP/$1.calls" \
		>"$TMP/$1.log" 2>&1 &
	SERVER_PID[$1]=$!
	PIDS+=("$!")
	expect_soon 20 grep -q listening "$TMP/$1.log"
}
server_kill() { # NAME
	kill -9 "${SERVER_PID[$1]}"
	wait "${SERVER_PID[$1]}" 2>/dev/null
}
agent_start() { # NAME URL [GENERATION]
	local fd

	mkfifo "$TMP/$1.in"
	: >"$TMP/$1.out"
	"${IN_CG[@]}" "$NODE" "$BUILD/demo/relay_agent.mjs" "${3:-1}" "$2" <"$TMP/$1.in" >"$TMP/$1.out" 2>&1 &
	PIDS+=("$!")
	exec {fd}>"$TMP/$1.in"
	AGENT_IN[$1]=$fd
	AGENT_N[$1]=0
}
# Gives an order; MS and SAID are how long it took, and what came of it.
ask() { # NAME ORDER...
	local name=$1
	shift
	echo "$*" >&"${AGENT_IN[$name]}"
	AGENT_N[$name]=$((AGENT_N[$name] + 1))
	wait_for 60 answered "$name"
	read -r MS SAID < <(sed -n "${AGENT_N[$name]}p" "$TMP/$name.out")
}
answered() { # NAME
	[ "$(wc -l <"$TMP/$1.out")" -ge "${AGENT_N[$1]}" ]
}
url_of() { # NAME: without scheme and path
	case $1 in
	alone) echo 127.0.0.1:3003 ;;
	v6) echo '[::1]:3004' ;;
	esac
}
expect_said() { # PATTERN WHAT
	expect_match "$SAID" "$1" "$2"
}
server_start primary 3001
server_start backup 3002
config '"search": { "url": "http://127.0.0.1:3001/mcp", "fallback": ["backup"], "breaker": { "open_seconds": 3 } },
	"backup": { "url": "http://127.0.0.1:3002/mcp" },
	"alone": { "url": "http://127.0.0.1:3003/mcp", "on_open": "stand_in" },
	"v6": { "url": "http://[::1]:3004/mcp", "on_open": "stand_in" }'
TRUST='"tools_seconds": 1'
start_daemon

t "a secondary is used once it has answered"
expect_server_soon search fallback.candidates.0.usable true 20
expect_server_soon search fallback.kind forward
expect_server search fallback.to backup
expect_server alone fallback.kind stand_in
expect_server search verdict allow

t "an agent goes on with the secondary, on the same client object"
agent_start a http://127.0.0.1:3001/mcp
ask a connect
expect_said "ok primary*" "the agent's session"
ask a call who
expect_said "ok primary" "the call"
server_kill primary
for _ in 1 2 3; do
	ask a call who
	[ "$SAID" = "ok backup" ] && break
done
expect_server_soon search state open
ask a call who
expect_said "ok backup" "the call after the trip"
expect_ms "$MS" 500 "the call after the trip"
expect_server search verdict redirect
[ "$(counter search redirected)" -ge 1 ] || fail "nothing was counted as redirected"
expect_match "$(sg why 127.0.0.1:3001)" "*search*redirect*because its circuit breaker is open*\"backup\"*"
expect_match "$(sg events)" "*fallback*search*connects go to \"backup\", by the relay*"

t "what proves who the agent is stays with the primary"
expect_match "$(cat "$TMP/backup.calls")" "*tools/call*who*"
expect_eq "$(grep -cE 'authorization|cookie|x-api-key' "$TMP/backup.calls")" 0 "credentials at the secondary"
[ "$(grep -c authorization "$TMP/primary.calls")" -ge 1 ] || fail 'the primary got none either'

t "the primary is back: calls go to it again"
server_start primary 3001
expect_server_soon search state closed 30
for _ in 1 2 3 4 5; do
	ask a call who
	[ "$SAID" = "ok primary" ] && break
	sleep 1
done
expect_said "ok primary" "the call after the return"

t "a server that never was there: a readable answer at once, on IPv4 and IPv6"
for name in alone v6; do
	expect_server "$name" state closed
	for _ in 1 2 3; do
		expect_error "$(url_of "$name")" ECONNREFUSED
	done
	expect_server_soon "$name" state open
	expect_server "$name" verdict stand_in
	agent_start "$name" "http://$(url_of "$name")/mcp"
	ask "$name" connect
	expect_said "ok $name: *not available*" "what $name says of itself"
	ask "$name" call who
	expect_said "told *\"$name\" is not available*circuit breaker is open*" "the call"
	expect_ms "$MS" 250 "the stand-in's answer"
	[ "$(counter "$name" stand_in)" -ge 1 ] || fail "nothing was counted for the stand-in"
done

t "release: the same client object works again"
server_start alone 3003
sg reset alone >/dev/null
for _ in 1 2 3 4 5; do
	ask alone call who
	[ "$SAID" = "ok alone" ] && break
	nap 0.5
done
expect_said "ok alone" "the call after the return"

t "quarantine in a call: it ends within 2 s, and what follows is text"
ask alone begin slow
nap 0.2
expect_ok sg quarantine alone --reason "poisoned tool"
ask alone end
expect_ms "$MS" 10000 "the call that was under way"
ask alone call who
expect_said "told *alone*quarantine: poisoned tool*" "the call after it"
expect_match "$(sg why alone)" "*stand_in*because it is in quarantine: poisoned tool*by *root*"
expect_ok sg release alone
ask alone call who
ask alone call who
expect_said "ok alone" "the call after the release"

t "the relay is killed: refusal, no hang, and it is back"
expect_ok sg trip alone
expect_server_soon alone verdict stand_in
ask alone call who
expect_said "told *alone*taken it out of service*" "the call while it is tripped"
RELAY_PID=$(sed -n 's/.*the relay runs, pid //p' "$LOG" | tail -n 1)
kill -9 "$RELAY_PID"
ask alone call who
expect_ms "$MS" 2000 "the call after the relay died"
expect_soon 10 eval '[ "$(sed -n "s/.*the relay runs, pid //p" "$LOG" | tail -n 1)" != "$RELAY_PID" ]'
expect_server_soon alone verdict stand_in
ask alone call who
expect_said "told *alone*" "the call once the relay is back"

t "the daemon is killed: nobody is sent to a relay that is no more"
kill -9 "$DAEMON"
reap_daemon
expect_soon 10 eval '! pgrep -x sg-relay --ns $$ >/dev/null'
nap 1.2
expect_error 127.0.0.1:3003 ECONNREFUSED
start_daemon
expect_server_soon alone verdict stand_in 20
ask alone call who
expect_said "told *alone*" "the call with the next daemon"
expect_ok sg reset alone
ask alone call who
ask alone call who
expect_said "ok alone" "the call after the reset"
finish
