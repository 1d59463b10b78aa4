"""Friends and blocks through the front doors of two servers."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.harness import Player, Server, Table

NOBODY = "0" * 20
MANY = 50


def named(friends: list[dict[str, Any]]) -> dict[str, str]:
    return {one["name"]: one["state"] for one in friends}


async def listed(player: Player) -> dict[str, str]:
    return named((await player.do("friends:list"))["friends"])


@pytest.fixture
async def two(pair: tuple[Server, Server], table: Table) -> tuple[Player, Player]:
    """Two fresh players, each on his own server."""
    one, other = pair
    return await table.seat(one.url, "ann"), await table.seat(other.url, "bob")


async def test_a_request_waits_and_a_friend_is_seen(
    pair: tuple[Server, Server], table: Table
) -> None:
    one, other = pair
    ann, bob = await table.seat(one.url, "ann"), await table.guest(other.url, "bob")
    asked = await ann.do("friends:add", player_id=bob.id)
    assert named(asked["friends"]) == {"bob": "outgoing"}
    assert "presence" not in asked["friends"][0]
    await bob.connect()
    assert bob.ready["resume"]["friend_requests"] == 1
    assert await listed(bob) == {"ann": "incoming"}
    tablet = await table.player(ann.url, bob.tokens).connect()
    (friend,) = (await bob.do("friends:accept", player_id=ann.id))["friends"]
    assert (friend["state"], friend["presence"]["status"]) == ("friend", "online")
    news = await ann.next("friends:changed", lambda news: news["friend"]["state"] == "friend")
    assert (news["player_id"], news["friend"]["presence"]["status"]) == (bob.id, "online")
    news = await tablet.next("friends:changed")
    assert (news["player_id"], news["friend"]["state"]) == (ann.id, "friend")
    await ann.do("presence:set", status="away")
    told = await bob.next("presence:changed", lambda data: ann.id in data["presence"])
    assert told["presence"][ann.id]["status"] == "away"
    assert (await ann.do("friends:remove", player_id=bob.id))["friends"] == []
    assert (await bob.next("friends:changed", lambda news: news["friend"] is None))[
        "friend"
    ] is None
    assert await bob.fails("friends:accept", player_id=ann.id) == "not_found"
    for event in ("friends:add", "friends:block"):
        assert await ann.fails(event, player_id=NOBODY) == "not_found"
        assert await ann.fails(event, player_id=ann.id) == "validation_failed"


async def test_a_block_holds_both_ways_on_all_nodes(two: tuple[Player, Player]) -> None:
    ann, bob = two
    await ann.do("friends:add", player_id=bob.id)
    await bob.do("friends:add", player_id=ann.id)
    whisper = await bob.do("chat:whisper", to=ann.id, text="hello")
    assert named((await ann.do("friends:block", player_id=bob.id))["friends"]) == {"bob": "blocked"}
    await bob.next("friends:changed", lambda news: news["friend"] is None)
    for player, target in ((ann, bob), (bob, ann)):
        assert await player.fails("chat:whisper", to=target.id, text="hi") == "forbidden"
        challenge = {"opponent_id": target.id, "key": "1"}
        assert await player.fails("duel:challenge", **challenge) == "forbidden"
    edited = {"message_id": whisper["message"]["id"], "text": "something worse"}
    assert await bob.fails("chat:edit", **edited) == "forbidden"
    assert await bob.fails("friends:add", player_id=ann.id) == "forbidden"
    assert await ann.fails("friends:add", player_id=bob.id) == "conflict"
    assert await listed(bob) == {}
    assert (await ann.do("friends:unblock", player_id=bob.id))["friends"] == []
    await bob.do("chat:whisper", to=ann.id, text="hello again")


async def test_a_challenge_from_before_a_block_cannot_be_accepted(
    two: tuple[Player, Player],
) -> None:
    ann, bob = two
    duel = (await bob.do("duel:challenge", opponent_id=ann.id, key="1"))["duel"]
    await ann.do("friends:block", player_id=bob.id)
    assert await ann.fails("duel:accept", duel_id=duel["id"]) == "forbidden"
    await ann.do("duel:decline", duel_id=duel["id"])


async def test_both_asking_at_once_are_friends(two: tuple[Player, Player]) -> None:
    ann, bob = two
    asked = [
        player.ask("friends:add", player_id=target.id)
        for _ in range(MANY // 2)
        for player, target in ((ann, bob), (bob, ann))
    ]
    answers = await asyncio.gather(*asked)
    assert all(answer["ok"] for answer in answers)
    assert await listed(ann) == {"bob": "friend"}
    assert await listed(bob) == {"ann": "friend"}


async def test_of_asking_and_blocking_at_once_the_block_stays(
    two: tuple[Player, Player], table: Table
) -> None:
    ann, bob = two
    second = await table.player(ann.url, bob.tokens).connect()
    steps: list[Any] = []
    for number in range(MANY // 2):
        asker = (bob, second)[number % 2]
        steps.append(asker.ask("friends:add", player_id=ann.id))
        event = "friends:block" if number % 5 == 2 else "friends:accept"
        steps.append(ann.ask(event, player_id=bob.id))
    codes = {answer["error"]["code"] for answer in await asyncio.gather(*steps) if not answer["ok"]}
    assert codes <= {"forbidden", "not_found"}
    assert await listed(ann) == {"bob": "blocked"}
    assert await listed(bob) == {}
    assert await second.fails("chat:whisper", to=ann.id, text="hi") == "forbidden"
