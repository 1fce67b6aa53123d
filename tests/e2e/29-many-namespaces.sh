#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# An ordinary user can make thousands of network namespaces, and whatever looks into
# all of them takes seconds. The daemon goes on meanwhile: it answers and renews its
# lease, and an order says, when it is known, what was killed and who survived.
. "$(dirname "$0")/lib.sh"

MANY=2000
N=20
FAR=$REMOTE4:3004
LATE=$REMOTE4:3005
THIRD=$REMOTE4:3006
NOBODY=(--uid 65534)
far='"far": { "url": "http://10.83.0.2:3004/mcp", "deny_errno": "EHOSTUNREACH" }'
late='"late": { "url": "http://10.83.0.2:3005/mcp", "deny_errno": "EHOSTUNREACH" }'
third='"third": { "url": "http://10.83.0.2:3006/mcp", "deny_errno": "EHOSTUNREACH" }'
config "$far"
join_remote
join_other
PEER_NS=$NS_REMOTE peer_start far 0.0.0.0:3004
PEER_NS=$NS_REMOTE peer_start late 0.0.0.0:3005
PEER_NS=$NS_REMOTE peer_start third 0.0.0.0:3006
publish "$TOOLS/agent"

AGENT_AS=("${NOBODY[@]}")
call $FAR --md5-keys
AGENT_AS=()
[ "$CALL_STATUS" -ne 77 ] || skip "this kernel has no TCP_MD5SIG: $CALL_NAME $RESULT $ERR $STATUS"

"$TOOLS/nsrun" --cgroup "$CG" -- "$TOOLS/nsmany" "${NOBODY[@]}" --count $MANY >"$TMP/many" 2>&1 &
MAKER=$!
PIDS+=("$MAKER")
made() {
	! kill -0 "$MAKER" || grep -q ready "$TMP/many"
}
wait_for 100 made
grep -q ready "$TMP/many" || skip "an ordinary user makes no $MANY namespaces here: $(cat "$TMP/many")"

# The longest turn of the daemon's loop since its start, in ms.
longest() {
	local us

	us=$(micros "$(sg metrics | sed -n 's/^switchgear_loop_longest_turn_seconds //p')")
	echo "$((us / 1000)).$(printf '%03d' $((us % 1000)))"
}

# What a command of the operator's needs while something else runs: the longest, in ms.
asking() { # PID
	local most=0 start took

	while kill -0 "$1" 2>/dev/null; do
		start=$(now_ms)
		status daemon.pid >/dev/null || echo "no answer" >>"$TMP/asked"
		took=$(($(now_ms) - start))
		[ $took -le $most ] || most=$took
	done
	ASKED=$most
}

his_pool() { # NAMESPACE
	AGENT_AS=("${NOBODY[@]}")
	POOL_NS=$1 pool_start $FAR $N --md5-keys
	AGENT_AS=()
}

ordered() { # COMMAND...: in the background, and asked meanwhile; sets what expect_ok sets
	sg "$@" >"$TMP/order" 2>&1 &
	ORDER=$!
	PIDS+=("$ORDER")
	asking "$ORDER"
	wait "$ORDER"
	expect_eq $? 0 "$*: $(cat "$TMP/order")"
	OUT=$(cat "$TMP/order")
	echo "# longest answer meanwhile: $ASKED ms; longest turn: $(longest) ms"
}

t "the daemon starts"
start_daemon
expect_answer $FAR 200

t "a reload goes on without the loop, and connections that are open are found"
pool_start $LATE 5
config "$far, $late"
kill -HUP "$DAEMON"
expect_soon 5 server_is late name late
expect_soon 1 status daemon.pid
if grep -q 'sg_adopt_tcp was refused' "$LOG"; then
	pass
else
	expect_soon 60 grep -q 'took over 5 open connections' "$LOG"
fi

t "who is not taken over yet is found all the same, and nobody is said to be none"
pool_start $THIRD 5
config "$far, $late, $third"
kill -HUP "$DAEMON"
expect_soon 5 server_is third name third
ordered quarantine third --reason test
expect_match "$OUT" "*5 connections killed, 0 survivors*"
pool_wait 10
expect_eq "$(pool_stat ECONNABORTED)" 5 "connections that ended with ECONNABORTED"
expect_ok sg release third

t "a quarantine of connections with a record, in a container, is told of at once"
POOL_NS=$NS_OTHER pool_start $FAR $N
ordered quarantine far --reason test
expect_match "$OUT" "*$N connections killed, 0 survivors*"
pool_wait 10
expect_eq "$(pool_stat ECONNABORTED)" $N "connections that ended with ECONNABORTED"
expect_ok sg release far

for ns in "$NS" "$NS_OTHER"; do
	t "a quarantine of connections without a record in ${ns##*-}, while a reload runs"
	his_pool "$ns"
	kill -HUP "$DAEMON"
	ordered quarantine far --reason test
	expect_match "$OUT" "*$N connections killed, 0 survivors*"
	pool_wait 10
	expect_eq "$(pool_stat ECONNABORTED)" $N "connections that ended with ECONNABORTED"
	expect_eq "$(server far quarantine.reason)" test
	expect_ok sg release far
done

t "an opening breaker ends them, and says so"
his_pool "$NS_OTHER"
killed=$(counter far killed)
expect_ok sg trip far
pool_wait 20
expect_server_soon far counters.killed $((killed + N)) 20
expect_ok sg reset far

kill -USR1 "$MAKER" # a socket in each of them: the search has to look closer
expect_soon 60 grep -q "sockets $MANY" "$TMP/many"

t "a server that is released while it is looked for goes on"
his_pool "$NS"
sg quarantine far --reason test >"$TMP/order" 2>&1 &
ORDER=$!
PIDS+=("$ORDER")
expect_soon 5 server_is far quarantine.reason test
expect_ok sg release far
wait "$ORDER"
expect_match "$(cat "$TMP/order")" "* connections killed, *"
kill "$POOL" 2>/dev/null
expect_answer $FAR 200

# The daemon's child that kills.
killer() {
	local dir stat

	for dir in /proc/[0-9]*; do
		read -r stat 2>/dev/null <"$dir/stat" || continue
		[[ $stat == *"(switchgear-kill) "[A-Z]" $DAEMON "* ]] && { echo "${dir#/proc/}"; return 0; }
	done
	return 1
}

t "who kills is killed: nobody knows who is left, and they are looked for again"
his_pool "$NS_OTHER"
sg quarantine far --reason test >"$TMP/order" 2>&1 &
ORDER=$!
PIDS+=("$ORDER")
expect_soon 5 killer
kill -9 "$(killer)"
wait "$ORDER"
expect_eq $? 1 "the order's exit status"
expect_match "$(cat "$TMP/order")" "* connections killed, survivors unknown: Owner died*"
pool_wait 20
expect_ok sg release far

t "nobody waited, and the loop never blocked"
expect_eq "$(cat "$TMP/asked" 2>/dev/null)" "" "what was asked meanwhile"
deadline loop_turn "$(longest)" 50 "of the longest turn of the loop, with $MANY namespaces"

t "a daemon that ends meanwhile tells who asked, and ends well; the quarantine holds"
his_pool "$NS_OTHER"
expect_ok sg trip far # another search
sg quarantine far --reason test >"$TMP/order" 2>&1 &
ORDER=$!
PIDS+=("$ORDER")
expect_soon 5 server_is far quarantine.reason test
expect_soon 5 killer
stop_daemon
expect_eq "$DAEMON_STATUS" 0 "the daemon's exit status"
wait "$ORDER"
expect_ne $? 0 "the order's exit status"
expect_match "$(cat "$TMP/order")" "*the daemon stops before it is known*"
expect_denied $FAR
start_daemon
expect_server far quarantine.reason test
pool_wait 20

finish
