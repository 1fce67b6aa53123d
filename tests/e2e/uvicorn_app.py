# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# An MCP-like server under uvicorn, which closes what is idle for a second.
# usage: uvicorn_app.py PORT

import asyncio
import sys

import uvicorn

RESULT = b'{"jsonrpc":"2.0","id":1,"result":{}}'


def event(data):
    return b"event: message\r\ndata: " + data + b"\r\n\r\n"


async def start(send, status, kind):
    headers = [(b"content-type", kind)] if kind else []
    await send({"type": "http.response.start", "status": status, "headers": headers})


async def end(send, body=b""):
    await send({"type": "http.response.body", "body": body})


async def part(send, body):
    await send({"type": "http.response.body", "body": body, "more_body": True})


async def read_all(receive):
    while (await receive()).get("more_body"):
        pass


async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    path = scope["path"]
    if path == "/early":  # says so before the body is there
        await start(send, 413, b"text/plain")
        await end(send, b"too much")
        return
    await read_all(receive)
    if path == "/notify":
        await start(send, 202, None)
        await end(send)
    elif path == "/quiet":
        await start(send, 200, b"text/plain")
        await end(send)
    elif path == "/stream":
        await start(send, 200, b"text/event-stream")
        await part(send, event(RESULT))
        await asyncio.sleep(0.05)
        await end(send)
    elif path == "/hang":
        await asyncio.sleep(600)
    elif path == "/pieces":  # in chunks
        await start(send, 200, b"application/json")
        for byte in RESULT:
            await part(send, bytes([byte]))
        await end(send)
    elif path == "/broken":
        await start(send, 503, b"text/plain")
        await end(send)
    else:
        await start(send, 200, b"application/json")
        await end(send, RESULT)


uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), timeout_keep_alive=1, log_level="warning")
