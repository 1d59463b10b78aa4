"""python-socketio as it comes, on aiohttp and uvloop: what bare.mjs does."""

from __future__ import annotations

import socket
from typing import Any

import socketio
import uvloop
from aiohttp import web

DONE = {"ok": True, "data": {}}

sio = socketio.AsyncServer(async_mode="aiohttp")
app = web.Application()
sio.attach(app)


@sio.on("presence:query")
async def query(_: str, data: Any) -> Any:
    """Echo."""
    return data


@sio.on("chat:join")
async def join(sid: str, data: Any) -> Any:
    """Enter a room."""
    await sio.enter_room(sid, data["room"])
    return DONE


@sio.on("chat:typing")
async def typing(sid: str, data: Any) -> Any:
    """Send on to the others."""
    from_ = {"id": sid, "name": "ann"}
    event = {"room": data["room"], "from": from_}
    await sio.emit("chat:typing", event, room=data["room"], skip_sid=sid)
    return DONE


@sio.on("chat:send")
async def send(sid: str, data: Any) -> Any:
    """Send on to all."""
    event = {"room": data["room"], "from": {"id": sid, "name": "ann"}, "text": data["text"]}
    await sio.emit("chat:message", event, room=data["room"])
    return DONE


if __name__ == "__main__":
    uvloop.install()
    listener = socket.create_server(("127.0.0.1", 0))
    ready = f"listening on {listener.getsockname()[1]}"
    web.run_app(app, sock=listener, print=lambda *_: print(ready, flush=True))
