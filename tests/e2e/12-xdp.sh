#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# XDP: packets from a quarantined server are dropped at the interface and
# counted; others, and those of a released server, pass.
. "$(dirname "$0")/lib.sh"

config '"far": { "url": "http://10.83.0.2:3004/mcp", "deny_errno": "EHOSTUNREACH" },
	"far6": { "url": "http://[fd53::2]:3004/mcp", "deny_errno": "EHOSTUNREACH" }'
join_remote
PEER_NS=$NS_REMOTE peer_start far "[::]:3004"
peer_start here "[::]:5000"
peer_start here-udp "[::]:5000" --udp
start_daemon --interface "$DEV"

# From the server's own address and port to this host, as an attacker would.
from_server() { # OWN TO [OPTION...]
	local own=$1 to=$2

	shift 2
	call_read "$(in_ns "$NS_REMOTE" "$TOOLS/agent" --bind "$own" --connect "$to" --timeout 400 "$@")"
}

t "the interface and its mode are shown"
expect_eq "$(status "health.xdp[interface=$DEV].interface")" "$DEV"
expect_match "$(status "health.xdp[interface=$DEV].mode")" "@(native|generic)"

t "without quarantine everything passes"
expect_answer $REMOTE4:3004 200
expect_answer "[$REMOTE6]:3004" 200
peer_ctl far unlisten
from_server $REMOTE4:3004 $LOCAL4:5000 --mode udp-sendto
expect_eq "$RESULT" ok
from_server "[$REMOTE6]:3004" "[$LOCAL6]:5000" --mode udp-sendto
expect_eq "$RESULT" ok
from_server $REMOTE4:3004 $LOCAL4:5000
expect_eq "$RESULT" ok
expect_eq "$(counter far dropped_packets)" 0

t "quarantined: nothing from it arrives, IPv4"
expect_ok sg quarantine far --reason test
peer_ctl here-udp zero
peer_ctl here zero
for _ in 1 2 3; do
	from_server $REMOTE4:3004 $LOCAL4:5000 --mode udp-sendto
	expect_eq "$RESULT" timeout
done
from_server $REMOTE4:3004 $LOCAL4:5000 --mode nonblock
expect_eq "$RESULT" timeout
expect_eq "$(peer_stat here-udp datagrams) $(peer_stat here accepted)" "0 0"
expect_within "$(counter far dropped_packets)" 4 100

t "other ports and addresses of that host pass"
from_server $REMOTE4:4444 $LOCAL4:5000 --mode udp-sendto
expect_eq "$RESULT" ok
from_server "[$REMOTE6]:3004" "[$LOCAL6]:5000" --mode udp-sendto
expect_eq "$RESULT" ok

t "quarantined: nothing from it arrives, IPv6"
expect_ok sg quarantine far6 --reason test
for _ in 1 2 3; do
	from_server "[$REMOTE6]:3004" "[$LOCAL6]:5000" --mode udp-sendto
	expect_eq "$RESULT" timeout
done
expect_within "$(counter far6 dropped_packets)" 3 100

t "without a daemon it stays so"
kill9_daemon
daemon_forgotten
from_server $REMOTE4:3004 $LOCAL4:5000 --mode udp-sendto
expect_eq "$RESULT" timeout
start_daemon --interface "$DEV"
from_server $REMOTE4:3004 $LOCAL4:5000 --mode udp-sendto
expect_eq "$RESULT" timeout

t "released: everything passes at once"
expect_ok sg release far
expect_ok sg release far6
from_server $REMOTE4:3004 $LOCAL4:5000 --mode udp-sendto
expect_eq "$RESULT" ok
from_server "[$REMOTE6]:3004" "[$LOCAL6]:5000" --mode udp-sendto
expect_eq "$RESULT" ok
peer_ctl far listen
expect_answer $REMOTE4:3004 200

t "an open breaker drops no packets"
expect_ok sg trip far
dropped=$(counter far dropped_packets)
from_server $REMOTE4:4445 $LOCAL4:5000 --mode udp-sendto
expect_eq "$RESULT" ok
expect_denied $REMOTE4:3004
expect_eq "$(counter far dropped_packets)" "$dropped"
expect_ok sg reset far

t "detach takes it off the interface"
expect_ok sg detach
expect_soon 5 eval "! ip -n $NS -d link show dev $DEV | grep -q 'prog/xdp'"

finish
