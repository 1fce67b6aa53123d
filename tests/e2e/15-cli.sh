#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# The command line: exit status, JSON, messages, who may do what.
. "$(dirname "$0")/lib.sh"

config '"search": { "url": "http://127.0.0.1:3001/mcp?token=geheim" },
	"search-backup": { "url": "http://127.0.0.1:3002/mcp", "group": "g" },
	"files": { "command": "npx", "args": ["-y", "server-filesystem", "/srv"] }'
publish "$BUILD/switchgear"
peer_start search 127.0.0.1:3001

as_nobody() {
	"$TOOLS/nsrun" --uid 65534 -- "$PUBLIC/switchgear" --socket "$SOCKET" "$@"
}

t "no daemon: exit status 3 and what to do"
expect_status 3 sg status
expect_match "$OUT" "*$SOCKET*"
expect_status 3 sg quarantine search --reason x
expect_status 3 sg selftest
start_daemon

t "done: exit status 0"
for args in "status" "show search" "events" "metrics" "selftest" "quarantine search --reason x" \
	"release search" "trip search --for 5s" "reset search" "force search shadow --for 1m" \
	"force search closed" "force search disabled" "reset search"; do
	expect_ok sg $args
done

t "failed: exit status 1, and the message names the object and the nearest known one"
expect_status 1 sg show serach
expect_match "$OUT" "*serach*"
expect_match "$OUT" "*search*"
expect_status 1 sg quarantine nobody-knows --reason x
expect_match "$OUT" "*nobody-knows*"
expect_status 1 sg release nobody-knows

t "usage: exit status 2"
for args in "" "frobnicate" "quarantine" "quarantine search" "show" "trip search --for never" \
	"force search sideways" "status --frobnicate" "show search search-backup"; do
	expect_status 2 sg $args
	expect_ne "$OUT" "" "a message for \"$args\""
done
expect_status 2 sg stauts
expect_match "$OUT" "*status*" "the nearest command"

t "help"
expect_ok sg --help
for command in status show quarantine release trip reset force events selftest metrics detach; do
	expect_match "$OUT" "*$command*"
done
expect_ok "$BUILD/switchgear" --version

t "not permitted: exit status 4 for an ordinary user who changes, 0 for one who reads"
for args in "quarantine search --reason x" "trip search" "reset search" "force search closed" \
	"release search" "detach"; do
	expect_status 4 as_nobody $args
	expect_ne "$OUT" "" "a message"
done
expect_status 0 as_nobody status
expect_status 0 as_nobody status --json
expect_status 0 as_nobody show search
expect_server search state closed
expect_server search quarantine null

t "reading for a group only, if so configured"
stop_daemon
config '"search": { "url": "http://127.0.0.1:3001/mcp" }' '"api_read": "group"'
start_daemon
expect_status 4 as_nobody status
expect_ok sg status
stop_daemon
config '"search": { "url": "http://127.0.0.1:3001/mcp?token=geheim" },
	"search-backup": { "url": "http://127.0.0.1:3002/mcp", "group": "g" },
	"files": { "command": "npx", "args": ["-y", "server-filesystem", "/srv"] }'
start_daemon

t "every --json is JSON"
for args in "status" "show search" "quarantine search --reason x" "release search" \
	"trip search" "reset search" "force search shadow" "reset search" "selftest"; do
	expect_ok sg $args --json
	sg $args --json >"$TMP/out" 2>/dev/null
	expect_status 0 "$TOOLS/jget" --check "$TMP/out"
done
sg events --json >"$TMP/out"
expect_ok "$TOOLS/jget" --lines "$TMP/out" t

t "the status has every key of its contract"
sg status --json >"$TMP/out"
expect_eq "$("$TOOLS/jget" "$TMP/out" abi)" 2
for path in daemon.version daemon.pid daemon.mode daemon.uptime_s health.selftest health.xdp \
	health.degraded health.lost_events; do
	expect_ok "$TOOLS/jget" "$TMP/out" $path
done
for path in name url group panic state verdict quarantine order trust breaker.failure_rate \
	breaker.slow_rate breaker.consecutive_failures breaker.open_remaining_s \
	breaker.generation endpoints endpoints.0.address endpoints.0.port endpoints.0.source \
	visibility counters.connects counters.connect_failures.refused \
	counters.connect_failures.timeout counters.connect_failures.reset \
	counters.connect_failures.unreachable counters.requests counters.responses.2xx \
	counters.responses.3xx counters.responses.4xx counters.responses.5xx \
	counters.bad_responses counters.rpc_errors counters.timeouts counters.denied \
	counters.would_deny counters.passed_open counters.overflow counters.redirected \
	counters.stand_in counters.killed counters.dropped_packets counters.untrusted \
	counters.unrecorded latency_ms.p50 latency_ms.p95 latency_ms.p99; do
	expect_ok "$TOOLS/jget" "$TMP/out" "servers[name=search].$path"
done
expect_server search-backup group g
expect_server files visibility none
expect_server search visibility plaintext
expect_server search latency_ms.p50 null
expect_server search handshake_ms.p50 null
expect_server search trust.band watch

t "secrets in URLs are not shown"
for args in "status --json" "show search" "status" "events --json" "metrics"; do
	expect_ok sg $args
	expect_match "$OUT" "*search*" "$args"
	expect_eq "$(grep -c geheim <<<"$OUT")" 0 "$args: secrets"
done
expect_eq "$(grep -c geheim "$LOG")" 0 "the log"

t "nor are keys in paths and in command lines, whoever asks and wherever they stand"
stop_daemon
KEYED='"keyed": { "url": "http://u:geheim1@127.0.0.1:3003/v1/a8f3k2m9x1c4v7b0/mcp?k=geheim2" },
	"run": { "command": "npx", "args": ["--token", "geheim3", "-e", "API_KEY=geheim4",
		"sh -c \"PASSWORD=geheim5 x\"", "550e8400-e29b-41d4-a716-446655440000"] }'
config '"search": { "url": "http://127.0.0.1:3001/mcp?token=geheim" }, '"$KEYED"
start_daemon
hidden() { # TEXT WHAT
	expect_eq "$(grep -cE 'geheim|a8f3k2m9|550e8400' <<<"$1")" 0 "secrets in $2"
}
expect_ok sg trip keyed --reason "see http://u:geheim6@h/a8f3k2m9x1c4v7b0?geheim7 for it"
for args in "status --json" "show keyed" "show run" "status" "events" "events --json" "metrics"; do
	expect_ok sg $args
	hidden "$OUT" "$args"
	expect_ok as_nobody $args
	hidden "$OUT" "$args of an ordinary user"
done
hidden "$(cat "$LOG")" "the log"
hidden "$(cat "$STATE"/*)" "the state"
expect_server keyed url 'http://***@127.0.0.1:3003/v1/***/mcp?***'
expect_server keyed order.reason 'see http://***@h/***?*** for it'
expect_server run command 'npx --token *** -e API_KEY=*** sh -c "PASSWORD=*** ***'

t "an ordinary user is shown the origins of URLs alone, root and the group their paths"
expect_ok as_nobody status --json
printf '%s' "$OUT" >"$TMP/out"
expect_eq "$("$TOOLS/jget" "$TMP/out" 'servers[name=keyed].url')" http://127.0.0.1:3003
expect_eq "$("$TOOLS/jget" "$TMP/out" 'servers[name=search].url')" http://127.0.0.1:3001
expect_ok as_nobody events --json
expect_match "$OUT" '*"text":"see http://h for it"*'
expect_ok as_nobody show search
expect_match "$OUT" "*http://127.0.0.1:3001*"
expect_eq "$(grep -c /mcp <<<"$OUT")" 0 "paths"
expect_server search url 'http://127.0.0.1:3001/mcp?***'

t "nor in what a configuration is refused for, or in what is found in those of clients"
config '"search": { "url": "http://127.0.0.1:3001/", "networks": ["http://u:geheim1@h/?geheim2"] },
	"x": { "url": "http://${HOST/?k=geheim3" }'
expect_status 1 try_daemon --check
expect_match "$OUT" '*"http://\*\*\*@h/?\*\*\*"*'
hidden "$OUT" "the complaints"
mkdir -p "$TMP/home/.cursor"
echo "{ \"mcpServers\": { $KEYED } }" >"$TMP/home/.cursor/mcp.json"
expect_ok "$BUILD/switchgeard" --import "$TMP/home"
expect_match "$OUT" '*"http://127.0.0.1:3003/v1/\*\*\*/mcp"*'
hidden "$OUT" "the import"
stop_daemon
config '"search": { "url": "http://127.0.0.1:3001/mcp?token=geheim" },
	"search-backup": { "url": "http://127.0.0.1:3002/mcp", "group": "g" }'
start_daemon

t "latencies appear with calls"
peer_ctl search answer ok+delay=20
expect_eq "$(agent_counts 127.0.0.1:3001 --count 20 --keepalive)" "20 ok - 200"
expect_within "$(server search latency_ms.p50)" 15 40
expect_eq "$(counter search requests)" 20
expect_eq "$(counter search responses.2xx)" 20

t "no colour but on a terminal, columns in line"
expect_eq "$(sg status | grep -c $'\e')" 0
expect_within "$(sg status | wc -l)" 4 40

t "show says state, counters and what can be seen"
expect_ok sg show search
for word in search closed plaintext 127.0.0.1 3001; do
	expect_match "$OUT" "*$word*"
done

t "events tell who did what and why"
sg quarantine search --reason "because of 4711" >/dev/null
sg release search >/dev/null
sg events --json --since 1m >"$TMP/out"
expect_eq "$("$TOOLS/jget" --lines "$TMP/out" server event=quarantine | tail -n 1)" search
expect_match "$(grep quarantine "$TMP/out")" "*because of 4711*"
expect_match "$(sg events)" "*because of 4711*"
expect_match "$(log_lines "because of 4711")" "[1-9]*" "log lines"

t "events --follow goes on"
"$BUILD/switchgear" --socket "$SOCKET" events --follow --json >"$TMP/follow" 2>&1 &
PIDS+=("$!")
follows() { # it does not tell what was before
	sg quarantine search-backup --reason "does it follow"
	sg release search-backup
	grep -q "does it follow" "$TMP/follow"
}
expect_soon 5 follows
sg trip search >/dev/null
expect_soon 3 grep -q forced_open "$TMP/follow"
expect_ok "$TOOLS/jget" --lines "$TMP/follow" t event=transition
sg reset search >/dev/null

t "--calls: one line per outcome, in simulate's input form"
sg events --json --calls --since 1m >"$TMP/out"
expect_eq "$("$TOOLS/jget" --lines "$TMP/out" outcome op=call server=search | sort | uniq -c |
	sed 's/^ *//')" "20 success"
expect_status 4 as_nobody events --json --calls

t "the environment names the socket"
expect_ok env SWITCHGEAR_SOCKET="$SOCKET" "$BUILD/switchgear" status

t "the socket and the pins belong to root"
expect_eq "$(stat -c %a "$PINS")" 700
expect_eq "$(stat -c %a "$PINS"/srv_state)" 600
expect_eq "$(stat -c %U "$SOCKET")" root

finish
