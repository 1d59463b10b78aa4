"""Duels: challenges, and what can be answered to them."""

from __future__ import annotations

import asyncio
import time

import pytest

from tests.harness import Player, Server, Table
from tests.integration.chat_kit import Pair
from tests.integration.duel_kit import begin, check_view

ANSWERS = ("duel:accept", "duel:decline", "duel:cancel")


@pytest.fixture
async def two(pair: Pair, table: Table) -> tuple[Player, Player]:
    """Two players on different servers."""
    return await table.seat(pair[0].url, "Ann"), await table.seat(pair[1].url, "Bob")


async def offer(ann: Player, bob: Player, key: str = "k") -> str:
    """The id of a new challenge."""
    answer = await ann.do("duel:challenge", opponent_id=bob.id, key=key)
    duel_id: str = answer["duel"]["id"]
    return duel_id


async def test_a_challenge_is_shown_to_both_on_all_their_devices(
    two: tuple[Player, Player], pair: Pair, table: Table
) -> None:
    ann, bob = two
    phone = await table.player(pair[0].url, bob.tokens).connect()
    mine = (await ann.do("duel:challenge", opponent_id=bob.id, stake=0, key="k"))["duel"]
    check_view(mine)
    assert (mine["status"], mine["round"], mine["rounds"]) == ("challenged", 0, [])
    assert [player["id"] for player in mine["players"]] == [ann.id, bob.id]
    assert 50_000 < mine["deadline"] - time.time() * 1000 < 65_000
    for player in (bob, phone):
        assert await player.next("duel:challenged") == mine
    for player in (ann, bob):
        assert await player.do("duel:active") == {"duel": mine}
        assert await player.do("duel:get", duel_id=mine["id"]) == {"duel": mine}
    tablet = await table.player(pair[1].url, ann.tokens).connect()
    assert tablet.ready["resume"]["duel"] == mine


@pytest.mark.parametrize(
    ("answer", "status"),
    [("duel:decline", "declined"), ("duel:cancel", "cancelled")],
)
async def test_a_challenge_is_declined_by_one_and_cancelled_by_the_other(
    two: tuple[Player, Player], answer: str, status: str
) -> None:
    ann, bob = two
    duel_id = await offer(ann, bob)
    who, other = (bob, ann) if answer == "duel:decline" else (ann, bob)
    assert await other.fails(answer, duel_id=duel_id) == "forbidden"
    view = (await who.do(answer, duel_id=duel_id))["duel"]
    check_view(view)
    assert (view["status"], view["deadline"]) == (status, None)
    for player in (ann, bob):
        assert await player.next("duel:ended") == view
        assert player.seen("duel:state") == [view]
        assert await player.do("duel:active") == {"duel": None}
    for again in ANSWERS:
        right = ann if again == "duel:cancel" else bob
        assert await right.fails(again, duel_id=duel_id) == "conflict"
    await offer(ann, bob, key="again")


async def test_a_challenge_is_between_the_two(
    two: tuple[Player, Player], lone: Server, table: Table
) -> None:
    ann, bob = two
    eve = await table.seat(lone.url)
    duel_id = await offer(ann, bob)
    for event in (*ANSWERS, "duel:get", "duel:spectate", "duel:unspectate", "duel:forfeit"):
        assert await eve.fails(event, duel_id=duel_id) == "not_found", event
    assert await ann.fails("duel:accept", duel_id=duel_id) == "forbidden"
    for event, fields in (("duel:forfeit", {}), ("duel:play", {"round": 1, "hold": []})):
        for player in (ann, bob):
            code = await player.fails(event, duel_id=duel_id, **fields)
            assert code in {"conflict", "validation_failed"}
    assert not eve.seen("duel:challenged")


async def test_what_is_no_challenge_is_refused(two: tuple[Player, Player]) -> None:
    ann, bob = two
    good: dict[str, object] = {"opponent_id": bob.id, "key": "k"}
    for wrong, code in (
        ({"opponent_id": ann.id}, "validation_failed"),
        ({"opponent_id": "0" * 20}, "not_found"),
        ({"opponent_id": "Bob"}, "validation_failed"),
        ({"stake": 1.5}, "validation_failed"),
        ({"stake": -1}, "validation_failed"),
        ({"key": ""}, "validation_failed"),
        ({"key": "k" * 65}, "validation_failed"),
        ({"key": None}, "validation_failed"),
        ({"more": 1}, "validation_failed"),
    ):
        answer = await ann.ask("duel:challenge", {**good, **wrong})
        assert answer["error"]["code"] == code, wrong
    assert not bob.seen("duel:challenged")


async def test_events_about_a_duel_that_does_not_exist_are_not_found(
    two: tuple[Player, Player],
) -> None:
    for event in (*ANSWERS, "duel:forfeit", "duel:get", "duel:spectate", "duel:unspectate"):
        assert await two[0].fails(event, duel_id="0" * 20) == "not_found"
        assert await two[0].fails(event, duel_id="../x") == "validation_failed"
        assert await two[0].fails(event) == "validation_failed"


# One thing at a time


async def test_a_player_offers_one_duel_at_a_time(
    two: tuple[Player, Player], lone: Server, table: Table
) -> None:
    ann, bob = two
    eve = await table.seat(lone.url)
    duel_id = await offer(ann, bob)
    assert await ann.fails("duel:challenge", opponent_id=eve.id, key="k2") == "already_in_duel"
    await bob.do("duel:decline", duel_id=duel_id)
    await offer(ann, eve, key="k2")


async def test_a_player_fights_one_duel_at_a_time(
    two: tuple[Player, Player], lone: Server, table: Table
) -> None:
    ann, bob = two
    eve = await table.seat(lone.url)
    waiting = await offer(eve, ann)
    fight = await begin(table, ann, bob)
    assert await bob.fails("duel:challenge", opponent_id=eve.id, key="k2") == "already_in_duel"
    dan = await table.seat(lone.url)
    assert await dan.fails("duel:challenge", opponent_id=bob.id, key="k3") == "already_in_duel"
    assert await ann.fails("duel:accept", duel_id=waiting) == "already_in_duel"
    await ann.do("duel:forfeit", duel_id=fight.id)
    started = await ann.do("duel:accept", duel_id=waiting)
    assert started["duel"]["status"] == "active"


async def test_a_player_has_a_bounded_number_of_challenges(lone: Server, table: Table) -> None:
    bob = await table.seat(lone.url)
    challengers = [await table.seat(lone.url) for _ in range(21)]
    for number, challenger in enumerate(challengers[:20]):
        await offer(challenger, bob, key=str(number))
    last = challengers[20]
    assert await last.fails("duel:challenge", opponent_id=bob.id, key="k") == "conflict"
    newest = (await bob.do("duel:active"))["duel"]
    assert newest["players"][0]["id"] == challengers[19].id
    await challengers[0].do(
        "duel:cancel", duel_id=(await challengers[0].do("duel:active"))["duel"]["id"]
    )
    await offer(last, bob)


# The same key


async def test_the_same_key_is_the_same_challenge(two: tuple[Player, Player]) -> None:
    ann, bob = two
    asked = {"opponent_id": bob.id, "key": "once"}
    first = await ann.do("duel:challenge", **asked)
    assert await ann.do("duel:challenge", **asked, stake=0) == first
    await bob.do("duel:decline", duel_id=first["duel"]["id"])
    assert await ann.do("duel:challenge", **asked) == first
    assert len(bob.seen("duel:challenged")) == 1
    assert (await bob.do("duel:challenge", opponent_id=ann.id, key="once"))["duel"] != first


async def test_a_key_that_was_used_for_somebody_else_does_not_fit(
    two: tuple[Player, Player], lone: Server, table: Table
) -> None:
    ann, bob = two
    eve = await table.seat(lone.url)
    await offer(ann, bob, key="once")
    asked = {"opponent_id": eve.id, "key": "once"}
    assert await ann.fails("duel:challenge", **asked) == "idempotency_mismatch"


# Races


async def test_of_50_parallel_accepts_on_two_servers_one_succeeds(
    two: tuple[Player, Player], pair: Pair, table: Table
) -> None:
    ann, bob = two
    phone = await table.player(pair[0].url, bob.tokens).connect()
    duel_id = await offer(ann, bob)
    answers = await asyncio.gather(
        *(device.ask("duel:accept", duel_id=duel_id) for _ in range(25) for device in (bob, phone))
    )
    assert [answer["ok"] for answer in answers].count(True) == 1
    codes = {answer["error"]["code"] for answer in answers if not answer["ok"]}
    assert codes == {"conflict"}
    view = (await ann.do("duel:active"))["duel"]
    assert (view["status"], view["round"], view["version"]) == ("active", 1, 2)
    await told_once(ann, bob, duel_id, versions=[2, 3])


async def told_once(ann: Player, bob: Player, duel_id: str, versions: list[int]) -> None:
    """Ann was told of each version once, the last being the duel's end."""
    await bob.do("duel:forfeit", duel_id=duel_id)
    await ann.next("duel:ended")
    assert [view["version"] for view in ann.seen("duel:state")] == versions


async def test_of_50_parallel_plays_on_two_servers_one_counts(
    two: tuple[Player, Player], pair: Pair, table: Table
) -> None:
    ann, bob = two
    phone = await table.player(pair[0].url, bob.tokens).connect()
    fight = await begin(table, ann, bob)
    answers = await asyncio.gather(
        *(
            device.ask("duel:play", duel_id=fight.id, round=1, hold=[number % 5])
            for number in range(25)
            for device in (bob, phone)
        )
    )
    (counted,) = [answer["data"]["duel"] for answer in answers if answer["ok"]]
    codes = {answer["error"]["code"] for answer in answers if not answer["ok"]}
    assert codes == {"not_your_turn"}
    now = (await bob.do("duel:get", duel_id=fight.id))["duel"]
    assert now == counted
    await told_once(ann, bob, fight.id, versions=[2, 3, 4])


async def test_two_plays_at_once_are_one_showdown(two: tuple[Player, Player], table: Table) -> None:
    ann, bob = two
    fight = await begin(table, ann, bob)
    view = (await ann.do("duel:get", duel_id=fight.id))["duel"]
    while view["status"] == "active":
        which = view["round"]
        await asyncio.gather(*(fight.play(player, which, [0]) for player in (ann, bob)))
        view = (await ann.do("duel:get", duel_id=fight.id))["duel"]
        assert len(view["rounds"]) == which
    for player in (ann, bob):
        await player.next("duel:ended")
        rounds = [result["round"] for result in player.seen("duel:round")]
        assert rounds == list(range(1, len(view["rounds"]) + 1))


async def test_of_parallel_challenges_with_one_key_there_is_one_duel(
    two: tuple[Player, Player], pair: Pair, table: Table
) -> None:
    ann, bob = two
    phone = await table.player(pair[1].url, ann.tokens).connect()
    answers = await asyncio.gather(
        *(
            device.do("duel:challenge", opponent_id=bob.id, key="once")
            for device in (ann, phone) * 10
        )
    )
    assert all(answer == answers[0] for answer in answers)
    await bob.do("duel:accept", duel_id=answers[0]["duel"]["id"])
    assert len(bob.seen("duel:challenged")) == 1


async def test_of_two_challenges_to_each_other_one_is_fought(two: tuple[Player, Player]) -> None:
    ann, bob = two
    mine, theirs = await asyncio.gather(offer(ann, bob), offer(bob, ann))
    answers = await asyncio.gather(
        ann.ask("duel:accept", duel_id=theirs), bob.ask("duel:accept", duel_id=mine)
    )
    assert sorted(answer["ok"] for answer in answers) == [False, True]
    (error,) = [answer["error"]["code"] for answer in answers if not answer["ok"]]
    assert error == "already_in_duel"


async def test_a_challenge_that_is_accepted_and_cancelled_at_once_is_one_of_both(
    two: tuple[Player, Player],
) -> None:
    ann, bob = two
    duel_id = await offer(ann, bob)
    accepted, cancelled = await asyncio.gather(
        bob.ask("duel:accept", duel_id=duel_id), ann.ask("duel:cancel", duel_id=duel_id)
    )
    assert accepted["ok"] != cancelled["ok"]
    status = (await ann.do("duel:get", duel_id=duel_id))["duel"]["status"]
    assert status == ("active" if accepted["ok"] else "cancelled")
