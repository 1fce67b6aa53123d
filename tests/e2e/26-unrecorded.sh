#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# An ordinary user can see to it that no record of a connection is made: he fills
# the option memory of his socket; and the table of records can be full. Verdicts
# hold all the same, it is said, and a quarantine or an opening breaker ends these
# connections wherever they are.
. "$(dirname "$0")/lib.sh"

BREAKER=${BREAKER/\"open_seconds\":60/\"open_seconds\":1}
N=20
config '"far": { "url": "http://10.83.0.2:3004/mcp", "deny_errno": "EHOSTUNREACH" }'
join_remote
join_other
PEER_NS=$NS_REMOTE peer_start far "[::]:3004"
publish "$TOOLS/agent"
FAR=$REMOTE4:3004
NOBODY=(--uid 65534)

# One call of his; sets what `call` sets.
his_call() {
	AGENT_AS=("${NOBODY[@]}")
	call $FAR --md5-keys "$@"
	AGENT_AS=()
}

his_call
[ "$CALL_STATUS" -ne 77 ] || skip "this kernel has no TCP_MD5SIG: $CALL_NAME $RESULT $ERR $STATUS"
start_daemon

t "a connect without a record works, is counted, and is not measured"
expect_answer $FAR 200
expect_server far counters.unrecorded 0
expect_degraded
his_call
expect_eq "$RESULT $STATUS" "ok 200"
expect_server far counters.unrecorded 1
expect_server far counters.responses.2xx 1

t "the status says so, and the log of what is degraded"
expect_match "$(status health.degraded)" '*1 connect to \\"far\\" could not be recorded*'
expect_match "$(sg metrics | grep '^switchgear_unrecorded_connects_total{server="far"}')" "* 1"

t "it is refused by a quarantine, and by an open breaker"
peer_ctl far zero
for order in "quarantine far --reason test" "trip far"; do
	# shellcheck disable=SC2086 # words
	expect_ok sg $order
	his_call
	expect_eq "$RESULT $ERR" "error $DENIED" "$order"
	expect_ok sg release far
done
expect_ok sg reset far
expect_eq "$(peer_stat far accepted)" 0
expect_server far counters.unrecorded 1

# Connections of his, in that namespace: all of them end by the order.
his_pool() { # NAMESPACE
	AGENT_AS=("${NOBODY[@]}")
	POOL_NS=$1 pool_start $FAR $N --md5-keys
	AGENT_AS=()
}

expect_pool_killed() {
	pool_wait 10
	expect_eq "$(pool_stat ECONNABORTED)" $N "connections that ended with ECONNABORTED"
}

for ns in "$NS" "$NS_OTHER"; do
	t "a quarantine ends his connections in ${ns##*-} and says how many"
	his_pool "$ns"
	DRIP_CG=$CG_FAR drip outside "$NS" --to $FAR --ask /as/ticks
	expect_soon 5 drip_said outside got
	expect_ok sg quarantine far --reason test
	expect_match "$OUT" "*$N connections killed, 0 survivors*"
	expect_pool_killed
	expect_eq "$(drip_last outside end)" "" "the end of a connection that nobody protects"
	drips_stop
	expect_ok sg release far

	t "an opening breaker ends them in ${ns##*-}"
	his_pool "$ns"
	killed=$(counter far killed)
	expect_ok sg trip far
	expect_pool_killed
	expect_server_soon far counters.killed $((killed + N))
	expect_ok sg reset far
done

t "half-open: he takes no probe, and the next one gets it"
expect_ok sg trip far --for 1s
ends=$(($(now_ms) + 1000))
kill9_daemon # or the first probe is its own
daemon_forgotten
until_ms $((ends + 50))
his_call
expect_eq "$RESULT $ERR" "error $DENIED" "his call"
expect_answer $FAR 200
his_call
expect_eq "$RESULT $STATUS" "ok 200" "his call once it is closed"
start_daemon

if command -v bpftool >/dev/null; then
	t "without a daemon his packets are stopped by their addresses"
	id=$(server_id far)
	drip his "$NS" --to $FAR --ask /as/ticks --md5-keys
	expect_soon 5 drip_said his 'got [0-9]* [0-9]* [1-9]' # not its header alone
	steps_start $FAR --md5-keys --timeout 1000
	expect_step ok - 200 call 1
	kill -STOP "$DAEMON"
	peer_ctl far zero
	expect_ok map_order ff "$id"
	order=$(now_us)
	expect_step timeout ETIME - call 1
	expect_eq "$(peer_stat far requests)" 0 "his requests that arrived"
	read -r _ _ latest <<<"$(drip_last his got)"
	expect_within "$latest" 1 "$order" "when the last line was sent that came"
	expect_ok map_order 00 "$id"
	peer_ctl far reset-all # nothing of this is to be counted below
	expect_soon 5 drip_said his end
	steps_stop
	thaw_daemon
else
	t_skip "without a daemon" "bpftool is not installed"
fi

# Sockets of agents that still have a peer, by the kernel's own list.
with_peer() {
	in_ns "$NS" cat /proc/net/tcp | grep -c "$(printf ':%04X 0[1-5789B] ' ${FAR##*:})"
}

t "a full table of records: connects work, are counted, and end by a quarantine"
before=$(counter far unrecorded)
measured_before=$(counter far responses.2xx)
pool_start $FAR 3
expect_ok "$TOOLS/bpfpin" fill "$PINS/flows"
expect_within "$OUT" 65000 65536 "records to fill the table"
expect_answer $FAR 200
expect_server far counters.unrecorded $((before + 1))
expect_soon 5 eval '[ "$(with_peer)" -eq 3 ]' # the server has closed that one, too
drip full "$NS" --to $FAR --ask /as/ticks
expect_soon 5 drip_said full got
expect_ok sg quarantine far --reason test
expect_match "$OUT" "*4 connections killed, 0 survivors*"
pool_wait 10
expect_eq "$(pool_stat ECONNABORTED)" 3 "connections with a record that were killed"
expect_soon 5 drip_said full "end error ECONNABORTED"
expect_error $FAR EHOSTUNREACH
expect_ok sg release far

t "and when it has room again they are measured"
expect_ok "$TOOLS/bpfpin" empty "$PINS/flows"
expect_answer $FAR 200
expect_server far counters.unrecorded $((before + 2))
expect_server_soon far counters.responses.2xx $((measured_before + 4))

t "in observe mode nothing of that ends"
stop_daemon
start_daemon --mode observe
drip seen "$NS" --to $FAR --ask /as/ticks --md5-keys
expect_soon 5 drip_said seen got
expect_ok sg quarantine far --reason test
order=$(now_us)
expect_match "$OUT" "* 0 connections killed*"
later() { # than the order
	local latest

	read -r _ _ latest <<<"$(drip_last seen got)"
	[ "$latest" -gt $((order + 200000)) ]
}
expect_soon 5 later
expect_eq "$(drip_last seen end)" ""

finish
