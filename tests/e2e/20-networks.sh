#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Servers given as networks: every address and port in them, the exact endpoint
# and the longest prefix first, nothing outside.
. "$(dirname "$0")/lib.sh"

config '"wide": { "url": "http://10.83.0.200:3004/mcp", "networks": ["10.83.0.0/24", "fd53::/64"],
		  "deny_errno": "EHOSTUNREACH" },
	"narrow": { "url": "http://10.83.0.201:3004/mcp", "networks": ["10.83.0.2/32"],
		    "deny_errno": "EACCES" },
	"exact": { "url": "http://10.83.0.2:3006/mcp", "deny_errno": "ENETUNREACH" }'
join_remote
join_other
ip -n "$NS_REMOTE" addr add 10.83.0.3/24 dev "sg${HASH}r"
ip -n "$NS" route add 10.84.0.0/24 via $REMOTE4
for port in 3004 3005 3006; do
	PEER_NS=$NS_REMOTE peer_start $port "[::]:$port"
done
start_daemon

t "closed: everything is reached and counted where it belongs"
expect_answer 10.83.0.3:3004 200
expect_answer 10.83.0.3:3005 200
expect_answer "[$REMOTE6]:3004" 200
expect_answer $REMOTE4:3005 200
expect_answer $REMOTE4:3006 200
expect_eq "$(counter wide connects)" 3
expect_eq "$(counter narrow connects)" 1
expect_eq "$(counter exact connects)" 1

t "the network is refused, the longer prefix and the exact endpoint are not"
expect_ok sg quarantine wide --reason test
DENY=EHOSTUNREACH
expect_denied 10.83.0.3:3004
expect_denied 10.83.0.3:3005
expect_denied 10.83.0.3:9 --mode udp-sendto
expect_denied 10.83.0.3:3004 --mode v4mapped
expect_denied "[$REMOTE6]:3004"
expect_answer $REMOTE4:3005 200
expect_answer $REMOTE4:3006 200

t "an address outside is untouched"
expect_answer 10.84.0.2:3004 200

t "the longer prefix is refused by itself"
expect_ok sg release wide
expect_ok sg quarantine narrow --reason test
DENY=EACCES expect_denied $REMOTE4:3005
expect_answer 10.83.0.3:3004 200
expect_answer $REMOTE4:3006 200

t "the exact endpoint is refused by itself"
expect_ok sg release narrow
expect_ok sg quarantine exact --reason test
DENY=ENETUNREACH expect_denied $REMOTE4:3006
expect_answer $REMOTE4:3005 200
expect_ok sg release exact

t "failures in the network trip its server"
for port in 3004 3005; do
	peer_ctl $port answer 503
done
expect_answer 10.83.0.3:3004 503
expect_answer 10.83.0.3:3005 503
expect_answer "[$REMOTE6]:3004" 503
DENY=EHOSTUNREACH expect_denied 10.83.0.3:3004
expect_server wide state open
expect_server narrow state closed

t "the status lists the networks"
expect_match "$(server wide endpoints)" "*10.83.0.0/24*"

finish
