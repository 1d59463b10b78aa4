"""The document store is killed, or stands still: chat goes on, and the archive catches up."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from config.sections import Mongo
from state.documents import DocumentStore
from tests.chaos.chaos_kit import (
    Probe,
    Talker,
    dead,
    frozen,
    nothing_lost,
    on_stores_of,
    quick,
    started,
    try_to,
    unharmed,
    until,
)
from tests.harness import Player, Server, Table
from tests.sizes import DRIVERS

pytestmark = [pytest.mark.chaos, pytest.mark.slow]

ROOM = "room:archive"
TIMEOUT = 1.0


@pytest.mark.parametrize("driver", DRIVERS)
async def test_chat_goes_on_without_the_archive_which_catches_up(
    tmp_path: Path, table: Table, driver: str
) -> None:
    # A short tail and small batches, so that catching up takes several of them.
    settings = quick(
        DATA_DIR=tmp_path,
        MONGO__DRIVER=driver,
        MONGO__TIMEOUT_SECONDS=TIMEOUT,
        CHAT__TAIL=50,
        CHAT__ARCHIVE_BATCH=20,
    )
    async with started(**settings) as server:
        players = [await table.seat(server.url, f"p{n}") for n in range(3)]
        for player in players:
            await player.do("chat:join", room=ROOM)
        talkers = [Talker(player, ROOM) for player in players]
        for talker in talkers:
            talker.start()
        await _more(talkers, 60)
        new = await table.guest(server.url, "new")
        for trouble in (dead, frozen):
            await _outage(server, table, talkers, new, trouble(tmp_path, "documents"))
        await _more(talkers, 30)
        for talker in talkers:
            await talker.stop()
            assert not talker.refused
        await nothing_lost(talkers, players[0])
        await _archived(tmp_path, talkers, players[0])
        unharmed(server)


async def _outage(
    server: Server, table: Table, talkers: list[Talker], new: Player, trouble: Any
) -> None:
    probe = Probe(table)
    with trouble:
        await probe.red("mongo", server)
        await _refusals(server, table, talkers[0].player, new)
        before = await _more(talkers, 60)
        assert await probe.failing(server) == ["mongo"]
    await probe.green(server)
    await _more(talkers, 10)
    assert before
    status, tokens = await table.post(server.url, "/auth/guest", {"name": "afterwards"})
    assert status == 201, tokens


async def _refusals(server: Server, table: Table, player: Player, new: Player) -> None:
    """What needs the documents says so; what does not need them goes on."""
    async with asyncio.timeout(10 * TIMEOUT):
        for path, body in (
            ("/auth/guest", {"name": "late"}),
            ("/auth/login", {"username": "somebody", "password": "correct horse"}),
        ):
            status, problem = await table.post(server.url, path, body)
            assert (status, problem["code"]) == (503, "dependency_unavailable")
            assert problem["retryable"]
        with pytest.raises(ConnectionError):  # as somebody whom only MongoDB may know
            await _connect(new, character_id=player.id)
        assert new.refusal["message"] == "dependency_unavailable"
        await table.player(server.url, player.tokens).connect()  # who was here a while ago
        for event in ("chat:join", "chat:send", "chat:leave"):
            said = {"text": "hello"} if event == "chat:send" else {}
            assert (await try_to(player, event, room="room:aside", **said))[0] == "ok"
        assert (await try_to(player, "presence:set", status="busy"))[0] == "ok"


async def _connect(player: Player, **auth: Any) -> None:
    try:
        await player.connect(**auth)
    except Exception as error:
        raise ConnectionError from error


async def _more(talkers: list[Talker], count: int) -> int:
    """Wait until that many messages more are acknowledged."""

    async def said() -> int:
        return sum(len(talker.acknowledged) for talker in talkers)

    start = await said()
    return await until(said, lambda now: now >= start + count)


async def _archived(data_dir: Path, talkers: list[Talker], reader: Player) -> None:
    """Soon everything is in the archive, once."""
    url = str(on_stores_of(data_dir)["MONGO_URL"])
    said = await nothing_lost(talkers, reader)
    async with DocumentStore(url, Mongo()) as documents:

        async def archived() -> list[str]:
            found = await documents.find(
                "messages", {"room": ROOM}, sort=[("_id", 1)], limit=10_000
            )
            return [message["_id"] for message in found]

        # Before the lease of a pass that failed would be over.
        caught_up = await until(archived, lambda found: len(found) >= len(said), seconds=15)
        assert caught_up == said
