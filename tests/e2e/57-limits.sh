#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# A server that asks to be called less: that is no failure in a row, it is waited as it asked, in
# seconds or until a date, and asking again makes nothing longer. nginx limits.
. "$(dirname "$0")/lib.sh"
. "$E2E_DIR/nginx.sh"

# How long it asks for, and how long a breaker is open that nobody asked anything.
ASKED=$((20 * SLOW))
OPEN=3
POLICY="\"consecutive_failures\": 5, \"window_calls\": 8, \"min_calls\": 8, \"failure_rate\": 0.5,
	\"open_seconds\": $OPEN, \"open_factor\": 3, \"half_open_probes\": 1"
entry() { # NAME PORT
	echo "\"$1\": { \"url\": \"http://127.0.0.1:$2/mcp\", \"deny_errno\": \"EHOSTUNREACH\",
		\"breaker\": { $POLICY } }"
}
config "$(entry few 3001), $(entry seconds 3002), $(entry date 3003), $(entry silent 3004)"

UNTIL=$(LC_ALL=C date -u -d "+$ASKED seconds" '+%a, %d %b %Y %H:%M:%S GMT')
limits() { # PORT CALLS RETRY-AFTER
	echo "limit_req_zone \$server_port zone=at$1:1m rate=1r/m;
	server { listen 127.0.0.1:$1; default_type application/json;
		limit_req zone=at$1 burst=$2 nodelay; limit_req_status 429; $3
		location / { try_files /none @answer; } location @answer { return 200 '{}'; } }"
}
{
	limits 3001 4 'add_header Retry-After 1 always;'
	limits 3002 1 "add_header Retry-After $ASKED always;"
	limits 3003 1 "add_header Retry-After \"$UNTIL\" always;"
	limits 3004 1 ''
} | nginx_configure
nginx_start 3001
start_daemon

eight() { # PORT: calls at the same moment
	agent --connect "127.0.0.1:$1" --concurrent 8 >/dev/null
}
opened_for() { # NAME: seconds of each opening
	sg events --json --since 600s --server "$1" >"$TMP/events"
	"$TOOLS/jget" --lines "$TMP/events" open_seconds to=open
}

t "eight calls at once, six of which are asked to wait: no failure in a row"
eight 3002
expect_soon 5 causes_are seconds "6 soft rate_limited,2 success answer"
expect_server seconds breaker.consecutive_failures 0

t "where most are let through nothing opens"
eight 3001
expect_soon 5 causes_are few "3 soft rate_limited,5 success answer"
expect_server few state closed

t "it is waited for as many seconds as it asked"
expect_server_soon seconds state open
expect_within "$(opened_for seconds)" "$ASKED" "$ASKED" "seconds"
expect_denied 127.0.0.1:3002

t "and until the date that it asked for"
eight 3003
expect_server_soon date state open
expect_within "$(opened_for date)" 1 "$ASKED" "seconds until $UNTIL"
expect_ne "$(opened_for date)" $OPEN.0 "the length of an opening that nobody asked for"

asked_again() {
	agent --connect 127.0.0.1:3004 >/dev/null
	[ "$(server silent state)" = open ]
}

t "asking again and again makes no opening longer"
eight 3004
expect_server_soon silent state open
for _ in 1 2; do
	expect_server_soon silent state half_open $((4 * OPEN))
	expect_soon 5 asked_again # at first the probe may be reserved for the daemon
done
expect_eq "$(opened_for silent | sort -u)" "$OPEN.0" "seconds of each of three openings"

finish
