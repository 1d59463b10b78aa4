"""Rooms of a test's own, and players in them."""

from __future__ import annotations

from typing import TypeAlias
from uuid import uuid4

from config.sections import Redis
from state.connect import RedisStore
from state.messages import stream
from tests.fixtures import Stores
from tests.harness import Player, Server, Table
from tests.integration.wire import until

Pair: TypeAlias = tuple[Server, Server]


def new_room() -> str:
    """A room that nobody is in."""
    return f"room:{uuid4().hex[:12]}"


async def seats(pair: Pair, table: Table, room: str) -> tuple[Player, Player]:
    """Two players on different servers in one room."""
    ann, bob = await table.seat(pair[0].url, "Ann"), await table.seat(pair[1].url, "Bob")
    for player in (ann, bob):
        await player.do("chat:join", room=room)
    return ann, bob


async def in_room(server: Server, table: Table) -> tuple[Player, str]:
    """A player alone in a room."""
    ann, room = await table.seat(server.url), new_room()
    await ann.do("chat:join", room=room)
    return ann, room


async def in_archive(stores: Stores, room: str) -> None:
    """Wait until only the last 50 messages of a room are in Redis."""
    async with RedisStore(stores.redis_url, Redis()) as redis:
        await until(lambda: redis.call("XLEN", stream(room)), lambda length: length <= 50)
