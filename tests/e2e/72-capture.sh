#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Refused packets as pcapng: of an isolated server, of a quarantine by XDP and by the hooks of
# sockets, each with what refused it, as tshark reads them; for root alone, and on record.
. "$(dirname "$0")/lib.sh"

command -v tshark >/dev/null || {
	t_skip "refused packets as tshark reads them" "tshark is not installed"
	finish
}
SERVER=$CG/server
mkdir "$SERVER"
join_remote
ISOLATION='"when": "quarantine"'
config '"a": { "url": "http://127.0.0.1:3001/mcp", "deny_errno": "EHOSTUNREACH",
		"local": { "cgroup": "'"$SERVER"'" } },
	"far": { "url": "http://10.83.0.2:3004/mcp", "deny_errno": "EHOSTUNREACH",
		"isolation": { "when": "asked" } }'
"$TOOLS/nsrun" --cgroup "$SERVER" --net "$NS" -- "$TOOLS/peer" --listen "[::]:3001" \
	>"$TMP/server.log" 2>&1 &
PIDS+=("$!")
expect_soon 5 grep -q ready "$TMP/server.log"
PEER_NS=$NS_REMOTE peer_start far 0.0.0.0:3004
start_daemon --interface "$DEV"

# Fields of packets, a line each. Each refused one has a comment.
packets() { # FILE FILTER FIELD...
	local file=$1 filter=$2 field fields=()

	shift 2
	for field in "$@"; do
		fields+=(-e "$field")
	done
	tshark -n -r "$file" -Y "$filter" -T fields "${fields[@]}" 2>/dev/null
}

capture() { # NAME
	expect_ok sg capture "$1" -w "$TMP/$1.pcapng"
}

from_remote() { # TO [OPTION...]
	in_ns "$NS_REMOTE" "$TOOLS/agent" --timeout 400 --connect "$@" >/dev/null 2>&1
}

t "without a refusal it is an empty file that opens"
expect_ok sg capture a --write "$TMP/a.pcapng"
expect_eq "$(packets "$TMP/a.pcapng" frame frame.number)" ""
expect_ok tshark -r "$TMP/a.pcapng"

t "what comes to an isolated server, in both families"
expect_ok sg quarantine a --reason "test of $TEST"
from_remote $LOCAL4:3001
from_remote "[$LOCAL6]:3001"
from_remote $LOCAL4:3001 --mode udp-sendto # nobody waits there
capture a
expect_match "$(packets "$TMP/a.pcapng" 'tcp.flags.syn==1 && ip' ip.src ip.dst tcp.dstport frame.comment)" \
	"$REMOTE4*$LOCAL4*3001*a: dropped: the server's processes are isolated, coming*"
expect_match "$(packets "$TMP/a.pcapng" 'tcp.flags.syn==1 && ipv6' ipv6.src ipv6.dst frame.comment)" \
	"$REMOTE6*$LOCAL6*the server's processes are isolated*"

t "what XDP drops of a server elsewhere"
expect_ok sg quarantine far --reason "test of $TEST"
peer_ctl far unlisten
from_remote $LOCAL4:5000 --bind $REMOTE4:3004 --mode udp-sendto
capture far
expect_match "$(packets "$TMP/far.pcapng" udp ip.src udp.srcport udp.dstport frame.comment)" \
	"$REMOTE4*3004*5000*far: dropped by XDP: the server is in quarantine, coming*"
expect_eq "$(packets "$TMP/far.pcapng" 'frame.comment contains "a: "' frame.number)" "" "those of another"

t "times are those of the wall clock"
expect_match "$(packets "$TMP/far.pcapng" udp frame.time)" "*$(date +%Y)*"

t "--follow goes on, into another program, until that ends"
"$BUILD/switchgear" --socket "$SOCKET" capture a --follow >"$TMP/live.pcapng" &
LIVE=$!
PIDS+=("$LIVE")
expect_soon 5 test -s "$TMP/live.pcapng"
BEFORE=$(wc -c <"$TMP/live.pcapng")
from_remote $LOCAL4:3001
expect_soon 5 eval '[ "$(wc -c <"$TMP/live.pcapng")" -gt '"$BEFORE"' ]'
kill "$LIVE"
wait "$LIVE" 2>/dev/null
expect_within "$(packets "$TMP/live.pcapng" 'tcp.flags.syn==1' frame.number | wc -l)" 2 100

t "not for everybody, and not on a terminal"
publish "$BUILD/switchgear"
expect_status 4 "$TOOLS/nsrun" --uid 65534 -- "$PUBLIC/switchgear" --socket "$SOCKET" capture a -w /dev/null
expect_status 1 sg capture nobody -w "$TMP/x"
expect_match "$(sg events --since 600s --server a)" "*capture*refused packets are read*root*"

finish
