#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# What an ordinary user (uid 65534) cannot do: give orders, look into the daemon, stop it, get
# around a quarantine, answer in a server's name, hold its probes, or flood anybody away.
# (His sockets' options and his giving up: 30-callers.sh; his cgroups: 38-sources.sh.)
. "$(dirname "$0")/lib.sh"

AT=127.0.0.1:3001 LONE=127.0.0.1:3002 ASKED=127.0.0.1:3003 IDLE=127.0.0.1:3004
# A query keeps the daemon's own probe away.
config "\"all\": { \"url\": \"http://$AT/mcp?x\", \"deny_errno\": \"EHOSTUNREACH\",
		\"breaker\": { \"abandon_seconds\": 0.5 } },
	\"lone\": { \"url\": \"http://$LONE/mcp?x\", \"deny_errno\": \"EHOSTUNREACH\" },
	\"asked\": { \"url\": \"http://$ASKED/mcp?x\", \"deny_errno\": \"EHOSTUNREACH\",
		\"breaker\": { \"open_seconds\": 1, \"half_open_probes\": 3 } },
	\"named\": { \"url\": \"http://localhost:3005/mcp\" },
	\"idle\": { \"url\": \"http://$IDLE/mcp?x\", \"deny_errno\": \"EHOSTUNREACH\",
		\"breaker\": { \"open_seconds\": 1, \"half_open_probes\": 2 } }"
join_remote
peer_start all "[::]:3001"
peer_start lone $LONE
peer_start asked $ASKED
peer_start idle $IDLE
publish "$TOOLS/agent" "$TOOLS/peer" "$BUILD/switchgear"
start_daemon

# A command of his, in the protected cgroup.
himself() { # COMMAND...
	"$TOOLS/nsrun" --cgroup "$CG" --net "$NS" --uid 65534 -- "$@"
}

# A server of his own: he_serves ADDR:PORT [OPTION...]; HIS is its pid. The shell that starts it
# becomes it, by the way of nsrun.
he_serves() {
	rm -f "$TMP/his"
	"$TOOLS/nsrun" --cgroup "$CG" --net "$NS" --uid 65534 -- "$PUBLIC/peer" --listen "$@" \
		>"$TMP/his" 2>&1 &
	HIS=$!
	PIDS+=("$HIS")
	expect_soon 5 grep -q ready "$TMP/his"
}

he_ends() {
	kill "$HIS"
	wait "$HIS" 2>/dev/null
}

his_call() { # ADDR:PORT [OPTION...]; sets what `call` sets
	AGENT_AS=(--uid 65534)
	call "$@"
	AGENT_AS=()
}

his_sg() {
	himself "$PUBLIC/switchgear" --socket "$SOCKET" "$@"
}

expect_forbidden() { # COMMAND...: of his
	expect_refused himself "$@"
	expect_match "$OUT" "*@(ermission denied|not permitted)*" "$*"
}
shopt -s extglob

t "he gives no order, by no command"
for args in "quarantine all --reason x" "trip all" "force all closed" "force all disabled" \
	"force all shadow" "reset all" "release all" "selftest" "detach"; do
	# shellcheck disable=SC2086
	expect_status 4 his_sg $args
done
expect_status 4 his_sg --state-dir "$STATE" attach
expect_server all state closed
expect_server all quarantine null
expect_server all order null
expect_eq "$(sg events --json --since 600s | grep -c '"by"')" 0 "orders"

t "he reads nothing of what it keeps, takes none of its locks, and changes nothing pinned"
sg trip lone --reason "of root" >/dev/null # so that there is something
sg reset lone >/dev/null
expect_ok test -s "$STATE/state.json"
expect_forbidden cat "$STATE/state.json"
expect_forbidden cat "$STATE/state.json.1"
expect_forbidden ls "$STATE"
expect_forbidden ls "$PINS"
expect_forbidden cat "$PINS/srv_state"
expect_forbidden rm "$PINS/sg_connect4"
expect_forbidden touch "$STATE/detached.json"
for place in "$STATE" "$PINS"; do
	expect_refused himself flock -n "$place" true
	expect_match "$OUT" "*ermission denied*"
done
for order in "map dump pinned $PINS/srv_state" \
	"map update pinned $PINS/quarantine key 2 0 0 0 value 0 0 0 0 0 0 0 0"; do
	! command -v bpftool >/dev/null ||
		expect_refused himself "$(type -P bpftool || echo "${BPFTOOL:-}")" $order
done

# At each child of the daemon that he sees he tries what he can, until he is told to end.
hunt() {
	himself sh -c 'while [ ! -e "$2" ]; do
		children= # no program is started in this loop: they do not live long
		read -r children </proc/"$1"/task/"$1"/children
		for pid in $children; do
			echo "seen $pid"
			kill -STOP "$pid" 2>/dev/null && echo "stopped $pid" && kill -CONT "$pid"
			true </proc/"$pid"/mem && echo "read $pid"
		done
	done' sh "$DAEMON" "$TMP/enough" >"$TMP/hunt" 2>/dev/null
}

t "he neither signals nor looks into the daemon, nor any of its children"
for signal in HUP TERM STOP KILL; do
	expect_forbidden sh -c "kill -$signal $DAEMON"
done
for file in mem environ maps; do
	expect_forbidden cat "/proc/$DAEMON/$file"
done
expect_forbidden ls "/proc/$DAEMON/fd/"
hunt &
PIDS+=("$!") HUNT=$!
hunted() {
	sg selftest >/dev/null && sg quarantine all --reason x >/dev/null && sg release all >/dev/null
	[ "$(grep -c seen "$TMP/hunt")" -ge 3 ]
}
worker_hunted() { # who looks names up is one of another user, and lives for some seconds
	local children pid

	read -r children <"/proc/$DAEMON/task/$DAEMON/children"
	for pid in $children; do
		! grep -q '^Uid:[[:space:]]*0' "/proc/$pid/status" &&
			grep -q "^seen $pid\$" "$TMP/hunt" && return
	done
	return 1
}
expect_soon 30 hunted
expect_eq "$(sg events --json --since 600s | grep -c '"event":"reload"')" 0 "reloads"
kill -HUP "$DAEMON" # so that there is one
expect_soon 10 worker_hunted
: >"$TMP/enough"
wait "$HUNT"
expect_eq "$(grep -cE 'stopped|read' "$TMP/hunt")" 0 "children that he got at"
expect_eq "$(status health.selftest)" ok

# Every address of this host that leads to a server which listens at all of them.
EVERYWHERE=(127.0.0.1 127.0.0.2 127.255.255.254 0.0.0.0 "$LOCAL4" "[::1]" "[::]" "[$LOCAL6]"
	"[::ffff:127.0.0.1]" "[::ffff:127.0.0.2]" "[::ffff:$LOCAL4]")

t "no address of this host leads around a quarantine, and no kind of connect"
for address in "${EVERYWHERE[@]}"; do
	his_call "$address:3001"
	expect_eq "$RESULT $STATUS" "ok 200" "at $address before"
done
expect_ok sg quarantine all --reason test
for address in "${EVERYWHERE[@]}"; do
	his_call "$address:3001"
	expect_eq "$RESULT $ERR" "error $DENIED" "at $address"
	for mode in nonblock tfo tfo-connect mptcp iouring; do
		his_call "$address:3001" --mode $mode
		[ "$CALL_STATUS" -eq 77 ] || expect_ne "$RESULT" ok "$mode at $address"
	done
done
expect_ok sg release all

t "a connection that he opened there before ends by it, too"
for address in 127.0.0.2 $LOCAL4 "[::1]"; do
	AGENT_AS=(--uid 65534)
	pool_start "$address:3001" 3
	AGENT_AS=()
	expect_ok sg quarantine all --reason test
	pool_wait 10
	expect_eq "$(pool_stat ECONNABORTED)" 3 "at $address"
	expect_ok sg release all
done

t "what he answers himself, where its server does not listen, is not the server's answer"
for address in $LOCAL4 127.0.0.2 "[::1]"; do
	he_serves "$address:3002" --answer 503
	for _ in 1 2 3 4; do
		his_call "$address:3002"
		expect_eq "$RESULT $STATUS" "ok 503" "his own answer at $address"
	done
	expect_server lone state closed
	expect_server lone breaker.consecutive_failures 0
	he_ends
done
expect_eq "$(counter lone untrusted)" 12

t "nor does it speak for a server that fails"
he_serves $LOCAL4:3002
his_call $LOCAL4:3002
expect_eq "$RESULT $STATUS" "ok 200"
peer_ctl lone answer 503
expect_eq "$(agent_counts $LONE --count 3)" "3 ok - 503"
expect_server lone state open
he_ends

# Opens a server's breaker, and returns when it is half-open.
half_open() { # NAME ADDR:PORT
	local opened

	agent --connect "$2" --path /as/503 --count 3 >/dev/null
	opened=$(now_ms)
	expect_server "$1" state open
	until_ms $((opened + 1100))
}

# A call of a user that lasts: `lasting UID NAME`; $TMP/NAME has its result then.
lasting() {
	"$TOOLS/nsrun" --cgroup "$CG" --net "$NS" --uid "$1" -- "$PUBLIC/agent" --connect $ASKED \
		--path "/as/ok+delay=$((5000 * SLOW))" --timeout 600000 >"$TMP/$2" 2>&1 &
	PIDS+=("$!") LASTING+=("$!")
	expect_soon 10 eval '[ "$(peer_stat asked requests)" -eq $((3 + ${#LASTING[@]})) ]'
}
LASTING=()

t "while others ask he holds one probe, however often he connects"
half_open asked $ASKED
lasting 65534 his
lasting 1000 other
AGENT_AS=(--uid 1000)
call $ASKED # asks, and has one already
expect_eq "$RESULT $ERR" "error $DENIED" "another one's second"
AGENT_AS=(--uid 65534)
expect_eq "$(agent_counts $ASKED --count 8)" "8 error $DENIED -"
AGENT_AS=()
expect_answer $ASKED 200 # the third probe was left for root
wait "${LASTING[@]}"
expect_match "$(cat "$TMP/his" "$TMP/other")" "*ok - 200*ok - 200*" "those that held one"
expect_server_soon asked state closed

t "a probe on which he sends nothing goes back after 250 ms, and he gets no other"
half_open idle $IDLE
AGENT_AS=(--uid 65534)
pool_start $IDLE 2 --connect-only --hold 600000 # both, since nobody else has asked
AGENT_AS=()
start=$(now_ms)
expect_soon 5 eval "agent --connect $IDLE | grep -q ' ok - 200 '"
expect_ms $(($(now_ms) - start)) 1500 "ms until another one had it"
expect_eq "$(grep -c '^pool ' "$TMP/pool.out")" 0 "ends of his connections"
his_call $IDLE
expect_eq "$RESULT $ERR" "error $DENIED" "his next one"
expect_answer $IDLE 200
expect_server_soon idle state closed

t "a flood of his failures opens nothing while others are served"
expect_answer $AT 200
AGENT_AS=(--uid 65534)
agent --connect $AT --path /as/503 --concurrent 300 --timeout $((5000 * SLOW)) >"$TMP/flood"
AGENT_AS=()
expect_match "$(cat "$TMP/flood")" "*http_503=300 *"
expect_server all state closed
expect_answer $AT 200

t "who asks for all that can be read keeps root from no order"
for ((k = 0; k < 100; k++)); do
	himself "$PUBLIC/switchgear" --socket "$SOCKET" events --follow >/dev/null 2>&1 &
	PIDS+=("$!")
done
expect_soon 20 grep -q "user 65534 holds too many connections" "$LOG" # all that he may have
for _ in 1 2 3; do
	expect_ok sg quarantine all --reason test
	expect_denied $AT
	expect_ok sg release all
done
expect_answer $AT 200
# and fills no log: it is told once a second
expect_within "$(grep -c "holds too many connections" "$LOG")" 1 20 "lines about 100 connections"

finish
