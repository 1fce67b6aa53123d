#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Sockets that were made outside of the protected cgroup and brought into it, by a process
# that moved or that was handed them. No hook of the cgroup sees them; a quarantine finds who
# holds them, whoever that is, and nobody else's.
. "$(dirname "$0")/lib.sh"

config '"far": { "url": "http://10.83.0.2:3004/mcp", "deny_errno": "EHOSTUNREACH" },
	"six": { "url": "http://[fd53::2]:3005/mcp", "deny_errno": "EHOSTUNREACH" },
	"near": { "url": "http://127.0.0.1:3001/mcp", "deny_errno": "EHOSTUNREACH" }'
join_remote
join_other
PEER_NS=$NS_REMOTE peer_start far 0.0.0.0:3004
PEER_NS=$NS_REMOTE peer_start far-udp 0.0.0.0:3004 --udp
PEER_NS=$NS_REMOTE peer_start six "[::]:3005"
PEER_NS=$NS_REMOTE peer_start other 0.0.0.0:3009
peer_start near 127.0.0.1:3001
FAR=$REMOTE4:3004 SIX=[$REMOTE6]:3005 NEAR=127.0.0.1:3001
publish "$TOOLS/bring"
chmod 777 "$PUBLIC" # sockets by which descriptors are handed over
start_daemon

declare -A HOLDER=()

# A process with sockets, outside of the cgroup or in BRING_CG; BRING_AS: options for nsrun.
bring() { # NAME OPTION...
	local name=$1

	shift
	: >"$TMP/bring-$name"
	"$TOOLS/nsrun" --cgroup "${BRING_CG:-$CG_FAR}" --net "$NS" "${BRING_AS[@]}" -- \
		"$PUBLIC/bring" "$@" >"$TMP/bring-$name" 2>&1 &
	HOLDER[$name]=$!
	PIDS+=("$!")
}
BRING_AS=()

said() { # NAME PATTERN
	grep -q "^$2" "$TMP/bring-$1"
}

holds() { # NAME
	expect_soon 10 said "$1" ready
}

move() { # NAME [CGROUP]
	echo "${HOLDER[$1]}" >"${2:-$CG}/cgroup.procs" || fail "$1 could not be moved"
}

# It is outside, holds a connection, and moves in.
moved() { # NAME OPTION...
	bring "$@"
	holds "$1"
	move "$1"
}

# Who is inside takes what somebody outside has made.
handed() { # NAME N OPTION... of the one outside
	local name=$1 n=$2

	shift 2
	BRING_CG=$CG bring "$name" --take "$PUBLIC/$name.sock" --count "$n"
	expect_soon 10 said "$name" listening
	bring "$name-giver" --give "$PUBLIC/$name.sock" --count "$n" "$@"
	holds "$name"
}

# All that it holds have ended by a kill.
expect_ended() { # NAME N [ERRNO [SECONDS]]
	expect_soon "${4:-10}" eval "[ \$(grep -c '^end [0-9]* error ${3:-ECONNABORTED}' '$TMP/bring-$1') -eq $2 ]"
}

# Its connections are as they were: a request on each is answered.
expect_lives() { # NAME N
	local before

	expect_eq "$(grep -c '^end' "$TMP/bring-$1")" 0 "ends of what $1 holds"
	before=$(grep -c '^answer [0-9]* [1-9][0-9]* -' "$TMP/bring-$1")
	kill -USR1 "${HOLDER[$1]}"
	expect_soon 10 eval "[ \$(grep -c '^answer [0-9]* [1-9][0-9]* -' '$TMP/bring-$1') -eq $((before + $2)) ]"
}

leave() { # NAME...
	local name

	for name; do
		kill "${HOLDER[$name]}" 2>/dev/null
		wait "${HOLDER[$name]}" 2>/dev/null
	done
}

expect_killed() { # SERVER N
	expect_ok sg quarantine "$1" --reason test
	expect_match "$OUT" "*[!0-9]$2 connection?(s) killed, 0 survivors*" "$1"
}

t "a process with connections moves in: a quarantine ends them, and says how many"
bring stranger --to $FAR --count 2
holds stranger
moved four --to $FAR --count 2
moved mapped --to $FAR --mapped
moved device --to $FAR --device "$DEV"
bring unlisted --to $REMOTE4:3009
holds unlisted
move unlisted
expect_lives four 2
before=$(counter far killed)
expect_killed far 4
expect_ended four 2
expect_ended mapped 1
expect_ended device 1
expect_server far counters.killed $((before + 4))
expect_eq "$(sg metrics | sed -n 's/^switchgear_kill_survivors{server="far"} //p')" 0

t "whose connections only processes outside hold, they live on; so do those to others"
expect_lives stranger 2
expect_lives unlisted 1
leave unlisted

t "who moves in during the quarantine is found within seconds, or by an order that comes again"
moved late --to $FAR
moved late-udp --to $FAR --proto udp
expect_ended late 1
expect_ended late-udp 1
moved latest --to $FAR # the next look is seconds away
expect_killed far 1
expect_ended latest 1

t "and by a daemon that starts"
stop_daemon
moved later --to $FAR
expect_lives later 1
start_daemon
expect_ended later 1 ECONNABORTED 3
expect_lives stranger 2
expect_ok sg release far

t "IPv6, and servers of this host"
moved six --to "$SIX"
moved near --to $NEAR
expect_killed six 1
expect_killed near 1
expect_ended six 1
expect_ended near 1
expect_ok sg release six
expect_ok sg release near

t "a cgroup below the protected one is a part of it"
mkdir "$CG/sub"
bring below --to $FAR
holds below
move below "$CG/sub"
expect_killed far 1
expect_ended below 1
expect_ok sg release far

t "sockets that were handed over (SCM_RIGHTS)"
handed taker 2 --to $FAR
expect_killed far 2
expect_ended taker 2
expect_lives stranger 2
expect_ok sg release far

t "what both have, ends for both"
handed sharer 1 --to $FAR --stay
expect_killed far 1
expect_soon 10 said sharer end # one of them reads the error, the other the end
expect_soon 10 said sharer-giver end
expect_ok sg release far

t "an ordinary user, by both ways"
BRING_AS=(--uid 65534)
moved his --to $FAR
handed his-taker 1 --to $FAR
BRING_AS=()
expect_killed far 2
expect_ended his 1
expect_ended his-taker 1
expect_ok sg release far

t "a thread that has a table of its own"
moved thread --to $FAR --thread
expect_killed far 1
expect_ended thread 1
expect_ok sg release far

t "connected UDP sockets, moved and handed over"
bring stranger-udp --to $FAR --proto udp
holds stranger-udp
moved udp --to $FAR --proto udp
moved udp-mapped --to $FAR --proto udp --mapped
handed udp-taker 1 --to $FAR --proto udp
expect_lives udp 1
expect_killed far 3
expect_ended udp 1
expect_ended udp-mapped 1
expect_ended udp-taker 1
expect_lives stranger-udp 1
expect_lives stranger 2
expect_ok sg release far

"$TOOLS/bring" --to $FAR --proto mptcp >"$TMP/mptcp" 2>&1
if [ $? -ne 77 ]; then
	t "MPTCP"
	moved mptcp --to $FAR --proto mptcp
	expect_killed far 1
	expect_soon 10 said mptcp end
	expect_ok sg release far
else
	t_skip "MPTCP" "this kernel has no MPTCP"
fi

t "many"
"$TOOLS/nsrun" --cgroup "$CG_FAR" --net "$NS" -- "$TOOLS/agent" --connect $FAR --pool 1000 \
	>"$TMP/pool.out" 2>&1 &
POOL=$!
PIDS+=("$POOL")
expect_soon 30 grep -q 'ready 1000' "$TMP/pool.out"
echo "$POOL" >"$CG/cgroup.procs"
expect_killed far 1000
pool_wait 10
expect_eq "$(pool_stat ECONNABORTED)" 1000 "connections that ended with ECONNABORTED"
expect_ok sg release far

t "connections in a network namespace that only their sockets keep alive"
"$TOOLS/nsrun" --cgroup "$CG_FAR" --net "$NS_OTHER" -- "$TOOLS/agent" --connect $FAR --pool 3 \
	--leave "$NS" >"$TMP/pool.out" 2>&1 &
POOL=$!
PIDS+=("$POOL")
expect_soon 10 grep -q 'ready 3' "$TMP/pool.out"
ip netns del "$NS_OTHER"
echo "$POOL" >"$CG/cgroup.procs"
expect_killed far 3
pool_wait 10
expect_eq "$(pool_stat ECONNABORTED)" 3 "connections that ended with ECONNABORTED"
expect_ok sg release far

t "in quarantine a connect of such a socket is not refused: it is noticed, and ended"
moved old --to $FAR --later --count 2
expect_killed far 0
pass_time 0.5 "its second pass is over"
before=$(counter far killed)
kill -USR1 "${HOLDER[old]}"
expect_soon 5 said old "connect 1 -"
expect_ended old 2 ECONNABORTED 2 # without the next look, which is seconds away
expect_server_soon far counters.killed $((before + 2))

t "one of who is outside is neither"
bring outside --to $FAR --later
holds outside
kill -USR1 "${HOLDER[outside]}"
expect_soon 5 said outside "connect 0 -"
pass_time 6 "a look has come by"
expect_lives outside 1
expect_lives stranger 2
expect_server far counters.killed $((before + 2))
expect_ok sg release far
leave outside

t "a breaker that opens leaves them alone, as it did before"
moved calm --to $FAR
expect_ok sg trip far
pass_time 0.3 "its second pass is over"
expect_lives calm 1
expect_ok sg reset far

t "who may not look into processes finds them all the same"
stop_daemon
DAEMON_AS=(--drop 19) # CAP_SYS_PTRACE
start_daemon
if grep -q 'sg_adopt_tcp was refused' "$LOG"; then # it looks for older ones, and may not
	expect_status 1 sg quarantine far --reason test
	expect_match "$OUT" "*[!0-9]1 connection killed, survivors unknown*"
else
	expect_killed far 1
fi
expect_ended calm 1
expect_ok sg release far

t "where none can be killed they are survivors"
stop_daemon
DAEMON_AS=(--no-sockdiag)
start_daemon
moved held --to $FAR --count 2 --twice
expect_status 1 sg quarantine far --reason test
expect_match "$OUT" "*0 connections killed, @(2 survivors|survivors unknown)*"
expect_lives held 2
expect_ok sg release far

t "in observe mode nothing of that ends"
stop_daemon
DAEMON_AS=()
start_daemon --mode observe
expect_ok sg quarantine far --reason test
pass_time 0.3 "its second pass is over"
expect_lives held 2
expect_ok sg release far
stop_daemon

t "without the walk over descriptors nobody knows who survives"
export SWITCHGEAR_WITHOUT=sg_find_held,sg_brought
start_daemon
expect_match "$(status health.degraded)" "*brought into it are not found: a quarantine does not know who survives it (sg_find_held*"
expect_match "$(status health.degraded)" "*are not noticed in quarantine (sg_brought*"
expect_status 1 sg quarantine far --reason test
expect_match "$OUT" "*survivors unknown*"
expect_lives held 2
expect_lives stranger 2

finish
