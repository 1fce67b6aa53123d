#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Servers at Unix sockets, where connects to them can be refused: quarantine and orders, by
# every way to their names that is known, with and without a daemon, and nobody else's sockets.
. "$(dirname "$0")/lib.sh"

mkdir -p "$TMP/real"
ln -s real "$TMP/link"
SOCK=$TMP/real/a.sock OTHER=$TMP/real/other.sock SEQ=$TMP/real/seq.sock DGRAM=$TMP/real/dgram.sock
NAMED=sg-$HASH

listens() { # NAME TYPE PATH
	in_cg "$TOOLS/unixsock" listen "$2" "$3" >"$TMP/$1.out" 2>&1 &
	PIDS+=("$!")
	wait_for 10 grep -q ready "$TMP/$1.out" || fail "$1: $(cat "$TMP/$1.out")"
}
unixsock() { # TYPE NAME [OPTION...]
	in_cg "$TOOLS/unixsock" connect "$@"
}
expect_refused_at() { # TYPE NAME [OPTION...]
	expect_eq "$(unixsock "$@")" EHOSTUNREACH "connect to $*"
}
expect_connects() { # TYPE NAME [OPTION...]
	expect_eq "$(unixsock "$@" | tail -n 1)" ok "connect to $*"
}
connects_at() { # TYPE NAME
	[ "$(unixsock "$@")" = ok ]
}
connects_now() {
	connects_at stream "$SOCK"
}
attached() {
	[ -e "$PINS/sg_connect_unix" ]
}

E='"deny_errno": "EHOSTUNREACH"'
SERVERS="\"local\": { \"url\": \"unix:$TMP/link/a.sock\", $E },
	\"seq\": { \"url\": \"unix:$SEQ\", $E },
	\"dgram\": { \"url\": \"unix:$DGRAM\", $E },
	\"named\": { \"url\": \"unix:@$NAMED\", $E },
	\"a\": { \"url\": \"http://127.0.0.1:3001/mcp\", $E }"
config "$SERVERS"
peer_start a 127.0.0.1:3001
listens local stream "$SOCK"
listens other stream "$OTHER"
listens seq seqpacket "$SEQ"
listens dgram dgram "$DGRAM"
listens named stream "@$NAMED"
CHECKED=$("$BUILD/switchgeard" --config "$CONFIG" --check 2>&1)
start_daemon

if [[ $(server local visibility_reason) != *"connects are refused while"* ]]; then
	t "a kernel that has no hook for them: listed, with what is missing"
	expect_server local visibility none
	expect_match "$(server local visibility_reason)" "connects to Unix sockets are neither seen nor refused here: *Linux 6.7*"
	expect_degraded
	expect_match "$CHECKED" \
		"*lacks: connects to servers at Unix sockets are not refused (sg_connect_unix *needs kernel 6.7)*"
	for order in "quarantine local --reason test" "trip named" "reset seq"; do
		# shellcheck disable=SC2086 # words
		expect_refused sg $order
		expect_match "$OUT" "*at a Unix socket*Linux 6.7*"
	done
	expect_connects stream "$SOCK"
	pass
	! attached || fail "something is attached"
	finish
fi

t "what can be done is said, and nobody is refused"
expect_server local visibility none
expect_match "$(server local visibility_reason)" "*connects are refused while it is in quarantine or open, but calls are not watched*"
expect_match "$(sg show local)" "*state *closed*"
expect_degraded
pass
attached || fail "the hook is not attached"
expect_match "$CHECKED" "*works: connects to denied servers at Unix sockets are refused (sg_connect_unix)*"
for sock in "stream $SOCK" "stream $OTHER" "seqpacket $SEQ" "dgram $DGRAM" "stream @$NAMED"; do
	# shellcheck disable=SC2086 # words
	expect_connects $sock
done
expect_eq "$(counter local connects)" 1 connects

t "in quarantine connects are refused at once, by each way to the name that is known"
mkfifo "$TMP/later"
in_cg "$TOOLS/unixsock" connect stream "$SOCK" --later <"$TMP/later" >"$TMP/later.out" 2>&1 &
PIDS+=("$!")
exec {LATER}>"$TMP/later"
expect_soon 10 grep -q ok "$TMP/later.out"
expect_status 1 sg quarantine local --reason test
expect_match "$OUT" "*local: quarantined, 0 connections killed, survivors unknown: nothing ends connections to a Unix socket*"
expect_match "$OUT" "*may live on*restarting the server*"
expect_refused_at stream "$SOCK"
expect_refused_at stream "$TMP/link/a.sock"
expect_refused_at stream "$SOCK" --pad
expect_server local verdict refuse
expect_eq "$(counter local denied)" 3 denied
expect_eq "$(counter local killed)" 0 killed

t "neither the answer nor the event says that nobody survived, and who was there lives on"
sg quarantine local --reason test --json >"$TMP/answer"
expect_eq "$("$TOOLS/jget" "$TMP/answer" survivors)" null survivors
expect_match "$("$TOOLS/jget" "$TMP/answer" error)" "nothing ends connections to a Unix socket*"
sg events --json --since 600s --server local >"$TMP/events"
expect_eq "$("$TOOLS/jget" --lines "$TMP/events" survivors event=quarantine | sort -u)" null "survivors of the event"
expect_match "$("$TOOLS/jget" --lines "$TMP/events" error event=quarantine | tail -n 1)" "nothing ends connections*"
echo >&"$LATER"
exec {LATER}>&-
expect_soon 10 grep -q alive "$TMP/later.out"

t "other sockets and servers are untouched"
expect_connects stream "$OTHER"
expect_connects seqpacket "$SEQ"
expect_connects dgram "$DGRAM"
expect_connects stream "@$NAMED"
expect_answer 127.0.0.1:3001 200

t "a path leads elsewhere from the root directory of a container"
mkdir -p "$TMP/root"
mount -t tmpfs none "$TMP/root" || fail "no tmpfs"
mkdir -p "$TMP/root$TMP/real"
expect_eq "$(unixsock stream "$SOCK" --root "$TMP/root")" ENOENT "connect from another root"
expect_eq "$(counter local denied)" 3 denied
umount "$TMP/root"

t "a relative path is not seen"
expect_connects stream a.sock --chdir "$TMP/real"

t "a daemon that is stopped, killed, started again: it stays so"
freeze_daemon
expect_refused_at stream "$SOCK"
thaw_daemon
kill9_daemon
daemon_forgotten
expect_refused_at stream "$SOCK"
expect_connects stream "$OTHER"
start_daemon
expect_refused_at stream "$SOCK"
expect_server local quarantine.reason test
expect_ok sg release local
expect_connects stream "$SOCK"

t "sequenced packets, datagrams and abstract names are refused as well"
for name in seq dgram named; do
	expect_status 1 sg quarantine "$name" --reason test
done
expect_refused_at seqpacket "$SEQ"
expect_refused_at dgram "$DGRAM"
expect_refused_at stream "@$NAMED"
expect_refused_at stream "@$NAMED" --pad
ns_new "$NS_OTHER"
"$TOOLS/nsrun" --cgroup "$CG" --net "$NS_OTHER" -- "$TOOLS/unixsock" listen stream "@$NAMED" >"$TMP/far.out" &
PIDS+=("$!")
expect_soon 10 grep -q ready "$TMP/far.out"
expect_eq "$("$TOOLS/nsrun" --cgroup "$CG" --net "$NS_OTHER" -- "$TOOLS/unixsock" connect stream "@$NAMED")" ok "the same name in another namespace"
expect_eq "$(unixsock stream "@${NAMED}x")" ECONNREFUSED "another name"
for name in seq dgram named; do
	expect_ok sg release "$name"
done
expect_connects seqpacket "$SEQ"
expect_connects dgram "$DGRAM"
expect_connects stream "@$NAMED"

t "an order opens its breaker, and closes it when its time is over, without a daemon, too"
expect_ok sg trip local --for 4s --reason test
expect_refused_at stream "$SOCK"
expect_server local state forced_open
kill9_daemon
expect_soon 20 connects_now
start_daemon
expect_server local state closed
expect_ok sg trip local
expect_refused_at stream "$SOCK"
expect_ok sg reset local
expect_connects stream "$SOCK"
expect_ok sg force local shadow
expect_connects stream "$SOCK"
expect_ok sg reset local

t "an observed server refuses nothing, and says what it would"
before=$(counter local would_deny)
expect_status 1 sg quarantine local --reason test
stop_daemon
start_daemon --mode observe
expect_connects stream "$SOCK"
expect_eq "$(counter local would_deny)" $((before + 1)) would_deny
stop_daemon
start_daemon
expect_refused_at stream "$SOCK"

t "a server that moves takes its quarantine along, and leaves its socket"
config "\"local\": { \"url\": \"http://127.0.0.1:3001/mcp\", $E }, \"seq\": { \"url\": \"unix:$SEQ\", $E }"
kill -HUP "$DAEMON"
expect_server_soon local visibility plaintext
expect_connects stream "$SOCK"
expect_denied 127.0.0.1:3001
config "\"local\": { \"url\": \"unix:$OTHER\", $E }"
kill -HUP "$DAEMON"
expect_server_soon local url "unix://$OTHER"
expect_refused_at stream "$OTHER"
expect_connects stream "$SOCK"
expect_connects seqpacket "$SEQ"
expect_answer 127.0.0.1:3001 200

t "one that is not configured any more stays in quarantine until it is released"
config "\"a\": { \"url\": \"http://127.0.0.1:3001/mcp\", $E }"
kill -HUP "$DAEMON"
expect_server_soon local orphan true
expect_refused_at stream "$OTHER"
stop_daemon
start_daemon
expect_refused_at stream "$OTHER"
stop_daemon
rm -r "$PINS" # as a reboot does; the kernel lets go of a link a moment after its last name is gone
expect_soon 5 connects_at stream "$OTHER"
start_daemon
expect_server local orphan true
expect_refused_at stream "$OTHER"
expect_ok sg release local
expect_connects stream "$OTHER"

t "nothing is attached while no server is at a Unix socket"
detached() {
	! attached
}
expect_soon 5 detached
config "$SERVERS"
kill -HUP "$DAEMON"
expect_soon 5 attached

t "the same socket twice is one server"
config "\"local\": { \"url\": \"unix:$SOCK\", $E }, \"again\": { \"url\": \"unix://$SOCK\", $E }"
kill -HUP "$DAEMON"
expect_server_soon again visibility none
expect_status 1 sg quarantine again --reason test
expect_refused_at stream "$SOCK"
expect_server local quarantine.reason test

NGINX_TEST="nginx is refused and released, as curl sees it"
PATH=$PATH:$BUILD/deps
if ! command -v nginx >/dev/null || ! command -v curl >/dev/null; then
	t_skip "$NGINX_TEST" "nginx or curl is not installed"
else
	t "$NGINX_TEST"
	. "$E2E_DIR/nginx.sh"
	nginx_configure <<-END
		server { listen unix:$TMP/real/nginx.sock; location / { return 200 "well\n"; } }
	END
	in_cg nginx -e stderr -c "$TMP/nginx.conf" >"$TMP/nginx.log" 2>&1 &
	PIDS+=("$!")
	expect_soon 15 test -S "$TMP/real/nginx.sock"
	config "\"web\": { \"url\": \"unix:$TMP/real/nginx.sock\", $E }, \"local\": { \"url\": \"unix:$SOCK\", $E }"
	kill -HUP "$DAEMON"
	expect_server_soon web visibility none
	expect_eq "$(in_cg curl -s --unix-socket "$TMP/real/nginx.sock" http://x/)" well answer
	expect_status 1 sg quarantine web --reason test
	start=$(now_ms)
	expect_status 7 in_cg curl -s --unix-socket "$TMP/real/nginx.sock" http://x/
	expect_ms $(($(now_ms) - start)) 1000 "refused"
	expect_ok sg release web
	expect_eq "$(in_cg curl -s --unix-socket "$TMP/real/nginx.sock" http://x/)" well answer
fi

t "somebody who detaches it is noticed"
expect_ok bpftool link detach pinned "$PINS/sg_connect_unix"
expect_status 1 sg selftest
expect_match "$(tail -n 5 "$LOG")" "*sg_connect_unix was detached*"

t "detach removes it"
stop_daemon
start_daemon
expect_refused_at stream "$SOCK"
expect_ok sg detach
reap_daemon
expect_connects stream "$SOCK"
pass
[ ! -e "$PINS" ] || fail "pins are left"

finish
