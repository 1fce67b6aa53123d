// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// `switchgear simulate` as one side of the comparison: the lines that it is
// given, what they must print, and what they did print.

import { spawnSync } from "node:child_process";
import { rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const build = process.env.B ?? fileURLToPath(new URL("../../build", import.meta.url));

export const workDir = `${build}/oracle`;

/*
 * One server's share of the input, written while the other side is driven.
 * Every line that prints something has an expectation, in the same order.
 */
export class Script {
	lines = []; // { at, text }
	expected = []; // { line, admitted, state, calls, failed }, of these what is known
	skipped = 0; // events outside of what both sides mean alike
	changed = 0; // those that were bent back into it
	seen = {}; // how often which transition of theirs

	constructor(server) {
		this.server = server;
	}

	say(at, op, members = "") {
		this.lines.push({ at, text: `"op":"${op}","server":"${this.server}"${members}}` });
	}

	expect(at, op, members, expectation) {
		this.expected.push({ line: this.lines.length, ...expectation });
		this.say(at, op, members);
	}

	call(at, outcome, admitted, state) {
		this.expect(at, "call", `,"outcome":"${outcome}"`, { admitted, state });
	}

	start(at, id, admitted, state) {
		this.expect(at, "start", `,"id":"${id}"`, { admitted, state });
	}

	end(at, id, outcome) {
		this.say(at, "end", `,"id":"${id}","outcome":"${outcome}"`);
	}

	// counts: { calls, failed } of the window, or nothing
	state(at, state, counts) {
		this.expect(at, "state", "", { state, ...counts });
	}

	count(event) {
		this.seen[event] = (this.seen[event] ?? 0) + 1;
	}
}

export const inputLine = ({ at, text }) => `{"t":${at / 1000},${text}`;

// The answers to the ops, without the transitions.
export function simulate(policy, lines) {
	const file = `${workDir}/policy-${process.pid}.json`; // several may run side by side
	writeFileSync(file, JSON.stringify({ breaker: policy }));
	const done = spawnSync(`${build}/switchgear`, ["simulate", "--policy", file, "-"], {
		input: lines.map(inputLine).join("\n") + "\n",
		encoding: "utf8",
		maxBuffer: 2 ** 30,
	});
	if (done.status !== 0)
		throw new Error(`switchgear simulate: ${done.stderr || done.error} (policy: ${file})`);
	rmSync(file);
	return done.stdout.split("\n").filter((line) => line.includes('"op"'))
		.map((line) => JSON.parse(line));
}

const differs = (want, got) =>
	got === undefined || want.state !== got.state ||
	(want.admitted !== undefined && want.admitted !== got.admitted) ||
	(want.calls !== undefined && (want.calls !== got.calls || want.failed !== got.failed_calls));

/*
 * Replays scripts together, each with its own server, and returns the first
 * disagreement, { script, want, got }, or undefined.
 */
export function disagreement(policy, scripts) {
	const byName = new Map(scripts.map((script) => [script.server, { script, next: 0 }]));
	const lines = scripts.flatMap((script) => script.lines).sort((a, b) => a.at - b.at);

	for (const got of simulate(policy, lines)) {
		const side = byName.get(got.server);
		const want = side.script.expected[side.next++];
		if (!want || differs(want, got))
			return { script: side.script, want, got };
	}
	for (const { script, next } of byName.values())
		if (next < script.expected.length)
			return { script, want: script.expected[next] };
	return undefined;
}
