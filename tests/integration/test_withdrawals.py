"""Coins that leave for an outside ledger, through the front door of servers of whom only some
know that ledger.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

from config.sections import Mongo
from state.audit import Audit
from state.documents import DocumentStore
from tests.fixtures import Stores, on
from tests.harness import Player, Server, Table
from tests.integration.office_kit import Operator, offices
from tests.integration.outside import Outside, outside, settings

START = 1_000
QUEUE = "withdrawals.settle"
REFUND = {"decision": "refund", "reason": "the bank never had it"}
PAID = {"decision": "paid", "reference": "statement-7", "reason": "seen in the bank"}


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


class Work(Server):
    """A process that works and has no clients."""

    command = "work"


async def test_what_becomes_of_withdrawals(emptied: Stores, table: Table) -> None:
    async with outside() as out:
        one = Server(**on(emptied, **settings(out), JOBS__WORKERS=False))
        # Works on all queues, but for those whose tasks need what it does not know.
        other, work = Server(**on(emptied)), Work(**on(emptied, **settings(out)))
        async with offices(one, other):
            op = await Operator.sign_in(table, one.url)
            waiting = await wait_for_who_can(one, other, table, op)
            async with offices(work):
                await became(*waiting, "confirmed")
                assert QUEUE in (await health_of(work, table, op))["works_on"]
                await stories(one, other, table, out, op)
    url = emptied.mongo_url
    async with DocumentStore(url, Mongo(database="test_server", timeout_seconds=15)) as documents:
        report = await Audit(documents).run()
    assert report.ok, report.findings
    assert max(out.submits.values()) <= 10


async def wait_for_who_can(
    one: Server, other: Server, table: Table, op: Operator
) -> tuple[Player, str]:
    """A withdrawal that nobody settles; its job waits, and is seen to wait."""
    beyond = {"email.send": "SHOWDOWN_EMAIL__HOST", QUEUE: "SHOWDOWN_SETTLEMENT__URL"}
    health = await health_of(other, table, op)
    assert health["beyond"] == beyond
    assert {"transfers.pay", "push.send"} <= set(health["works_on"]).difference(beyond)
    assert (await health_of(one, table, op))["works_on"] == []
    ann = await table.seat(one.url)
    which = await withdraw(ann, "good")
    async with asyncio.timeout(10):
        while True:  # what the alert asks for
            queue = (await op.does("GET", f"/queues/{QUEUE}/stats"))["queue"]
            if queue["oldest_ms"] > 1_000:
                break
            await asyncio.sleep(0.1)
    assert (queue["waiting"], queue["failed"]) == (1, 0)
    return ann, which


async def health_of(server: Server, table: Table, op: Operator) -> Any:
    headers = {"Authorization": f"Bearer {op.token}"}
    async with table.http.get(f"{server.url}/health", headers=headers) as answer:
        return await answer.json()


async def stories(one: Server, other: Server, table: Table, out: Outside, op: Operator) -> None:
    await confirmed(one, table, out)
    await given_back(one, table)
    await taken_without_an_answer(one, table, out)
    await away_for_a_while(one, table, out)
    await given_up((one, other), table, out, op)


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


async def given_up(pair: tuple[Server, Server], table: Table, out: Outside, op: Operator) -> None:
    """Three that die: one is replayed, two are settled by hand."""
    players = [await table.seat(pair[0].url, name) for name in ("ann", "bob", "eve")]
    admin = await table.admin(pair[0].url)
    out.away = True
    which = [await withdraw(player, "good") for player in players]
    status, refused = await decide(pair[1], which[1], op, {**REFUND, "key": "early"})
    assert (status, refused["code"]) == (409, "conflict"), refused  # its job is at work
    letters = {letter["id"] for letter in [await died(admin) for _ in players]}
    held = (await op.does("GET", "/withdrawals?status=held"))["withdrawals"]
    assert {one["id"] for one in held} == set(which)
    assert [await player.do("wallet:get") for player in players] == [{"balance": START - 100}] * 3
    before = Counter(out.submits)
    out.away = False
    won = await settled_by_hand(pair, players[1], which[1], table, op)
    await settled_with_one_key(pair, players[2], which[2], op)
    (letter,) = await replayed(op, letters)  # of the others nothing is left to be replayed
    await became(players[0], which[0], "confirmed")
    assert await players[0].do("wallet:get") == {"balance": START - 100}
    assert [out.submits[one] - before[one] for one in which] == [1, 0, 0], letter
    log = (await op.does("GET", "/operations/log?limit=100"))["entries"]
    call = "POST /withdrawals/{withdrawal_id}/settle"
    done = [one["details"] for one in log if one["action"] == call and one["outcome"] == "ok"]
    assert any(one.items() >= {**won, "withdrawal_id": which[1]}.items() for one in done)


async def died(admin: Player) -> Any:
    letter = await admin.next("jobs:dead_letter", seconds=60)
    assert (letter["task"], letter["attempts"]) == (QUEUE, 10)
    assert letter["reason"] == "The outside ledger answered 503."
    return letter


async def replayed(op: Operator, letters: set[str]) -> list[str]:
    """Those of these dead letters that can be, by either call."""
    found = []
    for letter in letters:
        status, _ = await op.ask("POST", f"/dead-letters/{letter}/replay")
        found += [letter] * (status == 202)
        if status != 202:
            assert (status, (await op.ask("POST", f"/jobs/{letter}/retry"))[0]) == (404, 404)
    return found


async def settled_by_hand(
    pair: tuple[Server, Server], player: Player, which: str, table: Table, op: Operator
) -> dict[str, str]:
    """Whatever is decided at once, over two servers: one of it happens, and is returned."""
    await wrong_decisions(which, player, table, op)
    wishes = [{**(PAID, REFUND)[n % 2], "key": f"{which[:8]} {n}"} for n in range(10)]
    calls = [decide(pair[n // 2 % 2], which, op, wish) for n, wish in enumerate(wishes)]
    answers = await asyncio.gather(*calls)
    ((won, settled),) = [(n, body) for n, (status, body) in enumerate(answers) if status == 200]
    assert {status for status, _ in answers} == {200, 409}
    assert await decide(pair[0], which, op, wishes[won]) == (200, settled)
    one, paid = settled["withdrawal"], wishes[won]["decision"] == "paid"
    assert (one["reference"], one["reason"]) == (
        wishes[won].get("reference"),
        wishes[won]["reason"],
    )
    assert await became(player, which, "confirmed" if paid else "failed") == one
    assert await player.do("wallet:get") == {"balance": START - 100 * paid}
    return wishes[won]


async def settled_with_one_key(
    pair: tuple[Server, Server], player: Player, which: str, op: Operator
) -> None:
    wish = {**REFUND, "key": f"{which[:8]} again"}
    answers = await asyncio.gather(*(decide(pair[n % 2], which, op, wish) for n in range(10)))
    assert {status for status, _ in answers} <= {200, 409}  # stale_version: the key goes on
    assert (await decide(pair[1], which, op, wish))[1]["withdrawal"]["status"] == "failed"
    assert await player.do("wallet:get") == {"balance": START}


async def wrong_decisions(which: str, player: Player, table: Table, op: Operator) -> None:
    path = f"/withdrawals/{which}/settle"
    for changed in ({"decision": "refund"}, {"reference": None}, {"reason": " "}):
        status, _ = await op.ask("POST", path, **{**PAID, **changed, "key": "wrong"})
        assert status == 422
    token = player.tokens["access_token"]
    body = {**PAID, "key": "mine"}
    assert (await table.call("POST", op.url, path, body, token))[0] == 403
    nobody = f"/withdrawals/{'0' * 20}/settle"
    assert (await op.ask("POST", nobody, **body))[0] == 404


async def decide(server: Server, which: str, op: Operator, wish: dict[str, str]) -> tuple[int, Any]:
    """With its key as a header."""
    body = {name: value for name, value in wish.items() if name != "key"}
    headers = {"Authorization": f"Bearer {op.token}", "Idempotency-Key": wish["key"]}
    url = f"{server.url}/api/v1/withdrawals/{which}/settle"
    async with op.table.http.post(url, json=body, headers=headers) as answer:
        return answer.status, await answer.json(content_type=None)


async def test_without_an_outside_ledger_nothing_leaves(lone: Server, table: Table) -> None:
    ann = await table.seat(lone.url)
    assert await ann.fails("wallet:withdraw", amount=1, address="good", key="k") == "not_found"
    assert await ann.do("wallet:get") == {"balance": START}
