#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# After many connections of every kind, and daemons killed in between, the table
# of records holds what is alive and nothing else. How many connections and how
# many daemons: LEAK_CONNECTIONS, LEAK_RESTARTS.
. "$(dirname "$0")/lib.sh"

CONNECTIONS=${LEAK_CONNECTIONS:-$((SLOW > 1 ? 1500 : 100000))}
RESTARTS=${LEAK_RESTARTS:-$((SLOW > 1 ? 3 : 10))}
KINDS=15
EACH=$((CONNECTIONS / RESTARTS / KINDS))
[ "$EACH" -ge 1 ] || EACH=1
# Nothing is to open but by order.
BREAKER=${BREAKER/\"consecutive_failures\":3/\"consecutive_failures\":0}
config '"a": { "url": "http://127.0.0.1:3001/mcp" },
	"device": { "url": "http://127.0.0.2:3001/mcp" },
	"six": { "url": "http://[::1]:3002/mcp" },
	"dead": { "url": "http://127.0.0.1:3003/mcp" },
	"reset": { "url": "http://127.0.0.1:3004/mcp" },
	"held": { "url": "http://127.0.0.1:3005/mcp", "deny_errno": "EHOSTUNREACH" },
	"kill": { "url": "http://127.0.0.1:3006/mcp" },
	"gone": { "url": "http://10.83.0.2:3007/mcp" },
	"nowhere": { "url": "http://203.0.113.1:3008/mcp" }'
join_remote
# SYN go out, and nothing comes back.
ip -n "$NS" neigh replace $REMOTE4 lladdr 02:00:00:00:00:77 dev "$DEV" nud permanent
"$TOOLS/nsrun" --net "$NS" -- bash -c 'echo "1024 65000" >/proc/sys/net/ipv4/ip_local_port_range'
peer_start a 127.0.0.1:3001
# The kernel gives the same ports to a socket that is bound to a device and to one that is
# not, and one of them never gets its packets: to another address.
peer_start a-device 127.0.0.2:3001
peer_start a-udp 127.0.0.1:3001 --udp
peer_start six "[::1]:3002"
peer_start six-udp "[::1]:3002" --udp
peer_start reset 127.0.0.1:3004 --accept rst
peer_start kill 127.0.0.1:3006
start_daemon
expect_ok sg quarantine held --reason test

entries() {
	"$TOOLS/bpfpin" count "$PINS/flows"
}

entries_are() { # NUMBER
	[ "$(entries)" -eq "$1" ]
}

# EACH connections of one kind in the background: kind NAME ADDR:PORT [OPTION...]. Thousands
# at once would fill queues: they are made in turns.
kind() {
	local name=$1 to=$2

	shift 2
	# shellcheck disable=SC2016 # the other shell's
	"${IN_CG[@]}" bash -c 'left=$1; shift
		while [ $left -gt 0 ]; do
			"$@" --concurrent $((left < 1000 ? left : 1000))
			left=$((left - 1000))
		done' - $EACH "$TOOLS/agent" --connect "$to" --timeout $((1000 * SLOW)) "$@" \
		>"$TMP/kind-$name" 2>&1 &
	PIDS+=("$!")
	RUNNING+=("$!")
}
RUNNING=()

# One after another: what --concurrent does not do.
serial() { # NAME ADDR:PORT [OPTION...]
	local name=$1 to=$2

	shift 2
	"${IN_CG[@]}" "$TOOLS/agent" --connect "$to" --timeout $((1000 * SLOW)) --count $EACH "$@" \
		>"$TMP/kind-$name" 2>&1 &
	PIDS+=("$!")
	RUNNING+=("$!")
}

all_kinds() {
	RUNNING=()
	kind v4 127.0.0.1:3001
	kind v6 "[::1]:3002"
	kind mapped 127.0.0.1:3001 --mode v4mapped
	kind unused 127.0.0.1:3001 --connect-only
	kind device 127.0.0.2:3001 --device lo
	kind mptcp 127.0.0.1:3001 --mode mptcp
	kind refused 127.0.0.1:3003
	kind reset 127.0.0.1:3004
	kind denied 127.0.0.1:3005
	kind timeout $REMOTE4:3007
	kind udp 127.0.0.1:3001 --mode udp-connect --connect-only
	kind udp6 "[::1]:3002" --mode udp-connect --connect-only
	serial noroute 203.0.113.1:3008
	serial datagrams 127.0.0.1:3001 --mode udp-connect
	serial nosyn 127.0.0.1:3001 --mode tfo-connect --connect-only # closed before its SYN
}

# Connections that a quarantine kills, some whose process is killed, some that wait.
kill_some() {
	pool_start 127.0.0.1:3006 $((EACH < 500 ? EACH : 500))
	sg quarantine kill --reason test >/dev/null
	pool_wait 10
	sg release kill >/dev/null
	pool_start 127.0.0.1:3006 50 --busy
	kill -9 "$POOL"
	wait "$POOL" 2>/dev/null
}

t "$RESTARTS daemons killed among $CONNECTIONS connections of every kind"
start=$(now_ms)
for ((round = 1; round <= RESTARTS; round++)); do
	kill_some
	if [ $((round % 2)) -eq 0 ]; then
		all_kinds
		kill9_daemon
	else # it is known to be gone: its lease has run out
		kill9_daemon
		daemon_forgotten
		all_kinds
	fi
	start_daemon
	wait "${RUNNING[@]}"
done
pass
echo "# took $(($(now_ms) - start)) ms; $(status servers | tr ',' '\n' |
	sed -n 's/.*"unrecorded":\([0-9]*\).*/\1/p' | paste -sd ' ' -) without a record"

t "each kind was what it is called"
for row in "v4 http_200" "v6 http_200" "mapped http_200" "unused ok" "device http_200" \
	"refused ECONNREFUSED" "reset ECONNRESET" "denied $DENIED" "timeout timeout" "udp ok" \
	"udp6 ok"; do
	read -r name what <<<"$row"
	expect_match "$(head -n 1 "$TMP/kind-$name")" "concurrent * $what=*" "$name"
done
expect_match "$(head -n 1 "$TMP/kind-mptcp")" "@(concurrent * http_200=*|agent: MPTCP*)" "mptcp"
expect_match "$(head -n 1 "$TMP/kind-noroute")" "1 error ENETUNREACH *" "noroute"
expect_match "$(head -n 1 "$TMP/kind-datagrams")" "1 ok *" "datagrams"
expect_match "$(head -n 1 "$TMP/kind-nosyn")" "1 ok *" "nosyn"

t "nothing of them is left after five seconds"
start=$(now_ms)
expect_soon 25 entries_are 0
deadline leaks $(($(now_ms) - start)) 5000 "until no record was left of $CONNECTIONS connections"

t "what is alive has its record, and nothing else has"
drip udp "$NS" --proto udp --to 127.0.0.1:3001 --connect
drip udp6 "$NS" --proto udp --to "[::1]:3002" --connect
expect_soon 5 drip_said udp ready
expect_soon 5 drip_said udp6 ready
pool_start 127.0.0.1:3001 20 --connect-only
pool_start 127.0.0.2:3001 20 --device lo
pool_start "[::1]:3002" 20
all_kinds
kill9_daemon
start_daemon
wait "${RUNNING[@]}"
expect_soon 5 entries_are 62
kill "$POOL"
wait "$POOL" 2>/dev/null
expect_soon 5 entries_are 42

t "a server that is no longer configured leaves no record"
drips_stop
pool_start 127.0.0.1:3006 10
expect_soon 5 entries_are 50
config '"a": { "url": "http://127.0.0.1:3001/mcp" },
	"device": { "url": "http://127.0.0.2:3001/mcp" }'
kill -HUP "$DAEMON"
expect_soon 5 eval '[ "$(status servers.#)" -eq 3 ]' # and the one in quarantine
kill "$POOL"
expect_soon 5 entries_are 40

finish
