#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# What clients do with connections that stay open: they use one that the server has given up
# already, and call again; and they close an event stream when they have what they wanted.
. "$(dirname "$0")/lib.sh"
. "$E2E_DIR/nginx.sh"

AT=127.0.0.1:3001
config '"pool": { "url": "http://127.0.0.1:3001/mcp", "deny_errno": "EHOSTUNREACH",
		"breaker": { "consecutive_failures": 5, "min_calls": 20 } },
	"stream": { "url": "http://127.0.0.1:3002/mcp", "deny_errno": "EHOSTUNREACH",
		"breaker": { "consecutive_failures": 5, "min_calls": 20, "abandon_seconds": 0.2 } }'

nginx_configure <<END
keepalive_timeout 1s;
default_type application/json;
server { listen $AT; location / { return 200 '{}'; } }
END
nginx_start 3001
peer_start stream 127.0.0.1:3002

start_daemon

t "connections that the server gave up while they were idle are no failures of it"
steps_start $AT
for k in 1 2 3 4 5 6 7 8 9 10; do
	expect_step ok - 200 call $k
done
pass_time 2 "nginx closes idle connections after a second"
for k in 1 2 3 4 5 6 7 8 9 10; do
	step call $k
	expect_ne "$RESULT" ok "a call on connection $k, which has ended"
done
expect_server pool state closed
expect_server pool breaker.consecutive_failures 0
expect_soon 5 causes_are pool "10 caller stale,10 success answer"

t "they are made again on new ones, and it is these that are judged"
for k in 1 2 3 4 5 6 7 8 9 10; do
	step close $k
	expect_step ok - 200 call $k
done
expect_soon 5 causes_are pool "10 caller stale,20 success answer"
kill "$NGINX"
wait_for 10 eval '! kill -0 $NGINX 2>/dev/null'
for k in 1 2 3 4 5; do
	step call $k
done
expect_server pool breaker.consecutive_failures 0
for k in 1 2 3 4 5; do
	step close $k
	expect_step error ECONNREFUSED - call $k
done
expect_server pool state open
steps_stop

t "who closes an event stream that has begun has what he wanted, however long that took"
peer_ctl stream answer ticks
for _ in 1 2 3 4 5 6; do
	agent --connect 127.0.0.1:3002 --timeout $((500 * SLOW)) >/dev/null
done
expect_server stream state closed
expect_server stream breaker.consecutive_failures 0
expect_soon 5 causes_are stream "6 caller abandoned"

t "but not who was answered nothing at all"
peer_ctl stream answer hang
for _ in 1 2 3 4 5; do
	agent --connect 127.0.0.1:3002 --timeout $((500 * SLOW)) >/dev/null
done
expect_server stream state open

finish
