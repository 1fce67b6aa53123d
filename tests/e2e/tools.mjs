// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// A server of the official SDK that offers what a file says, read anew at each request:
// {"version", "tools", "mode"}. mode: "" (answer), or what becomes of a tools/list: "401",
// "hang", "garbage", or "closed": 401 for everything.
// usage: tools.mjs ADDRESS PORT FILE
// Prints "listening" when it is.

import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { Server } from "@modelcontextprotocol/sdk/server/index.js";
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js";
import { ListToolsRequestSchema } from "@modelcontextprotocol/sdk/types.js";

const [address, port, file] = process.argv.slice(2);
const sessions = new Map();
const now = () => JSON.parse(readFileSync(file, "utf8"));

async function begin() {
	const server = new Server({ name: "tools", version: now().version },
		{ capabilities: { tools: {} } });
	const transport = new StreamableHTTPServerTransport({
		sessionIdGenerator: randomUUID,
		onsessioninitialized: (id) => sessions.set(id, transport),
	});

	transport.onclose = () => sessions.delete(transport.sessionId);
	server.setRequestHandler(ListToolsRequestSchema, () => ({ tools: now().tools }));
	await server.connect(transport);
	return transport;
}

// One that is not to be answered as the SDK would; true: it is done.
function spoiled(mode, method, response) {
	const lists = method === "tools/list";

	if (mode === "closed" || (mode === "401" && lists))
		response.writeHead(401).end();
	else if (mode === "garbage" && lists)
		response.writeHead(200, { "Content-Type": "application/json" }).end('{"tools":[[[[');
	else
		return mode === "hang" && lists;
	return true;
}

async function answer(request, response) {
	const parts = [];

	for await (const part of request)
		parts.push(part);
	const text = Buffer.concat(parts).toString();
	const body = text ? JSON.parse(text) : undefined;

	if (spoiled(now().mode, body?.method, response))
		return;
	const known = sessions.get(request.headers["mcp-session-id"]);

	await (known ?? await begin()).handleRequest(request, response, body);
}

createServer((request, response) => {
	answer(request, response).catch(() => response.destroy());
}).listen(Number(port), address, () => console.log("listening"));
