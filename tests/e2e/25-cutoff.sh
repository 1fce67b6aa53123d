#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# From the quarantine on, no byte of the server reaches an agent: answers in
# flight, event streams, connections that the server opens, datagrams of every
# kind of socket; whether the daemon lives, is stopped, or is dead.
. "$(dirname "$0")/lib.sh"

OTHER4=10.83.0.3 OTHER6=fd53::3 # of the same host, and nobody quarantines them
LIMIT_MS=500                    # 100 on a machine of one's own, as in 07
config '"far": { "url": "http://10.83.0.2:3004/mcp", "deny_errno": "EHOSTUNREACH" },
	"far6": { "url": "http://[fd53::2]:3004/mcp", "deny_errno": "EHOSTUNREACH" },
	"port": { "url": "http://10.83.0.2:3005/mcp" },
	"other": { "url": "http://10.83.0.3:3004/mcp" },
	"other6": { "url": "http://[fd53::3]:3004/mcp" }'
join_remote
ip -n "$NS_REMOTE" addr add $OTHER4/24 dev "sg${HASH}r"
ip -n "$NS_REMOTE" addr add $OTHER6/64 dev "sg${HASH}r" nodad
PEER_NS=$NS_REMOTE peer_start far "[::]:3004" --answer ticks
PEER_NS=$NS_REMOTE peer_start port "[::]:3005" --answer ticks
start_daemon

# Datagrams for all who asked once; they live through the whole test.
PROTOS=udp
for at in $REMOTE4:3004 "[$REMOTE6]:3004" $REMOTE4:3005 $OTHER4:3004; do
	drip "from-$at" "$NS_REMOTE" --proto udp --from "$at" --send 50
done
if in_cg "$TOOLS/drip" --proto udplite --to 127.0.0.1:9 --seconds 1 >/dev/null 2>&1 ||
	[ $? -ne 77 ]; then
	PROTOS="udp udplite"
	for at in $REMOTE4:3004 "[$REMOTE6]:3004"; do
		drip "lite-from-$at" "$NS_REMOTE" --proto udplite --from "$at" --send 50
	done
fi
DRIPS=() # those stay

# What goes on at the moment of the order, and what must go on after it.
streams() {
	local at v proto

	CUT=() KILLED=() KEPT=()
	for v in 4 6; do
		at=$REMOTE4:3004
		[ $v = 4 ] || at="[$REMOTE6]:3004"
		drip "sse$v" "$NS" --to "$at" --ask /mcp
		KILLED+=("sse$v")
		for proto in $PROTOS; do
			drip "$proto-to$v" "$NS" --proto "$proto" --to "$at" --connect
			drip "$proto-any$v" "$NS" --proto "$proto" --to "$at"
			CUT+=("$proto-any$v")
			# no hook is asked at a connect of UDP-Lite: there is no record to kill by
			[ "$proto" = udp ] || CUT+=("udplite-to$v")
			[ "$proto" = udplite ] || KILLED+=("udp-to$v")
		done
	done
	drip port "$NS" --to $REMOTE4:3005 --ask /mcp
	drip port-udp "$NS" --proto udp --to $REMOTE4:3005
	drip other "$NS" --to $OTHER4:3004 --ask /mcp
	drip other-udp "$NS" --proto udp --to $OTHER4:3004
	KEPT=(port port-udp other other-udp)
	for v in "${KILLED[@]}" "${KEPT[@]}"; do
		expect_soon 10 drip_said "$v" got
	done
	inbound
	for v in "${CUT[@]}"; do
		expect_soon 10 drip_said "$v" got
	done
}

# Connections that the server itself opens, from the port that it serves at.
PORT=5000
inbound() {
	PORT=$((PORT + 1)) # the last ones are in TIME_WAIT
	drip in4 "$NS" --from $LOCAL4:$PORT --listen
	drip in6 "$NS" --from "[$LOCAL6]:$PORT" --listen
	wait_for 5 drip_said in4 ready
	wait_for 5 drip_said in6 ready
	peer_ctl far unlisten
	drip in4-from "$NS_REMOTE" --from $REMOTE4:3004 --to $LOCAL4:$PORT --send 50
	drip in6-from "$NS_REMOTE" --from "[$REMOTE6]:3004" --to "[$LOCAL6]:$PORT" --send 50
	wait_for 5 drip_said in4 accepted
	wait_for 5 drip_said in6 accepted
	peer_ctl far listen
	CUT+=(in4 in6)
}

# Requests whose answers come after the order, when the server is told to give them.
in_flight() {
	local requests v

	requests=$(peer_stat far requests)
	drip flight4 "$NS" --to $REMOTE4:3004 --ask /as/ok+hold
	drip flight6 "$NS" --to "[$REMOTE6]:3004" --ask /as/ok+hold
	expect_soon 5 eval "[ \$(peer_stat far requests) = $((requests + 2)) ]"
	ANSWERED=$(peer_stat far answered)
}

# Nothing that was sent after AT came, and nothing at all came long after it.
expect_cut() { # NAME...
	local name us latest

	for name; do
		read -r _ us latest <<<"$(drip_last "$name" got)"
		pass
		if [ "${latest:-0}" -eq 0 ] || [ "$latest" -gt "$AT" ]; then
			fail "$name: what was sent $(((latest - AT) / 1000)) ms after the order came"
		fi
		expect_ms $((us > AT ? (us - AT) / 1000 : 0)) $LIMIT_MS "$name: ms until the last byte"
	done
}

# The call that waited ended by the kill.
expect_killed() { # NAME...
	local name result err us

	for name; do
		expect_soon 10 drip_said "$name" end
		read -r result err us <<<"$(drip_last "$name" end)"
		expect_eq "$result $err" "error ECONNABORTED" "$name"
		KILL_MS=$(((us - BEFORE) / 1000))
	done
}

came_after() { # NAME MS: what was sent so long after the order
	local latest

	read -r _ _ latest <<<"$(drip_last "$1" got)"
	[ "${latest:-0}" -gt $((AT + $2 * 1000)) ]
}

server_goes_on() { # DRIP MS: it sent something so long after the order, or was cut off
	local us

	drip_said "$1" end && return 0 # killed: where older connections cannot be taken over
	read -r _ us <<<"$(drip_last "$1" sent)"
	[ "${us:-0}" -gt $((AT + $2 * 1000)) ]
}

# Where sockets without a record are looked for, these are killed; else the server goes on.
inbound_tried() { # DRIP MS
	drip_said "$1" end || server_goes_on "$1" "$2"
}

calls_counted() {
	local name

	for name in far far6; do
		echo "$(counter $name responses.2xx) $(server $name latency_ms.p50)" \
			"$(sg metrics | grep "^mcp_client_operation_duration_seconds_[cs].*\"$name\"")" \
			"$(server $name breaker.consecutive_failures) $(server $name state)"
	done
}

# Everything else of that host and of others.
expect_others_untouched() {
	local name

	for name in "${KEPT[@]}"; do
		expect_soon 5 came_after "$name" 300
	done
	expect_answer $REMOTE4:3005 200 --path /as/ok
	expect_answer "[$REMOTE6]:3005" 200 --path /as/ok
	expect_answer $OTHER4:3004 200 --path /as/ok
	expect_answer "[$OTHER6]:3004" 200 --path /as/ok
}

begin() {
	drips_stop
	streams
	steps_start $REMOTE4:3004 --timeout 60000 --path /as/ok
	expect_step ok - 200 call 1
	in_flight
	COUNTED=$(calls_counted)
}

expect_answer $REMOTE4:3004 200 --path /as/ok # so that there is a latency
expect_answer "[$REMOTE6]:3004" 200 --path /as/ok

t "what is to be cut off goes on"
begin

t "quarantine by command: nothing more comes, whatever kind of socket waits"
BEFORE=$(now_us)
expect_ok sg quarantine far --reason test
expect_ok sg quarantine far6 --reason test
AT=$(now_us)
for at in $REMOTE4:3004 "[$REMOTE6]:3004"; do
	expect_soon 5 server_goes_on "from-$at" $LIMIT_MS
done
expect_soon 5 inbound_tried in4-from $LIMIT_MS
expect_soon 5 inbound_tried in6-from $LIMIT_MS
expect_cut "${KILLED[@]}" "${CUT[@]}"

t "calls that wait end at once with ECONNABORTED"
for name in "${KILLED[@]}" flight4 flight6; do
	expect_killed "$name"
	expect_ms "$KILL_MS" $LIMIT_MS "$name: ms until it ended"
done
expect_step error ECONNABORTED - call 1

t "no byte of the answers in flight came, and they are not counted"
expect_eq "$(drip_last flight4 got)$(drip_last flight6 got)" ""
expect_eq "$(calls_counted)" "$COUNTED"

t "the server cannot open a connection to an agent"
drip in4-late "$NS" --from $LOCAL4:4999 --listen
wait_for 5 drip_said in4-late ready
peer_ctl far unlisten
drip in4-late-from "$NS_REMOTE" --from $REMOTE4:3004 --to $LOCAL4:4999 --send 50
expect_soon 10 drip_said in4-late-from end
expect_match "$(drip_last in4-late-from end)" "connect ETIME *"
expect_eq "$(grep -c accepted "$TMP/drip-in4-late")" 0
peer_ctl far listen

t "other ports and other addresses of that host are untouched"
expect_others_untouched

release() {
	expect_ok sg release far
	expect_ok sg release far6
	expect_answer $REMOTE4:3004 200 --path /as/ok
}
release

command -v bpftool >/dev/null || {
	t_skip "without a daemon" "bpftool is not installed"
	finish
}
IDS="$(server_id far) $(server_id far6)"

for how in stopped dead; do
	begin
	t "$how daemon, an order in the map: nothing more comes, whatever kind of socket waits"
	if [ $how = stopped ]; then
		kill -STOP "$DAEMON"
	else
		kill9_daemon
	fi
	# shellcheck disable=SC2086 # a list
	expect_ok map_order ff $IDS
	AT=$(now_us)

	t "$how daemon: a request ends by itself, soon"
	step call 1
	expect_match "$RESULT $ERR" "error ETIMEDOUT"
	expect_ms "$MS" 5000 "ms until it ended"

	t "$how daemon: nothing came, though the server sent and sent again"
	peer_ctl far go
	expect_soon 10 eval "[ \$(peer_stat far answered) -ge $((ANSWERED + 2)) ]"
	for name in "from-$REMOTE4:3004" "from-[$REMOTE6]:3004" in4-from in6-from; do
		expect_soon 5 server_goes_on "$name" 1200
	done
	expect_cut "${KILLED[@]}" "${CUT[@]}"
	expect_eq "$(drip_last flight4 got)$(drip_last flight6 got)" "" "of the answers in flight"

	t "$how daemon: other ports and other addresses are untouched"
	expect_others_untouched

	t "$how daemon: once there is one again, calls that wait end with ECONNABORTED"
	BEFORE=$(now_us)
	[ $how = dead ] || thaw_daemon
	[ $how = stopped ] || start_daemon
	expect_killed "${KILLED[@]}" flight4 flight6
	expect_cut "${KILLED[@]}" "${CUT[@]}"
	expect_eq "$(drip_last flight4 got)$(drip_last flight6 got)" "" "of the answers in flight"
	expect_eq "$(calls_counted)" "$COUNTED"
	release
done

cutoff() {
	bpftool -j map lookup pinned "$PINS/cutoff" key 0 0 0 0 | "$TOOLS/jget" - value
}

t "an order in the map of quarantines alone: a daemon that lives completes it in a tick"
drips_stop
drip any "$NS" --proto udp --to $REMOTE4:3004
drip sse "$NS" --to $REMOTE4:3004 --ask /mcp
expect_soon 10 drip_said any got
expect_soon 10 drip_said sse got
all_ff="ff ff ff ff ff ff ff ff"
before=$(cutoff)
BEFORE=$(now_us)
# shellcheck disable=SC2086 # eight bytes
expect_ok bpftool map update pinned "$PINS/quarantine" key "${IDS% *}" 0 0 0 value hex $all_ff
AT=$(now_us)
expect_soon 5 server_goes_on "from-$REMOTE4:3004" 1000
read -r _ _ latest <<<"$(drip_last any got)"
expect_ms $((latest > AT ? (latest - AT) / 1000 : 0)) $LIMIT_MS "ms until the last line that came was sent"
expect_ne "$(cutoff)" "$before" "the map cutoff"
expect_killed sse
expect_server_soon far quarantine.by "another program"
expect_server far verdict refuse

t "and takes it back in a tick"
expect_ok bpftool map update pinned "$PINS/quarantine" key "${IDS% *}" 0 0 0 value hex ${all_ff//f/0}
AT=$(now_us)
expect_soon 5 came_after any 0
expect_soon 5 eval '[ "$(cutoff)" = "$before" ]'
expect_server_soon far quarantine null
expect_match "$(sg events --server far)" "*release*another program*"

finish
