// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Compares `switchgear simulate` with breakers of others, stream by stream.
// usage: compare.mjs [--streams N] [--events N] [--seed N] [WORD...]
// N streams for each pairing; only pairings that contain one of the words.

import { parseArgs } from "node:util";
import { scenarios as cockatiel } from "./cockatiel.mjs";
import { scenarios as opossum } from "./opossum.mjs";
import { demonstrate } from "./differences.mjs";
import { disagreement, inputLine } from "./ours.mjs";
import { makeStream } from "./streams.mjs";

const { values, positionals: words } = parseArgs({
	allowPositionals: true,
	options: {
		streams: { type: "string", default: "2000" },
		events: { type: "string", default: "200" },
		seed: { type: "string", default: "1" },
	},
});
const BATCH = 200; // streams that are replayed together
const wanted = (name) => !words.length || words.some((word) => name.includes(word));
const result = { passed: 0, failed: 0 };

function report(ok, text) {
	result[ok ? "passed" : "failed"]++;
	console.log(`${ok ? "ok  " : "FAIL"} ${text}`);
}

const streamOf = (scenario, seed) =>
	makeStream(seed, Number(values.events), { start: scenario.start, ...scenario.mix });

async function disagrees(scenario, stream) {
	return disagreement(scenario.policy, [await scenario.run(scenario, stream, "s")]);
}

// Leaves out ever smaller parts while the rest still disagrees.
async function shrink(scenario, stream) {
	let { events } = stream;

	for (let size = events.length >> 1; size >= 1; ) {
		let shorter = false;
		for (let i = 0; i < events.length; ) {
			const rest = [...events.slice(0, i), ...events.slice(i + size)];
			if (await disagrees(scenario, { ...stream, events: rest })) {
				events = rest;
				shorter = true;
			} else {
				i += size;
			}
		}
		size = size > 1 ? size >> 1 : shorter ? 1 : 0;
	}
	return { ...stream, events };
}

function explain({ script, want, got }) {
	const shown = script.lines.slice(0, (want?.line ?? script.lines.length) + 1).map(inputLine);
	const { line, ...theirs } = want ?? {};

	return [...shown.map((text) => `     ${text}`),
		`     theirs ${JSON.stringify(theirs)}`, `     ours   ${JSON.stringify(got)}`].join("\n");
}

async function show(scenario, stream, found) {
	const shrunk = await shrink(scenario, stream);
	const alone = await disagrees(scenario, shrunk);

	console.log(`     stream ${stream.seed} (${stream.shape}), policy ${JSON.stringify(scenario.policy)}`);
	if (!alone)
		console.log("     only together with the other servers' events, so not made shorter:");
	console.log(explain(alone ?? found));
}

function add(sum, scripts) {
	for (const script of scripts) {
		sum.events += script.expected.length;
		sum.skipped += script.skipped;
		sum.changed += script.changed;
		for (const [event, n] of Object.entries(script.seen))
			sum.seen[event] = (sum.seen[event] ?? 0) + n;
	}
}

// Mostly a few streams are enough.
function notices(policy, scripts) {
	for (let from = 0, n = 10; from < scripts.length; from += n, n *= 2)
		if (disagreement(policy, scripts.slice(from, from + n)))
			return true;
	return false;
}

async function runAll(scenario, streams) {
	const { stackTraceLimit } = Error;
	const scripts = [];

	Error.stackTraceLimit = 0; // every call that is refused is an Error
	for (const [i, stream] of streams.entries())
		scripts.push(await scenario.run(scenario, stream, `s${i}`));
	Error.stackTraceLimit = stackTraceLimit;
	return scripts;
}

async function compare(scenario, count, firstSeed) {
	const title = `${scenario.pairing}: ${scenario.title}`;
	const seeds = Array.from({ length: count }, (_, i) => firstSeed + i);
	const sum = { events: 0, skipped: 0, changed: 0, seen: {} };
	let first;
	let found;

	for (let from = 0; from < count && !found; from += BATCH) {
		const streams = seeds.slice(from, from + BATCH).map((seed) => streamOf(scenario, seed));
		const scripts = await runAll(scenario, streams);
		first ??= scripts;
		add(sum, scripts);
		found = disagreement(scenario.policy, scripts);
		if (found)
			found.stream = streams[scripts.indexOf(found.script)];
	}
	const some = scenario.mustSee.every((event) => sum.seen[event] >= count / 2);
	report(!found && some, `${title}: ${count} streams, ${sum.events} answers compared`);
	console.log(`     ${sum.skipped} left out, ${sum.changed} changed; ${JSON.stringify(sum.seen)}`);
	if (found)
		await show(scenario, found.stream, found);
	else if (!some)
		console.log(`     too little happened: ${scenario.mustSee} must be seen in the streams`);
	for (const mutant of scenario.mutants)
		report(notices({ ...scenario.policy, ...mutant }, first),
			`${title}: ${JSON.stringify(mutant)} is noticed`);
}

const scenarios = [...cockatiel, ...opossum];

for (const [i, scenario] of scenarios.entries()) {
	const siblings = scenarios.filter(({ pairing }) => pairing === scenario.pairing).length;

	if (wanted(scenario.pairing))
		await compare(scenario, Math.ceil(values.streams / siblings), (values.seed * 100 + i) * 100_000);
}
for (const { name, ok, text } of wanted("differences") ? await demonstrate() : []) {
	report(ok, `difference: ${name}`);
	if (!ok)
		console.log(`     ${text}`);
}
console.log(`${result.passed} passed, ${result.failed} failed`);
process.exitCode = result.failed ? 1 : 0;
