"""What a test needs that speaks Engine.IO and Socket.IO by hand."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import aiohttp
import jwt
import orjson
import pytest
from socketio.exceptions import ConnectionError as RefusedError

from tests.harness import SECRET, Player

ENGINE = "/socket.io/?EIO=4&transport=websocket"
POLLING = "/socket.io/?EIO=4&transport=polling"
PATIENCE = 10.0

T = TypeVar("T")
Socket = aiohttp.ClientWebSocketResponse


def forged(tokens: dict[str, Any], secret: str = SECRET, **changed: object) -> str:
    """An access token with other claims, or of another signer."""
    options: Any = {"verify_signature": False}
    claims = jwt.decode(tokens["access_token"], options=options)
    return jwt.encode({**claims, **changed}, secret, "HS256")


async def refused(player: Player, **auth: Any) -> dict[str, Any]:
    """The error object that a connecting player is refused with."""
    with pytest.raises(RefusedError):
        await player.connect(**auth)
    assert not player.ready
    error: dict[str, Any] = player.refusal["data"]
    return error


async def until(
    ask: Callable[[], Awaitable[T]], fits: Callable[[T], bool], seconds: float = PATIENCE
) -> T:
    """Ask again and again, until the answer fits."""
    async with asyncio.timeout(seconds):
        while True:
            answer = await ask()
            if fits(answer):
                return answer
            await asyncio.sleep(0.05)


async def let_in(player: Player) -> None:
    """Connect a player as soon as there is room for him."""
    async with asyncio.timeout(PATIENCE):
        while not player.ready:
            try:
                await player.connect()
            except RefusedError:
                await asyncio.sleep(0.05)


async def packet(opened: Socket) -> str:
    """The next Socket.IO packet; Engine.IO's own are passed over."""
    while True:
        text = await opened.receive_str(timeout=PATIENCE)
        if text.startswith("4"):
            return text[1:]


async def acknowledged(opened: Socket, ack_id: int) -> dict[str, Any]:
    """The envelope of an acknowledgement; other packets are passed over."""
    while True:
        text = await packet(opened)
        if text.startswith(f"3{ack_id}["):
            envelope: dict[str, Any] = orjson.loads(text.removeprefix(f"3{ack_id}"))[0]
            return envelope


async def sign_in(opened: Socket, tokens: dict[str, Any]) -> dict[str, Any]:
    """Connect to the default namespace; what `session:ready` says."""
    auth = orjson.dumps({"token": tokens["access_token"]}).decode()
    await opened.send_str("40" + auth)
    connected = await packet(opened)
    assert connected.startswith('0{"sid":'), connected
    event, ready = orjson.loads((await packet(opened)).removeprefix("2"))
    assert event == "session:ready"
    said: dict[str, Any] = ready
    return said


async def closed(opened: Socket) -> bool:
    """Whether the server ends the connection, within a time, saying nothing but Engine.IO."""
    async with asyncio.timeout(PATIENCE):
        async for message in opened:
            assert message.data[0] in "0123456", message
    return True
