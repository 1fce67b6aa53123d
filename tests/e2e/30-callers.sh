#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# An ordinary user decides about nobody else: not with the options of his sockets, not by
# giving up, not by holding probes; and a server's dead address does not decide about it.
# In a mount namespace of its own: here `localhost` has an address of each family.
[ -n "${SG_OWN_MOUNTS:-}" ] || SG_OWN_MOUNTS=1 exec unshare --mount -- "$BASH" "$0" "$@"
. "$(dirname "$0")/lib.sh"
printf '127.0.0.1 localhost\n::1 localhost\n' >"$TMP/hosts"
mount --bind "$TMP/hosts" /etc/hosts
echo "nobody:100000:65536" >"$TMP/subuid"
[ ! -e /etc/subuid ] || mount --bind "$TMP/subuid" /etc/subuid

BREAKER=${BREAKER/\"open_seconds\":60/\"open_seconds\":1}
FAR=10.84.0.1:3004 # two hops away
PATIENT=10.84.0.9:3009 # where packets vanish without a word
config "\"far\": { \"url\": \"http://$FAR/mcp\", \"deny_errno\": \"EHOSTUNREACH\",
		\"breaker\": { \"connect_seconds\": 1, \"abandon_seconds\": 0.5 } },
	\"patient\": { \"url\": \"http://$PATIENT/mcp\", \"deny_errno\": \"EHOSTUNREACH\",
		\"breaker\": { \"connect_seconds\": 300 } },
	\"near\": { \"url\": \"http://127.0.0.1:3001/mcp\", \"deny_errno\": \"EHOSTUNREACH\",
		\"breaker\": { \"abandon_seconds\": 0.5 } },
	\"lone\": { \"url\": \"http://127.0.0.1:3005/mcp\", \"deny_errno\": \"EHOSTUNREACH\",
		\"breaker\": { \"abandon_seconds\": 0.5, \"open_seconds\": 60 } },
	\"handed\": { \"url\": \"http://127.0.0.1:3007/mcp\", \"deny_errno\": \"EHOSTUNREACH\",
		\"breaker\": { \"abandon_seconds\": 0.5, \"open_seconds\": 60 } },
	\"gone\": { \"url\": \"http://127.0.0.1:3008/mcp\", \"deny_errno\": \"EHOSTUNREACH\",
		\"breaker\": { \"abandon_seconds\": 0.5, \"open_seconds\": 60 } },
	\"silent\": { \"url\": \"http://127.0.0.1:3006/mcp\", \"deny_errno\": \"EHOSTUNREACH\",
		\"breaker\": { \"abandon_seconds\": 0.5, \"open_seconds\": 60 } },
	\"two\": { \"url\": \"http://localhost:3002/mcp\", \"deny_errno\": \"EHOSTUNREACH\" }"
join_remote
join_other
"$TOOLS/nsrun" --net "$NS_REMOTE" -- sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward'
ip -n "$NS" route add 10.84.0.0/24 via $REMOTE4
ip -n "$NS_REMOTE" route add blackhole "${PATIENT%:*}"
PEER_NS=$NS_OTHER peer_start far "[::]:3004"
peer_start near 127.0.0.1:3001
peer_start lone 127.0.0.1:3005
peer_start silent 127.0.0.1:3006
peer_start handed 127.0.0.1:3007
peer_start gone 127.0.0.1:3008
GONE=${PIDS[-1]}
publish "$TOOLS/agent"
NOBODY=(--uid 65534)

# One call of his; sets what `call` sets.
his_call() {
	AGENT_AS=("${NOBODY[@]}")
	call "$@"
	AGENT_AS=()
}

# Of the calls of a server in this test so far, as "class cause", sorted and counted.
outcomes() { # NAME
	sg events --calls --json --since 60s --server "$1" >"$TMP/events"
	paste -d ' ' <("$TOOLS/jget" --lines "$TMP/events" outcome op=call) \
		<("$TOOLS/jget" --lines "$TMP/events" cause op=call) | sort | uniq -c |
		sed 's/^ *//' | paste -sd ','
}

outcomes_are() { # NAME PATTERN; events come with the daemon's tick
	# shellcheck disable=SC2053
	[[ $(outcomes "$1") == $2 ]]
}

start_daemon

t "hops that do not suffice are the caller's"
expect_answer $FAR 200
for _ in 1 2 3 4; do
	his_call $FAR --ttl 1
	expect_ne "$RESULT" ok "a call with one hop"
done
expect_server far state closed
expect_soon 5 outcomes_are far "*4 caller options*"

t "so is a signature that the server does not know"
his_call $FAR --md5
if [ "$CALL_STATUS" -eq 77 ]; then
	echo "# this kernel has no TCP_MD5SIG"
	pass
else
	for _ in 1 2 3; do
		his_call $FAR --md5 --timeout $((1500 * SLOW))
		expect_eq "$RESULT" timeout "a call with a signature"
	done
fi
expect_server far state closed

t "so is not waiting for a second SYN"
ip -n "$NS_OTHER" link set "sg${HASH}o" down
for _ in 1 2 3; do
	his_call $FAR --device "$DEV" --timeout $((1500 * SLOW))
	expect_ne "$RESULT" ok "a call by a device"
done
expect_server far state closed

t "so are fewer tries than the kernel's own"
AGENT_AS=("${NOBODY[@]}")
agent --connect $PATIENT --syncnt 1 --concurrent 4 --timeout $((20000 * SLOW)) >"$TMP/out"
AGENT_AS=()
expect_match "$(cat "$TMP/out")" "*ETIMEDOUT=4 *"
expect_server patient state closed
expect_soon 5 outcomes_are patient "4 caller options"
ip -n "$NS_OTHER" link set "sg${HASH}o" up
ip -n "$NS_OTHER" route add 10.83.0.0/24 via 10.84.0.2
expect_soon 10 eval "agent --connect $FAR | grep -q ' ok - 200 '"

# Requests of his that never get whole; he gives up when the server should have answered.
gives_up() { # ADDR:PORT TIMES [UID]
	local k

	AGENT_AS=(--uid "${3:-65534}")
	steps_start "$1"
	AGENT_AS=()
	for ((k = 1; k <= $2; k++)); do
		expect_step ok - - open "$k"
		expect_step ok - - part "$k" 20
	done
	step wait 1 600 # abandon_seconds, and a little
	for ((k = 1; k <= $2; k++)); do
		step close "$k"
	done
	steps_stop
}

t "of a name with a dead address the good one decides"
peer_start two 127.0.0.1:3002
expect_soon 10 eval '[ "$(server two endpoints.#)" -eq 2 ]'
for _ in 1 2 3; do
	agent --connect "[::1]:3002" --concurrent 8 >/dev/null
	expect_answer 127.0.0.1:3002 200
done
agent --connect "[::1]:3002" --concurrent 8 >/dev/null
expect_server two state closed
expect_soon 5 outcomes_are two "*32 caller other_address*"
peer_ctl two unlisten
for k in 1 2 3; do
	expect_server two state closed
	expect_error 127.0.0.1:3002 ECONNREFUSED
	[ "$k" -eq 3 ] || expect_server two breaker.consecutive_failures "$k"
done
expect_server two state open

t "who gives up opens nothing while others are served"
expect_answer 127.0.0.1:3001 200
gives_up 127.0.0.1:3001 5
expect_server near state closed
expect_soon 5 outcomes_are near "*5 hard abandoned*"
expect_server near breaker.consecutive_failures 5
expect_match "$(sg events --since 60s --server near)" "*one_client*uid 65534*"
expect_answer 127.0.0.1:3001 200
expect_server near breaker.consecutive_failures 0

t "whether he has 3 user ids, or 16"
for uid in 3 16; do
	for ((k = 1; k <= uid; k++)); do
		[ $((k % 4)) -ne 1 ] || expect_answer 127.0.0.1:3001 200
		gives_up 127.0.0.1:3001 2 $((70000 + uid * 100 + k))
	done
	expect_server near state closed
done
expect_answer 127.0.0.1:3001 200

t "and those that were handed to him are his: it is his word alone"
expect_ok test -e /etc/subuid # of the package passwd
for k in 1 2 3; do
	gives_up 127.0.0.1:3007 1 $((100000 + k))
done
expect_soon 5 eval "sg events --since 60s --server handed | grep -q 'closed -> open (consecutive'"
expect_soon 5 eval "sg events --since 60s --server handed | grep -q 'open -> closed (reachable'"

t "opened by his word alone, it is closed again as soon as the server answers the daemon"
gives_up 127.0.0.1:3005 3
expect_soon 5 eval "sg events --since 60s --server lone | grep -q 'closed -> open (consecutive'"
expect_soon 5 eval "sg events --since 60s --server lone | grep -q 'open -> closed (reachable'"
expect_server lone state closed
expect_match "$(sg events --since 60s --server lone)" "*alarm*one caller*"
expect_answer 127.0.0.1:3005 200

opened() { # NAME: how often, by failures in a row
	sg events --since 60s --server "$1" | grep -c "closed -> open (consecutive"
}

t "a daemon that was answered stands up for the server only until it asks again"
gives_up 127.0.0.1:3008 3
expect_soon 5 eval "sg events --since 60s --server gone | grep -q 'open -> closed (reachable'"
kill "$GONE"
expect_soon 5 eval "! kill -0 $GONE 2>/dev/null"
AGENT_AS=("${NOBODY[@]}")
agent --connect 127.0.0.1:3008 --count 3 >/dev/null
AGENT_AS=()
expect_soon 2 eval "[ \"\$(opened gone)\" -eq 2 ]"
his_call 127.0.0.1:3008
expect_eq "$ERR" "$(refusal EHOSTUNREACH)"

t "but not if it answers nobody"
peer_ctl silent answer hang
gives_up 127.0.0.1:3006 3
expect_soon 5 eval "sg events --since 60s --server silent | grep -q 'closed -> open (consecutive'"
expect_soon 10 eval "[ \"\$(peer_stat silent requests)\" -ge 1 ]"
expect_eq "$(sg events --since 60s --server silent | grep -c reachable)" 0

t "what all see opens it"
peer_ctl near answer 503
AGENT_AS=("${NOBODY[@]}")
agent --connect 127.0.0.1:3001 --count 2 >/dev/null
AGENT_AS=()
expect_server near state closed
agent --connect 127.0.0.1:3001 --count 1 >/dev/null
expect_server near state open

t "who holds probes and says nothing keeps nobody away"
kill9_daemon
daemon_forgotten
peer_ctl near answer ok
for _ in 1 2 3 4 5 6 7 8; do
	AGENT_AS=("${NOBODY[@]}")
	agent --connect 127.0.0.1:3001 --pool 1 --connect-only --hold 20000 >/dev/null 2>&1 &
	PIDS+=("$!")
	AGENT_AS=()
done
expect_soon 5 eval "agent --connect 127.0.0.1:3001 | grep -q ' ok - 200 '"
start_daemon
expect_server near state closed

finish
