"""The generated clients: the Python one plays a duel, the types of TypeScript compile."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from clients.python.showdown_client import DuelView, PresenceReply, Refused, RoundNews, Showdown
from tests.harness import ROOT, Server

SECONDS = 60.0


@pytest.fixture
async def games(lone: Server) -> AsyncIterator[tuple[Showdown, Showdown]]:
    """Two players, signed in."""
    async with AsyncExitStack() as stack:
        ann, bob = [await stack.enter_async_context(Showdown(lone.url)) for _ in range(2)]
        for game, name in ((ann, "ann"), (bob, "bob")):
            await game.sign_in(await game.guest(name=name))
        yield ann, bob


async def test_the_python_client_plays_a_duel(games: tuple[Showdown, Showdown]) -> None:
    ann, bob = games
    rounds: list[RoundNews] = []
    ended: asyncio.Future[DuelView] = asyncio.get_running_loop().create_future()
    bob.on("duel:round", rounds.append)
    bob.on("duel:ended", ended.set_result)
    bob_id = bob.ready["player"]["id"]
    offer = await ann.duel_challenge(opponent_id=bob_id, key="1")
    view = (await bob.duel_accept(duel_id=offer["duel"]["id"]))["duel"]
    while view["status"] == "active":
        which, number = view["id"], view["round"]
        for game in (ann, bob):
            view = (await game.duel_play(duel_id=which, round=number, hold=[0, 1]))["duel"]
    final = await asyncio.wait_for(ended, SECONDS)
    assert final["seed"]
    assert [one["round"] for one in rounds] == [one["round"] for one in final["rounds"]]
    with pytest.raises(Refused) as refused:
        await ann.duel_forfeit(duel_id=final["id"])
    assert refused.value.code == "duel_over"


async def test_the_python_client_calls_and_talks(games: tuple[Showdown, Showdown]) -> None:
    ann, bob = games
    assert (await ann.me())["characters"] == [{"id": ann.ready["player"]["id"], "name": "ann"}]
    assert (await ann.create_character(name="Zed"))["character"]["name"] == "Zed"
    with pytest.raises(Refused) as refused:
        await ann.create_character(name=" ")
    assert (refused.value.code, refused.value.error["status"]) == ("validation_failed", 422)
    changes: asyncio.Queue[PresenceReply] = asyncio.Queue()
    bob.on("presence:changed", changes.put_nowait)
    ann_id = ann.ready["player"]["id"]
    await bob.presence_watch(player_ids=[ann_id])
    await ann.presence_set(status="busy")
    async with asyncio.timeout(SECONDS):
        while (await changes.get())["presence"][ann_id]["status"] != "busy":
            pass
    await ann.logout()
    with pytest.raises(Refused, match="token_revoked"):
        await ann.me()


async def test_the_python_client_says_why_it_is_not_let_in(lone: Server) -> None:
    async with Showdown(lone.url) as game:
        tokens = await game.guest()
        tokens["access_token"] = "nonsense"
        with pytest.raises(Refused, match="unauthenticated"):
            await game.sign_in(tokens)


@pytest.mark.js
async def test_a_typescript_client_compiles() -> None:
    node = shutil.which("node")
    assert node, "scripts/test brings Node along"
    compiler = str(ROOT / "node_modules" / "typescript" / "bin" / "tsc")
    process = await asyncio.create_subprocess_exec(
        *(node, compiler, "-p", str(ROOT / "tests" / "typescript")),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(SECONDS):
        said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()
