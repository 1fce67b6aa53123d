// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Virtual time. Both libraries read Date.now() and one of them sets timers, all
// by their global names: these are replaced here, for the whole process, so
// this module goes before everything else. Times are whole milliseconds.

let now = 0;
let count = 0;
let timers = []; // few: at most three for one breaker

function add(run, delay, every) {
	const timer = { at: now + delay, order: count++, run, every, unref() {} };
	timers.push(timer);
	return timer;
}

function remove(timer) {
	timers = timers.filter((other) => other !== timer);
}

function earliest(until) {
	let first;
	for (const timer of timers)
		if (timer.at <= until && (!first || timer.at < first.at ||
				(timer.at === first.at && timer.order < first.order)))
			first = timer;
	return first;
}

Date.now = () => now;
globalThis.setTimeout = (run, delay) => add(run, delay);
globalThis.setInterval = (run, every) => add(run, every, every);
globalThis.clearTimeout = remove;
globalThis.clearInterval = remove;

export const clock = {
	get now() {
		return now;
	},

	// Another life: no timers, any time.
	reset(at) {
		now = at;
		timers = [];
	},

	// Timers that are due at `at` run before what the caller does at `at`.
	advance(at) {
		for (let timer = earliest(at); timer; timer = earliest(at)) {
			now = timer.at;
			if (timer.every)
				timer.at += timer.every;
			else
				remove(timer);
			timer.run();
		}
		now = at;
	},
};
