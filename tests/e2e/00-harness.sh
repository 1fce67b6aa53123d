#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# The tools against each other, without Switchgear: what the other tests measure
# with must itself be right.
. "$(dirname "$0")/lib.sh"

AT=127.0.0.1:3001
peer_start a $AT

t "the client tells every kind of answer apart"
for row in "ok ok - 200" "chunked ok - 200" "sse+gap=5 ok - 200" "split+gap=5 ok - 200" \
	"split+status=503+gap=5 ok - 503" "html ok - 200" "503+retry-after=7 ok - 503" \
	"202 ok - 202" "404 ok - 404" "malformed bad - -" "truncate truncated - 200" \
	"rst error ECONNRESET -" "eof eof - -" "hang timeout ETIME -" "stream timeout ETIME 200" \
	"ok+body=300000 ok - 200" "ok+close ok - 200"; do
	read -r script want_result want_err want_status <<<"$row"
	peer_ctl a answer "$script"
	call $AT --timeout 300
	expect_eq "$RESULT $ERR $STATUS" "$want_result $want_err $want_status" "$script"
done

t "a script goes on step by step and repeats its last step"
peer_ctl a answer "503*2,ok"
expect_eq "$(agent_counts $AT --keepalive --count 5)" $'2 ok - 503\n3 ok - 200'

t "an answer's delay and the gap between its parts are as asked"
peer_ctl a answer ok+delay=120
expect_answer $AT 200
expect_within "$MS" 120 250
peer_ctl a answer split+gap=50
expect_answer $AT 200
expect_within "$MS" 50 150

t "every way to connect reaches the server"
peer_ctl a answer ok
for mode in tcp v4mapped nonblock tfo tfo-connect mptcp iouring; do
	call $AT --mode $mode
	[ "$CALL_STATUS" -eq 77 ] || expect_eq "$RESULT $STATUS" "ok 200" $mode
done

t "a server that does not listen is refused in every way"
peer_ctl a unlisten
for mode in tcp v4mapped nonblock tfo tfo-connect mptcp iouring; do
	call $AT --mode $mode
	[ "$CALL_STATUS" -eq 77 ] || expect_eq "$RESULT $ERR" "error ECONNREFUSED" $mode
done
peer_ctl a listen
expect_answer $AT 200

t "datagrams in every way"
peer_start u 127.0.0.1:3002 --udp
for mode in udp-sendto udp-connect udp-mapped udp-mapped-connect udp-unspec; do
	call 127.0.0.1:3002 --mode $mode
	expect_eq "$RESULT" ok $mode
done
expect_eq "$(peer_stat u datagrams)" 5

t "the server counts what reached it"
peer_ctl a zero
agent --connect $AT --count 3 >/dev/null
agent --connect $AT --get >/dev/null
agent --connect $AT --delete >/dev/null
expect_eq "$(peer_stat a requests) $(peer_stat a post) $(peer_stat a get) $(peer_stat a delete)" \
	"5 3 1 1"
expect_eq "$(peer_stat a agent)" 5

t "a pool sees how its connections end, and the server too"
peer_ctl a zero
pool_start $AT 100
peer_ctl a reset-all
pool_wait 5
expect_eq "$(pool_stat ended) $(pool_stat ECONNRESET)" "100 100"
pool_start $AT 10
peer_ctl a close-all
pool_wait 5
expect_eq "$(pool_stat eof)" 10
pool_start $AT 10 --hold 100
pool_wait 5
expect_eq "$(pool_stat left)" 10
expect_soon 2 eval "[ \$(peer_stat a eof) = 10 ]"

t "a stream that goes on tells when each of its lines was sent"
peer_ctl a zero
peer_ctl a answer ticks+gap=20
before=$(now_us)
drip ticks "$NS" --to $AT --ask /mcp
expect_soon 5 eval '[ "$(grep -c ^got "$TMP/drip-ticks")" -ge 10 ]'
read -r total us latest <<<"$(drip_last ticks got)"
expect_within $((latest - before)) 100000 $((us - before)) "us until the last line was sent"
expect_within "$(peer_stat a bytes)" "$total" $((total + 1000)) "bytes that were sent"
peer_ctl a reset-all
expect_soon 5 drip_said ticks "end error ECONNRESET"
peer_ctl a answer ok
for proto in tcp udp udplite; do
	drip to-$proto "$NS" --proto $proto --from 127.0.0.1:3009 --listen --send 20
	wait_for 5 drip_said to-$proto ready
	drip $proto "$NS" --proto $proto --to 127.0.0.1:3009
	wait_for 5 eval "drip_said $proto got || drip_said $proto 'drip: this kernel'"
	drip_said $proto "drip: this kernel" && continue
	expect_soon 5 eval "[ \$(grep -c ^got '$TMP/drip-$proto') -ge 5 ]"
	read -r total us latest <<<"$(drip_last $proto got)"
	expect_within $((us - latest)) 0 $((50000 * MS_SLOW)) "$proto: us from sent to read"
	drips_stop
done

t "keys fill the option memory of a socket, which works all the same"
call $AT --md5-keys
[ "$CALL_STATUS" -eq 77 ] || expect_eq "$RESULT $STATUS" "ok 200"
[ "$CALL_STATUS" -eq 77 ] && pass

t "nobody lists sockets without NETLINK_SOCK_DIAG"
expect_match "$("$TOOLS/nsrun" --no-sockdiag -- ss -tn 2>&1)" "*Operation not permitted*"

t "many connects at once"
expect_match "$(agent --connect $AT --concurrent 200)" "concurrent 200 http_200=200 ms=*"
peer_ctl a unlisten
expect_match "$(agent --connect $AT --concurrent 200)" "concurrent 200 ECONNREFUSED=200 ms=*"
peer_ctl a listen

t "step by step on one connection"
steps_start $AT
expect_step ok - - open 1
expect_step ok - - part 1 40
expect_step ok - - rest 1
expect_step ok - 200 finish 1
expect_step ok - 200 call 1
expect_step timeout ETIME - wait 1 50
peer_ctl a reset-all
expect_step error ECONNRESET - wait 1 1000
steps_stop

t "the server may stay silent below HTTP"
peer_ctl a accept rst
expect_error $AT ECONNRESET
peer_ctl a accept noread
call $AT --timeout 200
expect_eq "$RESULT $STAGE" "timeout recv"
peer_ctl a accept normal

t "IPv6 only, and both"
peer_start v6 "[::]:3003" --v6only
expect_error 127.0.0.1:3003 ECONNREFUSED
expect_answer "[::1]:3003" 200
peer_start both "[::]:3004"
expect_answer 127.0.0.1:3004 200

publish "$TOOLS/peer" "$TOOLS/agent"
out=$("$TOOLS/nsrun" --cgroup "$CG" --user --addr 10.9.9.9 --addr fd09::9 -- bash -c '
	cat /proc/self/uid_map
	exec 3< <(exec "$0/peer" --listen 10.9.9.9:3001 --seconds 5)
	peer=$!
	read -rt 5 _ <&3 # it is ready
	"$0/agent" --connect 10.9.9.9:3001
	"$0/agent" --connect "[fd09::9]:3001"
	kill $peer' "$PUBLIC" 2>&1)
if [ $? -eq 77 ] || [[ $out == *"user namespaces"* ]]; then
	t_skip "an ordinary user in namespaces of his own" "$out"
else
	t "an ordinary user in namespaces of his own"
	expect_match "$out" "*0 ?????*1*1 ok - 200 *1 error ECONNREFUSED*"
fi

t "a dropped capability is gone, a mount too"
expect_match "$("$TOOLS/nsrun" --drop net_admin -- sed -n s/^CapEff:.//p /proc/self/status)" "*ef?f"
if mount_of bpf >/dev/null; then
	count=(grep -c ' - bpf ' /proc/self/mountinfo)
	expect_eq "$("$TOOLS/nsrun" --umount "$(mount_of bpf)" -- "${count[@]}")" \
		"$(($("${count[@]}") - 1))"
fi

join_wire
PEER_NS=$NS_REMOTE peer_start far "[::]:3005"

t "the cable carries IPv4 and IPv6"
wire_start
expect_answer $REMOTE4:3005 200
expect_answer "[$REMOTE6]:3005" 200
expect_answer $REMOTE4:3005 200 --path /as/ok+body=200000

t "the cable delays"
wire_start --delay 40
expect_answer $REMOTE4:3005 200 --keepalive
expect_within "$MS" 160 400

t "the cable duplicates and forges, and TCP is not fooled"
wire_start --dup --forge
expect_eq "$(agent_counts $REMOTE4:3005 --count 5)" "5 ok - 200"
expect_eq "$(agent_counts "[$REMOTE6]:3005" --count 5 --keepalive)" "5 ok - 200"
wire_stop
expect_within "$(wire_stat dup)" 20 60
expect_within "$(wire_stat forged)" 20 60

t "the cable loses, and TCP repeats"
wire_start --drop 2 --from b
expect_eq "$(agent_counts $REMOTE4:3005 --count 4 --keepalive)" "4 ok - 200"
wire_stop
expect_eq "$(wire_stat dropped)" 1
expect_within "$(wire_stat payload_b)" 5 8

t "values come out of JSON by their path"
cat >"$TMP/x.json" <<'END'
{"a": {"b": [1, 2.50, {"c": "x\"y"}]},
 "list": [{"name": "p.q", "v": null}, {"name": "r", "v": true}],
 "empty": [], "long": 18446744073709551615}
END
for row in "a.b.1=2.50" "a.b[2].c=x\"y" "list[name=r].v=true" "list[name=p.q].v=null" "a.b.#=3" \
	"empty.#=0" "long=18446744073709551615" "list.0={\"name\": \"p.q\", \"v\": null}"; do
	expect_eq "$("$TOOLS/jget" "$TMP/x.json" "${row%%=[!rp]*}")" "${row##*[a-z0-9\]\#]=}" "$row"
done
expect_status 1 "$TOOLS/jget" "$TMP/x.json" a.none
expect_status 3 "$TOOLS/jget" --check <(echo '{"a": }')
expect_status 3 "$TOOLS/jget" --check <(echo '{} x')
expect_eq "$(printf '{"e":"x","n":1}\n{"e":"y","n":2}\n{"e":"x","n":3}\n' |
	"$TOOLS/jget" --lines - n e=x)" $'1\n3'

finish
