// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Drives cockatiel through a stream and writes down what `simulate` must say to
// the same calls. What the two mean differently is kept out of the stream, by
// looking at cockatiel alone; differences.mjs shows each of these differences.

import { clock } from "./clock.mjs";
import { theirs } from "./packages.mjs";
import { timeline } from "./streams.mjs";
import { Script } from "./ours.mjs";

const { circuitBreaker, handleWhen, CircuitState, ConsecutiveBreaker, CountBreaker,
	ExponentialBackoff, SamplingBreaker, noJitterGenerator } = theirs("cockatiel");

export const handled = handleWhen((error) => error.counts);

export function failure(what) {
	return Object.assign(new Error(what), { counts: what !== "neutral" });
}

export const outcomeOf = (what) => (what === "neutral" ? "app" : what);

// > in place of >=: a hair below the rate that we trip at.
const BELOW = 1e-9;

class Run {
	#breaker;
	#policy;
	#script;
	#scenario;
	#generation = 0;
	#calls = new Map(); // in flight, by id
	#isolation;
	#closedAt;

	constructor(scenario, stream, server) {
		clock.reset(stream.start);
		this.#scenario = scenario;
		this.#breaker = scenario.breaker();
		this.#policy = circuitBreaker(handled, {
			halfOpenAfter: scenario.halfOpenAfter(),
			breaker: this.#breaker,
		});
		this.#script = new Script(server);
		this.#policy.onStateChange((state) => {
			this.#generation++;
			this.#closedAt = state === CircuitState.Closed ? clock.now : undefined;
			this.#script.count(CircuitState[state]);
		});
	}

	get script() {
		return this.#script;
	}

	// Whether it is half-open only its next call finds out; the time says it before.
	get #state() {
		const { value, openedAt, backoff } = this.#policy.innerState;

		switch (value) {
		case CircuitState.Closed:
			return "closed";
		case CircuitState.Open:
			return clock.now - openedAt >= backoff.duration ? "half_open" : "open";
		case CircuitState.HalfOpen:
			return "half_open";
		default:
			return "forced_open";
		}
	}

	get #probing() {
		return this.#policy.state === CircuitState.HalfOpen;
	}

	async act({ at, what, id, action }) {
		clock.advance(at);
		if (what === "look")
			this.#script.state(at, this.#state);
		else if (what === "order")
			this.#order();
		else if (what === "release")
			await this.#release();
		else if (action === "end")
			await this.#end(id, what);
		else
			await this.#begin(id, what, action);
	}

	#order() {
		if (this.#isolation)
			return;
		this.#isolation = this.#policy.isolate();
		this.#script.say(clock.now, "force", ',"to":"forced_open"');
		this.#script.state(clock.now, this.#state);
	}

	async #release() {
		if (!this.#isolation)
			return;
		this.#isolation.dispose();
		this.#isolation = undefined;
		this.#closedAt = undefined; // nothing to forgive
		this.#script.say(clock.now, "force", ',"to":"reset"');
		await this.#begin("-", "success", "call"); // they keep the streak: let it end
	}

	// Calls beside the probe wait for it; probes may be tied to bounds of buckets; trips are
	// forgiven by time spent closed, which has to be more than none.
	#outside() {
		const { width, backsOff } = this.#scenario;

		return this.#probing ||
			(this.#state === "half_open" && width && clock.now % width !== 0) ||
			(backsOff && clock.now === this.#closedAt);
	}

	// What the call must end as for both to mean the same.
	#bend(what, state) {
		let bent = what;

		if (state === "half_open" && what === "neutral")
			bent = "success";
		if (state === "closed" && bent === "success" &&
				this.#scenario.successWouldTrip?.(this.#breaker))
			bent = "hard";
		this.#script.changed += bent !== what;
		return bent;
	}

	async #begin(id, what, action) {
		const before = this.#state;
		const call = { admitted: false, probe: before === "half_open" };

		if (this.#outside()) {
			this.#script.skipped++;
			return;
		}
		const how = new Promise((resolve, reject) => Object.assign(call, { resolve, reject }));
		call.result = this.#policy.execute(() => {
			call.admitted = true;
			return how;
		}).catch(() => {});
		call.generation = this.#generation;
		if (!call.admitted)
			this.#script.count("refused");
		if (action === "start") {
			this.#script.start(clock.now, id, call.admitted, before);
			if (call.admitted)
				this.#calls.set(id, call);
			this.#script.state(clock.now, this.#state);
			return;
		}
		const bent = this.#bend(what, before);
		this.#script.call(clock.now, outcomeOf(bent), call.admitted, before);
		await this.#finish(call, bent);
	}

	async #end(id, what) {
		const call = this.#calls.get(id);
		const late = call && call.generation !== this.#generation;

		if (!call)
			return;
		this.#calls.delete(id);
		if (late && (this.#policy.state === CircuitState.Closed || this.#probing)) {
			this.#script.skipped++; // they would count it: it never ends
			return;
		}
		const bent = late ? what : this.#bend(what, call.probe ? "half_open" : "closed");
		this.#script.end(clock.now, id, outcomeOf(bent));
		await this.#finish(call, bent);
	}

	async #finish(call, what) {
		if (what === "success")
			call.resolve();
		else if (call.admitted)
			call.reject(failure(what));
		await call.result;
		const state = this.#state;
		// Their new window begins with the probe, ours empty.
		if (call.probe && call.admitted && state === "closed" && this.#scenario.counts)
			this.#script.call(clock.now, "success", true, "closed");
		this.#script.state(clock.now, state,
			state === "closed" ? this.#scenario.counts?.(this.#breaker) : undefined);
	}
}

// Buckets move on with calls only, so each needs one at its very beginning.
function withHeartbeats(stream, width) {
	const at = new Set(stream.events.filter(({ what }) => what !== "look" && what !== "neutral")
		.map((event) => event.at));
	const end = stream.events.length ? stream.events[stream.events.length - 1].at : 0;
	const beats = [];

	for (let t = stream.start; t <= end; t += width)
		if (!at.has(t))
			beats.push({ at: t, what: "success", took: 0 });
	return [...beats, ...stream.events].sort((a, b) => a.at - b.at ||
		(a.what === "neutral" || a.what === "look") - (b.what === "neutral" || b.what === "look"));
}

async function run(scenario, stream, server) {
	const side = new Run(scenario, stream, server);
	const events = scenario.width ? withHeartbeats(stream, scenario.width) : stream.events;

	for (const action of timeline(events))
		await side.act(action);
	return side.script;
}

export const basePolicy = {
	consecutive_failures: 0, window_calls: 0, window_max_age_seconds: 0, window_seconds: 0,
	window_buckets: 0, min_calls: 1, slow_factor: 0, open_factor: 1, open_max_seconds: 3600,
	jitter: 0, open_decay_seconds: 1e-9, half_open_probes: 1, half_open_failure_rate: 1,
	probe_lease_seconds: 86400, half_open_max_seconds: 86400, ramp_seconds: 0,
	retry_after: false,
};

const basics = {
	run, start: 3_600_000, mustSee: ["Open", "HalfOpen", "Closed", "refused"],
};

function consecutive(threshold, open, factor = 1, longest = open) {
	return {
		...basics,
		pairing: `cockatiel ConsecutiveBreaker${factor > 1 ? ", ExponentialBackoff" : ""}`,
		title: `${threshold} in a row, open ${open} ms${factor > 1 ? ` to ${longest} ms` : ""}`,
		backsOff: factor > 1,
		breaker: () => new ConsecutiveBreaker(threshold),
		halfOpenAfter: () => (factor === 1 ? open : new ExponentialBackoff({
			generator: noJitterGenerator, initialDelay: open, maxDelay: longest,
		})),
		policy: {
			...basePolicy, consecutive_failures: threshold, open_seconds: open / 1000,
			open_factor: factor, open_max_seconds: longest / 1000,
		},
		mix: { open, step: 1, bounds: [open, 2 * open, longest], longest: open, look: 0.05,
			order: 0.004, release: 0.02, neutral: 0.08, took: 0.2 },
		mutants: [
			{ consecutive_failures: threshold + 1 },
			{ open_seconds: (open + 1) / 1000, open_max_seconds: (longest + 1) / 1000 },
			{ half_open_probes: 2 },
			...(factor > 1 ? [{ open_factor: factor + 0.1 }, { open_max_seconds: longest / 500 },
				{ open_decay_seconds: 3600 }] : []),
		],
	};
}

function crosses(failed, calls, minimum, rate) {
	return calls >= minimum && failed > (rate - BELOW) * calls;
}

function afterSuccess(breaker, scenario) {
	const copy = scenario.breaker();
	copy.state = JSON.parse(JSON.stringify(breaker.state));
	copy.success(CircuitState.Closed);
	return copy;
}

function windowed(scenario, minimum, rate) {
	return {
		...basics, ...scenario,
		successWouldTrip(breaker) {
			if (!scenario.counts(breaker).failed)
				return false;
			const { calls, failed } = scenario.counts(afterSuccess(breaker, scenario));
			return crosses(failed, calls, minimum, rate);
		},
		mutants: [
			{ failure_rate: rate + 1e-6 },
			{ failure_rate: rate - 1 / minimum },
			{ min_calls: minimum + 1 },
			...scenario.mutants,
		],
	};
}

function count(size, minimum, rate, open) {
	return windowed({
		pairing: "cockatiel CountBreaker",
		title: `${rate} of the last ${size}, at least ${minimum}, open ${open} ms`,
		breaker: () => new CountBreaker({
			threshold: rate - BELOW, size, minimumNumberOfCalls: minimum,
		}),
		halfOpenAfter: () => open,
		counts: ({ successes, failures }) => ({ calls: successes + failures, failed: failures }),
		policy: {
			...basePolicy, window_calls: size, min_calls: minimum, failure_rate: rate,
			open_seconds: open / 1000,
		},
		mix: { open, step: 1, bounds: [open, 2 * open], longest: open, look: 0.03, neutral: 0.08,
			soft: 0.4, took: 0.2 },
		mutants: [{ window_calls: size + 1 }, { open_seconds: open / 1000 + 0.001 }],
	}, minimum, rate);
}

// duration: a multiple of its buckets, which are five, or one a second
function sampling(duration, minimum, rate, open) {
	const buckets = Math.max(5, duration / 1000);
	const width = duration / buckets;

	return windowed({
		pairing: "cockatiel SamplingBreaker",
		title: `${rate} of ${duration} ms, at least ${minimum}, open ${open} ms`,
		width,
		breaker: () => new SamplingBreaker({
			threshold: rate - BELOW, duration, minimumRps: (minimum - 0.5) / duration * 1000,
		}),
		halfOpenAfter: () => open,
		counts: (b) => ({ calls: b.currentSuccesses + b.currentFailures, failed: b.currentFailures }),
		policy: {
			...basePolicy, window_seconds: duration / 1000, window_buckets: buckets,
			min_calls: minimum, failure_rate: rate, open_seconds: open / 1000,
		},
		mix: { open: width * 4, step: width, bounds: [width, 2 * width], look: 0.03,
			neutral: 0.08, soft: 0.4 },
		mutants: [
			{ window_seconds: (duration + width) / 1000, window_buckets: buckets + 1 },
			{ window_buckets: 1 },
			{ open_seconds: (open + width) / 1000 },
		],
	}, minimum, rate);
}

export const scenarios = [
	consecutive(1, 500), consecutive(2, 1000), consecutive(3, 20), consecutive(5, 30000),
	consecutive(2, 50, 2, 300), consecutive(3, 1000, 2, 7000), consecutive(1, 10, 2, 60),
	count(10, 5, 0.5, 1000), count(20, 19, 0.3, 500), count(7, 3, 2 / 3, 2000), count(50, 10, 0.6, 100),
	sampling(1000, 5, 0.5, 700), sampling(5000, 8, 0.4, 1000), sampling(10000, 20, 0.25, 3333),
];
