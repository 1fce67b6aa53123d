#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Healthy habits of agents on httpx with a server under uvicorn, where a single failure would open
# the breaker: notifications, streams that are closed when the answer is there, pooled
# connections that the server gave up, cancelled calls, answers in chunks and early ones.
. "$(dirname "$0")/lib.sh"

PYTHON=/usr/bin/python3 # the distribution's, whose packages these are
$PYTHON -c 'import httpx, uvicorn' 2>/dev/null || {
	fail "no httpx or uvicorn; run: make deps"
	finish
}

URL=http://127.0.0.1:3001
config '"a": { "url": "http://127.0.0.1:3001/mcp", "deny_errno": "EHOSTUNREACH",
	"breaker": { "consecutive_failures": 1, "window_calls": 0, "window_seconds": 0,
		"open_seconds": 600 } }'
"$TOOLS/nsrun" --net "$NS" -- $PYTHON "$E2E_DIR/uvicorn_app.py" 3001 >"$TMP/uvicorn.log" 2>&1 &
PIDS+=("$!")
listens() {
	"$TOOLS/nsrun" --net "$NS" -- bash -c "exec 9<>/dev/tcp/127.0.0.1/3001" 2>/dev/null
}
wait_for $((15 * SLOW)) listens || fail "uvicorn does not listen: $(cat "$TMP/uvicorn.log")"
start_daemon

habit() { # HABIT PATH TIMES
	"${IN_CG[@]}" $PYTHON "$E2E_DIR/httpx_client.py" "$URL$2" "$1" "$3" 2>&1
}

healthy() {
	expect_eq "$(habit note /notify 10)" "202 10" "notifications"
	expect_eq "$(habit note /quiet 10)" "200 10" "notifications that are answered by nothing"
	expect_eq "$(habit call /pieces 10)" "200 10" "answers in many chunks"
	expect_eq "$(habit stream /stream 10)" "200 10" "streams"
	expect_eq "$(habit idle / 4)" "200 4" "calls on connections that had been idle"
	expect_eq "$(habit cancel /hang 5)" "cancelled 5" "cancelled calls"
	expect_match "$(habit large /early 3)" "*3" "early answers"
}

t "with the daemon alive nothing opens"
healthy

expect_server a state closed
expect_server a breaker.generation 0

t "nor with the daemon dead"
kill9_daemon
healthy
start_daemon

expect_server a state closed
expect_server a breaker.generation 0

t "but a failure does"
expect_eq "$(habit call /broken 1)" "503 1" "a failure"
expect_server_soon a state open
expect_match "$(habit call / 1)" "ConnectError 1" "a call after it"

finish
