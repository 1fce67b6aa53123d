// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// A server of an official SDK: the first (sessions, events that can be asked for again) or the
// second (no sessions). Its tools:
//	who     says its name
//	slow    five notifications of progress in half a second, then "slow"
//	count   how often it was called, itself included
//	die     ends the process, in mid-call
// usage: relay_server.mjs 1|2 ADDRESS PORT NAME LOG
// LOG gets a line for each request: HTTP method, method, tool, session (or -), and the names of
// fields that hold credentials.
// Prints "listening" when it is.

import { randomUUID } from "node:crypto";
import { appendFileSync } from "node:fs";
import { createServer } from "node:http";

const [generation, address, port, name, log] = process.argv.slice(2);
const SECRETS = ["authorization", "cookie", "x-api-key", "proxy-authorization"];
const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const say = (text) => ({ content: [{ type: "text", text }] });
let counted = 0;

const tool = (name, hints) => ({
	name, description: name, inputSchema: { type: "object" }, ...(hints && { annotations: hints }),
});
const list = { tools: [tool("who", { readOnlyHint: true }), tool("slow"), tool("count"), tool("die")] };

async function slow(params, notify) {
	const progressToken = params._meta?.progressToken;

	for (let progress = 1; progress <= 5; progress++) {
		await wait(100);
		if (progressToken !== undefined)
			await notify({ method: "notifications/progress",
				params: { progressToken, progress, total: 5 } });
	}
	return say("slow");
}

async function die() {
	await wait(100);
	process.exit(9);
}

function call(params, notify) {
	switch (params.name) {
	case "slow": return slow(params, notify);
	case "count": return say(`${++counted}`);
	case "die": return die();
	default: return say(name);
	}
}

function note(request, body) {
	const held = SECRETS.filter((field) => request.headers[field] !== undefined);
	const words = [request.method, body?.method ?? "-", body?.params?.name ?? "-",
		request.headers["mcp-session-id"] ?? "-", request.url, request.headers.host, ...held];

	appendFileSync(log, `${words.join(" ")}\n`);
}

// --- the first SDK ---------------------------------------------------------------------------

async function first() {
	const { Server } = await import("@modelcontextprotocol/sdk/server/index.js");
	const { StreamableHTTPServerTransport } =
		await import("@modelcontextprotocol/sdk/server/streamableHttp.js");
	const { InMemoryEventStore } =
		await import("@modelcontextprotocol/sdk/examples/shared/inMemoryEventStore.js");
	const types = await import("@modelcontextprotocol/sdk/types.js");
	const sessions = new Map();

	async function begin() {
		const server = new Server({ name, version: "1" }, { capabilities: { tools: {} } });
		const transport = new StreamableHTTPServerTransport({
			sessionIdGenerator: randomUUID,
			eventStore: new InMemoryEventStore(),
			onsessioninitialized: (id) => sessions.set(id, transport),
		});

		server.setRequestHandler(types.ListToolsRequestSchema, () => list);
		server.setRequestHandler(types.CallToolRequestSchema,
			({ params }, extra) => call(params, extra.sendNotification));
		await server.connect(transport);
		return transport;
	}
	return async (request, response, body) => {
		const id = request.headers["mcp-session-id"];

		// as the protocol has it, which not every server does
		if (id && !sessions.has(id))
			response.writeHead(404).end();
		else
			await (sessions.get(id) ?? await begin()).handleRequest(request, response, body);
	};
}

// --- the second ------------------------------------------------------------------------------

async function second() {
	const { Server, createMcpHandler } = await import("@modelcontextprotocol/server");
	const { toNodeHandler } = await import("@modelcontextprotocol/node");
	const handler = createMcpHandler(() => {
		const server = new Server({ name, version: "1" },
			{ capabilities: { tools: { listChanged: true } } });

		server.setRequestHandler("tools/list", () => list);
		server.setRequestHandler("tools/call", ({ params }, context) =>
			call(params, (notification) => context.mcpReq.notify(notification)));
		return server;
	});

	return toNodeHandler(handler);
}

const handle = await (generation === "1" ? first() : second());

async function answer(request, response) {
	const parts = [];

	for await (const part of request)
		parts.push(part);
	const text = Buffer.concat(parts).toString();
	const body = text ? JSON.parse(text) : undefined;

	note(request, body);
	await handle(request, response, body);
}

createServer((request, response) => {
	answer(request, response).catch((error) => {
		console.log(error.stack);
		response.destroy();
	});
}).listen(Number(port), address, () => console.log("listening"));
