"""Notifications through the front door: kept, read, e-mailed and pushed to who is away."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.harness import Player, Server, Table
from tests.integration.hosting import Host
from tests.integration.post_office import Relay, browser, relay

LINK = re.compile(r"(/api/v1/email/[\w-]+)")


@pytest.fixture(scope="module")
def post(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Relay, Path]]:
    """A relay, and its certificate."""
    folder = tmp_path_factory.mktemp("relay")
    with relay(folder) as one:
        yield one, folder / "cert.pem"


@pytest.fixture(scope="module")
def server(own_host: Host, post: tuple[Relay, Path]) -> Server:
    """A server with e-mail and push to this machine."""
    return own_host.start(
        EMAIL__HOST="127.0.0.1",
        EMAIL__PORT=post[0].port,
        EMAIL__CA_FILE=post[1],
        EMAIL__SENDER="Showdown <game@showdown.example>",
        PUSH__PRIVATE="true",
        NOTIFICATIONS__KEPT=5,
    )


async def _pay(ann: Player, bob: Player, amount: int) -> None:
    await ann.do("wallet:transfer", to=bob.id, amount=amount, key=uuid4().hex)


async def test_notifications_are_told_kept_within_bounds_and_read(
    server: Server, table: Table
) -> None:
    ann, bob = await table.seat(server.url, "ann"), await table.seat(server.url, "bob")
    for amount in range(1, 8):
        await _pay(ann, bob, amount)
    told = await bob.next("notification", lambda one: one["amount"] == 7)
    assert told["text"] == "ann sent you 7 coins."
    assert told["by"] == {"id": ann.id, "name": "ann"}
    page = await bob.do("notifications:list", limit=3)
    assert [one["amount"] for one in page["notifications"]] == [7, 6, 5]
    assert page["notifications"][0] == told
    assert page["unread"] == 5  # as many as are kept
    rest = await bob.do("notifications:list", before=page["next_before"])
    assert [one["amount"] for one in rest["notifications"]] == [4, 3]
    assert await bob.do("notifications:read", ids=[told["id"], "f" * 20]) == {"unread": 4}
    assert await bob.do("notifications:read") == {"unread": 0}
    assert (await ann.do("notifications:list"))["notifications"] == []


async def test_who_is_away_gets_e_mails_until_he_wants_no_more(
    server: Server, table: Table, post: tuple[Relay, Path]
) -> None:
    address = f"bob-{uuid4().hex}@players.example"
    ann, bob = await table.seat(server.url, "ann"), await table.seat(server.url, "bob")
    given = await bob.do("account:email", email=address)
    assert given == {"email": address, "verified": False}
    asked = await post[0].next(address)
    path = _link(asked.get_content())
    assert "<button>" in await _page(table, "GET", server.url + path)
    assert not (await bob.do("notifications:settings"))["verified"]  # looked at, not confirmed
    assert "Thank you" in await _page(table, "POST", server.url + path)
    wanted = {"kind": "coins_received", "channel": "email", "on": True}
    shown = await bob.do("notifications:settings", choices=[wanted])
    assert shown["verified"]
    assert shown["kinds"]["coins_received"] == {"email": True, "push": True}
    await bob.leave()
    post[0].refuse = ["451 later"]  # and it is tried again
    await _pay(ann, bob, 5)
    mail = await post[0].next(address, 2)
    assert mail["Subject"] == "ann sent you 5 coins."
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    stop = _link(mail["List-Unsubscribe"])
    form = {"data": {"List-Unsubscribe": "One-Click"}}
    assert "no more" in await _page(table, "POST", server.url + stop, **form)
    await bob.connect()
    kinds = (await bob.do("notifications:settings"))["kinds"]
    assert kinds["coins_received"] == {"email": False, "push": True}
    assert kinds["robbed"]["email"]


async def test_an_address_that_the_relay_refuses_is_written_to_no_more(
    server: Server, table: Table, post: tuple[Relay, Path]
) -> None:
    address = f"bob-{uuid4().hex}@players.example"
    ann, bob = await table.seat(server.url, "ann"), await table.seat(server.url, "bob")
    await bob.do("account:email", email=address)
    await _page(table, "POST", server.url + _link((await post[0].next(address)).get_content()))
    await bob.leave()
    post[0].refuse = ["550 nobody"]
    await ann.do("rob:attempt", victim_id=bob.id, key="k")
    wanted = {"kind": "coins_received", "channel": "email", "on": True}
    await bob.connect()
    await bob.do("notifications:settings", choices=[wanted])
    kind = (await bob.do("notifications:list"))["notifications"][0]["kind"]
    if kind == "robbed":  # of the other kind there is no e-mail
        assert not await _verified_after_a_while(bob)


async def _verified_after_a_while(bob: Player) -> bool:
    for _ in range(100):
        if not (await bob.do("notifications:settings"))["verified"]:
            return False
    return True


async def test_devices_are_pushed_what_only_they_can_read(server: Server, table: Table) -> None:
    ann, bob = await table.seat(server.url, "ann"), await table.seat(server.url, "bob")
    async with browser() as mine:
        mine.trusts = (await bob.do("notifications:settings"))["push_key"]
        await bob.do("push:subscribe", **mine.subscription)
        wrong: dict[str, Any] = {**mine.subscription, "keys": {"p256dh": "AAAA", "auth": "AAAA"}}
        assert await bob.fails("push:subscribe", **wrong) == "validation_failed"
        await _pay(ann, bob, 1)  # he sees it himself
        await bob.leave()
        await _pay(ann, bob, 2)
        await ann.do("duel:challenge", opponent_id=bob.id, key="k")
        await mine.until(2)
        assert {one["text"] for one in mine.messages} == {
            "ann sent you 2 coins.",
            "ann challenges you to a duel.",
        }
        mine.status = 410
        await _pay(ann, bob, 3)
        await bob.connect()
        assert (await bob.do("notifications:list"))["unread"] == 4
        await bob.do("push:unsubscribe", endpoint=mine.url)
        assert (await bob.do("notifications:settings"))["devices"] == 0


def _link(text: str) -> str:
    found = LINK.search(text.replace("=\n", ""))
    assert found, text
    return found[1]


async def _page(table: Table, method: str, url: str, **options: Any) -> str:
    async with table.http.request(method, url, **options) as answer:
        assert answer.status == 200
        assert answer.content_type == "text/html"
        return await answer.text()
