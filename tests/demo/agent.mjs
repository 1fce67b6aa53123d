// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// An agent as people write them: the official MCP client, one session per
// server, a time limit for every call. A call that fails ends its session; the
// next one begins a new session. It knows nothing of Switchgear.
//
// usage: agent.mjs NAME=URL...
// Reads a line "NAME TOOL [ARGUMENTS]" for each call that it shall make, and
// answers with one line: ok or error, the detail, milliseconds, with tabs between.
// The first such line says that it is ready.

import { createInterface } from "node:readline";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { ErrorCode } from "@modelcontextprotocol/sdk/types.js";

const LIMIT_MS = Number(process.env.LIMIT_MS ?? 1000);

const servers = new Map(process.argv.slice(2).map((word) => {
	const [name, url] = word.split(/=(.*)/s);
	return [name, new URL(url)];
}));
const sessions = new Map();

class Session {
	#client = new Client({ name: "demo-agent", version: "1" });
	#cause; // what went wrong first; what follows from it tells less

	static async open(url, timeout) {
		const session = new Session();
		const transport = new StreamableHTTPClientTransport(url);
		// Without this a call whose connection breaks in the middle of its answer
		// would wait for its time limit: the client tries to resume it.
		transport.onerror = (error) => session.#fail(error);
		await session.#try(session.#client.connect(transport, { timeout }));
		return session;
	}

	async call(name, args, timeout) {
		return this.#try(this.#client.callTool({ name, arguments: args }, undefined, { timeout }));
	}

	get broken() {
		return this.#cause !== undefined;
	}

	async #try(promise) {
		try {
			return await promise;
		} catch (error) {
			this.#fail(error);
			throw this.#cause;
		}
	}

	#fail(error) {
		if (this.broken)
			return;
		this.#cause = error;
		this.#client.close().catch(() => {});
	}
}

async function callTool(name, tool, args) {
	const timeout = tool === "trigger-long-running-operation" ? 20_000 : LIMIT_MS;
	let session = sessions.get(name);

	if (!session || session.broken) {
		sessions.delete(name);
		session = await Session.open(servers.get(name), LIMIT_MS);
		sessions.set(name, session);
	}
	return session.call(tool, args, timeout);
}

// A word or two for people: the errno, the HTTP status, or what the client says.
function explain(error) {
	for (let e = error; e; e = e.cause) {
		if (typeof e.code === "string")
			return e.code;
		if (e.code === ErrorCode.RequestTimeout)
			return "no answer";
		if (e.code >= 400)
			return `HTTP ${e.code}`;
	}
	return /disconnected|terminated|closed/i.test(error.message) ? "connection lost" : error.message;
}

async function report(name, tool, args) {
	const start = performance.now();
	let line;

	try {
		const result = await callTool(name, tool, args);
		const text = result.content?.[0]?.text ?? "";
		line = `${result.isError ? "error" : "ok"}\t${text}`;
	} catch (error) {
		line = `error\t${explain(error)}`;
	}
	console.log(`${line.replaceAll("\n", " ")}\t${(performance.now() - start).toFixed(1)}`);
}

for (const [name, url] of servers)
	sessions.set(name, await Session.open(url, 10_000));
console.log("ok\tready\t0");
for await (const line of createInterface({ input: process.stdin })) {
	const [name, tool, args] = line.split(/ (\S+) ?(.*)/s);
	await report(name, tool, JSON.parse(args || "{}"));
}
process.exit(0);
