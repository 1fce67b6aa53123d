#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# An answer without a body takes note of a notification: whatever type it claims it is no
# failure, and it is no success either, for nobody saw what was asked. nginx gives them.
. "$(dirname "$0")/lib.sh"
. "$E2E_DIR/nginx.sh"

AT=127.0.0.1:3001
config '"a": { "url": "http://127.0.0.1:3001/mcp", "deny_errno": "EHOSTUNREACH",
	"breaker": { "consecutive_failures": 5, "min_calls": 1000 } }'

nginx_configure <<'END'
default_type text/plain;
server {
	listen 127.0.0.1:3001;
	location /quiet { return 200 ""; }
	location /none { return 204; }
	location /noted { default_type text/html; return 202 "noted"; }
	location /answer { default_type "application/json; charset=utf-8"; return 200 "{}"; }
	location /typed { default_type application/json; return 200 ""; }
	location /parameter { default_type "text/plain; of=json"; return 200 "{}"; }
	location /broken { return 503; }
}
END
nginx_start 3001

start_daemon

calls() { # PATH TIMES
	agent --connect $AT --path "$1" --count "$2" >/dev/null
}

t "ten in a row of any type are no failure"
for path in quiet none noted typed; do
	calls /$path 10
	expect_server a state closed
	expect_server a breaker.consecutive_failures 0
done
expect_server a counters.bad_responses 0

t "and none of them is a success: the row of failures stands"
for path in quiet none noted typed; do
	calls /answer 1
	calls /broken 4
	expect_server a breaker.consecutive_failures 4
	calls /$path 3
	expect_server a breaker.consecutive_failures 4
	expect_server a state closed
done
calls /answer 1
expect_server a breaker.consecutive_failures 0

t "with a body its type counts, its parameters do not"
calls /answer 5
expect_server a breaker.consecutive_failures 0
calls /parameter 5
expect_server a state open
expect_server_soon a counters.bad_responses 5

finish
