"""kill -9 of the server between what was sent and what is archived, again and again."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from pathlib import Path
from typing import Any

import pytest

from config.sections import Mongo
from state.documents import DocumentStore
from tests.chaos.chaos_kit import (
    Talker,
    history,
    nothing_lost,
    on_stores_of,
    quick,
    started,
    store_pid,
    unharmed,
    until,
)
from tests.harness import Server, Table
from tests.sizes import sized

pytestmark = [pytest.mark.chaos, pytest.mark.slow]

ROOM = "room:killed"
SENDERS, SENDS = 4, 100
ROUNDS = sized("ARCHIVE_KILLS", 2, 12)


async def test_every_acknowledged_message_is_there_once_whenever_the_server_was_killed(
    tmp_path: Path, table: Table
) -> None:
    dice = random.Random(7)
    # Batches that are smaller than a round, and a tail that most messages leave.
    settings = quick(DATA_DIR=tmp_path, CHAT__TAIL=50, CHAT__ARCHIVE_BATCH=25)
    acknowledged: list[list[str]] = [[] for _ in range(SENDERS)]
    tokens: list[dict[str, Any]] = []
    talkers: list[Talker] = []
    for turn in range(ROUNDS):
        async with started(**settings) as server:
            tokens = tokens or [
                (await table.guest(server.url, f"p{n}")).tokens for n in range(SENDERS)
            ]
            talkers = [Talker(table.player(server.url, one), ROOM) for one in tokens]
            for talker, known in zip(talkers, acknowledged, strict=True):
                await talker.player.connect()
                await talker.player.do("chat:join", room=ROOM)
                talker.acknowledged = known
            await nothing_lost(talkers, talkers[0].player)
            # With its stores and all, as when the machine's power goes, or without them.
            also = [store_pid(tmp_path, name) for name in ("valkey", "documents")]
            await _talk_until_killed(server, talkers, dice, also if turn % 2 else [])

    async with started(**settings) as server:
        reader = table.player(server.url, tokens[0])
        await reader.connect()
        await reader.do("chat:join", room=ROOM)
        said = await nothing_lost(talkers, reader)
        assert len(said) >= ROUNDS * SENDS
        assert said == [message["id"] for message in await history(reader, ROOM)]
        await _archived(tmp_path, said)
        unharmed(server)


async def _talk_until_killed(
    server: Server, talkers: list[Talker], dice: random.Random, also: list[int]
) -> None:
    """At least a hundred messages more, and then for up to as long as a pass takes to come."""
    start = sum(len(talker.acknowledged) for talker in talkers)
    for talker in talkers:
        talker.start()

    async def sent() -> int:
        return sum(len(talker.acknowledged) for talker in talkers) - start

    await until(sent, lambda count: count >= SENDS)
    await asyncio.sleep(dice.uniform(0, 1.1))
    for pid in also:
        os.kill(pid, signal.SIGKILL)
    await server.kill()
    for talker in talkers:
        await talker.cut_off()


async def _archived(data_dir: Path, said: list[str]) -> None:
    """After a while MongoDB has the same, in the same order."""
    async with DocumentStore(str(on_stores_of(data_dir)["MONGO_URL"]), Mongo()) as documents:

        async def archived() -> list[str]:
            found = await documents.find(
                "messages", {"room": ROOM}, sort=[("_id", 1)], limit=100_000
            )
            return [message["_id"] for message in found]

        assert await until(archived, lambda found: len(found) >= len(said), seconds=60) == said
