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
declare -A SDK=([1]=$BUILD/demo [2]=$BUILD/sdk2)

t "the packages are there"
expect_ok "$E2E_DIR/../demo/packages" "$BUILD/demo"
expect_ok "$E2E_DIR/../demo/packages" "$BUILD/sdk2" "$E2E_DIR/sdk2"
for to in "${SDK[@]}"; do
	expect_ok add_scripts "$to" "$E2E_DIR/relay_agent.mjs" "$E2E_DIR/relay_server.mjs"
done
[ "$T_FAILED" -eq 0 ] || finish

declare -A AGENT_IN AGENT_N SERVER_PID
server_start() { # NAME PORT [GENERATION]
	"$TOOLS/nsrun" --net "$NS" -- "$NODE" "${SDK[${3:-1}]}/relay_server.mjs" "${3:-1}" :: "$2" "$1" "$TMP/$1.calls" \
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
	"${IN_CG[@]}" "$NODE" "${SDK[${3:-1}]}/relay_agent.mjs" "${3:-1}" "$2" <"$TMP/$1.in" >"$TMP/$1.out" 2>&1 &
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
says() { # NAME WHAT: it is what comes of a call
	ask "$1" call who
	[ "$SAID" = "$2" ]
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
# One pair of servers for each generation and family.
PAIRS=("1 127.0.0.1 3111" "1 [::1] 3121" "2 127.0.0.1 3211" "2 [::1] 3221")
MORE=
for pair in "${PAIRS[@]}"; do
	read -r gen host port <<<"$pair"
	MORE+=", \"first$port\": { \"url\": \"http://$host:$port/mcp\", \"fallback\": [\"second$port\"] },
		\"second$port\": { \"url\": \"http://$host:$((port + 1))/mcp\" }"
	server_start "first$port" "$port" "$gen"
	server_start "second$port" $((port + 1)) "$gen"
done

server_start primary 3001
server_start backup 3002
config '"search": { "url": "http://127.0.0.1:3001/mcp", "fallback": ["backup"], "breaker": { "open_seconds": 3 } },
	"backup": { "url": "http://127.0.0.1:3002/mcp" },
	"alone": { "url": "http://127.0.0.1:3003/mcp", "on_open": "stand_in" },
	"v6": { "url": "http://[::1]:3004/mcp", "on_open": "stand_in" }'"$MORE"
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
ask a begin slow
pass_time 0.2 'the call is to be under way'
server_kill primary
ask a end # the call in flight
ask a call who
expect_said "ok backup" "the next call"
deadline fallback_next "$MS" 100 "until the call after the one in flight was answered by the secondary"
expect_server_soon search state open
expect_match "$(sg events --server search)" "*closed -> open (own_probe)*"
for _ in $(seq 20); do
	ask a call who
	expect_said "ok backup" "a call after the trip"
	expect_ms "$MS" 500 "a call after the trip"
done
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
expect_soon 10 says a "ok primary"
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
	deadline "stand_in_$name" "$MS" 50 "until the stand-in told why $name is not available"
	[ "$(counter "$name" stand_in)" -ge 1 ] || fail "nothing was counted for the stand-in"
done

t "release: the same client object works again"
server_start alone 3003
sg reset alone >/dev/null
expect_soon 10 says alone "ok alone"
expect_said "ok alone" "the call after the return"

t "quarantine in a call: it ends within 2 s, and what follows is text"
ask alone begin slow
pass_time 0.2 'the call is to be under way'
START=$(now_ms)
expect_ok sg quarantine alone --reason "poisoned tool"
ask alone end
deadline quarantine_in_call $(($(now_ms) - START)) 2000 "until a call that was under way had ended"
ask alone call who
expect_said "told *alone*quarantine: poisoned tool*" "the call after it"
expect_match "$(sg why alone)" "*stand_in*because it is in quarantine: poisoned tool*by *root*"
expect_ok sg release alone
ask alone call who
ask alone call who
expect_said "ok alone" "the call after the release"

for pair in "${PAIRS[@]}"; do
	read -r gen host port <<<"$pair"
	t "SDK $gen at $host: the server dies in a loop of calls, one fails at most"
	expect_server_soon "first$port" fallback.kind forward 20
	agent_start "loop$port" "http://$host:$port/mcp" "$gen"
	ask "loop$port" connect
	expect_said "ok first$port*" "the agent's server"
	FAILED=0
	for i in $(seq 30); do
		[ "$i" -ne 10 ] || server_kill "first$port"
		ask "loop$port" call who
		case $SAID in
		"ok first$port" | "ok second$port") ;;
		*) FAILED=$((FAILED + 1)) ;;
		esac
		[ "$i" -lt 12 ] || expect_ms "$MS" 500 "call $i"
	done
	expect_said "ok second$port" "the last call"
	[ "$FAILED" -le 1 ] || fail "$FAILED calls failed: $(grep -v '^[0-9]* ok' "$TMP/loop$port.out")"
done

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
pass_time 1.2 'the lease is to be over'
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
