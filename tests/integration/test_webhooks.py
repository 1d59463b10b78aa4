"""Webhooks through the front door: told, signed, in order, tried again, given up, replayed."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.harness import Player, Server, Table
from tests.integration.hosting import Host
from tests.integration.receiver import Receiver, operator, receiver

SETTINGS: dict[str, Any] = {
    "PURCHASES__PROVIDER": "sandbox",
    "WEBHOOKS__PRIVATE": "true",
    "WEBHOOKS__RETRY_SECONDS": "0.1,0.1,0.1",
    "WEBHOOKS__BREAKER_SECONDS": 0.2,
    "WEBHOOKS__BREAKER_LONGEST_SECONDS": 0.4,
    "WEBHOOKS__TIMEOUT_SECONDS": 5,
}


@pytest.fixture(scope="module")
def nodes(own_host: Host) -> tuple[Server, Server]:
    """Two servers that may tell receivers on this machine."""
    return own_host.start(**SETTINGS), own_host.start(**SETTINGS)


async def test_a_receiver_hears_of_everything_signed_and_in_order(
    nodes: tuple[Server, Server], table: Table
) -> None:
    one, other = (node.url for node in nodes)
    admin = await operator(table, one)
    async with receiver() as mine:
        webhook = await admin.subscribe(mine, "*")
        await asyncio.sleep(1.1)  # then the other node knows of it, too
        ann, bob = await table.seat(one, "ann"), await table.seat(other, "bob")
        for turn in range(10):
            payer, payee = (ann, bob) if turn % 2 else (bob, ann)
            await payer.do("wallet:transfer", to=payee.id, amount=1, key=f"t{turn}")
        await mine.until(lambda: all(len(_wallet(mine, who)) == 11 for who in (ann, bob)))
        for who in (ann, bob):
            assert mine.of("player.created", player_id=who.id)[0]["data"]["name"] == who.name
            _in_order(mine, who)
        await _report(ann, bob)
        await mine.until(lambda: mine.of("chat.reported", reporter_id=bob.id))
        order = (await bob.do("purchase:create", pack="handful", key="p"))["order"]["id"]
        await mine.until(lambda: mine.of("purchase.granted", order_id=order))
        duel = await _lost_duel(ann, bob)
        await mine.until(lambda: mine.of("duel.ended", duel_id=duel, winner_id=bob.id))
        await admin.newest(webhook, "delivered")
        page = await admin.deliveries(webhook, "?limit=5")
        assert [one["status"] for one in page["deliveries"]] == ["delivered"] * 5
        older = await admin.deliveries(webhook, f"?limit=5&before={page['next_before']}")
        assert not {one["event_id"] for one in page["deliveries"]} & {
            one["event_id"] for one in older["deliveries"]
        }
        assert (await admin.call("DELETE", f"/{webhook}"))[0] == 204


async def _lost_duel(ann: Player, bob: Player) -> str:
    body = {"opponent_id": bob.id, "stake": 1, "key": "d"}
    duel: str = (await ann.do("duel:challenge", **body))["duel"]["id"]
    await bob.do("duel:accept", duel_id=duel)
    await ann.do("duel:forfeit", duel_id=duel)
    return duel


async def _report(ann: Player, bob: Player) -> None:
    for player in (ann, bob):
        await player.do("chat:join", room="global")
    sent = await ann.do("chat:send", room="global", text="Hello")
    await bob.do("chat:report", message_id=sent["message"]["id"], reason="too friendly")


def _wallet(mine: Receiver, who: Player) -> list[dict[str, Any]]:
    return [one["data"] for one in mine.of("wallet.posted", player_id=who.id)]


def _in_order(mine: Receiver, who: Player) -> None:
    entries = _wallet(mine, who)
    sums = [sum(entry["amount"] for entry in entries[: n + 1]) for n in range(len(entries))]
    assert [entry["balance"] for entry in entries] == sums
    types = [one["type"] for one in mine.took if one["data"].get("player_id") == who.id]
    assert types[0] == "player.created"


async def test_what_is_refused_is_tried_again_then_given_up_and_can_be_replayed(
    nodes: tuple[Server, Server], table: Table
) -> None:
    admin = await operator(table, nodes[0].url)
    async with receiver() as mine:
        webhook = await admin.subscribe(mine, "player.created")
        mine.answers = [500, 302]
        mine.location = mine.url
        ann = await table.guest(nodes[0].url, "ann")
        await mine.until(lambda: mine.of("player.created", player_id=ann.id))
        assert len(mine.tries) == 3  # the redirect was not followed
        mine.answers = [500] * 4
        bob = await table.guest(nodes[0].url, "bob")
        lost = await admin.newest(webhook, "failed")
        assert [one["code"] for one in lost["attempts"]] == [500] * 4
        assert lost["attempts"][0]["answer"] == "seen"
        assert mine.of("player.created", player_id=bob.id) == []
        status, _ = await admin.call("POST", f"/{webhook}/deliveries/{lost['event_id']}/replay")
        assert status == 202
        await mine.until(lambda: mine.of("player.created", player_id=bob.id))
        assert (await admin.call("DELETE", f"/{webhook}"))[0] == 204


async def test_an_endpoint_that_is_gone_is_disabled_until_it_is_enabled_again(
    nodes: tuple[Server, Server], table: Table
) -> None:
    admin = await operator(table, nodes[0].url)
    async with receiver() as mine:
        webhook = await admin.subscribe(mine, "player.created")
        mine.answers = [410]
        ann = await table.guest(nodes[0].url, "ann")
        news = await admin.player.next("webhook:disabled", seconds=20)
        assert (news["webhook_id"], news["reason"]) == (webhook, "it answered 410 Gone")
        assert (await admin.shown(webhook))["active"] is False
        event = mine.tries[0]
        status, _ = await admin.call("POST", f"/{webhook}/deliveries/{event}/replay")
        assert status == 409
        assert (await admin.call("PATCH", f"/{webhook}", {"active": True}))[0] == 200
        await mine.until(lambda: mine.of("player.created", player_id=ann.id))
        assert (await admin.call("DELETE", f"/{webhook}"))[0] == 204


async def test_a_new_secret_signs_beside_the_old_one(
    nodes: tuple[Server, Server], table: Table
) -> None:
    admin = await operator(table, nodes[0].url)
    async with receiver() as mine:
        webhook = await admin.subscribe(mine, "player.created")
        status, answer = await admin.call("POST", f"/{webhook}/rotate")
        assert status == 200
        assert answer["secret"] != mine.secret
        assert "secret" not in await admin.shown(webhook)
        ann = await table.guest(nodes[0].url, "ann")
        await mine.until(lambda: mine.of("player.created", player_id=ann.id))
        mine.secret = answer["secret"]
        bob = await table.guest(nodes[0].url, "bob")
        await mine.until(lambda: mine.of("player.created", player_id=bob.id))
        assert (await admin.call("DELETE", f"/{webhook}"))[0] == 204


async def test_webhooks_are_the_operators(nodes: tuple[Server, Server], table: Table) -> None:
    url, admin = nodes[0].url, await operator(table, nodes[0].url)
    ann = await table.guest(url, "ann")
    assert (await table.call("GET", url, "/webhooks", token=ann.tokens["access_token"]))[0] == 403
    mistakes: list[dict[str, Any]] = [
        {"url": "ftp://example.com/"},
        {"events": []},
        {"events": ["duel.lost"]},
    ]
    for wrong in mistakes:
        body = {"url": "https://example.com/hook", "events": ["*"], **wrong}
        assert (await admin.call("POST", "", body))[0] == 422
