// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Random streams of calls: equal seeds, equal streams. An event is
// { at, what, took }, in ms: a call that is made at `at` and ends as `what`
// (success, hard, soft, neutral, hang) `took` later; or look, order, release.

// mulberry32, by Tommy Ettinger, in the public domain.
class Random {
	#state;

	constructor(seed) {
		this.#state = seed >>> 0;
		for (let i = 0; i < 3; i++)
			this.next();
	}

	next() {
		this.#state = (this.#state + 0x6d2b79f5) >>> 0;
		let x = this.#state;
		x = Math.imul(x ^ (x >>> 15), x | 1);
		x ^= x + Math.imul(x ^ (x >>> 7), x | 61);
		return ((x ^ (x >>> 14)) >>> 0) / 4294967296;
	}

	chance(share) {
		return this.next() < share;
	}

	between(low, high) {
		return low + Math.floor(this.next() * (high - low + 1));
	}

	pick(list) {
		return list[Math.floor(this.next() * list.length)];
	}
}

// Each yields { failing, gap, calls } for ever: the share that fails, ms between calls.
const shapes = {
	*calm(random, open) {
		for (;;)
			yield { failing: 0.04, gap: open / 4, calls: random.between(20, 60) };
	},
	*bursts(random, open) {
		for (;;) {
			yield { failing: random.pick([0.1, 0.5, 0.8]), gap: 1, calls: random.between(5, 25) };
			yield { failing: 0.2, gap: open, calls: random.between(1, 3) };
		}
	},
	*outage(random, open) {
		for (;;) {
			yield { failing: 0.03, gap: open / 8, calls: random.between(15, 50) };
			yield { failing: 0.97, gap: open / 8, calls: random.between(15, 50) };
		}
	},
	*flapping(random, open) {
		for (let failing = 0; ; failing = 1 - failing)
			yield { failing, gap: open / 6, calls: random.between(2, 9) };
	},
	*recovery(random, open) {
		for (;;)
			for (let failing = 0.95; failing > 0; failing -= 0.1)
				yield { failing, gap: open / 5, calls: random.between(5, 12) };
	},
	*coin(random, open) {
		for (;;)
			yield { failing: 0.5, gap: random.pick([1, open / 10, open / 3]), calls: 10 };
	},
};

export const shapeNames = Object.keys(shapes);

// A gap: mostly around the phase's; sometimes what hits a bound, or misses it by 1 ms.
function gapOf(random, mix, gap) {
	if (random.chance(0.08))
		return random.pick(mix.bounds) + random.between(-1, 1);
	if (random.chance(0.1))
		return 0;
	return random.between(1, Math.max(1, Math.round(2 * gap)));
}

function kindOf(random, mix, failing) {
	for (const what of ["look", "order", "release", "neutral", "hang"])
		if (random.chance(mix[what] ?? 0))
			return what;
	if (!random.chance(failing))
		return "success";
	return random.chance(mix.soft ?? 0) ? "soft" : "hard";
}

/*
 * mix: { start, step, open, bounds, longest }, and the shares of look, order,
 * release, neutral, hang, soft (of failures) and took (of calls with a length).
 * The stream begins at `start` or some whole steps later.
 */
export function makeStream(seed, events, mix) {
	const random = new Random(seed);
	const shape = shapeNames[seed % shapeNames.length];
	const start = mix.start + mix.step * random.between(0, 50);
	const stream = { seed, shape, start, events: [] };
	let at = start;

	for (const phase of shapes[shape](random, mix.open)) {
		for (let i = 0; i < phase.calls && stream.events.length < events; i++) {
			at += gapOf(random, mix, phase.gap);
			stream.events.push({
				at,
				what: kindOf(random, mix, phase.failing),
				took: random.chance(mix.took ?? 0) ? random.between(1, mix.longest) : 0,
			});
		}
		if (stream.events.length >= events)
			return stream;
	}
}

/*
 * What happens, in order: calls without a length are one action, others a start
 * and an end; at one time ends go first. { at, what, id, action: call | start | end }.
 */
export function timeline(events) {
	const actions = [];

	for (const [id, { at, what, took }] of events.entries()) {
		actions.push({ at, what, id, action: took ? "start" : "call" });
		if (took)
			actions.push({ at: at + took, what, id, action: "end" });
	}
	const rank = (a) => (a.action === "end" ? 0 : 1);
	return actions.sort((a, b) => a.at - b.at || rank(a) - rank(b) || a.id - b.id);
}
