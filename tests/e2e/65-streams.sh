#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Events as Server-Sent Events: curl and an EventSource get them as they happen, go on where they
# were, also with the next daemon, and are told of what is gone.
. "$(dirname "$0")/lib.sh"

NODE=$BUILD/demo/node_modules/node/bin/node
[ -x "$NODE" ] || NODE=$(command -v node) || skip "node is not installed"
command -v curl >/dev/null || skip "curl is not installed"

config '"a": { "url": "http://127.0.0.1:3001/mcp" }, "b": { "url": "http://127.0.0.1:3002/mcp" }'
start_daemon

# In the background, into FILE. FILE QUERY [HEADER]...
stream_start() {
	local file=$1 query=$2 headers=()

	shift 2
	rm -f "$file" "$file.head"
	for header; do headers+=(-H "$header"); done
	curl -sSN --unix-socket "$SOCKET" -H 'Accept: text/event-stream' "${headers[@]}" -D "$file.head" \
		"http://switchgear/v1/events$query" >"$file" 2>"$file.err" &
	STREAM=$!
	PIDS+=("$STREAM")
}
stream() { # the same, once it is there
	stream_start "$@"
	wait_for 5 grep -q '^retry: ' "$1" || fail "no stream: $(cat "$1.head" "$1.err")"
}
unstream() {
	kill "$STREAM" 2>/dev/null
	wait "$STREAM" 2>/dev/null
}
events_in() { # FILE PATTERN
	grep -c -- "$2" "$1"
}
has() { # FILE PATTERN HOW-MANY
	[ "$(events_in "$1" "$2")" -eq "$3" ]
}
last_id() { # FILE
	sed -n 's/^id: //p' "$1" | tail -n 1
}
quarantine() { # NAME REASON
	sg quarantine "$1" --reason "$2" >/dev/null
}

t "events come as they happen, one frame each"
stream "$TMP/live" ''
expect_match "$(cat "$TMP/live.head")" "HTTP/1.1 200*Content-Type: text/event-stream*"
quarantine a first
expect_soon 5 has "$TMP/live" '^event: quarantine$' 1
quarantine b second
expect_soon 5 has "$TMP/live" '^event: quarantine$' 2
sed -n 's/^data: //p' "$TMP/live" >"$TMP/lines"
expect_ok "$TOOLS/jget" --check <(head -n 1 "$TMP/lines")
expect_eq "$("$TOOLS/jget" --lines "$TMP/lines" reason event=quarantine | paste -sd ' ')" "first second"
expect_eq "$(sed -n 's/^id: //p' "$TMP/live" | sort -n | uniq -d | wc -l)" 0 "ids that came twice"

t "lines of JSON are what they were for who does not ask for a stream"
expect_match "$(curl -sSi --unix-socket "$SOCKET" http://switchgear/v1/events)" \
	"*application/x-ndjson*"
expect_eq "$(curl -sS --unix-socket "$SOCKET" http://switchgear/v1/events | grep -c '^{"t":')" \
	"$(sg events --json | wc -l)"

t "filters apply"
stream "$TMP/filtered" '?server=b&type=release&after=0'
expect_ok sg release a
expect_ok sg release b
expect_soon 5 has "$TMP/filtered" '^data: ' 1
expect_match "$(cat "$TMP/filtered")" '*"server":"b","event":"release"*'
unstream

t "an EventSource goes on when the daemon comes back, and misses nothing"
"$NODE" "$(dirname "$0")/events.mjs" "$SOCKET" '/v1/events?type=quarantine' 4 >"$TMP/node" 2>"$TMP/node.err" &
node=$!
PIDS+=("$node")
wait_for 5 grep -q '^connected' "$TMP/node.err"
quarantine a third
expect_soon 5 has "$TMP/node" third 1
stop_daemon
start_daemon
quarantine b fourth # it may not be back yet
quarantine a fifth
kill9_daemon
start_daemon
quarantine b sixth
expect_soon 20 has "$TMP/node" sixth 1
expect_eq "$(sed 's/.*"reason":"\([a-z]*\)".*/\1/' "$TMP/node" | paste -sd ' ')" "third fourth fifth sixth"
expect_eq "$(cut -d ' ' -f 1 "$TMP/node" | sort -n | uniq | wc -l)" 4 "ids"
expect_eq "$(events_in "$TMP/node" gap)" 0 "gaps"

t "who names the last id gets what followed it, from the disk"
stream "$TMP/resumed" '?type=quarantine' "Last-Event-ID: $(sed -n 's/^\([0-9]*\) .*"third".*/\1/p' "$TMP/node")"
expect_soon 5 has "$TMP/resumed" '"reason":"\(fourth\|fifth\|sixth\)"' 3
expect_eq "$(events_in "$TMP/resumed" '"reason":"third"')" 0
expect_eq "$(events_in "$TMP/resumed" '^event: gap')" 0
unstream

t "an id that nobody knows is told, and the stream goes on"
stream "$TMP/unknown" '' 'Last-Event-ID: 4000000000000000000'
expect_soon 5 has "$TMP/unknown" '^event: gap' 1
expect_ok sg release a
expect_soon 5 has "$TMP/unknown" '^event: release' 1
unstream

t "when the history is gone, that is told"
id=$(last_id "$TMP/resumed")
stop_daemon
rm -f "$STATE"/history.db*
pass_time 2 "without the history serials begin with the second in which a daemon starts"
start_daemon
quarantine a seventh
stream "$TMP/lost" '' "Last-Event-ID: $id"
expect_soon 5 has "$TMP/lost" '^event: gap' 1
expect_soon 5 has "$TMP/lost" '"reason":"seventh"' 1
unstream

t "what cannot be understood is refused, with what and why"
expect_match "$(curl -sSi --unix-socket "$SOCKET" -H 'Accept: text/event-stream' \
	-H 'Last-Event-ID: abc' http://switchgear/v1/events)" '*400*Last-Event-ID is no serial*'
expect_match "$(curl -sSi --unix-socket "$SOCKET" -H 'Accept: text/event-stream' \
	'http://switchgear/v1/events?calls=1')" '*400*single calls have no serial*'

t "a reader that stops holds nobody up, and goes on where it was"
expect_ok sg release b
"$NODE" "$(dirname "$0")/events.mjs" "$SOCKET" '/v1/events?type=quarantine' 2000 >"$TMP/slow" 2>"$TMP/slow.err" &
slow=$!
PIDS+=("$slow")
wait_for 5 grep -q '^connected' "$TMP/slow.err"
kill -STOP "$slow"
stream "$TMP/quick" '?type=quarantine'
# more than the buffers of its socket and its stream hold, and than is in memory
curl -sS --unix-socket "$SOCKET" -o /dev/null -d "{\"reason\":\"$(printf '%0200d' 0)\",\"for\":60}" \
	'http://switchgear/v1/servers/b/quarantine?n=[1-2000]'
expect_soon 60 has "$TMP/quick" '^event: quarantine' 2000
expect_ok sg status
kill -CONT "$slow"
wait "$slow" # until it has them, on the same connection or, if it was cut off, another one
expect_eq "$? $(wc -l <"$TMP/slow")" "0 2000" "events"
expect_eq "$(events_in "$TMP/slow" ' gap ')" 0 "gaps"
expect_eq "$(cut -d ' ' -f 1 "$TMP/slow" | sort -n | uniq | wc -l)" 2000 "ids"
unstream

t "there are so many streams and no more; a place is free again when one ends"
pids=()
taken() { # one more; false: there is no place, or not yet
	stream_start "$TMP/many" ''
	wait_for 5 grep -q '^HTTP/1.1 ' "$TMP/many.head"
	grep -q ' 200 ' "$TMP/many.head" && pids+=("$STREAM")
}
for _ in {1..16}; do
	expect_soon 20 taken
done
answer=$(curl -sSi -m 5 --unix-socket "$SOCKET" -H 'Accept: text/event-stream' \
	http://switchgear/v1/events)
expect_match "$answer" '*503*too many clients follow*'
expect_ok sg status
kill "${pids[@]}"
wait "${pids[@]}" 2>/dev/null
free_again() {
	[ "$(curl -sS -o "$TMP/free" -w '%{http_code}' -m 1 --unix-socket "$SOCKET" \
		-H 'Accept: text/event-stream' http://switchgear/v1/events 2>/dev/null)" = 200 ]
}
expect_soon 20 free_again

finish
