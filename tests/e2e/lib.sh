# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# The ground under every end-to-end test. A test is one bash file that sources
# this, groups its assertions under `t "what is proved"`, and ends with
# `finish`. Sourcing makes a network namespace, a cgroup, and directories named
# by a hash of the test's path, so that tests run side by side; whatever ends
# the test removes them again and kills only what was started here.
#
# Needs bash, coreutils (busybox does), iproute2, and build/tools: no compiler,
# no Python, no Node. Everything runs in guests too.
#
# Bitten by: `ip netns exec` hides /sys/fs/cgroup and /sys/fs/bpf, so commands
# enter a namespace through nsrun. A function in the background is a subshell
# whose pid is not the command's, so what runs there starts with "${IN_CG[@]}".
#
# shellcheck disable=SC2015 # "test && test || fail" means what it says here
# shellcheck disable=SC2034 # tests use the variables

set -u
umask 022
# those who are called through a proxy are not watched, which is `degraded`
unset http_proxy https_proxy all_proxy no_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY NO_PROXY

E2E_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
BUILD=${BUILD:-$(cd "$E2E_DIR/../.." && pwd)/build}
TOOLS=$BUILD/tools
TEST=$(basename "$0" .sh)
HASH=$(printf '%s' "$E2E_DIR/$TEST ${E2E_ID:-}" | cksum)
HASH=$(printf '%08x' "${HASH%% *}")

NS=sg-$HASH          # the daemon, the agents and local servers
NS_REMOTE=sg-$HASH-r # another host, see join_remote
NS_WIRE=sg-$HASH-w   # the cable between them, see join_wire
NS_OTHER=sg-$HASH-o  # a container of this host, see join_other
LOCAL4=10.83.0.1 LOCAL6=fd53::1
REMOTE4=10.83.0.2 REMOTE6=fd53::2
DEV=sg${HASH}l       # this host's interface towards REMOTE

TMP=/tmp/sg-e2e-$HASH
PUBLIC=$TMP/bin      # see publish
SOCKET=$TMP/switchgear.sock
STATE=$TMP/state
CONFIG=$TMP/switchgear.json
LOG=$TMP/daemon.log
DAEMON=              # pid while it runs
DENY=EHOSTUNREACH    # differs from what a dead server gives
SLOW=${E2E_SLOW:-1}  # how much longer waiting may take here: emulated processors
POLL=$([ "$SLOW" -eq 1 ] && echo 0.02 || echo 0.25) # asking takes time as well
MS_SLOW=$((SLOW > 1 ? SLOW * 5 : 1)) # and single steps, which the tests measure
PIDS=()              # of everything started in the background

. "$E2E_DIR/expect.sh"

# --- namespaces, cgroup, file systems ------------------------------------------------

# First mount point of a file-system type.
mount_of() {
	local at fields

	while read -r -a fields; do
		at=${fields[4]}
		[[ " ${fields[*]} " == *" - $1 "* ]] && { echo "$at"; return 0; }
	done </proc/self/mountinfo
	return 1
}

CG_ROOT=${CG_ROOT:-$(mount_of cgroup2)} || CG_ROOT=
CG=$CG_ROOT/sg-e2e-$HASH
CG_FAR=$CG-far # of processes that play another host: nothing is attached there
BPFFS=$(mount_of bpf) || BPFFS=$TMP/bpf
PINS=$BPFFS/sg-e2e-$HASH
export SWITCHGEAR_PIN_DIR=$PINS SWITCHGEAR_STATE_DIR=$STATE # no command here touches the host's own

# Runs a command in the test's namespace and cgroup, as its own process.
IN_CG=("$TOOLS/nsrun" --cgroup "$CG" --net "$NS" --)
in_cg() {
	"${IN_CG[@]}" "$@"
}

in_ns() { # NAMESPACE COMMAND...: outside the cgroup, as another host would be
	local ns=$1

	shift
	"$TOOLS/nsrun" --cgroup "$CG_FAR" --net "$ns" -- "$@"
}

ns_new() {
	ip netns add "$1" && ip -n "$1" link set lo up
}

# ns_pair NS DEV ADDR4 ADDR6 NS DEV ADDR4 ADDR6 ('' for no address)
ns_pair() {
	ip link add "$2" netns "$1" type veth peer name "$6" netns "$5" || return 1
	ns_address "$1" "$2" "$3" "$4"
	ns_address "$5" "$6" "$7" "$8"
}

ns_address() { # NS DEV ADDR4 ADDR6
	ip -n "$1" link set "$2" up
	[ -z "$3" ] || ip -n "$1" addr add "$3/24" dev "$2"
	[ -z "$4" ] || ip -n "$1" addr add "$4/64" dev "$2" nodad
}

# Another host, on a cable: REMOTE4, REMOTE6 in NS_REMOTE.
join_remote() {
	ns_new "$NS_REMOTE"
	ns_pair "$NS" "$DEV" $LOCAL4 $LOCAL6 "$NS_REMOTE" "sg${HASH}r" $REMOTE4 $REMOTE6
}

# The same with a cable that fails on demand: wire_start OPTION... connects it.
join_wire() {
	ns_new "$NS_REMOTE"
	ns_new "$NS_WIRE"
	ns_pair "$NS" "$DEV" $LOCAL4 $LOCAL6 "$NS_WIRE" "sg${HASH}a" '' ''
	ns_pair "$NS_REMOTE" "sg${HASH}r" $REMOTE4 $REMOTE6 "$NS_WIRE" "sg${HASH}b" '' ''
}

# A container on this host: a namespace of its own, inside the cgroup, that
# reaches REMOTE4 through REMOTE's second interface.
join_other() {
	ns_new "$NS_OTHER"
	ns_pair "$NS_OTHER" "sg${HASH}o" 10.84.0.1 '' "$NS_REMOTE" "sg${HASH}p" 10.84.0.2 ''
	ip -n "$NS_OTHER" route add 10.83.0.0/24 via 10.84.0.2
}

WIRE=
wire_start() {
	wire_stop
	rm -f "$TMP/wire.out" # the "ready" of an earlier one
	"$TOOLS/nsrun" --cgroup "$CG_FAR" --net "$NS_WIRE" -- "$TOOLS/wire" --a "sg${HASH}a" --b "sg${HASH}b" "$@" \
		>"$TMP/wire.out" 2>&1 &
	WIRE=$!
	PIDS+=("$WIRE")
	wait_for 5 grep -q ready "$TMP/wire.out" || fail "wire: $(cat "$TMP/wire.out")"
}

wire_stop() {
	[ -z "$WIRE" ] || kill "$WIRE" 2>/dev/null
	[ -z "$WIRE" ] || wait "$WIRE" 2>/dev/null
	WIRE=
}

wire_stat() { # NAME, after wire_stop
	tr ' ' '\n' <"$TMP/wire.out" | sed -n "s/^$1=//p" | tail -n 1
}

# publish PROGRAM...: into PUBLIC, where ordinary users can run them. The build
# directory may be below a home directory that is closed to them.
publish() {
	chmod 755 "$TMP"
	mkdir -p "$PUBLIC"
	cp "$@" "$PUBLIC/" && chmod 755 "$PUBLIC"/*
}

# Puts files where packages are, at once: other tests may be running them.
add_scripts() { # DIRECTORY FILE...
	local to=$1 file name

	shift
	for file; do
		name=${file##*/}
		cmp -s "$file" "$to/$name" && continue
		cp "$file" "$to/.$$.$name" && mv "$to/.$$.$name" "$to/$name" || return 1
	done
}

# --- the daemon --------------------------------------------------------------------------

# The Makefile knows where it really is; root's PATH may not have it.
if [ -x "${BPFTOOL:-}" ]; then
	bpftool() {
		"$BPFTOOL" "$@"
	}
fi

# config SERVERS [MEMBERS]: members of mcpServers, and further top-level members.
# BREAKER holds the defaults: only consecutive failures act, times are short.
BREAKER='"consecutive_failures":3,"window_calls":0,"window_seconds":0,"window_buckets":0,
"open_seconds":60,"open_factor":1,"jitter":0,"ramp_seconds":0,"half_open_probes":1'

# Nobody is asked for tools: most tests count what peers get.
TRUST='"tools_seconds": 0'

# Nor are servers isolated: most tests look at what they get from outside.
ISOLATION='"when": "asked"'

config() {
	cat >"$CONFIG" <<END
{
  "mode": "enforce",
  "isolation": { $ISOLATION },
  "defaults": { "breaker": { $BREAKER }, "trust": { $TRUST } },
  "mcpServers": { $1 }${2:+,
  $2}
}
END
}

DAEMON_ARGS=(--config "$CONFIG" --cgroup "$CG" --pin-dir "$PINS" --socket "$SOCKET"
	--state-dir "$STATE")

# Runs the daemon with the given options besides the usual ones: for starts that
# must fail. One that succeeds is killed and gives the status of a timeout, 124.
try_daemon() {
	local out=$TMP/try.out pid status

	: >"$out" # or the last one's "ready" would be taken for this one's
	"$TOOLS/nsrun" --cgroup "$CG" --net "$NS" "${TRY_NSRUN[@]}" -- "$BUILD/switchgeard" \
		"${DAEMON_ARGS[@]}" --metrics off "$@" >"$out" 2>&1 &
	pid=$!
	wait_for 60 try_over "$pid" "$out"
	kill "$pid" 2>/dev/null
	wait "$pid"
	status=$?
	cat "$out"
	return $((status == 0 ? 124 : status))
}

try_over() { # PID OUTPUT: it has ended, or runs
	! kill -0 "$1" || grep -q 'switchgeard: ready: ' "$2"
}
TRY_NSRUN=()

METRICS=off
DAEMON_AS=() # options for nsrun
start_daemon() { # [OPTION...]
	"$TOOLS/nsrun" --cgroup "$CG" --net "$NS" "${DAEMON_AS[@]}" -- "$BUILD/switchgeard" \
		"${DAEMON_ARGS[@]}" --metrics "$METRICS" "$@" >>"$LOG" 2>&1 &
	DAEMON=$!
	PIDS+=("$DAEMON")
	wait_for 60 daemon_answers # it verifies its programs first: nothing that this waits for is a deadline
	if ! daemon_alive || ! daemon_answers; then
		fail "the daemon did not start: $(tail -n 20 "$LOG")"
		exit 1 # nothing that follows could mean anything
	fi
}

# Our daemon, not one that is about to end. True, too, when there is none to wait for.
daemon_answers() {
	kill -0 "$DAEMON" 2>/dev/null || return 0
	[ "$(status daemon.pid)" = "$DAEMON" ]
}

daemon_alive() {
	[ -n "$DAEMON" ] && kill -0 "$DAEMON" 2>/dev/null
}

reap_daemon() {
	wait "$DAEMON" 2>/dev/null
	DAEMON_STATUS=$?
	DAEMON=
}

stop_daemon() {
	kill "$DAEMON"
	reap_daemon
}

kill9_daemon() {
	kill -9 "$DAEMON"
	reap_daemon
}

# Its lease in the kernel runs out before this returns.
freeze_daemon() {
	kill -STOP "$DAEMON"
	daemon_forgotten
}

# The kernel knows of no daemon: the lease of one that was killed or stopped has run out.
daemon_forgotten() {
	"$TOOLS/bpfpin" lease "$PINS/cfg" || fail "a daemon is alive"
}

thaw_daemon() {
	kill -CONT "$DAEMON"
	wait_for 5 status daemon.pid
}

sg() {
	"$BUILD/switchgear" --socket "$SOCKET" "$@"
}

status() { # PATH
	sg status --json | "$TOOLS/jget" - "$1"
}

server() { # NAME PATH
	status "servers[name=$1].$2"
}

counter() { # NAME PATH
	server "$1" "counters.$2"
}

server_is() { # NAME PATH VALUE
	[ "$(server "$1" "$2")" = "$3" ]
}

expect_server() { # NAME PATH VALUE
	expect_eq "$(server "$1" "$2")" "$3" "$1 $2"
}

causes() { # NAME: of its calls so far, as "N class cause", sorted
	sg events --calls --json --since 600s --server "$1" >"$TMP/events"
	paste -d ' ' <("$TOOLS/jget" --lines "$TMP/events" outcome op=call) \
		<("$TOOLS/jget" --lines "$TMP/events" cause op=call) | sort | uniq -c |
		sed 's/^ *//' | paste -sd ','
}

causes_are() { # NAME PATTERN; events of what went well come with the daemon's tick
	# shellcheck disable=SC2053
	[[ $(causes "$1") == $2 ]]
}

expect_server_soon() { # NAME PATH VALUE [SECONDS]
	pass
	wait_for "${4:-5}" server_is "$1" "$2" "$3" ||
		fail "$1 $2: \"$(server "$1" "$2")\" after ${4:-5} s, wanted \"$3\""
}

# What is degraded is what $EXPECT_DEGRADED says of this kernel, one text a line.
expect_degraded() {
	local text n=0

	while read -r text; do
		[ -n "$text" ] || continue
		expect_match "$(status 'health.degraded')" "*$text*" "degraded"
		n=$((n + 1))
	done <<<"${EXPECT_DEGRADED:-}"
	expect_eq "$(status health.degraded.#)" "$n" "number of things degraded"
}

# Edits the state that is kept, in the format before this one, which has no checksum.
state_edit() { # OPTION... for sed
	sed -i -e '1s/.*/{/' -e '2s/^"version":2/"version":1/' "$@" "$STATE/state.json"
}

log_lines() { # PATTERN: how often the daemon's log has it
	grep -c -- "$1" "$LOG"
}

# The id that the kernel knows a server by.
server_id() { # NAME
	local id

	for ((id = 2; id < 64; id++)); do
		[ "$(bpftool -j map lookup pinned "$PINS/srv_name" key $id 0 0 0 |
			"$TOOLS/jget" - formatted.value.name)" = "$1" ] && { echo $id; return 0; }
	done
	return 1
}

# What people do without a daemon: ff puts a server into quarantine, 00 releases it.
# Of several at the same time, the last release ends them all for packets without a record.
map_order() { # ff|00 ID...
	local id all

	all="$1 $1 $1 $1 $1 $1 $1 $1"
	for id in "${@:2}"; do
		# shellcheck disable=SC2086 # eight bytes
		bpftool map update pinned "$PINS/quarantine" key "$id" 0 0 0 value hex $all ||
			return 1
	done
	# shellcheck disable=SC2086
	bpftool map update pinned "$PINS/cutoff" key 0 0 0 0 value hex $all
}

# --- peers -------------------------------------------------------------------------------

# peer_start NAME ADDR:PORT [OPTION...]; PEER_NS=... puts it on another host.
peer_start() {
	local name=$1 at=$2 ns=${PEER_NS:-$NS} cg=$CG

	shift 2
	[ "$ns" = "$NS" ] || cg=$CG_FAR
	rm -f "$TMP/peer-$name.log" # the "ready" of an earlier one
	"$TOOLS/nsrun" --cgroup "$cg" --net "$ns" -- "$TOOLS/peer" --listen "$at" \
		--control "$TMP/peer-$name.sock" "$@" >"$TMP/peer-$name.log" 2>&1 &
	PIDS+=("$!")
	wait_for 5 grep -q ready "$TMP/peer-$name.log" ||
		fail "peer $name: $(cat "$TMP/peer-$name.log")"
}

peer_ctl() { # NAME COMMAND...
	local name=$1

	shift
	"$TOOLS/peer" --ctl "$TMP/peer-$name.sock" "$@" || fail "peer $name: \"$*\" failed"
}

peer_stat() { # NAME COUNTER
	peer_ctl "$1" stats | tr ' ' '\n' | sed -n "s/^$2=//p"
}

# --- agents ------------------------------------------------------------------------------

agent() {
	"$TOOLS/nsrun" --cgroup "$CG" --net "${AGENT_NS:-$NS}" "${AGENT_AS[@]}" -- "$(agent_path)" \
		"$@"
}
AGENT_AS=()
AGENT_NS=

agent_path() {
	[ ${#AGENT_AS[@]} -eq 0 ] && echo "$TOOLS/agent" || echo "$PUBLIC/agent"
}

# One call; sets CALL_NAME RESULT ERR STATUS MS PORT STAGE. `call ADDR:PORT [OPTION...]`
call() {
	local line

	line=$(agent --connect "$@" 2>&1)
	CALL_STATUS=$?
	call_read "$line"
}

call_read() {
	read -r CALL_NAME RESULT ERR STATUS MS PORT STAGE <<<"$1"
}

# The call is answered completely. ADDR:PORT STATUS [OPTION...]
expect_answer() {
	local to=$1 want=$2

	shift 2
	call "$to" "$@"
	pass
	[ "$RESULT" = ok ] && [ "$STATUS" = "$want" ] ||
		fail "call to $to $*: $RESULT $ERR $STATUS ($STAGE), wanted an answer with $want"
}

# What gets who is refused: EPERM where the kernel cannot say another errno.
refusal() { # ERRNO [MODE]
	case $1:${2:-} in
	EHOSTUNREACH:* | ENETUNREACH:* | EACCES:* | ECONNREFUSED:udp*)
		if [[ ${EXPECT_DEGRADED:-} == *bpf_set_retval* ]]; then
			echo EPERM
			return
		fi
		;;
	esac
	echo "$1"
}
DENIED=$(refusal "$DENY")

# The call fails by itself with that errno, so that nobody refused it.
expect_error() { # ADDR:PORT ERRNO [OPTION...]
	local to=$1 want

	want=$(refusal "$2")
	shift 2
	call "$to" "$@"
	pass
	[ "$RESULT" = error ] && [ "$ERR" = "$want" ] ||
		fail "call to $to $*: $RESULT $ERR $STATUS ($STAGE), wanted $want"
}

# The call is refused by us: the configured errno, at once.
expect_denied() { # ADDR:PORT [OPTION...]
	expect_error "$1" "$DENY" "${@:2}"
	expect_ms "$MS" "${DENY_MS:-100}" "ms until the refusal"
}

# The results of many calls, counted: `agent_counts ADDR:PORT [OPTION...]` prints
# "RESULT ERRNO STATUS" with how often, in the order of their first appearance.
agent_counts() {
	agent --connect "$@" | cut -d ' ' -f 2-4 | uniq -c | sed 's/^ *//'
}

# Commands over connections that stay open. steps_start ADDR:PORT [OPTION...], STEPS_NS=...
# from another namespace; then `step COMMAND` sets the variables of call; steps_stop.
steps_start() {
	steps_stop
	mkfifo "$TMP/steps.in" "$TMP/steps.out"
	"$TOOLS/nsrun" --cgroup "$CG" --net "${STEPS_NS:-$NS}" "${AGENT_AS[@]}" -- "$(agent_path)" \
		--step --connect "$@" <"$TMP/steps.in" >"$TMP/steps.out" 2>&1 &
	STEPS=$!
	PIDS+=("$STEPS")
	exec 7>"$TMP/steps.in" 8<"$TMP/steps.out"
	rm "$TMP/steps.in" "$TMP/steps.out"
}
STEPS=

step() {
	local line=

	echo "$*" >&7
	read -r -t 60 line <&8 || fail "step \"$*\": no answer"
	call_read "$line"
}

steps_stop() {
	[ -n "$STEPS" ] || return 0
	# a daemon started meanwhile has inherited the pipe: its end is not enough
	echo quit >&7 2>/dev/null
	exec 7>&- 8<&-
	wait "$STEPS" 2>/dev/null
	STEPS=
}

expect_step() { # RESULT ERRNO STATUS COMMAND..., '*' for anything
	local want="$1 $2 $3"

	shift 3
	step "$@"
	# shellcheck disable=SC2053
	pass
	# shellcheck disable=SC2053
	[[ "$RESULT $ERR $STATUS" == $want ]] ||
		fail "step \"$*\": $RESULT $ERR $STATUS ($STAGE, $MS ms), wanted $want"
}

# A pool of connections in the background: pool_start ADDR:PORT N [OPTION...], then
# pool_stat NAME prints one number of its report once it has ended. AGENT_AS: options for
# nsrun; as an ordinary user it takes the published agent.
pool_start() {
	local to=$1 n=$2

	shift 2
	: >"$TMP/pool.out"
	"$TOOLS/nsrun" --cgroup "$CG" --net "${POOL_NS:-$NS}" "${AGENT_AS[@]}" -- \
		"$(agent_path)" --connect "$to" --pool "$n" "$@" >"$TMP/pool.out" 2>&1 &
	POOL=$!
	PIDS+=("$POOL")
	wait_for 30 grep -q ready "$TMP/pool.out"
	expect_eq "$(sed -n 's/^ready //p' "$TMP/pool.out")" "$n" "pooled connections opened"
}
POOL=

pool_wait() { # SECONDS
	pass
	wait_for "$1" grep -q '^pool ' "$TMP/pool.out" || fail "the pool still lives after $1 s"
}

pool_stat() {
	local n

	n=$(tr ' ' '\n' <"$TMP/pool.out" | sed -n "s/^$1=//p")
	echo "${n:-0}"
}

# One end of a stream in the background: drip NAME NAMESPACE OPTION..., then drip_last NAME
# WORD for what follows WORD in its last line that begins with it. An agent's is in the cgroup,
# unless DRIP_CG is set.
drip() {
	local name=$1 ns=$2 cg=${DRIP_CG:-$CG}

	shift 2
	[ "$ns" = "$NS" ] || cg=$CG_FAR
	"$TOOLS/nsrun" --cgroup "$cg" --net "$ns" -- "$TOOLS/drip" "$@" >"$TMP/drip-$name" 2>&1 &
	PIDS+=("$!")
	DRIPS+=("$!")
}
DRIPS=()

drip_last() { # NAME WORD
	sed -n "s/^$2 //p" "$TMP/drip-$1" | tail -n 1
}

drip_said() { # NAME WORD
	grep -q "^$2" "$TMP/drip-$1"
}

drips_stop() {
	[ ${#DRIPS[@]} -eq 0 ] || kill "${DRIPS[@]}" 2>/dev/null
	[ ${#DRIPS[@]} -eq 0 ] || wait "${DRIPS[@]}" 2>/dev/null
	DRIPS=()
}

now_us() {
	echo "${EPOCHREALTIME/[.,]/}"
}

# --- before and after -----------------------------------------------------------------------

# Kills what is still in a cgroup: all of it was started by this test.
scrub_cgroup() { # CGROUP
	local dir pid

	[ -d "$1" ] || return 0
	for _ in 1 2 3 4 5; do
		while read -r dir; do
			while read -r pid; do
				kill -9 "$pid" 2>/dev/null
			done <"$dir/cgroup.procs"
		done < <(find "$1" -depth -type d)
		find "$1" -depth -type d -exec rmdir {} \; 2>/dev/null
		[ -d "$1" ] || return 0
		sleep 0.1
	done
}

scrub() {
	local ns pid

	for pid in "${PIDS[@]}"; do
		kill -CONT "$pid" 2>/dev/null
		kill -9 "$pid" 2>/dev/null
	done
	wait 2>/dev/null
	scrub_cgroup "$CG"
	scrub_cgroup "$CG_FAR"
	[ ! -d "$PINS" ] || rm -rf "$PINS"
	for ns in "$NS" "$NS_REMOTE" "$NS_WIRE" "$NS_OTHER"; do
		[ ! -e "/run/netns/$ns" ] || ip netns del "$ns"
	done
	[ "$BPFFS" != "$TMP/bpf" ] || umount "$BPFFS" 2>/dev/null
	umount "$STATE" 2>/dev/null # see 31-state.sh
	rm -rf "$TMP"
}

at_exit() {
	local status=$?

	trap - EXIT
	if [ "$T_FINISHED" -eq 0 ]; then
		[ -n "$T_NAME" ] || t "the test runs to its end"
		fail "the test ended early, with exit status $status"
		t_close
		status=1
	fi
	if [ "$T_ANY_FAILED" -ne 0 ] && [ -s "$LOG" ]; then
		echo "# --- the daemon's log"
		tail -n 60 "$LOG" | sed 's/^/# /'
	fi
	[ "${E2E_KEEP:-0}" = 1 ] || scrub
	exit "$status"
}

set_up() {
	[ "$(id -u)" -eq 0 ] || skip "end-to-end tests need root"
	[ -n "$CG_ROOT" ] || skip "no cgroup2 hierarchy is mounted"
	[ -x "$TOOLS/nsrun" ] || { echo "Bail out! $TOOLS/nsrun is missing: run make"; exit 1; }
	scrub
	mkdir -p "$TMP" "$CG" "$CG_FAR" || exit 1
	if [ "$BPFFS" = "$TMP/bpf" ]; then
		mkdir -p "$BPFFS" && mount -t bpf bpf "$BPFFS" || skip "bpffs cannot be mounted"
	fi
	ns_new "$NS" || exit 1
}

trap at_exit EXIT
trap 'exit 143' INT TERM HUP
set_up
