#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# 200 daemons are killed under load, in the middle of reloads too, and each time the
# configuration is another one: what is in quarantine is never reachable, what is not always is.
. "$(dirname "$0")/lib.sh"

KILLS=${KILLS:-$((SLOW > 1 ? 8 : 200))}

server_at() { # NAME PORT
	echo "\"$1\": { \"url\": \"http://127.0.0.1:$2/mcp\", \"deny_errno\": \"EHOSTUNREACH\" }"
}

# held is renamed, moved in the list, left out, and comes again.
variant() { # NUMBER
	local good more held

	good=$(server_at good 3001)
	more=$(server_at more 3003)
	held=$(server_at "held$(($1 % 5))" 3002)
	case $(($1 % 4)) in
	0) config "$good, $held" ;;
	1) config "$held, $more, $good" ;;
	2) config "$good" ;;
	3) config "$more, $good, $held" ;;
	esac
}

peer_start good 127.0.0.1:3001
peer_start held 127.0.0.1:3002
variant 0
start_daemon
expect_ok sg quarantine held0 --reason test
peer_ctl held zero

"${IN_CG[@]}" "$TOOLS/agent" --connect 127.0.0.1:3001 --count 10000000 --interval $((2 * MS_SLOW)) >"$TMP/good" 2>&1 &
GOOD=$!
"${IN_CG[@]}" "$TOOLS/agent" --connect 127.0.0.1:3002 --count 10000000 --interval $((2 * MS_SLOW)) >"$TMP/held" 2>&1 &
HELD=$!
PIDS+=("$GOOD" "$HELD")

t "$KILLS daemons are killed, each in a reload or at work, and followed by one with another configuration"
for ((k = 1; k <= KILLS; k++)); do
	variant "$k"
	[ $((k % 3)) -eq 0 ] || kill -HUP "$DAEMON"
	kill9_daemon
	variant $((k * 7))
	start_daemon
done
pass

t "nobody reached what is in quarantine, and everybody what is not"
kill $GOOD $HELD
wait $GOOD $HELD 2>/dev/null
expect_within "$(grep -c " error $DENIED " "$TMP/held")" 100 100000000 "refusals"
expect_eq "$(grep -v " error $DENIED " "$TMP/held" | head -n 3)" "" "not refused"
expect_eq "$(peer_stat held accepted)" 0
expect_within "$(grep -c ' ok - 200 ' "$TMP/good")" 100 100000000 "calls"
expect_eq "$(grep -v ' ok - 200 ' "$TMP/good" | head -n 3)" "" "failed calls"

t "it is released by the name that it has now"
variant 4
kill -HUP "$DAEMON"
expect_soon 5 eval '[ "$(server held4 quarantine.reason)" = test ]'
expect_ok sg release held4
expect_answer 127.0.0.1:3002 200

finish
