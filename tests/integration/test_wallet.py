"""Wallets through the front door, on two nodes."""

from __future__ import annotations

import asyncio

from tests.harness import Server, Table

START = 1_000


async def test_a_new_player_has_his_first_coins_and_the_ledger_says_why(
    lone: Server, table: Table
) -> None:
    ann = await table.seat(lone.url)
    assert await ann.do("wallet:get") == {"balance": START}
    page = await ann.do("wallet:ledger")
    assert page["balance"] == START
    (entry,) = page["entries"]
    assert page["next_before"] is None
    assert (entry["amount"], entry["balance"], entry["reason"]) == (START, START, "start")


async def test_a_transfer_is_told_to_all_devices_of_both(
    pair: tuple[Server, Server], table: Table
) -> None:
    one, other = pair
    ann, bob = await table.seat(one.url, "ann"), await table.seat(other.url, "bob")
    phone = await table.player(other.url, ann.tokens).connect()
    sent = await ann.do("wallet:transfer", to=bob.id, amount=250, key="k", note="rent")
    assert sent == {"balance": 750, "to": bob.id, "amount": 250, "fee": 0}
    for device in (ann, phone):
        news = await device.next("wallet:changed")
        assert (news["balance"], news["amount"], news["ref"]) == (750, -250, "rent")
    news = await bob.next("wallet:changed")
    assert (news["balance"], news["amount"], news["reason"]) == (1_250, 250, "transfer")
    page = await bob.do("wallet:ledger", limit=10)
    (entry, _) = page["entries"]
    assert (entry["id"], entry["players"]) == (news["id"], [ann.id])
    assert page["names"] == {ann.id: "ann"}


async def test_one_key_in_parallel_on_two_nodes_sends_once(
    pair: tuple[Server, Server], table: Table
) -> None:
    one, other = pair
    ann, bob = await table.seat(one.url, "ann"), await table.seat(other.url, "bob")
    phone = await table.player(other.url, ann.tokens).connect()
    body = {"to": bob.id, "amount": 10, "key": "same"}
    answers = await asyncio.gather(
        *(device.do("wallet:transfer", **body) for device in (ann, phone) for _ in range(15))
    )
    assert all(answer == answers[0] for answer in answers)
    assert await bob.do("wallet:get") == {"balance": START + 10}
    assert await ann.fails("wallet:transfer", **{**body, "amount": 11}) == "idempotency_mismatch"


async def test_what_cannot_be_sent_is_refused(lone: Server, table: Table) -> None:
    ann, bob = await table.seat(lone.url, "ann"), await table.seat(lone.url, "bob")
    send = {"to": bob.id, "amount": 1, "key": "k"}
    for wrong, code in (
        ({"amount": START + 1}, "insufficient_funds"),
        ({"amount": 0}, "validation_failed"),
        ({"amount": -5}, "validation_failed"),
        ({"amount": 1.5}, "validation_failed"),
        ({"amount": True}, "validation_failed"),
        ({"amount": 2**63}, "validation_failed"),
        ({"amount": 2_000_000}, "insufficient_funds"),
        ({"to": ann.id}, "validation_failed"),
        ({"to": "f" * 20}, "not_found"),
        ({"key": ""}, "validation_failed"),
    ):
        assert await ann.fails("wallet:transfer", **{**send, **wrong}) == code, wrong
    assert await ann.fails("wallet:ledger", limit=101) == "validation_failed"
    assert await ann.fails("wallet:ledger", before="x") == "validation_failed"
    assert await ann.do("wallet:get") == {"balance": START}
