#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Four servers behind one router. What takes the way to them away from all of them opens no
# breaker, neither while it lasts nor when it is over, with a daemon or without; what
# the servers do themselves does.
. "$(dirname "$0")/lib.sh"

NS_SITE=sg-$HASH-s # the servers' own network, behind the router
UPLINK="sg${HASH}u"
PATIENCE=$((900 * (SLOW > 1 ? 2 : 1))) # of an agent, ms
BREAKER='"consecutive_failures":3,"window_calls":20,"min_calls":4,"failure_rate":0.5,
"window_seconds":0,"window_buckets":0,"open_seconds":60,"open_factor":1,"jitter":0,"ramp_seconds":0,
"half_open_probes":1,"connect_seconds":0.5,"timeout_seconds":0.5,"abandon_seconds":0.5'
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

for name in $ALL; do
	PEER_NS=$NS_SITE peer_start "$name" "${AT[$name]}"
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

said() { # PATTERN: in the events of late
	# shellcheck disable=SC2053
	[[ "$(sg events --since 120s)" == $1 ]]
}

# Lost for a while, by the command; then back, by the other.
lose() { # WHAT LOSE-COMMAND RETURN-COMMAND
	eval "$2"
	calls 6 $ALL
	expect_states 0 $ALL
	eval "$3"
	calls 3 $ALL
	expect_states 0 $ALL
}

start_daemon
for name in $ALL; do
	ID[$name]=$(server_id "$name")
done
well

t "a silent uplink: four of four are held, and told apart from nothing"
uplink down
calls 8 $ALL
expect_states 0 $ALL
expect_match "$(sg events --since 60s --calls)" "*local (host_offline)*"
wait_for 8 said "*host_offline*this host is offline, or all servers behind $REMOTE4 dev $DEV are down*"
expect_match "$(sg events --since 60s)" "*host_offline*this host is offline, or all servers behind $REMOTE4 dev $DEV are down*"
expect_match "$(status health.degraded)" "*this host is offline, or all servers behind*"
expect_states 0 $ALL

t "and when it returns nothing opens, and the event says that it is over"
uplink up
calls 5 $ALL
expect_calls ok $ALL
expect_states 0 $ALL
wait_for 8 said "*host_offline*over after*"
expect_match "$(sg events --since 60s)" "*host_offline*over after*"
expect_eq "$(status health.degraded.#)" "$(printf '%s' "${EXPECT_DEGRADED:-}" | grep -c .)" degraded
finish
