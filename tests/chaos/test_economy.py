"""Many who gamble on two nodes while nodes and stores are killed: no coin is lost or made.

`GAMBLERS` and `GAMBLING_SECONDS` in the environment make it longer than it is by default.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest

from config.sections import Mongo
from state.audit import Audit, Report
from state.documents import DocumentStore
from tests.chaos.chaos_kit import LEASE, dead, on_stores_of, quick, started, until
from tests.chaos.gamblers import Gambler
from tests.harness import Server, Table
from tests.sizes import sized

GAMBLERS = sized("GAMBLERS", 24, 200)
SECONDS = sized("GAMBLING_SECONDS", 7, 60)
START = 1_000


async def harm(data_dir: Path, node: Server, over: asyncio.Event, done: Counter[str]) -> None:
    """Kill the node, the document store, Valkey, in turn, until it is over."""
    while True:
        for what in ("node", "documents", "node", "valkey"):
            with suppress(TimeoutError):
                async with asyncio.timeout(2.5):
                    await over.wait()
            if over.is_set():
                return
            if what == "node":
                await node.kill()
                await node.start()
            else:
                with dead(data_dir, what):
                    await asyncio.sleep(0.3)
            done[what] += 1


async def nothing_held(documents: DocumentStore) -> bool:
    """Whether all stakes are paid."""
    return not await documents.find(
        "stakes", {"check_at": {"$exists": True}}, sort=[("_id", 1)], limit=1
    )


async def acknowledged_once(documents: DocumentStore, gamblers: list[Gambler]) -> None:
    """Each acknowledged transfer is in the ledger, and none is there twice."""
    postings = documents.each("postings", {"reason": "transfer"}, sort=[("_id", 1)])
    notes = Counter([one["ref"] async for one in postings])
    assert max(notes.values()) == 1
    for gambler in gamblers:
        assert gambler.sent.keys() <= notes.keys()


@pytest.mark.chaos
@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_gamblers_on_two_nodes_keep_every_coin_whatever_is_killed(
    tmp_path: Path, table: Table
) -> None:
    settings = quick(
        DUELS__CHALLENGE_SECONDS=3,
        DUELS__ROUND_SECONDS=2,
        NODES__LEASE_SECONDS=LEASE,
        ROB__COOLDOWN_SECONDS=1,
        ROB__SHIELD_SECONDS=1,
    )
    async with started(**settings, DATA_DIR=tmp_path) as home:
        async with started(**settings, **on_stores_of(tmp_path), PORT=free_port()) as node:
            servers = [home, node]
            gamblers = [
                Gambler(table, await table.seat(servers[i % 2].url, f"g{i}"), servers, i)
                for i in range(GAMBLERS)
            ]
            for one in gamblers:
                one.others = [other.id for other in gamblers if other is not one]
            over = asyncio.Event()
            playing = [asyncio.create_task(one.play(over)) for one in gamblers]
            harmed: Counter[str] = Counter()
            harming = asyncio.create_task(harm(tmp_path, node, over, harmed))
            await asyncio.sleep(SECONDS)
            while not harmed.keys() >= {"node", "documents"}:  # noqa: ASYNC110 - a slow machine
                await asyncio.sleep(0.5)
            over.set()
            await harming
            await asyncio.gather(*playing)
            url = str(on_stores_of(tmp_path)["MONGO_URL"])
            async with DocumentStore(url, Mongo()) as documents:
                await until(lambda: nothing_held(documents), bool, 90)
                report: Report = await Audit(documents).run()
                assert report.ok, report.findings
                assert report.minted == GAMBLERS * START
                await acknowledged_once(documents, gamblers)
        answers = sum((one.answers for one in gamblers), Counter[str]())
        print(report.postings, "postings;", dict(harmed), dict(answers))  # noqa: T201 - with -s
        for event in ("wallet:transfer", "shop:buy", "blackjack:start", "duel:accept"):
            assert answers[event]
        for server in servers:
            failed = [line for line in server.log.splitlines() if "] failed " in line]
            # What listens to Valkey is recovery's; its line breaks with Valkey.
            assert [line for line in failed if "name=adapter" not in line] == []


def free_port() -> int:
    """A port to come back to after a kill."""
    import socket  # noqa: PLC0415 - only here

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
