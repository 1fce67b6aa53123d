// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Clients of the official SDK, each with a session of its own, that begin at the same moment
// and call a tool again and again.
// usage: sdk.mjs URL CLIENTS CALLS
// Prints how often what came, a line each: "ok 80", "EHOSTUNREACH 8".

import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";

const [url, clients, calls] = [process.argv[2], Number(process.argv[3]), Number(process.argv[4])];
const LIMIT_MS = 60_000;
const seen = new Map();

function count(what) {
	seen.set(what, (seen.get(what) ?? 0) + 1);
}

// The errno; where several addresses were tried, of each of them.
function explain(error) {
	for (let e = error; e; e = e.cause) {
		if (e.errors)
			return [...new Set(e.errors.map((one) => one.code))].sort().join("+");
		if (typeof e.code === "string")
			return e.code;
	}
	return error.message.replaceAll(/\s/g, "-");
}

async function client() {
	const mcp = new Client({ name: "sdk", version: "1" });
	const options = { timeout: LIMIT_MS };

	try {
		await mcp.connect(new StreamableHTTPClientTransport(new URL(url)), options);
		await mcp.listTools({}, options);
		for (let i = 0; i < calls; i++) {
			const tool = { name: "echo", arguments: { message: `${i}` } };
			const result = await mcp.callTool(tool, undefined, options);

			count(result.content?.[0]?.text === `Echo: ${i}` ? "ok" : "another-answer");
		}
		await mcp.close();
	} catch (error) {
		count(explain(error));
	}
}

await Promise.all(Array.from({ length: clients }, client));
for (const [what, n] of seen)
	console.log(`${what} ${n}`);
process.exit(0);
