"""Duels by example: who may do what when, the rounds, the clocks and the ends."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import pytest

from game import deal, duels, poker
from game.duels import Duel, Rules
from game.errors import (
    Conflict,
    DuelOver,
    Forbidden,
    NotFound,
    NotYourTurn,
    ValidationFailed,
)

ANN, BOB = ("ann", "Ann"), ("bob", "Bob")
BOTH_HERE = {"ann": True, "bob": True}
T0 = 1_000_000
MINUTE = 60_000
ALL = (0, 1, 2, 3, 4)


@cache
def winners(seed: str) -> list[str | None]:
    """Who takes each of the nine rounds of this seed when both hold all."""
    taken: list[str | None] = []
    for number in range(1, 10):
        deck = deal.deck(seed, number)
        ann, bob = poker.rank(deck[:5]), poker.rank(deck[5:10])
        taken.append(None if ann == bob else "ann" if ann > bob else "bob")
    return taken


def seed_where(pattern: list[str | None]) -> str:
    """The first seed whose rounds begin with these winners."""
    seeds = (f"{n:064x}" for n in range(20_000))
    return next(seed for seed in seeds if winners(seed)[: len(pattern)] == pattern)


SEED = seed_where(["ann", "bob", "ann", "bob", "ann"])


def offer(seed: str = SEED, rules: Rules | None = None) -> Duel:
    return duels.challenge("d1", ANN, BOB, seed, T0, rules or Rules())


def begun(seed: str = SEED, rules: Rules | None = None) -> Duel:
    return duels.accept(offer(seed, rules), "bob", BOTH_HERE, T0)


def play_round(duel: Duel, at: int) -> Duel:
    """Both hold all."""
    number = duel.round
    duel = duels.play(duel, "ann", number, ALL, at)
    return duels.play(duel, "bob", number, ALL, at)


def leave(duel: Duel, who: str, at: int) -> Duel:
    return duels.presence(duel, who, False, _next_seq(duel, who), at)


def come_back(duel: Duel, who: str, at: int) -> Duel:
    return duels.presence(duel, who, True, _next_seq(duel, who), at)


def _next_seq(duel: Duel, who: str) -> int:
    return duel.fighters[duel.seat(who)].seq + 1


def finished(duel: Duel) -> tuple[str, str | None, str | None]:
    assert duels.next_deadline(duel) is None
    return duel.status, duel.winner_id, duel.end_reason


# --- the challenge ------------------------------------------------------------------------


def test_a_challenge_lives_for_a_minute() -> None:
    duel = offer()
    assert (duel.status, duel.version, duel.round) == ("challenged", 1, 0)
    assert duel.deadline == duels.next_deadline(duel) == T0 + MINUTE
    assert duels.tick(duel, T0 + MINUTE - 1) is duel
    expired = duels.tick(duel, T0 + MINUTE)
    assert (expired.status, expired.ended_at, expired.version) == ("expired", T0 + MINUTE, 2)


def test_nobody_challenges_himself() -> None:
    with pytest.raises(ValidationFailed) as refused:
        duels.challenge("d1", ANN, ANN, SEED, T0, Rules())
    assert refused.value.errors[0]["field"] == "opponent_id"


def test_accepting_starts_the_first_round() -> None:
    duel = begun()
    assert (duel.status, duel.round, duel.version, duel.started_at) == ("active", 1, 2, T0)
    assert duel.deadline == T0 + 20_000
    assert [fighter.hand for fighter in duel.fighters] == [
        deal.deck(SEED, 1)[:5],
        deal.deck(SEED, 1)[5:10],
    ]


def test_a_challenge_is_declined_by_the_opponent_and_cancelled_by_the_challenger() -> None:
    assert duels.decline(offer(), "bob", T0).status == "declined"
    assert duels.cancel(offer(), "ann", T0).status == "cancelled"


@pytest.mark.parametrize(
    ("answer", "wrong_one"),
    [
        (lambda duel, by, at: duels.accept(duel, by, BOTH_HERE, at), "ann"),
        (duels.decline, "ann"),
        (duels.cancel, "bob"),
    ],
)
def test_an_answer_is_for_one_of_the_two_once_and_in_time(
    answer: Callable[[Duel, str, int], Duel], wrong_one: str
) -> None:
    right_one = "bob" if wrong_one == "ann" else "ann"
    with pytest.raises(Forbidden):
        answer(offer(), wrong_one, T0)
    with pytest.raises(NotFound):
        answer(offer(), "eve", T0)
    with pytest.raises(Conflict):
        answer(offer(), right_one, T0 + MINUTE)
    with pytest.raises(Conflict):
        answer(answer(offer(), right_one, T0), right_one, T0)
    with pytest.raises(DuelOver):
        answer(duels.forfeit(begun(), "ann", T0), right_one, T0)


# --- the rounds ---------------------------------------------------------------------------


def test_a_fighter_sees_his_drawn_hand_at_once() -> None:
    duel = duels.play(begun(), "bob", 1, [4, 0], T0 + 1)
    deck = deal.deck(SEED, 1)
    assert duel.fighters[1].hand == (deck[5], deck[15], deck[16], deck[17], deck[9])
    assert duel.fighters[1].hold == (0, 4)
    assert duel.rounds == ()


def test_the_second_play_is_the_showdown_and_starts_the_next_round() -> None:
    duel = play_round(begun(), T0 + 5)
    assert [fighter.score for fighter in duel.fighters] == [1, 0]
    assert (duel.round, duel.deadline, duel.version) == (2, T0 + 20_005, 4)
    (result,) = duel.rounds
    assert result.hands == (deal.deck(SEED, 1)[:5], deal.deck(SEED, 1)[5:10])
    assert (result.round, result.holds, result.winner_id) == (1, (ALL, ALL), "ann")


def test_the_order_of_the_plays_changes_nothing_but_the_order() -> None:
    one = duels.play(duels.play(begun(), "ann", 1, [0], T0), "bob", 1, [1], T0)
    other = duels.play(duels.play(begun(), "bob", 1, [1], T0), "ann", 1, [0], T0)
    assert one == other


def test_three_rounds_win() -> None:
    duel = begun()
    for _ in range(5):
        duel = play_round(duel, T0)
    assert finished(duel) == ("finished", "ann", "score")
    assert [fighter.score for fighter in duel.fighters] == [3, 2]
    assert duel.ended_at == T0


def test_equal_hands_take_no_point() -> None:
    duel = play_round(begun(seed_where([None])), T0)
    assert duel.rounds[0].winner_id is None
    assert [fighter.score for fighter in duel.fighters] == [0, 0]
    assert duel.round == 2


def test_after_the_last_round_the_higher_score_wins() -> None:
    duel = begun(rules=Rules(max_rounds=3))
    for _ in range(3):
        duel = play_round(duel, T0)
    assert finished(duel) == ("finished", "ann", "score")


def test_after_the_last_round_equal_scores_draw() -> None:
    duel = begun(rules=Rules(max_rounds=2))
    for _ in range(2):
        duel = play_round(duel, T0)
    assert finished(duel) == ("finished", None, "draw")


@pytest.mark.parametrize("hold", [[5], [-1], [1, 1], [0, 1, 2, 3, 4, 0]])
def test_a_hold_names_distinct_positions(hold: list[int]) -> None:
    with pytest.raises(ValidationFailed) as refused:
        duels.play(begun(), "ann", 1, hold, T0)
    assert refused.value.errors[0]["field"] == "hold"


def test_a_play_needs_a_running_duel_the_right_round_and_a_turn() -> None:
    with pytest.raises(NotFound):
        duels.play(begun(), "eve", 1, ALL, T0)
    with pytest.raises(Conflict):
        duels.play(offer(), "ann", 0, ALL, T0)
    with pytest.raises(Conflict):
        duels.play(begun(), "ann", 2, ALL, T0)
    with pytest.raises(NotYourTurn):
        duels.play(duels.play(begun(), "ann", 1, ALL, T0), "ann", 1, ALL, T0)
    with pytest.raises(DuelOver):
        duels.play(duels.decline(offer(), "bob", T0), "ann", 0, ALL, T0)


def test_a_play_after_the_deadline_counts_until_a_tick_has_closed_the_round() -> None:
    late = T0 + 25_000
    assert duels.play(begun(), "ann", 1, [0], late).fighters[0].played
    with pytest.raises(Conflict):
        duels.play(duels.tick(begun(), late), "ann", 1, [0], late)


def test_resigning_gives_the_duel_to_the_other() -> None:
    assert finished(duels.forfeit(begun(), "ann", T0)) == ("finished", "bob", "forfeit")
    with pytest.raises(NotFound):
        duels.forfeit(begun(), "eve", T0)
    with pytest.raises(Conflict):
        duels.forfeit(offer(), "ann", T0)
    with pytest.raises(DuelOver):
        duels.forfeit(duels.forfeit(begun(), "ann", T0), "bob", T0)


# --- the round's clock --------------------------------------------------------------------


def test_who_does_not_answer_holds_all() -> None:
    duel = duels.play(begun(), "ann", 1, [], T0)
    assert duels.tick(duel, T0 + 19_999) is duel
    closed = duels.tick(duel, T0 + 20_000)
    assert closed.rounds[0].holds == ((), ALL)
    assert [fighter.unanswered for fighter in closed.fighters] == [0, 1]
    assert (closed.round, closed.deadline) == (2, T0 + 40_000)


def test_two_unanswered_rounds_in_a_row_forfeit() -> None:
    duel = duels.play(begun(), "ann", 1, ALL, T0)
    duel = duels.tick(duel, T0 + 20_000)
    duel = duels.play(duel, "ann", 2, ALL, T0 + 20_001)
    duel = duels.tick(duel, T0 + 40_000)
    assert finished(duel) == ("finished", "ann", "timeout")
    assert len(duel.rounds) == 1, "the round that was forfeited has no showdown"


def test_both_leaving_two_rounds_unanswered_is_a_draw() -> None:
    duel = duels.tick(duels.tick(begun(), T0 + 20_000), T0 + 40_000)
    assert finished(duel) == ("finished", None, "timeout")


def test_an_answer_between_starts_the_count_again() -> None:
    duel = duels.tick(begun(), T0 + 20_000)
    duel = play_round(duel, T0 + 20_001)
    duel = duels.tick(duel, T0 + 60_000)
    assert duel.status == "active"
    assert [fighter.unanswered for fighter in duel.fighters] == [1, 1]


# --- absence ------------------------------------------------------------------------------


def test_the_rounds_clock_stands_still_while_a_fighter_is_away() -> None:
    away = leave(begun(), "ann", T0 + 5_000)
    assert (away.deadline, away.remaining_ms) == (None, 15_000)
    assert duels.away_deadline(away, "ann") == duels.next_deadline(away) == T0 + 605_000
    assert duels.away_deadline(away, "bob") is None
    assert duels.tick(away, T0 + 604_999) is away
    back = come_back(away, "ann", T0 + 100_000)
    assert (back.deadline, back.remaining_ms) == (T0 + 115_000, None)
    assert duels.away_deadline(back, "ann") is None


def test_ten_minutes_away_lose_to_the_one_who_stayed() -> None:
    duel = duels.tick(leave(begun(), "ann", T0), T0 + 10 * MINUTE)
    assert finished(duel) == ("finished", "bob", "forfeit")
    assert duels.away_deadline(duel, "ann") is None


def test_all_absences_add_up() -> None:
    duel = leave(begun(), "ann", T0)
    duel = come_back(duel, "ann", T0 + 4 * MINUTE)
    duel = leave(duel, "ann", T0 + 4 * MINUTE + 1)
    assert duels.away_deadline(duel, "ann") == T0 + 10 * MINUTE + 1


def test_with_both_away_nothing_is_decided_until_both_have_used_up_their_time() -> None:
    duel = leave(leave(begun(), "ann", T0), "bob", T0 + MINUTE)
    assert duels.next_deadline(duel) == T0 + 11 * MINUTE
    assert duels.tick(duel, T0 + 10 * MINUTE) is duel
    duel = duels.tick(duel, T0 + 11 * MINUTE)
    assert finished(duel) == ("finished", None, "abandoned")


def test_the_first_to_come_back_in_time_beats_one_who_used_up_his() -> None:
    duel = leave(leave(begun(), "ann", T0), "bob", T0 + MINUTE)
    duel = come_back(duel, "bob", T0 + 10 * MINUTE)
    assert finished(duel) == ("finished", "bob", "forfeit")


def test_coming_back_late_does_not_win_back_what_was_lost() -> None:
    both = leave(leave(begun(), "ann", T0), "bob", T0 + MINUTE)
    late = come_back(both, "ann", T0 + 10 * MINUTE)
    assert late.status == "active"
    assert finished(come_back(late, "bob", T0 + 10 * MINUTE + 1))[1:] == ("bob", "forfeit")
    assert duels.next_deadline(late) == T0 + 11 * MINUTE
    assert finished(duels.tick(late, T0 + 11 * MINUTE))[1:] == (None, "abandoned")


def test_who_used_up_his_time_has_none_left_for_the_next_absence() -> None:
    both = leave(leave(begun(), "ann", T0), "bob", T0 + 5 * MINUTE)
    late = come_back(both, "ann", T0 + 11 * MINUTE)
    again = leave(late, "ann", T0 + 12 * MINUTE)
    assert duels.away_deadline(again, "ann") == T0 + 12 * MINUTE


def test_an_absence_is_never_shorter_than_nothing() -> None:
    duel = come_back(leave(begun(), "ann", T0 + 9), "ann", T0 + 8)
    assert duel.fighters[0].away_ms == 0


def test_what_an_absence_decided_stands_even_before_a_tick_has_served_it() -> None:
    over = T0 + 10 * MINUTE
    away = leave(begun(), "ann", T0)
    decided = [
        come_back(away, "ann", over),
        leave(away, "bob", over),
        duels.play(away, "ann", 1, ALL, over),
        duels.forfeit(away, "bob", over),
    ]
    assert {finished(duel)[1:] for duel in decided} == {("bob", "forfeit")}


def test_a_play_after_the_duel_was_decided_is_not_counted() -> None:
    away = duels.play(leave(begun(), "ann", T0), "bob", 1, ALL, T0)
    late = duels.play(away, "ann", 1, ALL, T0 + 10 * MINUTE)
    assert finished(late) == ("finished", "bob", "forfeit")
    assert (late.rounds, late.fighters[0].played) == ((), False)


def test_a_play_is_a_return() -> None:
    away = leave(begun(), "ann", T0 + 5_000)
    back = duels.play(away, "ann", 1, ALL, T0 + 6_000)
    assert back.fighters[0].connected
    assert (back.deadline, back.fighters[0].away_ms) == (T0 + 21_000, 1_000)
    assert back.version == away.version + 1


def test_the_one_who_stayed_may_play_on_while_the_clock_stands_still() -> None:
    duel = leave(duels.play(begun(), "ann", 1, ALL, T0), "ann", T0 + 1)
    duel = duels.play(duel, "bob", 1, ALL, T0 + 2)
    assert (duel.round, duel.deadline, duel.remaining_ms) == (2, None, 20_000)


def test_who_is_not_connected_at_the_start_is_away_from_then_on() -> None:
    at = T0 + MINUTE - 1
    duel = duels.accept(offer(), "bob", {"bob": True}, at)
    assert (duel.deadline, duel.remaining_ms) == (None, 20_000)
    assert duels.away_deadline(duel, "ann") == at + 10 * MINUTE


def test_news_of_a_connection_count_once_and_only_if_new() -> None:
    duel = duels.presence(begun(), "ann", False, 5, T0)
    assert duels.presence(duel, "ann", True, 5, T0 + 1) is duel
    assert duels.presence(duel, "ann", True, 4, T0 + 1) is duel
    again = duels.presence(duel, "ann", False, 6, T0 + 1)
    assert again.fighters[0] == replace(duel.fighters[0], seq=6)
    assert again.version == duel.version + 1


def test_connections_are_noted_during_a_challenge_and_ignored_after_the_end() -> None:
    gone = leave(offer(), "bob", T0)
    assert (gone.fighters[1].connected, gone.deadline) == (False, T0 + MINUTE)
    assert duels.away_deadline(gone, "bob") is None
    ended = duels.cancel(gone, "ann", T0)
    assert come_back(ended, "bob", T0) is ended


def test_presence_of_a_stranger_is_not_found() -> None:
    with pytest.raises(NotFound):
        duels.presence(begun(), "eve", True, 1, T0)
    with pytest.raises(NotFound):
        duels.away_deadline(begun(), "eve")


def test_a_clock_that_ran_out_before_the_absence_was_noted_has_nothing_left() -> None:
    duel = leave(begun(), "ann", T0 + 30_000)
    assert duel.remaining_ms == 0
    assert duels.tick(come_back(duel, "ann", T0 + 40_000), T0 + 40_000).round == 2


def test_an_absence_noted_with_an_earlier_time_gives_no_more_than_a_whole_round() -> None:
    assert leave(begun(), "ann", T0 - 5_000).remaining_ms == 20_000
