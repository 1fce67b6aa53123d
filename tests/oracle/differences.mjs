// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Where Switchgear differs on purpose: the same calls, and what each side makes
// of them. docs/oracle.md says why, under the same names.
//
// A script is a list of "T OP ...", T in seconds:
//   call OUTCOME, start ID, end ID OUTCOME   each call and start answers yes or no (admitted)
//   state                                    answers with the state
//   trip, reset                              by hand
//   step SECONDS                             the wall clock is set

import { readFileSync } from "node:fs";
import { clock } from "./clock.mjs";
import { basePolicy, failure, handled, outcomeOf } from "./cockatiel.mjs";
import { simulate } from "./ours.mjs";
import { theirs } from "./packages.mjs";

const { circuitBreaker, CircuitState, ConsecutiveBreaker, CountBreaker, ExponentialBackoff,
	SamplingBreaker, noJitterGenerator } = theirs("cockatiel");
const Opossum = theirs("opossum");

const OPEN = 5; // seconds
const listing = new URL("../../docs/oracle.md", import.meta.url);

// --- the three sides ------------------------------------------------------------------

const cockatiel = (breaker, halfOpenAfter = OPEN * 1000) => () => {
	const policy = circuitBreaker(handled, { breaker: breaker(), halfOpenAfter });
	const names = { Closed: "closed", Open: "open", HalfOpen: "half_open", Isolated: "forced_open" };
	let isolation;

	return {
		call: (run) => policy.execute(run),
		state: () => names[CircuitState[policy.state]],
		trip: () => (isolation = policy.isolate()),
		reset: () => isolation.dispose(),
	};
};

const opossum = (options) => () => {
	let next;
	const breaker = new Opossum(() => next(), {
		timeout: false, resetTimeout: OPEN * 1000, rollingCountTimeout: 60000,
		errorFilter: (error) => !error.counts, enableSnapshots: false, ...options,
	});

	return {
		call(run) {
			next = run;
			return breaker.fire();
		},
		state: () => (breaker.closed ? "closed" : breaker.halfOpen ? "half_open" : "open"),
		trip: () => breaker.open(),
		reset: () => breaker.close(),
	};
};

async function theirAnswers(make, script) {
	let side;
	let offset = 0;
	const answers = [];
	const calls = new Map();

	for (const line of script) {
		const [t, op, ...words] = line.split(" ");
		const at = 86_400_000 + Number(t) * 1000 + offset;

		if (!side) {
			clock.reset(at);
			side = make();
		}
		clock.advance(at);
		if (op === "step") {
			offset += Number(words[0]) * 1000;
		} else if (op === "state") {
			answers.push(side.state());
		} else if (op === "call" || op === "start") {
			const call = { admitted: false };
			const how = new Promise((resolve, reject) => Object.assign(call, { resolve, reject }));
			how.catch(() => {});
			call.result = side.call(() => {
				call.admitted = true;
				return how;
			}).catch(() => {});
			answers.push(call);
			if (op === "start")
				calls.set(words[0], call);
			else
				await settle(call, words[0]);
		} else if (op === "end") {
			await settle(calls.get(words[0]), words[1]);
		} else {
			side[op]();
		}
	}
	return answers.map((answer) =>
		answer.admitted === undefined ? answer : answer.admitted ? "yes" : "no");
}

async function settle(call, outcome) {
	if (outcome === "success")
		call.resolve();
	else
		call.reject(failure(outcome));
	for (let i = 0; i < 20; i++) // a call that waits for another one has no result yet
		await undefined;
}

function ourAnswers(policy, script) {
	const lines = [];

	for (const line of script) {
		const [t, op, ...words] = line.split(" ");
		const at = 86_400_000 + Number(t) * 1000;
		const members = {
			call: { op, outcome: outcomeOf(words[0]) },
			start: { op, id: words[0] },
			end: { op, id: words[0], outcome: outcomeOf(words[1] ?? "") },
			state: { op },
			trip: { op: "force", to: "forced_open", for: OPEN },
			reset: { op: "force", to: "reset" },
		}[op];
		if (members)
			lines.push({ at, text: JSON.stringify({ server: "s", ...members }).slice(1) });
	}
	return simulate({ ...basePolicy, open_seconds: OPEN, ...policy }, lines)
		.map((answer) => answer.op === "state" ? answer.state : answer.admitted ? "yes" : "no");
}

// --- the differences ------------------------------------------------------------------------

const inARow = (threshold) => cockatiel(() => new ConsecutiveBreaker(threshold));
const ofTheLast = (size, minimumNumberOfCalls, threshold) =>
	cockatiel(() => new CountBreaker({ size, minimumNumberOfCalls, threshold }));
const rolling = (volumeThreshold, errorThresholdPercentage, options) =>
	opossum({ volumeThreshold, errorThresholdPercentage, ...options });
const timeWindow = { window_seconds: 60, window_buckets: 10 };

const differences = [
	{
		name: "a-success-can-trip",
		script: ["0 call hard", "0 call hard", "0 call hard", "0 call success", "0 state"],
		policy: { window_calls: 10, min_calls: 4, failure_rate: 0.5 },
		ours: "yes yes yes yes open",
		theirs: [
			[ofTheLast(10, 4, 0.5), "yes yes yes yes closed"],
			[rolling(4, 50), "yes yes yes yes closed"],
		],
	},
	{
		name: "reaching-the-rate-trips",
		script: ["0 call success", "0 call success", "0 call hard", "0 call hard", "0 state"],
		policy: { window_calls: 10, min_calls: 4, failure_rate: 0.5 },
		ours: "yes yes yes yes open",
		theirs: [
			[ofTheLast(10, 4, 0.5), "yes yes yes yes closed"],
			[rolling(4, 50), "yes yes yes yes closed"],
		],
	},
	{
		name: "closing-empties-the-window",
		script: ["0 call hard", "0 call hard", "0 call hard", "10 call success", "10 call hard",
			"10 call hard", "10 state"],
		policy: { window_calls: 3, min_calls: 3, failure_rate: 0.6 },
		ours: "yes yes yes yes yes yes closed",
		theirs: [
			[ofTheLast(3, 3, 0.6), "yes yes yes yes yes yes open"],
			[rolling(3, 60), "yes yes yes yes yes no open"],
		],
	},
	{
		name: "refused-calls-never-count",
		script: ["0 call hard", "0 call hard", "1 call success", "1 call success", "1 call success",
			"1 call success", "10 call success", "10 call hard", "10 call hard", "10 state"],
		policy: { ...timeWindow, min_calls: 2, failure_rate: 0.5 },
		ours: "yes yes no no no no yes yes yes open",
		theirs: [[rolling(2, 50), "yes yes no no no no yes yes yes closed"]],
	},
	{
		name: "calls-in-flight-do-not-count",
		script: ["0 start a", "0 start b", "0 start c", "0 call hard", "0 call hard", "0 state"],
		policy: { ...timeWindow, min_calls: 2, failure_rate: 0.6 },
		ours: "yes yes yes yes yes open",
		theirs: [[rolling(2, 60), "yes yes yes yes yes closed"]],
	},
	{
		name: "windows-end-without-calls",
		script: ["0 call hard", "0 call hard", "0 call hard", "100 call hard", "100 state"],
		policy: { window_seconds: 1, window_buckets: 5, min_calls: 4, failure_rate: 0.5 },
		ours: "yes yes yes yes closed",
		theirs: [[
			cockatiel(() => new SamplingBreaker({ threshold: 0.5, duration: 1000, minimumRps: 3.5 })),
			"yes yes yes yes open",
		]],
	},
	{
		name: "buckets-are-absolute",
		script: ["0.3 state", "0.35 call hard", "1.05 call hard", "1.05 state"],
		policy: { window_seconds: 1, window_buckets: 2, min_calls: 2, failure_rate: 0.5 },
		ours: "closed yes yes closed",
		theirs: [[
			rolling(2, 50, { rollingCountTimeout: 1000, rollingCountBuckets: 2 }),
			"closed yes yes open",
		]],
	},
	{
		name: "half-open-begins-by-time",
		script: ["0 call hard", "10 state"],
		policy: { consecutive_failures: 1 },
		ours: "yes half_open",
		theirs: [[inARow(1), "yes open"], [rolling(1, 50), "yes half_open"]],
	},
	{
		name: "nothing-waits-for-a-probe",
		script: ["0 call hard", "10 start a", "10 start b", "11 end a success", "12 end b success"],
		policy: { consecutive_failures: 1 },
		ours: "yes yes no",
		theirs: [[inARow(1), "yes yes yes"], [rolling(1, 50), "yes yes no"]],
	},
	{
		name: "late-failures-change-nothing",
		script: ["0 start a", "0 call hard", "10 start b", "11 end a hard", "11 state"],
		policy: { consecutive_failures: 1 },
		ours: "yes yes yes half_open",
		theirs: [[inARow(1), "yes yes yes open"], [rolling(1, 40), "yes yes yes open"]],
	},
	{
		name: "late-successes-change-nothing",
		script: ["0 start a", "0 call hard", "10 end a success", "10 state"],
		policy: { consecutive_failures: 1 },
		ours: "yes yes half_open",
		theirs: [[rolling(1, 40), "yes yes closed"]],
	},
	{
		name: "neutral-answers-decide-nothing",
		script: ["0 call hard", "10 call neutral", "10 state"],
		policy: { consecutive_failures: 1 },
		ours: "yes yes half_open",
		theirs: [[inARow(1), "yes yes closed"], [rolling(1, 50), "yes yes closed"]],
	},
	{
		name: "probes-have-leases",
		script: ["0 call hard", "10 start a", "1000 state", "1000 start b"],
		policy: { consecutive_failures: 1, probe_lease_seconds: 30 },
		ours: "yes yes half_open yes",
		theirs: [[inARow(1), "yes yes half_open no"], [rolling(1, 50), "yes yes half_open no"]],
	},
	{
		name: "backoff-outlives-closing",
		script: ["0 call hard", "10 call success", "11 call hard", "17 call success"],
		policy: { consecutive_failures: 1, open_factor: 2, open_decay_seconds: 60 },
		ours: "yes yes yes no",
		theirs: [[
			cockatiel(() => new ConsecutiveBreaker(1), new ExponentialBackoff({
				generator: noJitterGenerator, initialDelay: OPEN * 1000, maxDelay: 60000,
			})),
			"yes yes yes yes",
		]],
	},
	{
		name: "a-reset-forgets",
		script: ["0 call hard", "1 trip", "2 reset", "3 call hard", "3 state"],
		policy: { consecutive_failures: 2 },
		ours: "yes yes closed",
		theirs: [[inARow(2), "yes yes open"]],
	},
	{
		name: "orders-overrule",
		script: ["0 call hard", "3 trip", "6 state"],
		policy: { consecutive_failures: 1 },
		ours: "yes forced_open",
		theirs: [[rolling(1, 50), "yes half_open"]],
	},
	{
		name: "the-wall-clock-is-not-asked",
		script: ["0 call hard", "1 step -3600", "10 call success"],
		policy: { consecutive_failures: 1 },
		ours: "yes yes",
		theirs: [[inARow(1), "yes no"]],
	},
];

// Every difference as { name, ok, text }; those of the listing that nothing shows are not ok.
export async function demonstrate() {
	const listed = [...readFileSync(listing, "utf8").matchAll(/^\| `([^`]+)`/gm)]
		.map(([, name]) => name);
	const shown = [];

	for (const { name, script, policy, ours, theirs } of differences) {
		const answers = [["ours", ourAnswers(policy, script).join(" "), ours]];

		for (const [make, want] of theirs)
			answers.push(["theirs", (await theirAnswers(make, script)).join(" "), want]);
		const wrong = answers.filter(([, got, want]) => got !== want)
			.map(([side, got, want]) => `${side}: "${got}" instead of "${want}"`);
		if (!listed.includes(name))
			wrong.push("docs/oracle.md does not list it");
		if (theirs.every(([, want]) => want === ours))
			wrong.push("this is no difference");
		shown.push({ name, ok: !wrong.length, text: wrong.join("; ") });
	}
	for (const name of listed)
		if (!differences.some((difference) => difference.name === name))
			shown.push({ name, ok: false, text: "docs/oracle.md lists it, no script shows it" });
	return shown;
}
