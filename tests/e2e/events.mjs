// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Reads Server-Sent Events from a Unix socket as the HTML standard says an EventSource does, and
// comes back with the last id when the connection ends. Each event is a line: ID TYPE DATA.
// usage: events.mjs SOCKET PATH HOW-MANY
import { request } from "node:http";

const [socketPath, path, wanted] = process.argv.slice(2);
let id = "";
let left = Number(wanted);
let retry = 3000;

class Parser {
	#rest = "";
	#type = "";
	#data = null;
	#id = id;

	feed(text, emit) {
		const lines = (this.#rest + text).split("\n");

		this.#rest = lines.pop();
		for (const line of lines)
			this.#line(line.replace(/\r$/, ""), emit);
	}

	#line(line, emit) {
		const at = line.indexOf(":");
		const field = at < 0 ? line : line.slice(0, at);
		const value = at < 0 ? "" : line.slice(at + 1).replace(/^ /, "");

		if (line === "") {
			id = this.#id;
			if (this.#data !== null)
				emit(this.#type || "message", this.#data);
			this.#type = "";
			this.#data = null;
		} else if (field === "id") {
			this.#id = value;
		} else if (field === "event") {
			this.#type = value;
		} else if (field === "data") {
			this.#data = this.#data === null ? value : `${this.#data}\n${value}`;
		} else if (field === "retry" && /^\d+$/.test(value)) {
			retry = Number(value);
		}
	}
}

function connect() {
	const headers = { Accept: "text/event-stream" };
	const parser = new Parser();
	let over = false;
	const again = () => {
		if (!over)
			setTimeout(connect, Math.min(retry, 200));
		over = true;
	};

	if (id)
		headers["Last-Event-ID"] = id;
	request({ socketPath, path, headers }, (answer) => {
		if (answer.statusCode !== 200) {
			console.log(`status ${answer.statusCode}`);
			process.exit(1);
		}
		console.error("connected");
		answer.setEncoding("utf8");
		answer.on("data", (text) => parser.feed(text, (type, data) => {
			console.log(`${id} ${type} ${data}`);
			if (--left === 0)
				process.exit(0);
		}));
		answer.on("end", again);
		answer.on("error", again);
	}).on("error", again).end();
}
connect();
