"""Duels: what happens when nobody answers, and when somebody is gone."""

from __future__ import annotations

import time

import pytest

from tests.harness import Player, Server, Table
from tests.integration.chat_kit import Pair
from tests.integration.duel_kit import Fight, begin, check_view, state
from tests.integration.hosting import Host

HOLD_ALL = [0, 1, 2, 3, 4]


@pytest.fixture(scope="module")
def hasty(host: Host) -> Server:
    """Challenges and rounds are over soon."""
    return host.start(JOBS__WORKERS=False, DUELS__CHALLENGE_SECONDS=0.8, DUELS__ROUND_SECONDS=1.2)


@pytest.fixture(scope="module")
def fickle(host: Host) -> Server:
    """Who is away is soon taken for gone."""
    return host.start(JOBS__WORKERS=False, DUELS__RECONNECT_SECONDS=1.2)


async def started(first: Server, second: Server, table: Table) -> Fight:
    """A duel by the rules of the first one's server."""
    ann, bob = await table.seat(first.url, "Ann"), await table.seat(second.url, "Bob")
    return await begin(table, ann, bob)


# Nobody answers


async def test_a_challenge_that_nobody_answers_expires(
    hasty: Server, lone: Server, table: Table
) -> None:
    ann, bob = await table.seat(hasty.url), await table.seat(lone.url)
    which = {"duel_id": (await ann.do("duel:challenge", opponent_id=bob.id, key="k"))["duel"]["id"]}
    for player in (ann, bob):
        ended = await player.next("duel:ended")
        check_view(ended)
        assert (ended["status"], ended["deadline"]) == ("expired", None)
        assert await player.do("duel:active") == {"duel": None}
    assert await bob.fails("duel:accept", **which) == "conflict"
    assert await ann.fails("duel:cancel", **which) == "conflict"
    await ann.do("duel:challenge", opponent_id=bob.id, key="again")


async def test_who_does_not_answer_holds_all(hasty: Server, lone: Server, table: Table) -> None:
    fight = await started(hasty, lone, table)
    ann, bob = fight.ann, fight.bob
    dealt = (await bob.do("duel:get", duel_id=fight.id))["duel"]["you"]["hand"]
    drawn = (await fight.play(ann, 1, []))["you"]["hand"]
    result = await bob.next("duel:round")
    assert result["hands"] == {ann.id: drawn, bob.id: dealt}
    assert await ann.next("duel:round") == result
    second = await state(ann, round=2)
    assert second["deadline"] > time.time() * 1000 - 5_000
    code = await bob.fails("duel:play", duel_id=fight.id, round=1, hold=[])
    assert code == "conflict"


async def test_two_rounds_in_a_row_without_an_answer_lose_the_duel(
    hasty: Server, lone: Server, table: Table
) -> None:
    fight = await started(hasty, lone, table)
    ann, bob = fight.ann, fight.bob
    await fight.play(ann, 1, HOLD_ALL)
    await state(ann, round=2)
    await fight.play(ann, 2, HOLD_ALL)
    for player in (ann, bob):
        ended = await player.next("duel:ended")
        assert (ended["end_reason"], ended["winner_id"]) == ("timeout", ann.id)
        assert len(ended["rounds"]) == 1
        assert len(player.seen("duel:round")) == 1


async def test_when_neither_answers_twice_nobody_wins(
    hasty: Server, lone: Server, table: Table
) -> None:
    fight = await started(hasty, lone, table)
    for player in (fight.ann, fight.bob):
        ended = await player.next("duel:ended")
        assert ended["end_reason"] == "timeout"
        assert "winner_id" not in ended


# Somebody is gone


async def test_while_a_fighter_is_away_the_clock_stands_still(pair: Pair, table: Table) -> None:
    fight = await started(*pair, table)
    ann, bob = fight.ann, fight.bob
    before = (await bob.do("duel:get", duel_id=fight.id))["duel"]
    await fight.play(ann, 1, [0])
    left = time.time() * 1000
    await bob.leave()
    news = await ann.next("duel:opponent")
    assert news == {
        "duel_id": fight.id,
        "player_id": bob.id,
        "connected": False,
        "deadline": news["deadline"],
    }
    assert 590_000 < news["deadline"] - left < 610_000
    stopped = await state(ann, deadline=None)
    assert [player["connected"] for player in stopped["players"]] == [True, False]
    back = await table.player(pair[0].url, bob.tokens).connect()
    assert await ann.next("duel:opponent") == {**news, "connected": True, "deadline": None}
    shown = back.ready["resume"]["duel"]
    assert (shown["you"], shown["opponent_played"]) == (before["you"], True)
    # The clock goes on where it stood: later by exactly as long as he was away.
    assert before["deadline"] < shown["deadline"] <= time.time() * 1000 + 20_500
    fight.bob = back
    assert (await fight.play_on(shown))["status"] == "finished"


async def test_a_fighter_with_another_device_is_not_away(pair: Pair, table: Table) -> None:
    fight = await started(*pair, table)
    phone = await table.player(pair[0].url, fight.bob.tokens).connect()
    await fight.bob.leave()
    view = await fight.play(phone, 1, [])
    assert view["deadline"] is not None
    fight.bob = phone
    await fight.play(fight.ann, 1, [])
    assert not fight.ann.seen("duel:opponent")


async def test_who_does_not_come_back_in_time_loses(
    fickle: Server, lone: Server, table: Table
) -> None:
    fight = await started(fickle, lone, table)
    ann, bob = fight.ann, fight.bob
    eve = await table.seat(lone.url)
    await eve.do("duel:spectate", duel_id=fight.id)
    await bob.leave()
    news = await ann.next("duel:opponent")
    ended = await ann.next("duel:ended")
    check_view(ended)
    assert (ended["end_reason"], ended["winner_id"]) == ("forfeit", ann.id)
    assert news["deadline"] <= time.time() * 1000
    assert await eve.next("duel:ended") == ended
    back = await table.player(lone.url, bob.tokens).connect()
    assert back.ready["resume"]["duel"] is None
    assert await back.do("duel:get", duel_id=fight.id) == {"duel": ended}


async def test_when_both_stay_away_it_is_a_draw(fickle: Server, lone: Server, table: Table) -> None:
    fight = await started(fickle, lone, table)
    eve = await table.seat(lone.url)
    await eve.do("duel:spectate", duel_id=fight.id)
    for player in (fight.ann, fight.bob):
        await player.leave()
    ended = await eve.next("duel:ended")
    assert ended["end_reason"] == "abandoned"
    assert "winner_id" not in ended
    assert [player["connected"] for player in ended["players"]] == [False, False]


async def test_who_is_away_when_his_challenge_is_accepted_counts_as_away(
    fickle: Server, lone: Server, table: Table
) -> None:
    ann, bob = await table.seat(fickle.url), await table.seat(lone.url)
    which = {"duel_id": (await ann.do("duel:challenge", opponent_id=bob.id, key="k"))["duel"]["id"]}
    await bob.do("presence:watch", player_ids=[ann.id])
    await ann.leave()
    await bob.next("presence:changed", lambda news: news["presence"][ann.id]["status"] == "offline")
    view = (await bob.do("duel:accept", **which))["duel"]
    assert [player["connected"] for player in view["players"]] == [False, True]
    assert view["deadline"] is None
    ended = await bob.next("duel:ended")
    assert (ended["end_reason"], ended["winner_id"]) == ("forfeit", bob.id)


async def test_a_fighter_who_signs_out_is_away(fickle: Server, lone: Server, table: Table) -> None:
    fight = await started(fickle, lone, table)
    await table.post(fickle.url, "/auth/logout", token=fight.bob.tokens["access_token"])
    assert (await fight.ann.next("duel:opponent"))["connected"] is False
    assert (await fight.ann.next("duel:ended"))["winner_id"] == fight.ann.id


async def test_a_spectator_who_leaves_changes_nothing(lone: Server, table: Table) -> None:
    fight = await started(lone, lone, table)
    eve: Player = await table.seat(lone.url)
    await eve.do("duel:spectate", duel_id=fight.id)
    await eve.leave()
    assert (await fight.play_out())["end_reason"] in {"score", "draw"}
    assert not fight.ann.seen("duel:opponent")
