#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# The daemon starts and stays up whenever it can enforce: what it does not need for that is
# degraded, tried again, and visible. --check fails on it beforehand.
. "$(dirname "$0")/lib.sh"

SERVER='"a": { "url": "http://127.0.0.1:3001/mcp", "deny_errno": "EHOSTUNREACH" }'
config "$SERVER"
peer_start a 127.0.0.1:3001

check() { # [OPTION...]
	"${IN_CG[@]}" "$BUILD/switchgeard" "${DAEMON_ARGS[@]}" --metrics "$METRICS" --check "$@"
}

degraded_has() { # GLOB
	# shellcheck disable=SC2053
	[[ $(status health.degraded) == $1 ]]
}

expect_enforced() {
	expect_ok sg quarantine a --reason test
	expect_denied 127.0.0.1:3001
	expect_ok sg release a
	expect_answer 127.0.0.1:3001 200
}

t "all of it is missing: --check names each thing and its remedy, and fails"
METRICS=127.0.0.1:9464
peer_start taken $METRICS
config "$SERVER, \"lost\": { \"url\": \"http://no-such-host.invalid:3001/mcp\" }" \
	'"api_group": "no-such-group-here", "interfaces": ["nosuchif0"]'
expect_status 1 check
expect_match "$OUT" "*metrics could not be reached: cannot listen on $METRICS: choose another place with --metrics*"
expect_match "$OUT" "*the group \"no-such-group-here\"*create it*"
expect_match "$OUT" "*no interface \"nosuchif0\"*create it or change \"interfaces\"*"
expect_match "$OUT" "*\"no-such-host.invalid\" cannot be resolved*correct its URL*"
expect_eq "$(test -e "$PINS"; echo $?)" 1 "pins after --check"

t "and the daemon starts, enforces, and says the same as degraded"
start_daemon
expect_enforced
expect_match "$(status health.degraded)" "*metrics cannot be reached: cannot listen on $METRICS*--metrics*"
expect_match "$(status health.degraded)" "*the group *no-such-group-here*only root may give orders; create it*"
expect_match "$(status health.degraded)" "*no interface *nosuchif0*create it*"
expect_soon 20 degraded_has "*no-such-host.invalid* cannot be resolved*it is not watched*"
expect_within "$(sg metrics | sed -n 's/^switchgear_degraded //p')" 4 9 "switchgear_degraded"

t "nothing is logged again and again"
pass_time 7 "two more tries of each"
expect_eq "$(log_lines 'metrics cannot be reached')" 1
expect_eq "$(log_lines 'no interface "nosuchif0"')" 1
expect_eq "$(log_lines 'the group "no-such-group-here"')" 1

t "--check fails on what the configuration names, with a daemon that runs, too"
expect_status 1 check
expect_match "$OUT" "*no interface \"nosuchif0\"*"
expect_match "$OUT" "*A daemon runs with the pins in $PINS*"
expect_eq "$(grep -c "could not be reached" <<<"$OUT")" 0 "addresses that the daemon has"

t "an interface that comes is attached, and the sentence goes"
ip -n "$NS" link add nosuchif0 type veth peer name nosuchif1
expect_soon 10 eval '! degraded_has "*nosuchif0*"'
expect_eq "$(status health.xdp.0.interface)" nosuchif0
expect_match "$(cat "$LOG")" "*XDP is attached to nosuchif0 from now on*"
expect_eq "$(test -e "$PINS/xdp_nosuchif0"; echo $?)" 0 "its pin"

t "one that goes is missed, and attached again when it is back"
ip -n "$NS" link del nosuchif0
expect_soon 10 degraded_has '*no interface*nosuchif0*'
expect_eq "$(status health.xdp.#)" 0
expect_ok sg selftest # it was no link that somebody detached
ip -n "$NS" link add nosuchif0 type veth peer name nosuchif1
expect_soon 10 eval '! degraded_has "*nosuchif0*"'
ip -n "$NS" link del nosuchif0
expect_ok sg selftest
ip -n "$NS" link add nosuchif0 type veth peer name nosuchif1
expect_soon 10 eval '! degraded_has "*nosuchif0*"'

if command -v bpftool >/dev/null; then
	t "one that somebody detaches is attached again, and that is logged"
	expect_ok bpftool link detach pinned "$PINS/xdp_nosuchif0"
	expect_soon 10 eval '[ "$(log_lines "XDP is no longer attached to nosuchif0")" = 1 ]'
	expect_eq "$(ip -n "$NS" -d link show dev nosuchif0 | grep -c prog/xdp)" 1 "XDP"
fi

t "an address that becomes free is listened on"
peer_ctl taken quit 2>/dev/null
kill "${PIDS[1]}" 2>/dev/null
expect_soon 10 eval '! degraded_has "*metrics cannot*"'
expect_match "$(cat "$LOG")" "*metrics can be reached from now on*"
expect_answer $METRICS 404
stop_daemon

t "a name that is too long for an interface attaches to none, one named twice once"
expect_status 124 try_daemon --interface nosuchif0-and-more-than-fits
expect_match "$OUT" "*no interface can be called \"nosuchif0-and-more-than-fits\", which is too long*"
start_daemon --interface nosuchif0 --interface nosuchif0
expect_eq "$(status health.xdp.#)" 1
stop_daemon

t "an address that this host does not have yet"
config "$SERVER"
METRICS=10.99.0.1:9464
expect_status 1 check
expect_match "$OUT" "*cannot listen on 10.99.0.1:9464*"
start_daemon
expect_match "$(status health.degraded)" "*cannot listen on 10.99.0.1:9464*"
expect_enforced
ip -n "$NS" addr add 10.99.0.1/32 dev lo
expect_soon 10 eval '! degraded_has "*metrics cannot*"'
expect_ok check
stop_daemon
METRICS=off

t "the API's directory cannot be made: it enforces without, and answers once it can"
mkdir "$TMP/api"
: >"$TMP/api/way"
SOCKET=$TMP/api/way/switchgear.sock
DAEMON_ARGS=(--config "$CONFIG" --cgroup "$CG" --pin-dir "$PINS" --socket "$SOCKET"
	--state-dir "$STATE")
expect_status 1 check
expect_match "$OUT" "*the API could not be reached*$SOCKET*"
"${IN_CG[@]}" "$BUILD/switchgeard" "${DAEMON_ARGS[@]}" --metrics off >>"$LOG" 2>&1 &
DAEMON=$!
PIDS+=("$DAEMON")
expect_soon 15 eval '[ "$(log_lines "the API cannot be reached")" = 1 ]'
expect_soon 15 test -e "$PINS/sg_connect4"
expect_match "$(cat "$LOG")" "*cannot make the directory $TMP/api/way*--socket*"
rm "$TMP/api/way"
expect_soon 10 daemon_answers
expect_eq "$(status daemon.pid)" "$DAEMON"
expect_match "$(cat "$LOG")" "*the API can be reached from now on*"
expect_enforced
expect_degraded
stop_daemon

DAEMON_ARGS=(--config "$CONFIG" --cgroup "$CG" --pin-dir "$PINS" --socket "$TMP/switchgear.sock"
	--state-dir "$STATE")
SOCKET=$TMP/switchgear.sock

# A start ends at once, and says who detached, when, and how to go on.
expect_detached() { # WHO
	expect_status 78 try_daemon
	expect_match "$OUT" "*detached $1 ($STATE/detached.json)*"
	expect_match "$OUT" "*\"switchgear attach\" and start switchgeard, or start it once with --attach*"
	expect_eq "$(test -e "$PINS"; echo $?)" 1 "pins"
	expect_answer 127.0.0.1:3001 200
}
WHO="by root (uid 0)* at 20[0-9][0-9]-[0-9]*Z"

t "detach stays detached: the daemon ends with 78, and so does each start"
start_daemon
expect_ok sg quarantine a --reason test
expect_ok sg detach
expect_match "$OUT" "*it stays so, after a reboot, too, until \"switchgear attach\"*"
reap_daemon
expect_eq "$DAEMON_STATUS" 78 "exit status"
expect_detached "$WHO"
expect_detached "$WHO"
expect_status 1 check
expect_match "$OUT" "*detached $WHO*"
expect_ok check --attach
expect_eq "$(test -e "$STATE/detached.json"; echo $?)" 0 "the mark after --check --attach"

t "attach ends that, without a daemon, and what was ordered before is in force again"
expect_ok sg attach
expect_match "$OUT" "*the detach $WHO is over: start switchgeard*"
start_daemon
expect_denied 127.0.0.1:3001
expect_ok sg attach --json
expect_eq "$("$TOOLS/jget" - was_detached <<<"$OUT")" false
expect_eq "$(status daemon.pid)" "$DAEMON"

t "detach without a daemon stays, too, and so it does where nothing was attached"
kill9_daemon
expect_ok sg detach --json
expect_eq "$("$TOOLS/jget" - daemon <<<"$OUT")" false
expect_detached "$WHO"
expect_ok sg attach
expect_ok sg detach
expect_match "$OUT" "nothing was attached*it stays so*"
expect_detached "$WHO"

t "one start with --attach ends it"
start_daemon --attach
expect_match "$(cat "$LOG")" "*attaching again; it was detached $WHO*"
expect_eq "$(test -e "$STATE/detached.json"; echo $?)" 1 "the mark"
kill9_daemon
start_daemon
expect_denied 127.0.0.1:3001
expect_ok sg release a
expect_ok sg detach
reap_daemon

t "a damaged mark counts as one"
for damage in "" "{" '{"by": 7}' "$(head -c 5000 /dev/zero | tr '\0' x)"; do
	printf '%s' "$damage" >"$STATE/detached.json"
	expect_detached "by nobody knows whom and when, since its mark is damaged"
done
rm "$STATE/detached.json"
ln -s nowhere "$STATE/detached.json"
expect_detached "by nobody knows*"
rm "$STATE/detached.json"
mkdir "$STATE/detached.json"
expect_detached "by nobody knows*"
expect_ok sg attach
expect_eq "$(test -e "$STATE/detached.json"; echo $?)" 1 "the mark"

t "a mark that cannot be written is said, by the client alone and by the daemon"
start_daemon
: >"$TMP/file"
kill9_daemon
expect_status 1 sg detach --state-dir "$TMP/file/state"
expect_match "$OUT" "*cannot be written to $TMP/file/state*the next start attaches again*"
expect_match "$OUT" "*detached: removed * pins*"
expect_answer 127.0.0.1:3001 200
start_daemon
mkdir "$STATE/.detached.json.new"
expect_status 1 sg detach
expect_match "$OUT" "*cannot be written to $STATE*the next start attaches again*"
rmdir "$STATE/.detached.json.new"
reap_daemon
expect_eq "$DAEMON_STATUS" 78 "exit status"

t "a detach that is refused marks nothing"
start_daemon
expect_status 1 sg --socket "$TMP/none.sock" detach
expect_match "$OUT" "*a daemon holds the pins in $PINS*"
expect_eq "$(test -e "$STATE/detached.json"; echo $?)" 1 "the mark"
expect_enforced

t "who may not change the state cannot end a detach"
expect_ok sg detach
reap_daemon
publish "$BUILD/switchgear"
expect_status 4 "$TOOLS/nsrun" --uid 65534 -- "$PUBLIC/switchgear" --state-dir "$STATE" attach
expect_eq "$(test -e "$STATE/detached.json"; echo $?)" 0 "the mark"

t "the unit is not started again then"
expect_eq "$(sed -n 's/^RestartPreventExitStatus=//p' "$E2E_DIR/../../dist/switchgeard.service")" 78

finish
