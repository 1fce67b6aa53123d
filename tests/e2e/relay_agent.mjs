// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// A client of an official SDK, unmodified, on one object for as long as it runs. Where its
// connections go is not its business: a fetch() that it is given sends them elsewhere when it is
// told to, as the kernel does.
// usage: relay_agent.mjs 1|2 URL
// Orders on stdin, a line each; each is answered by "MS KIND TEXT":
//	go PORT            connections go there from now on
//	connect            ok SERVER: INSTRUCTIONS
//	list               ok NAMES
//	call TOOL [MS]     with { message: "hello" }: ok TEXT [PROGRESS], told TEXT (isError), failed MESSAGE (a time-out after MS)
//	call TOOL MS quiet the same, without asking for progress
//	begin TOOL ...     the same, not waited for: "ok begun"
//	end                what came of it
//	changed            ok how often it was told that the list of tools has changed
//	errors             ok what onerror was told
//	close

import { createInterface } from "node:readline";

const [generation, url] = process.argv.slice(2);
const LIMIT_MS = 20_000;
let port = new URL(url).port;
let changed = 0;
let errors = [];
let begun;

function away(input, init) {
	const to = new URL(input);

	to.port = port;
	return fetch(to, init);
}

const options = {
	requestInit: { headers: { Authorization: "Bearer secret", Cookie: "a=b", "X-Api-Key": "k" } },
	fetch: away,
};

async function make() {
	if (generation === "1") {
		const { Client } = await import("@modelcontextprotocol/sdk/client/index.js");
		const { StreamableHTTPClientTransport } =
			await import("@modelcontextprotocol/sdk/client/streamableHttp.js");
		const { ToolListChangedNotificationSchema } =
			await import("@modelcontextprotocol/sdk/types.js");
		const client = new Client({ name: "agent", version: "1" });

		client.setNotificationHandler(ToolListChangedNotificationSchema, () => { changed++; });
		return [client, new StreamableHTTPClientTransport(new URL(url), options),
			(tool, how) => client.callTool(tool, undefined, how)];
	}
	const { Client, StreamableHTTPClientTransport } = await import("@modelcontextprotocol/client");
	const client = new Client({ name: "agent", version: "1" }, {
		versionNegotiation: { mode: "auto" },
		listChanged: { tools: { autoRefresh: false, onChanged: () => { changed++; } } },
	});

	return [client, new StreamableHTTPClientTransport(new URL(url), options),
		(tool, how) => client.callTool(tool, how)];
}

const [client, transport, callTool] = await make();
client.onerror = (error) => errors.push(error.message);

function explain(error) {
	const words = [];

	for (let e = error; e; e = e.cause)
		words.push(e.code ?? "", e.message);
	return `failed ${words.join(" ")}`;
}

async function call(name, ms, quiet) {
	let progress = 0;
	const how = { timeout: Number(ms ?? LIMIT_MS) };

	if (!quiet)
		how.onprogress = () => { progress++; };
	const result = await callTool({ name, arguments: { message: "hello" } }, how);
	const text = result.content?.[0]?.text;

	return `${result.isError ? "told" : "ok"} ${text}${progress ? ` ${progress}` : ""}`;
}

const orders = {
	go: (to) => { port = to; return "ok"; },
	connect: async () => {
		await client.connect(transport, { timeout: LIMIT_MS });
		return `ok ${client.getServerVersion()?.name}: ${client.getInstructions() ?? ""}`;
	},
	list: async () => `ok ${(await client.listTools()).tools.map((tool) => tool.name).join(",")}`,
	call,
	begin: (...words) => { begun = call(...words).catch(explain); return "ok begun"; },
	end: () => begun,
	changed: () => `ok ${changed}`,
	errors: () => `ok ${errors.splice(0).join("; ")}`,
	close: async () => { await client.close(); return "ok"; },
};

for await (const line of createInterface({ input: process.stdin })) {
	const [order, ...words] = line.split(" ");
	const start = performance.now();
	let said;

	try {
		said = await orders[order](...words);
	} catch (error) {
		said = explain(error);
	}
	console.log(`${Math.round(performance.now() - start)} ${said.replaceAll("\n", " ")}`);
}
process.exit(0);
