"""A long-polling client by hand: every request on a connection of its own."""

from __future__ import annotations

from typing import Any

import aiohttp
import orjson

from tests.integration.wire import POLLING

SEPARATOR = "\x1e"


class Poller:
    """One Engine.IO session over HTTP."""

    def __init__(self, url: str, http: aiohttp.ClientSession) -> None:
        self._url = url
        self._http = http
        self.packets: list[str] = []  # received, not taken yet
        self.sid = ""

    @property
    def address(self) -> str:
        """Where the session is polled."""
        return f"{self._url}{POLLING}&sid={self.sid}"

    async def open(self, tokens: dict[str, Any]) -> dict[str, Any]:
        """The handshake and the sign-in; what the handshake says."""
        async with self._http.get(self._url + POLLING) as answer:
            opened: dict[str, Any] = orjson.loads((await answer.text()).removeprefix("0"))
        self.sid = opened["sid"]
        await self.send("40" + orjson.dumps({"token": tokens["access_token"]}).decode())
        assert (await self.take("40")).startswith('40{"sid":')
        assert (await self.take("42")).startswith('42["session:ready",')
        return opened

    async def send(self, *packets: str) -> None:
        """Post these, in one body."""
        body = SEPARATOR.join(packets).encode()
        async with self._http.post(self.address, data=body) as answer:
            said = answer.status, (await answer.text()).lower()
            assert said == (200, "ok"), said

    async def poll(self) -> list[str]:
        """What one poll brings."""
        async with self._http.get(self.address) as answer:
            assert answer.status == 200
            return (await answer.text()).split(SEPARATOR)

    async def take(self, head: str) -> str:
        """The next packet that begins so; those before it are dropped."""
        while True:
            while self.packets:
                text = self.packets.pop(0)
                if text.startswith(head):
                    return text
            self.packets += await self.poll()

    async def ask(self, ack_id: int, event: str, **fields: Any) -> dict[str, Any]:
        """The envelope of an event's acknowledgement."""
        await self.send(f"42{ack_id}" + orjson.dumps([event, fields]).decode())
        said = await self.take(f"43{ack_id}[")
        envelope: dict[str, Any] = orjson.loads(said.removeprefix(f"43{ack_id}"))[0]
        return envelope
