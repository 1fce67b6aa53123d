#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# What others say of a server: two operators exchange signed statements by files, agents rate, and
# nobody moves a score further than the model allows.
. "$(dirname "$0")/lib.sh"

config '"search": { "url": "http://127.0.0.1:3001/mcp" }, "files": { "command": "npx" }'
HERE=$STATE THERE=$TMP/state-there
WHOSE=$HERE

score() { # [NAME]
	server "${1:-search}" trust.score
}
between() { # NUMBER LEAST MOST WHAT
	pass
	awk -v x="$1" -v a="$2" -v b="$3" 'BEGIN { exit !(x >= a && x <= b) }' ||
		fail "$4: $1 is not within $2 to $3"
}
moved() { # FROM LEAST MOST WHAT: by so much from a score
	between "$(awk -v a="$(score)" -v b="$1" 'BEGIN { printf "%.6f", a - b }')" "$2" "$3" "$4"
}
explained() { # PATH
	sg explain search --json | "$TOOLS/jget" - "$1"
}
operator() { # STATE_DIR: the daemon of this one, in place of the other's
	[ -z "$DAEMON" ] || stop_daemon
	WHOSE=$1
	start_daemon --state-dir "$1"
}
again() { # the same one's, after a kill -9
	kill9_daemon
	start_daemon --state-dir "$WHOSE"
}
adds_up() { # what explain tells of raters comes to R and N, and these to the score
	sg explain search --json >"$TMP/explain"
	awk -v s="$("$TOOLS/jget" "$TMP/explain" security)" -v w="$("$TOOLS/jget" "$TMP/explain" community_weight)" \
		-v p="$("$TOOLS/jget" "$TMP/explain" performance)" -v g="$("$TOOLS/jget" "$TMP/explain" of_community.good)" \
		-v b="$("$TOOLS/jget" "$TMP/explain" of_community.bad)" \
		'BEGIN { printf "%.9f", 100 * s * ((1 - w) * p + w * (g + 1) / (g + b + 2)) }' >"$TMP/sum"
	expect_eq "$(printf %.9f "$("$TOOLS/jget" "$TMP/explain" score)")" "$(cat "$TMP/sum")" "as computed"
	{
		"$TOOLS/jget" "$TMP/explain" of_community.unknown_good
		"$TOOLS/jget" "$TMP/explain" of_community.unknown_bad
		for ((i = 0; i < $("$TOOLS/jget" "$TMP/explain" raters.#); i++)); do
			"$TOOLS/jget" "$TMP/explain" "raters[$i].value"
			"$TOOLS/jget" "$TMP/explain" "raters[$i].weight"
			"$TOOLS/jget" "$TMP/explain" "raters[$i].fade"
		done
	} | paste -sd ' ' | awk -v n="$("$TOOLS/jget" "$TMP/explain" of_community.negative_weight)" '{
		g = $1; b = $2
		for (i = 3; i < NF; i += 3)
			if ($i > 0) g += $i * $(i + 1) * $(i + 2); else b -= $i * $(i + 1) * $(i + 2)
		printf "%.6f %.6f", g, n * b }' >"$TMP/sums"
	expect_eq "$(printf '%.6f %.6f' "$("$TOOLS/jget" "$TMP/explain" of_community.good)" \
		"$("$TOOLS/jget" "$TMP/explain" of_community.bad)")" "$(cat "$TMP/sums")" "sums of raters"
}

t "another operator rates and vouches, and exports it"
operator "$THERE"
expect_ok sg keys new alice
expect_match "$OUT" "alice ????????????????????????????????*, own"
expect_ok sg keys new bob
expect_ok sg rate search 1 --key bob --output "$TMP/one"
expect_match "$OUT" "search: rating of +1 by bob, until *"
expect_match "$(cat "$TMP/one")" '{"v":1,"type":"rating","issuer":"*'
expect_ok sg vouch bob 0.5 --key alice --depth 1
expect_ok sg rate files -0.5 --key alice
expect_ok sg keys export alice --statements --output "$TMP/alice"
expect_ok sg keys export bob --output "$TMP/bob"
expect_eq "$(wc -l <"$TMP/alice")" 3 "lines of alice"
expect_eq "$(wc -l <"$TMP/bob")" 1 "lines of bob"
expect_eq "$(stat -c %a "$THERE/keys/alice.key")" 600 "mode of a secret key"

t "bad requests are refused with what is wrong"
expect_refused sg keys new alice
expect_match "$OUT" "*there is a key of that name*"
expect_status 2 sg rate search 2
expect_refused sg rate nobody 1
expect_match "$OUT" "*no server \"nobody\"*"
expect_refused sg vouch nobody 1 --key alice
expect_match "$OUT" "*no key \"nobody\"*"
expect_refused sg vouch alice 1 --key alice
expect_refused sg vouch bob 1
expect_match "$OUT" "*several keys here*--key*"
expect_refused sg rate search 1 --key alice --for 200d
expect_status 2 sg keys frobnicate
expect_status 2 sg keys new

t "imported, it counts for nothing without a path"
operator "$HERE"
BEFORE=$(score)
expect_ok sg keys import "$TMP/bob"
expect_ok sg keys import "$TMP/alice"
expect_match "$OUT" "3 lines: 3 accepted*"
expect_ok sg keys import - <"$TMP/one"
moved "$BEFORE" 0.001 0.37 "one unknown rater"
expect_match "$(sg explain search)" "*1 unknown rater, who share one weight*"
adds_up

t "with an anchor it moves the score, within its bound, by a path that is told"
expect_ok sg keys anchor alice
expect_match "$OUT" "alice *, anchor*"
# bob has weight path_decay x 0.5 = 0.25
moved "$BEFORE" 0.5 3.1 "a key of weight 0.25"
expect_match "$(sg explain search)" "*bob *+1.00 *0.2500 *alice > bob*"
expect_eq "$(explained 'raters[0].path[0]') $(explained 'raters[0].path[1]')" "alice bob" "path"
expect_match "$(sg explain files)" "*alice *-0.50 *1.0000 *alice, an anchor*"
adds_up
RATED=$(score)

t "a thousand unknown keys move it no further than their pool"
subject=$("$TOOLS/jget" "$TMP/one" subject)
"$TOOLS/raters" 1000 "$subject" 1 >"$TMP/praise"
expect_ok sg keys import "$TMP/praise"
expect_match "$OUT" "1000 lines: 1000 accepted*"
moved "$RATED" 0 0.37 "praise of a thousand"
"$TOOLS/raters" 1000 "$subject" -1 >"$TMP/blame"
expect_ok sg keys import "$TMP/blame"
moved "$RATED" -0.72 0.37 "blame of a thousand more"
expect_eq "$(explained of_community.unknown)" 2000 "unknown raters"
adds_up
MANY=$(score)

t "statements that were seen change nothing, whenever they come"
expect_ok sg keys import "$TMP/alice"
expect_match "$OUT" "3 lines: 0 accepted, 3 known before*"
expect_ok sg keys import "$TMP/praise"
moved "$MANY" -0.01 0.01 "replay"

t "a bad file is refused whole, a forged line by itself"
{ cat "$TMP/bob"; echo '{"v":1,"type":"rating"}'; } >"$TMP/bad"
expect_refused sg keys import "$TMP/bad"
expect_match "$OUT" "*line 2: *nothing of it was taken*"
sed 's/"value":[^,]*/"value":-1/; s/"seq":[0-9]*/"seq":9000000000000000000/' "$TMP/one" >"$TMP/forged"
expect_refused sg keys import "$TMP/forged"
expect_match "$OUT" "*1 refused*line 1, of bob: bad signature*"
expect_refused sg keys import "$TMP/missing"
moved "$MANY" -0.01 0.01 "refused lines"

t "it holds over a restart and a kill -9"
again
moved "$MANY" -0.01 0.01 "score after a kill"
expect_match "$(sg keys list)" "*alice *1.000 *anchor*"
expect_match "$(sg keys list)" "*bob *0.250 *"
expect_ok sg keys import "$TMP/alice"
expect_match "$OUT" "*0 accepted*"
adds_up

t "a damaged file is set aside; what is signed in it is not lost"
stop_daemon
printf 'x' | dd of="$HERE/statements.jsonl" bs=1 seek=20000 conv=notrunc 2>/dev/null
start_daemon --state-dir "$HERE"
expect_match "$(cat "$LOG")" "*statements.jsonl: damaged*set aside as statements.jsonl.damaged-1*"
expect_match "$(status health.degraded)" "*statements.jsonl.damaged-1*"
expect_match "$(sg keys list)" "*alice *1.000 *anchor*"
expect_ok sg keys import "$TMP/praise"
expect_match "$OUT" "1000 lines: [01] accepted, *"
moved "$MANY" -0.01 0.01 "score"
rm "$HERE"/statements.jsonl.damaged-*

t "a key that others can read is refused"
expect_ok sg keys new ops
chmod 644 "$HERE/keys/ops.key"
expect_refused sg rate search 1 --key ops
expect_match "$OUT" "*others can read *ops.key (mode 0644)*chmod 0600*"
expect_match "$(sg keys list)" "*ops: others can read*"
chmod 600 "$HERE/keys/ops.key"
mv "$HERE/keys/ops.key" "$HERE/keys/else" && ln -s else "$HERE/keys/ops.key"
expect_refused sg rate search 1 --key ops
expect_match "$OUT" "*ops.key is a symbolic link*"
rm "$HERE/keys/ops.key" && mv "$HERE/keys/else" "$HERE/keys/ops.key"
expect_ok sg rate search 0 --key ops

t "agents rate, at the weight that an operator gives them"
publish "$BUILD/switchgear"
agent_sg() { # UID ARGUMENT...
	"$TOOLS/nsrun" --net "$NS" --cgroup "$CG" --uid "$1" -- "$PUBLIC/switchgear" --socket "$SOCKET" "${@:2}"
}
UNKNOWN=$(explained of_community.unknown) # the line that was damaged may have been one of theirs
expect_within "$UNKNOWN" 1999 2000 "unknown raters"
expect_ok agent_sg 12345 rate search -1
expect_match "$OUT" "search: rating of -1 by uid-12345*"
expect_eq "$(stat -c '%a %u' "$HERE/keys/uid-12345.key")" "600 0" "his key"
expect_eq "$(explained of_community.unknown)" $((UNKNOWN + 1)) "unknown raters"
expect_ok sg keys anchor uid-12345
moved "$MANY" -8.1 -1 "an anchored agent"
expect_match "$(sg explain search)" "*uid-12345 *-1.00 *1.0000 *an anchor*"
adds_up
expect_status 4 agent_sg 12345 rate search 1 --key ops
expect_status 4 agent_sg 12345 keys list
expect_status 4 agent_sg 12345 keys import - </dev/null

t "a user rates ten times a minute, others meanwhile"
for _ in 1 2 3 4 5 6 7 8 9; do
	expect_ok agent_sg 12345 rate search -1
done
expect_refused agent_sg 12345 rate search -1
expect_match "$OUT" "*too many ratings*Retry-After*"
expect_ok agent_sg 12346 rate files 1
expect_ok sg keys unanchor uid-12345

t "a revoked key's ratings end, for ever"
operator "$THERE"
expect_ok sg revoke bob --output "$TMP/revoked"
expect_match "$OUT" "bob: revoked by bob, for ever"
expect_refused sg rate search 1 --key bob
operator "$HERE"
expect_ok sg keys import "$TMP/revoked"
expect_match "$(sg keys list)" "*bob *0.000 *revoked*"
expect_match "$(sg explain search)" "*bob *+1.00 *0.0000 *revoked*"
moved "$BEFORE" -0.72 0.37 "score without bob"
again
expect_match "$(sg keys list)" "*bob *0.000 *revoked*"
adds_up

t "what is removed is gone"
expect_ok sg keys remove ops
expect_eq "$(find "$HERE/keys" -name 'ops*')" "" "its file"
expect_refused sg rate search 1 --key ops
finish
