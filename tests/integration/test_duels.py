"""Duels: a whole one over two servers, and who sees what of it."""

from __future__ import annotations

import itertools
import re

import pytest

from tests.harness import Player, Server, Table
from tests.integration.chat_kit import Pair
from tests.integration.duel_kit import (
    Fight,
    View,
    begin,
    check_deal,
    check_secrets,
    check_view,
    state,
)

CARDS = re.compile(r"[\"'][2-9TJQKA][CDHS][\"']")
HOLDS = [[], [0], [1, 3], [0, 1, 2, 3, 4], [4, 2], [0, 2, 4], [3], [1, 2, 3, 4], [2]]


@pytest.fixture
async def fight(pair: Pair, table: Table) -> Fight:
    """Two fighters on different servers, bob with two devices, and a spectator."""
    ann, bob = await table.seat(pair[0].url, "Ann"), await table.seat(pair[1].url, "Bob")
    phone = await table.player(pair[0].url, bob.tokens).connect()
    eve = await table.seat(pair[1].url, "Eve")
    begun = await begin(table, ann, bob)
    seen = await eve.do("duel:spectate", duel_id=begun.id)
    eve.history.append(("ack", seen))
    check_view(seen["duel"])
    assert "you" not in seen["duel"]
    begun.watchers = [phone, eve]
    return begun


async def test_a_duel_is_fought_to_its_end_and_nobody_sees_too_much(
    fight: Fight, pair: Pair, table: Table
) -> None:
    ann, bob, (phone, eve) = fight.ann, fight.bob, fight.watchers
    start = await state(ann, status="active")
    assert await state(bob, status="active") == await state(phone, status="active")
    assert (start["round"], start["rounds"], start["stake"]) == (1, [], 0)
    assert [player["name"] for player in start["players"]] == ["Ann", "Bob"]
    holds = {}
    view, players = start, (ann, bob, phone, eve)
    for number in itertools.count(1):
        holds[number] = (HOLDS[number - 1], HOLDS[-number])
        view = await check_round(fight, number, holds[number])
        if view["status"] != "active":
            break
    for player in players:
        ended = await player.next("duel:ended")
        check_view(ended)
        assert ended == view
    assert view["end_reason"] in {"score", "draw"}
    assert view["commitment"] == start["commitment"]
    check_deal(view, holds)
    check_winner(view)
    for player, seat in ((ann, 0), (bob, 1), (phone, 1), (eve, None)):
        check_secrets(player, seat, view)
        versions = [data["version"] for name, data in player.history if name == "duel:state"]
        assert versions == sorted(set(versions))
        assert len(player.seen("duel:round")) == len(view["rounds"])
        assert len(player.seen("duel:ended")) == 1
    for server in pair:
        async with table.http.get(server.url + "/metrics") as scraped:
            public = server.log + await scraped.text()
        assert view["seed"] not in public
        assert not CARDS.search(public)


async def check_round(fight: Fight, round: int, holds: tuple[list[int], list[int]]) -> View:
    """One round from both sides: what each is answered, and what the others are told."""
    ann, bob, (phone, eve) = fight.ann, fight.bob, fight.watchers
    before = (await bob.do("duel:get", duel_id=fight.id))["duel"]
    assert (before["round"], before["you"]["played"], before["opponent_played"]) == (
        *(round, False, False),
    )
    first = await fight.play(ann, round, holds[0])
    check_view(first)
    assert (first["you"]["played"], first["opponent_played"]) == (True, False)
    for player in (bob, phone):
        told = await state(player, version=first["version"])
        assert told["you"] == before["you"]
        assert told["opponent_played"] is True
    public = await state(eve, version=first["version"])
    assert "you" not in public
    assert public["opponent_played"] is False
    last = await fight.play(bob, round, holds[1])
    check_view(last)
    result = last["rounds"][-1]
    assert result["round"] == round
    assert result["hands"][ann.id] == first["you"]["hand"]
    for player in (ann, bob, phone, eve):
        assert await player.next("duel:round") == {"duel_id": fight.id, **result}
        told = await state(player, version=last["version"])
        check_view(told)
        assert told["rounds"] == last["rounds"]
    assert (await ann.do("duel:get", duel_id=fight.id))["duel"]["rounds"] == last["rounds"]
    return last


def check_winner(view: View) -> None:
    scores = {player["id"]: player["score"] for player in view["players"]}
    best = max(scores, key=scores.__getitem__)
    if view["end_reason"] == "draw":
        assert len(set(scores.values())) == 1
        assert "winner_id" not in view
    else:
        assert view["winner_id"] == best
        assert scores[best] == 3 or len(view["rounds"]) == 9


async def test_after_a_duel_both_are_free_for_the_next(pair: Pair, table: Table) -> None:
    ann, bob = await table.seat(pair[0].url), await table.seat(pair[1].url)
    first = await begin(table, ann, bob)
    view = await first.play_out()
    assert await ann.do("duel:active") == {"duel": None}
    second = await begin(table, ann, bob, key="again")
    assert second.id != first.id
    assert (await ann.do("duel:get", duel_id=first.id))["duel"] == view
    active = (await bob.do("duel:active"))["duel"]
    assert (active["id"], active["commitment"] != view["commitment"]) == (second.id, True)


async def test_who_resigns_loses(fight: Fight) -> None:
    view = (await fight.ann.do("duel:forfeit", duel_id=fight.id))["duel"]
    check_view(view)
    assert (view["end_reason"], view["winner_id"]) == ("forfeit", fight.bob.id)
    for player in (fight.ann, fight.bob, *fight.watchers):
        assert await player.next("duel:ended") == view
    for event, fields in (("duel:forfeit", {}), ("duel:play", {"round": 1, "hold": []})):
        assert await fight.bob.fails(event, duel_id=fight.id, **fields) == "duel_over"
    eve = fight.watchers[1]
    assert await eve.fails("duel:spectate", duel_id=fight.id) == "duel_over"


async def test_a_play_must_fit_the_round(fight: Fight) -> None:
    ann, which = fight.ann, {"duel_id": fight.id}
    for number in (0, -1, "1", 1.5, None, True):
        code = await ann.fails("duel:play", **which, round=number, hold=[])
        assert code == "validation_failed", number
    wrong: list[object] = [[5], [-1], [0, 0], [0, 1, 2, 3, 4, 0], ["0"], [True], "01", None, [0.0]]
    for hold in wrong:
        code = await ann.fails("duel:play", **which, round=1, hold=hold)
        assert code == "validation_failed", hold
    assert await ann.fails("duel:play", **which, round=2, hold=[]) == "conflict"
    await fight.play(ann, 1, [])
    assert await ann.fails("duel:play", **which, round=1, hold=[0]) == "not_your_turn"
    assert await fight.watchers[1].fails("duel:play", **which, round=1, hold=[]) == "not_found"
    assert await fight.watchers[1].fails("duel:forfeit", **which) == "not_found"


async def test_who_comes_with_another_device_sees_his_hand(
    fight: Fight, pair: Pair, table: Table
) -> None:
    view = await fight.play(fight.ann, 1, [0])
    tablet = await table.player(pair[1].url, fight.ann.tokens).connect()
    assert tablet.ready["resume"]["duel"] == view
    assert view["you"]["played"] is True


# Spectators


async def test_spectators_are_no_fighters_and_need_a_fight(
    fight: Fight, lone: Server, table: Table
) -> None:
    which = {"duel_id": fight.id}
    assert await fight.ann.fails("duel:spectate", **which) == "conflict"
    eve = await table.seat(lone.url)
    assert await eve.fails("duel:spectate", duel_id="0" * 20) == "not_found"
    assert await eve.fails("duel:unspectate", duel_id="0" * 20) == "not_found"


async def test_who_looks_away_is_told_no_more(fight: Fight) -> None:
    eve = fight.watchers[1]
    seen = await eve.do("duel:unspectate", duel_id=fight.id)
    assert "you" not in seen["duel"]
    told = len(eve.history)
    await fight.play_out()
    await eve.do("duel:get", duel_id=fight.id)
    assert len(eve.history) == told


async def test_one_connection_watches_a_bounded_number_of_duels(
    pair: Pair, strict: Server, table: Table
) -> None:
    eve = await table.seat(strict.url)
    del table.options["http_session"]
    fights = [
        await begin(table, await table.seat(pair[0].url), await table.seat(pair[1].url))
        for _ in range(5)
    ]
    for fight in fights[:4]:
        await eve.do("duel:spectate", duel_id=fight.id)
    await eve.do("duel:spectate", duel_id=fights[0].id)
    assert await eve.fails("duel:spectate", duel_id=fights[4].id) == "conflict"
    await fights[0].ann.do("duel:forfeit", duel_id=fights[0].id)
    await eve.next("duel:ended")
    await eve.do("duel:spectate", duel_id=fights[4].id)


async def test_a_duel_has_a_chat_room_for_fighters_and_spectators(
    fight: Fight, lone: Server, table: Table
) -> None:
    room = f"duel:{fight.id}"
    inside: tuple[Player, ...] = (fight.ann, fight.bob, fight.watchers[1])
    for player in inside:
        await player.do("chat:join", room=room)
    message = (await fight.ann.do("chat:send", room=room, text="well played"))["message"]
    for player in inside:
        assert await player.next("chat:message") == message
    stranger = await table.seat(lone.url)
    for event in ("chat:join", "chat:history"):
        assert await stranger.fails(event, room=room) == "forbidden"
    which = {"message_id": message["id"]}
    assert await stranger.fails("chat:report", **which, reason="x") == "forbidden"
