// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Drives opossum through a stream and writes down what `simulate` must say to
// the same calls. What the two mean differently is kept out of the stream, by
// looking at opossum alone; differences.mjs shows each of these differences.

import { clock } from "./clock.mjs";
import { basePolicy, failure } from "./cockatiel.mjs";
import { theirs } from "./packages.mjs";
import { timeline } from "./streams.mjs";
import { Script } from "./ours.mjs";

const CircuitBreaker = theirs("opossum");

// > in place of >=, in percent: a hair below the rate that we trip at.
const BELOW = 1e-7;

class Run {
	#breaker;
	#scenario;
	#script;
	#how; // what the next call does
	#call; // the one in flight: there is one at most
	#deadline; // end of the opening
	#byHand = false;

	constructor(scenario, stream, server) {
		clock.reset(stream.start);
		this.#scenario = scenario;
		this.#script = new Script(server);
		this.#breaker = new CircuitBreaker(() => this.#how(), {
			...scenario.options, rollingPercentilesEnabled: false, enableSnapshots: false,
		});
		this.#breaker.on("open", () => {
			this.#deadline = clock.now + scenario.options.resetTimeout;
			this.#byHand = false;
			this.#script.count("Open");
		});
		this.#breaker.on("halfOpen", () => {
			this.#byHand = false;
			this.#script.count("HalfOpen");
		});
		this.#breaker.on("close", () => this.#script.count("Closed"));
		this.#breaker.on("reject", () => this.#script.count("refused"));
		this.#breaker.on("timeout", () => this.#script.count("timeout"));
	}

	get script() {
		return this.#script;
	}

	done() {
		this.#breaker.shutdown();
	}

	get #state() {
		if (this.#breaker.closed)
			return "closed";
		if (this.#breaker.halfOpen)
			return "half_open";
		return this.#byHand ? "forced_open" : "open";
	}

	#bucket(at) {
		return Math.floor(at / this.#scenario.width);
	}

	// Refused calls count in the window until it has moved on; it is not emptied on closing.
	#goneByDeadline() {
		const { width, options } = this.#scenario;

		return (this.#bucket(clock.now) + options.rollingCountBuckets) * width <= this.#deadline;
	}

	get #counts() {
		const counts = { calls: 0, failed: 0 };

		for (const { fires, failures } of this.#breaker.status.window) {
			counts.calls += fires;
			counts.failed += failures;
		}
		return counts;
	}

	async act({ at, what, id, action }) {
		clock.advance(at); // time limits of calls act here
		if (what === "look")
			this.#script.state(at, this.#state);
		else if (what === "order")
			this.#order();
		else if (what === "release")
			this.#release();
		else if (action !== "end")
			await this.#begin(id, what, action);
		else if (this.#call?.id === id)
			await this.#end(what);
	}

	#order() {
		const seconds = this.#scenario.options.resetTimeout / 1000;

		if (this.#call || this.#breaker.opened)
			return;
		this.#breaker.open();
		this.#byHand = true;
		this.#script.say(clock.now, "force", `,"to":"forced_open","for":${seconds}`);
		this.#script.state(clock.now, this.#state);
	}

	#release() {
		if (this.#call || this.#breaker.closed || this.#counts.calls)
			return;
		this.#breaker.close();
		this.#script.say(clock.now, "force", ',"to":"reset"');
		this.#script.state(clock.now, this.#state, this.#counts);
	}

	/*
	 * Refused calls and such in flight count in their rates. So: the last window
	 * before the deadline has none, and in flight are probes only, beside which
	 * calls may be refused in the bucket in which the probe ends.
	 */
	#outside() {
		if (this.#breaker.opened)
			return !this.#goneByDeadline();
		if (!this.#call)
			return false;
		return this.#breaker.closed || this.#bucket(clock.now) !== this.#call.bucket;
	}

	// They look at their rates after failures only.
	#bend(what, state, begun) {
		const { minimum, percent } = this.#scenario;
		const { calls, failed } = this.#counts;
		const all = calls + (begun ? 0 : 1);

		if (what !== "success" || state !== "closed" || !failed || all < minimum ||
				failed / all * 100 <= percent)
			return what;
		this.#script.changed++;
		return "hard";
	}

	async #begin(id, what, action) {
		const before = this.#state;

		if (this.#outside()) {
			this.#script.skipped++;
			return;
		}
		if (action === "start" && !this.#call && !this.#breaker.opened) {
			this.#start(id, before);
			return;
		}
		const bent = this.#bend(what === "hang" ? "hard" : what, before, false);
		let admitted = false;
		this.#how = () => {
			admitted = true;
			return bent === "success" ? Promise.resolve() : Promise.reject(failure(bent));
		};
		await this.#breaker.fire().catch(() => {});
		this.#script.call(clock.now, bent, admitted, before);
		this.#after(admitted && before === "half_open");
	}

	#start(id, before) {
		const call = { id, before, admitted: false, bucket: this.#bucket(clock.now) };
		const how = new Promise((resolve, reject) => Object.assign(call, { resolve, reject }));

		this.#how = () => {
			call.admitted = true;
			return how;
		};
		call.result = this.#breaker.fire().catch(() => {});
		this.#script.start(clock.now, id, call.admitted, before);
		this.#call = call;
		this.#script.state(clock.now, this.#state);
	}

	async #end(what) {
		const { id, before, result, resolve, reject } = this.#call;
		const bent = this.#bend(what, before, true);

		this.#call = undefined;
		if (bent === "success")
			resolve();
		else if (bent !== "hang")
			reject(failure(bent));
		await result;
		// A probe's lease ends by itself; that another call hung is reported to us.
		if (bent !== "hang" || before === "closed")
			this.#script.end(clock.now, id, bent === "hang" ? "hard" : bent);
		this.#after(before === "half_open");
	}

	// Their window goes on with the probe and what was refused beside it, ours begins empty.
	#after(probed) {
		const { closed } = this.#breaker;

		if (probed && closed)
			for (let n = this.#counts.calls; n > 0; n--)
				this.#script.call(clock.now, "success", true, "closed");
		this.#script.state(clock.now, this.#state,
			closed && !this.#call ? this.#counts : undefined);
	}
}

// A call counts for them where it begins, for us where it ends: let that be one bucket.
function withinBuckets(events, width, timeout) {
	return events.map(({ at, what, took }) => {
		const length = what === "hang" ? timeout : Math.min(took, timeout - 1);

		if (length && Math.floor(at / width) === Math.floor((at + length) / width))
			return { at, what, took: length };
		return { at, what: what === "hang" ? "hard" : what, took: 0 };
	});
}

async function run(scenario, stream, server) {
	const side = new Run(scenario, stream, server);
	const events = withinBuckets(stream.events, scenario.width, scenario.options.timeout);

	for (const action of timeline(events))
		await side.act(action);
	side.done();
	return side.script;
}

// reset: at least as long as the window
function rolling(window, buckets, minimum, rate, reset, timeout) {
	const width = window / buckets;
	const percent = rate * 100 - BELOW;

	return {
		pairing: "opossum",
		title: `${rate} of ${window} ms in ${buckets}, at least ${minimum}, open ${reset} ms`,
		run, width, minimum, percent, start: 3_600_000,
		mustSee: ["Open", "HalfOpen", "Closed", "refused", "timeout"],
		options: {
			timeout, errorThresholdPercentage: percent, volumeThreshold: minimum,
			resetTimeout: reset,
			rollingCountTimeout: window, rollingCountBuckets: buckets,
		},
		policy: {
			...basePolicy, window_seconds: window / 1000, window_buckets: buckets,
			min_calls: minimum,
			failure_rate: rate, open_seconds: reset / 1000, probe_lease_seconds: timeout / 1000,
		},
		mix: {
			open: width * 2, step: width, bounds: [width, 2 * width, reset], longest: width,
			look: 0.05, order: 0.004, release: 0.02, hang: 0.05, soft: 0.4, took: 0.3,
		},
		mutants: [
			{ failure_rate: rate + 1e-6 },
			{ failure_rate: rate - 1 / minimum },
			{ min_calls: minimum + 1 },
			{ window_seconds: (window + width) / 1000, window_buckets: buckets + 1 },
			{ window_buckets: 1 },
			{ open_seconds: (reset + 1) / 1000 },
			{ probe_lease_seconds: (timeout + 1) / 1000 },
			{ half_open_probes: 2 },
		],
	};
}

export const scenarios = [
	rolling(10000, 10, 5, 0.5, 20000, 50), rolling(1000, 5, 8, 0.4, 1000, 20),
	rolling(3000, 3, 8, 0.25, 7654, 100), rolling(600, 2, 3, 0.75, 900, 5),
];
