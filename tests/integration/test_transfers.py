"""Batches of transfers through the front door, on two nodes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.harness import Player, Server, Table
from tests.integration.office_kit import Operator

START = 1_000
NOBODY = "f" * 20


async def ended(player: Player, batch_id: str) -> dict[str, Any]:
    def over(news: Any) -> bool:
        return news["batch"]["id"] == batch_id and news["batch"]["ended_at"] is not None

    batch: dict[str, Any] = (await player.next("wallet:batch_changed", over, 30))["batch"]
    return batch


async def results(table: Table, player: Player, batch_id: str) -> list[dict[str, Any]]:
    """All items, page by page."""
    found: list[dict[str, Any]] = []
    token, index = player.tokens["access_token"], 0
    while index is not None:
        path = f"/transfers/batch/{batch_id}/items?from_index={index}&limit=2"
        status, page = await table.call("GET", player.url, path, token=token)
        assert status == 200
        found += page["items"]
        index = page["next_index"]
    return found


@asynccontextmanager
async def paused(op: Operator) -> AsyncIterator[None]:
    """Nobody pays."""
    await op.does("POST", "/queues/transfers.pay/pause")
    try:
        yield
    finally:
        await op.does("POST", "/queues/transfers.pay/resume")


async def test_each_item_is_paid_or_refused_by_itself(
    pair: tuple[Server, Server], table: Table
) -> None:
    one, other = pair
    ann, bob = await table.seat(one.url, "ann"), await table.seat(other.url, "bob")
    items = [
        {"to": bob.id, "amount": 300, "note": "rent"},
        {"to": NOBODY, "amount": 1},
        {"to": ann.id, "amount": 1},
        {"to": bob.id, "amount": START + 1},  # in whatever order they are paid
        {"to": bob.id, "amount": 2_000_000},  # above the day's limit as well
        {"to": bob.id, "amount": 200},
    ]
    ordered = await ann.do("wallet:batch", items=items, key="k")
    assert (ordered["status"], ordered["total"]) == ("running", 6)
    assert ordered["url"] == f"/api/v1/transfers/batch/{ordered['id']}"
    batch = await ended(ann, ordered["id"])
    told = [batch[name] for name in ("status", "paid", "refused", "cancelled", "amount")]
    assert told == ["done", 2, 4, 0, 500]
    became = await results(table, ann, batch["id"])
    assert [item.get("code") for item in became] == [
        None,
        "not_found",
        "validation_failed",
        "insufficient_funds",
        "insufficient_funds",
        None,
    ]
    news = await bob.next("wallet:changed", lambda news: news["ref"] == "rent")
    assert (news["id"], news["amount"]) == (became[0]["entry_id"], 300)
    assert await ann.do("wallet:get") == {"balance": START - 500}
    assert await ann.fails("wallet:batch_cancel", batch_id=batch["id"]) == "conflict"
    assert await bob.fails("wallet:batch_cancel", batch_id=batch["id"]) == "not_found"
    assert (await ann.do("wallet:batch", items=items, key="k"))["status"] == "done"


async def test_one_key_in_parallel_is_one_batch_and_a_cancel_stops_it(
    pair: tuple[Server, Server], table: Table
) -> None:
    one, other = pair
    ann, bob = await table.seat(one.url, "ann"), await table.seat(other.url, "bob")
    token = ann.tokens["access_token"]
    body: dict[str, Any] = {
        "items": [{"to": bob.id, "amount": 1}] * 200,
        "key": "k",
        "character_id": ann.id,
    }
    async with paused(await Operator.sign_in(table, one.url)):
        answers = await asyncio.gather(
            *(
                table.post(server.url, "/transfers/batch", body, token)
                for server in pair
                for _ in range(10)
            )
        )
        assert {status for status, _ in answers} <= {202, 409}  # too much at once for one key
        (batch_id,) = {answer["id"] for status, answer in answers if status == 202}
        differs = {**body, "items": body["items"][:1]}
        status, refused = await table.post(one.url, "/transfers/batch", differs, token)
        assert (status, refused["code"]) == (409, "idempotency_mismatch")
        path = f"/transfers/batch/{batch_id}"
        status, stopped = await table.call("DELETE", other.url, path, token=token)
        assert (status, stopped["batch"]["status"]) == (202, "cancelling")
    batch = await ended(ann, batch_id)
    assert (batch["status"], batch["cancelled"], batch["paid"]) == ("cancelled", 200, 0)
    assert (await table.call("GET", one.url, path, token=token))[1]["batch"] == batch
    assert await ann.do("wallet:get") == {"balance": START}


async def test_administrators_pay_from_the_house_and_nobody_from_others_characters(
    lone: Server, table: Table
) -> None:
    ann, bob = await table.seat(lone.url, "ann"), await table.seat(lone.url, "bob")
    admin = await table.admin(lone.url)
    items = [{"to": one.id, "amount": 50, "note": "sorry"} for one in (ann, bob)]

    async def order(player: Player, **payer: str) -> tuple[int, Any]:
        body = {"items": items, "key": "k", **payer}
        token = player.tokens["access_token"]
        return await table.call("POST", lone.url, "/transfers/batch", body, token)

    assert (await order(ann, reason="why not"))[0] == 403
    assert (await order(ann, character_id=bob.id))[0] == 403
    assert (await order(ann))[0] == 422
    assert (await order(admin, character_id=admin.id, reason="both"))[0] == 422
    status, ordered = await order(admin, reason=f"an outage {ann.id}")
    assert status == 202
    assert (await ended(admin, ordered["id"]))["amount"] == 100
    for player in (ann, bob):
        news = await player.next("wallet:changed", lambda news: news["reason"] == "grant")
        assert (news["amount"], news["ref"], news["balance"]) == (50, "sorry", START + 50)
    path = ordered["url"].removeprefix("/api/v1")
    token = ann.tokens["access_token"]
    assert (await table.call("GET", lone.url, path, token=token))[0] == 404
    assert "house_pays" in lone.log


@pytest.mark.parametrize("items", [[], [{"to": NOBODY, "amount": 2**62}] * 3])
async def test_what_is_no_batch_is_refused(
    lone: Server, table: Table, items: list[dict[str, Any]]
) -> None:
    ann = await table.seat(lone.url)
    assert await ann.fails("wallet:batch", items=items, key="k") == "validation_failed"
    many = [{"to": NOBODY, "amount": 1}] * 101
    assert await ann.fails("wallet:batch", items=many, key="k") == "validation_failed"
