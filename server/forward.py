"""Long-polling with several workers on one port.

The kernel hands each connection to any worker, but a polling session lives in one. Its
id says in which, so a worker that is asked for another's session passes the request on
through the other's private door (a Unix socket), upgrades to WebSocket included.
"""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any, Self

from aiohttp import ClientError, ClientSession, ClientTimeout, UnixConnector, WSMsgType, web

ENGINE_PATH = "/socket.io/"
_NODE = re.compile(r"([0-9a-f]{1,32})\.")
# Of one hop, and not to be passed on (RFC 9110, 7.6.1), or made anew by the next one.
_HOP = frozenset(
    {"connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "host"}
    | {"content-length", "content-encoding", "sec-websocket-key", "sec-websocket-version"}
    | {"sec-websocket-extensions", "sec-websocket-protocol"}
)


class Forwarder:
    """Knows the other workers by their doors, which stand in one folder."""

    def __init__(self, node: str, door: Path | None, frame_bytes: int) -> None:
        self._node = node
        self._frame_bytes = frame_bytes
        self._doors = door.parent if door else None
        self._clients: dict[str, ClientSession] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for client in self._clients.values():
            await client.close()

    def middleware(self) -> Any:
        """Aiohttp's hook: our own sessions go on to python-engineio."""

        @web.middleware
        async def forward(request: web.Request, handler: Any) -> web.StreamResponse:
            owner = self._owner(request)
            if owner is None:
                answer: web.StreamResponse = await handler(request)
                return answer
            try:
                if request.headers.get("Upgrade", "").lower() == "websocket":
                    return await self._bridge(request, self._client(owner))
                return await self._pass(request, self._client(owner))
            except ClientError:  # the worker died; as for any session that is not known
                return web.Response(status=400, text="Invalid session")

        return forward

    def _owner(self, request: web.Request) -> str | None:
        """The other worker whose session is asked for; None when it is ours or nobody's."""
        found = _NODE.match(request.query.get("sid", ""))
        if not self._doors or not found or request.path != ENGINE_PATH:
            return None
        node = found.group(1)
        return node if node != self._node and (self._doors / f"{node}.sock").exists() else None

    def _client(self, node: str) -> ClientSession:
        if node not in self._clients:
            connector = UnixConnector(f"{self._doors}/{node}.sock", limit=0)
            # A poll is answered when there is something to say.
            timeout = ClientTimeout(total=None, sock_connect=5.0)
            self._clients[node] = ClientSession(
                "http://worker", connector=connector, timeout=timeout, auto_decompress=False
            )
        return self._clients[node]

    async def _pass(self, request: web.Request, client: ClientSession) -> web.Response:
        body = await request.read()
        async with client.request(
            request.method, request.path_qs, headers=_onward(request.headers), data=body
        ) as answer:
            kept = {k: v for k, v in answer.headers.items() if k.lower() not in _HOP}
            if encoding := answer.headers.get("Content-Encoding"):
                kept["Content-Encoding"] = encoding
            return web.Response(status=answer.status, body=await answer.read(), headers=kept)

    async def _bridge(self, request: web.Request, client: ClientSession) -> web.StreamResponse:
        async with client.ws_connect(
            request.path_qs, headers=_onward(request.headers), compress=0, max_msg_size=0
        ) as inner:
            outer = web.WebSocketResponse(compress=False, max_msg_size=self._frame_bytes)
            await outer.prepare(request)
            pumps = [asyncio.create_task(_pump(*pair)) for pair in ((outer, inner), (inner, outer))]
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
            await outer.close()
            return outer


def _onward(headers: Any) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name.lower() not in _HOP}


async def _pump(source: Any, sink: Any) -> None:
    async for message in source:
        if message.type is WSMsgType.TEXT:
            await sink.send_str(message.data)
        elif message.type is WSMsgType.BINARY:
            await sink.send_bytes(message.data)
