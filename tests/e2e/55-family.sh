#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# A name whose IPv6 addresses lead nowhere, in every way in which they may, while IPv4 works: no
# breaker opens, and `show` tells which address it is.
# In a mount namespace of its own: here the name has these addresses.
[ -n "${SG_OWN_MOUNTS:-}" ] || SG_OWN_MOUNTS=1 exec unshare --mount -- "$BASH" "$0" "$@"
. "$(dirname "$0")/lib.sh"
NOWHERE=fd99::2  # there is no route
REJECTED=fd98::2 # the router says at once that there is none
SILENT=fd98::3   # nothing comes back
V4=$REMOTE4:3001
printf '127.0.0.1 localhost\n%s dual.test\n%s dual.test\n%s dual.test\n%s dual.test\n' \
	"$NOWHERE" "$REJECTED" "$SILENT" "$REMOTE4" >"$TMP/hosts"
mount --bind "$TMP/hosts" /etc/hosts

BREAKER+=',"connect_seconds":1'
config '"dual": { "url": "http://dual.test:3001/mcp" },
	"beside": { "url": "http://10.83.0.2:3002/mcp" }'
join_remote
ip -n "$NS" -6 route add fd98::/64 via $REMOTE6
in_ns "$NS_REMOTE" sh -c 'echo 1 >/proc/sys/net/ipv6/conf/all/forwarding'
ip -n "$NS_REMOTE" -6 route add unreachable $REJECTED
ip -n "$NS_REMOTE" -6 route add blackhole $SILENT
PEER_NS=$NS_REMOTE peer_start dual $V4
PEER_NS=$NS_REMOTE peer_start beside $REMOTE4:3002
start_daemon
expect_soon 10 eval '[ "$(server dual endpoints.#)" -eq 4 ]'

# As clients with several addresses do: one after the other, the first that answers is taken.
tries() { # N ADDRESS PATIENCE-MS
	local k

	for ((k = 0; k < $1; k++)); do
		call "[$2]:3001" --timeout "$3"
		expect_ne "$RESULT" ok "a call to $2"
		expect_answer $V4 200
	done
	expect_server dual state closed
	expect_server dual breaker.consecutive_failures 0
}

t "no route: the connect itself fails"
tries 5 $NOWHERE 2000
expect_eq "$ERR" - "the latest call's error"

t "unreachable, as the router says at once"
tries 5 $REJECTED 2000

t "silent, and given up after a quarter of a second"
tries 5 $SILENT 250

t "silent, and waited for longer than the server is given"
tries 4 $SILENT $((1500 * (SLOW > 1 ? 2 : 1)))

t "who only knows these addresses proves nothing either"
for _ in 1 2 3 4; do
	agent --connect "[$REJECTED]:3001" --concurrent 4 >/dev/null
	agent --connect "[$SILENT]:3001" --concurrent 4 --timeout 250 >/dev/null
done
expect_server dual state closed
expect_answer $V4 200

t "the other server at that host is not looked at askance"
expect_answer $REMOTE4:3002 200
expect_server beside state closed

t "show and status tell which address it is"
expect_match "$(sg show dual)" "*\[$REJECTED\]:3001 (* connects failed)*"
expect_match "$(sg show dual)" "*$V4*"
expect_eq "$(server dual "endpoints[address=$REMOTE4].failed")" "" "connects to the good one that failed"
expect_within "$(server dual "endpoints[address=$REJECTED].failed")" 5 100000 "those to a bad one"

t "when all of them fail it opens, whether or not there is a way to each"
peer_ctl dual unlisten
for _ in 1 2 3; do
	call $V4
done
expect_server_soon dual state open

finish
