# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# What agents on httpx do, as their MCP library does it.
# usage: httpx_client.py URL HABIT TIMES
# Prints how often what came, a line each, sorted: "200 10".

import asyncio
import collections
import sys

import httpx

URL, HABIT, TIMES = sys.argv[1], sys.argv[2], int(sys.argv[3])
CALL = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "echo"}}
NOTE = {"jsonrpc": "2.0", "method": "notifications/initialized"}
HEADERS = {"accept": "application/json, text/event-stream"}
IDLE_S = 1.5  # longer than the server keeps a connection


async def note(client):
    return (await client.post(URL, json=NOTE)).status_code


async def call(client):
    return (await client.post(URL, json=CALL)).status_code


async def large(client):
    return (await client.post(URL, json={**CALL, "more": "x" * 3_000_000})).status_code


async def idle(client):
    status = await call(client)
    await asyncio.sleep(IDLE_S)
    return status


# Closes when the event with the answer is there, which is before the stream ends.
async def stream(client):
    async with client.stream("POST", URL, json=CALL) as answer:
        async for line in answer.aiter_lines():
            if line.startswith("data: "):
                return answer.status_code


async def cancel(client):
    task = asyncio.create_task(call(client))
    await asyncio.sleep(0.2)
    task.cancel()
    try:
        return await task
    except asyncio.CancelledError:
        return "cancelled"


async def main():
    seen = collections.Counter()
    async with httpx.AsyncClient(headers=HEADERS, timeout=60) as client:
        for _ in range(TIMES):
            try:
                seen[await globals()[HABIT](client)] += 1
            except httpx.HTTPError as error:
                seen[type(error).__name__] += 1
    for what, times in sorted(seen.items(), key=str):
        print(what, times)


asyncio.run(main())
