#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Four servers behind one router. What takes the way to them away from all of them opens no
# breaker, neither while it lasts nor when it is over, with a daemon or without; what
# the servers do themselves does.
. "$(dirname "$0")/lib.sh"

NS_SITE=sg-$HASH-s # the servers' own network, behind the router
UPLINK="sg${HASH}u"
LIMIT=0.25 PATIENCE=400 # of the servers, s; of an agent, ms
[ "$SLOW" -eq 1 ] || LIMIT=1 PATIENCE=1600
BREAKER='"consecutive_failures":3,"window_calls":20,"min_calls":4,"failure_rate":0.5,
"window_seconds":0,"window_buckets":0,"open_seconds":60,"open_factor":1,"jitter":0,"ramp_seconds":0,
"half_open_probes":1,'"\"connect_seconds\":$LIMIT,\"timeout_seconds\":$LIMIT,\"abandon_seconds\":$LIMIT"
ALL="a b c d"

declare -A AT=([a]=10.85.0.11:3001 [b]=10.85.0.12:3001 [c]=10.85.0.13:3001 [d]=10.85.0.14:3001)
members=
for name in $ALL; do
	members="$members${members:+, }\"$name\": { \"url\": \"http://${AT[$name]}/mcp\" }"
done
config "$members"

site() {
	ip netns add "$NS_SITE" && ip -n "$NS_SITE" link set lo up
}

# --- the network: NS -- NS_REMOTE (the router) -- NS_SITE -----------------------------------
network() {
	local i

	join_remote
	site
	ip link add "$UPLINK" netns "$NS_REMOTE" type veth peer name "sg${HASH}v" netns "$NS_SITE"
	ns_address "$NS_REMOTE" "$UPLINK" 10.85.0.1 ''
	ns_address "$NS_SITE" "sg${HASH}v" 10.85.0.2 ''
	for i in 11 12 13 14; do
		ip -n "$NS_SITE" addr add 10.85.0.$i/24 dev "sg${HASH}v"
	done
	ip -n "$NS_SITE" route add default via 10.85.0.1
	in_ns "$NS_REMOTE" sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward'
	ip -n "$NS" route add default via $REMOTE4
}
trap 'ip netns del "$NS_SITE" 2>/dev/null; at_exit' EXIT
network

PEERS=()
agents=()
for name in $ALL; do
	PEER_NS=$NS_SITE peer_start "$name" "${AT[$name]}"
	PEERS+=("${PIDS[-1]}")
done

# Calls to each of the servers at the same time, N one after another.
calls() { # N NAME...
	local n=$1 name pids=()

	shift
	for name in "$@"; do
		"${IN_CG[@]}" "$TOOLS/agent" --connect "${AT[$name]}" --count "$n" --interval 50 \
			--timeout "$PATIENCE" >"$TMP/calls-$name" 2>&1 &
		pids+=("$!")
	done
	wait "${pids[@]}"
}

expect_calls() { # RESULT NAME...: every call of the latest calls()
	local want=$1 name

	shift
	for name in "$@"; do
		expect_eq "$(cut -d ' ' -f 2 "$TMP/calls-$name" | sort -u)" "$want" "calls to $name"
	done
}

# As the kernel has it: 0 is closed. It may have no daemon.
state_of() { # NAME
	bpftool -j map lookup pinned "$PINS/srv_state" key "${ID[$1]}" 0 0 0 |
		"$TOOLS/jget" - formatted.value.breaker.state
}
declare -A ID

are_open() { # NAME...
	local name

	for name in "$@"; do
		[ "$(state_of "$name")" = 1 ] || return 1
	done
}

expect_states() { # STATE NAME...
	local want=$1 name

	shift
	for name in "$@"; do
		expect_eq "$(state_of "$name")" "$want" "state of $name in the kernel"
	done
}

well() {
	local name

	for name in $ALL; do
		daemon_alive && expect_ok sg reset "$name"
	done
	calls 2 $ALL
	expect_calls ok $ALL
}

uplink() { # up|down: nobody here is told
	if [ "$1" = down ]; then
		ip -n "$NS_REMOTE" route add blackhole 10.85.0.0/28 metric 1
	else
		ip -n "$NS_REMOTE" route del blackhole 10.85.0.0/28 metric 1
	fi
}

said() { # PATTERN: in the events of this part
	# shellcheck disable=SC2053
	[[ "$(sg events --since "$(((SECONDS - PART) + 1))s")" == $1 ]]
}

expect_said() { # PATTERN
	wait_for 10 said "$1"
	expect_match "$(sg events --since "$(((SECONDS - PART) + 1))s")" "$1"
}

part() { # WHAT
	t "$1"
	until_ms $(($(now_ms) + 1100)) # what is said from here on, is said of this
	PART=$SECONDS
}
PART=$SECONDS

# Lost by one command, back by the other: nothing opens, nothing stays behind.
lose_and_return() { # LOSE RETURN
	eval "$1" || fail "$1"
	calls 6 $ALL
	expect_states 0 $ALL
	eval "$2" || fail "$2"
	calls 3 $ALL # what began before it was back may fail
	expect_states 0 $ALL
	calls 3 $ALL
	expect_calls ok $ALL
	expect_states 0 $ALL
}

arp() { # off|on: of the router
	in_ns "$NS_REMOTE" sh -c "echo $([ "$1" = on ] && echo 0 || echo 8) >/proc/sys/net/ipv4/conf/all/arp_ignore"
	ip -n "$NS" neigh flush dev "$DEV"
}

link() { # up|down, and then without the routes that it had
	ip -n "$NS" link set "$DEV" "$1"
	[ "$1" = down ] || ip -n "$NS" route replace default via $REMOTE4
}

carrier() { # up|down
	ip -n "$NS_REMOTE" link set "sg${HASH}r" "$1"
}

gateway() { # add|del
	ip -n "$NS" route "$1" default via $REMOTE4
}

rejected() { # add|del: the router says so, to whom it has the time to say it
	ip -n "$NS_REMOTE" route "$1" unreachable 10.85.0.0/28 metric 1
}

dead() { # add|del NAME...: nothing comes back from that server alone
	local how=$1 name

	for name in "${@:2}"; do
		ip -n "$NS_REMOTE" route "$how" blackhole "${AT[$name]%:*}/32"
	done
}

start_daemon
for name in $ALL; do
	ID[$name]=$(server_id "$name")
done
well

t "a silent uplink: four of four are held, and it is said what may be the matter"
uplink down
calls 8 $ALL
expect_states 0 $ALL
expect_match "$(sg events --since 60s --calls)" "*local (host_offline)*"
expect_said "*host_offline*this host is offline, or all servers behind $REMOTE4 dev $DEV are down*"
expect_match "$(status health.degraded)" "*this host is offline, or all servers behind*"
expect_match "$(sg events --since 60s --json)" '*"event":"host_offline","over":false,"route":"'"$REMOTE4 dev $DEV"'","servers":4,*'
expect_states 0 $ALL

t "and when it returns nothing opens, and it is said that it is over"
uplink up
calls 5 $ALL
expect_states 0 $ALL
calls 2 $ALL
expect_calls ok $ALL
expect_said "*host_offline*over after*"
expect_degraded

part "the next hop answers no ARP"
lose_and_return "arp off" "arp on"

part "the next hop answers no ARP for as long as it takes the kernel to say so"
arp off
calls $((5000 / PATIENCE)) $ALL
expect_said "*host_offline*this host is offline towards*: the next hop does not answer*"
expect_states 0 $ALL
arp on
calls 3 $ALL
expect_said "*host_offline*over after*"
expect_states 0 $ALL

part "the link is down"
link down
expect_said "*host_offline*this host is offline towards*: there is no route any more*"
calls 6 $ALL
expect_calls error $ALL
expect_states 0 $ALL
link up
expect_said "*host_offline*over after*"
calls 3 $ALL
expect_calls ok $ALL
expect_states 0 $ALL

part "the default route is gone"
lose_and_return "gateway del" "gateway add"
expect_said "*there is no route any more*over after*"

part "the carrier is lost"
lose_and_return "carrier down" "carrier up"
expect_said "*the interface has no carrier*over after*"

part "the carrier is lost while one alone is used: the daemon knows"
carrier down
expect_said "*the interface has no carrier*"
calls 5 a
expect_states 0 a
carrier up
calls 4 $ALL
expect_states 0 $ALL

part "the router says that it cannot be reached"
lose_and_return "rejected add" "rejected del"

t "a call that is under way, on a connection that was used, is held with the others"
for name in $ALL; do
	"${IN_CG[@]}" "$TOOLS/agent" --connect "${AT[$name]}" --count 5 --interval 200 \
		--timeout "$PATIENCE" --keepalive >"$TMP/calls-$name" 2>&1 &
	PIDS+=("$!")
	agents[${#agents[@]}]=$!
done
wait_for 5 grep -q " ok " "$TMP/calls-d" # all are connected
uplink down
wait "${agents[@]}"
calls 5 $ALL
expect_states 0 $ALL
uplink up
calls 3 $ALL
expect_states 0 $ALL

part "one of four is dead: it opens, the others do not"
well
dead add a
calls 6 $ALL
expect_states 1 a
expect_states 0 b c d
dead del a

part "one that is alone in being used opens, too"
well
dead add b
calls 4 b
expect_states 1 b
dead del b

part "two of four are dead, while the others answer: they open"
well
dead add a b
calls 40 c d & # they have their answers at once
others=$!
calls 6 a b
wait "$others"
expect_states 1 a b
expect_states 0 c d
dead del a b

part "three of four are dead, and the fourth is not used: the daemon asks it"
well
dead add a b c
calls 4 a b c
wait_for 10 are_open a b c
expect_states 1 a b c
expect_states 0 d
dead del a b c

part "the daemon is stopped: nothing opens all the same"
well
freeze_daemon
lose_and_return "uplink down" "uplink up"
lose_and_return "arp off" "arp on"
thaw_daemon

part "the daemon is killed: nothing opens all the same"
well
kill9_daemon
daemon_forgotten
lose_and_return "uplink down" "uplink up"
lose_and_return "carrier down" "carrier up"

t "and without it what one server alone does counts"
dead add a
calls 5 $ALL
expect_states 1 a
expect_states 0 b c d
dead del a

t "a daemon that starts while it lasts goes on with what was held"
uplink down
calls 5 b c d
expect_states 0 b c d
start_daemon
calls 4 b c d
expect_states 0 b c d
uplink up
calls 4 b c d
expect_states 0 b c d

part "four that refuse: they open, whatever they share"
well
kill "${PEERS[@]}"
wait "${PEERS[@]}" 2>/dev/null
calls 4 $ALL
expect_states 1 $ALL

finish
