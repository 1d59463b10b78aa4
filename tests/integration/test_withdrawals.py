"""Coins that leave for an outside ledger, through the front door."""

from __future__ import annotations

import asyncio
from typing import Any

from config.sections import Mongo
from state.audit import Audit
from state.documents import DocumentStore
from tests.fixtures import Stores, on
from tests.harness import Player, Server, Table, serving
from tests.integration.office_kit import Operator
from tests.integration.outside import Outside, outside, settings

START = 1_000
QUEUE = "withdrawals.settle"


async def withdraw(player: Player, address: str, amount: int = 100) -> str:
    reply = await player.do("wallet:withdraw", amount=amount, address=address, key=address)
    assert reply["withdrawal"]["status"] in {"held", "submitted"}
    assert await player.do("wallet:withdraw", amount=amount, address=address, key=address)
    withdrawal_id: str = reply["withdrawal"]["id"]
    return withdrawal_id


async def became(player: Player, withdrawal_id: str, status: str) -> dict[str, Any]:
    def fits(news: Any) -> bool:
        return bool(news["withdrawal"]["id"] == withdrawal_id) and (
            news["withdrawal"]["status"] == status
        )

    news = await player.next("withdrawal:changed", fits, 30)
    withdrawal: dict[str, Any] = news["withdrawal"]
    return withdrawal


async def test_what_becomes_of_withdrawals(emptied: Stores, table: Table) -> None:
    async with (
        outside() as out,
        serving(**on(emptied, **settings(out))) as one,
    ):
        op = await Operator.sign_in(table, one.url)
        await confirmed(one, table, out)
        await given_back(one, table)
        await taken_without_an_answer(one, table, out)
        await away_for_a_while(one, table, out)
        await given_up_and_replayed(one, table, out, op)
    url = emptied.mongo_url
    async with DocumentStore(url, Mongo(database="test_server", timeout_seconds=15)) as documents:
        report = await Audit(documents).run()
    assert report.ok, report.findings
    assert max(out.submits.values()) <= 10


async def confirmed(server: Server, table: Table, out: Outside) -> None:
    ann, eve = await table.seat(server.url, "ann"), await table.seat(server.url, "eve")
    which = await withdraw(ann, "good")
    assert (await became(ann, which, "submitted"))["reference"] == f"r-{which}"
    done = await became(ann, which, "confirmed")
    assert done["ended_at"] >= done["created_at"]
    assert (out.submits[which], out.asked[which]) == (1, 2)
    assert await ann.do("wallet:get") == {"balance": START - 100}
    path = f"/withdrawals/{which}"
    for player, status in ((ann, 200), (eve, 404)):
        token = player.tokens["access_token"]
        assert (await table.call("GET", server.url, path, token=token))[0] == status


async def given_back(server: Server, table: Table) -> None:
    ann = await table.seat(server.url)
    failed = await became(ann, await withdraw(ann, "bad"), "failed")
    assert failed["reason"] == "no such account"
    news = await ann.next("wallet:changed", lambda news: news["reason"] == "withdrawal_returned")
    assert (news["amount"], news["balance"], news["ref"]) == (100, START, failed["id"])
    assert await ann.fails("wallet:withdraw", amount=START + 1, address="x", key="x") == (
        "insufficient_funds"
    )


async def taken_without_an_answer(server: Server, table: Table, out: Outside) -> None:
    ann = await table.seat(server.url)
    out.lost = 1
    which = await withdraw(ann, "good")
    await became(ann, which, "confirmed")
    assert out.submits[which] == 2  # of one transfer
    assert await ann.do("wallet:get") == {"balance": START - 100}


async def away_for_a_while(server: Server, table: Table, out: Outside) -> None:
    ann = await table.seat(server.url)
    out.away, before = True, out.refused
    which = await withdraw(ann, "bad")
    async with asyncio.timeout(30):
        while out.refused < before + 2:  # noqa: ASYNC110 - it is tried until then
            await asyncio.sleep(0.02)
    assert await ann.do("wallet:get") == {"balance": START - 100}
    out.away = False
    await became(ann, which, "failed")
    assert await ann.do("wallet:get") == {"balance": START}


async def given_up_and_replayed(server: Server, table: Table, out: Outside, op: Operator) -> None:
    ann, admin = await table.seat(server.url), await table.admin(server.url)
    out.away = True
    which = await withdraw(ann, "good")
    letter = await admin.next("jobs:dead_letter", seconds=60)
    assert (letter["task"], letter["attempts"]) == (QUEUE, 10)
    assert letter["reason"] == "The outside ledger answered 503."
    (held,) = (await op.does("GET", "/withdrawals?status=held"))["withdrawals"]
    assert (held["id"], held["player_id"], held["amount"]) == (which, ann.id, 100)
    assert await ann.do("wallet:get") == {"balance": START - 100}
    out.away = False
    await op.does("POST", f"/dead-letters/{letter['id']}/replay")
    await became(ann, which, "confirmed")
    assert await ann.do("wallet:get") == {"balance": START - 100}


async def test_without_an_outside_ledger_nothing_leaves(lone: Server, table: Table) -> None:
    ann = await table.seat(lone.url)
    assert await ann.fails("wallet:withdraw", amount=1, address="good", key="k") == "not_found"
    assert await ann.do("wallet:get") == {"balance": START}
