"""Ratings: what a duel makes of them, and what holds for all."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from game import duels, ratings
from game.duels import Duel
from game.ratings import START, UNSURE, Rating, Record
from game.seasons import Season, named, season_at

RATINGS = st.builds(Rating, st.floats(0, 4_000), st.floats(50, UNSURE))


def ended(winner: str | None, reason: duels.EndReason = "score") -> Duel:
    offer = duels.challenge("d1", ("ann", "Ann"), ("bob", "Bob"), "s", 0, duels.Rules())
    return replace(offer, status="finished", winner_id=winner, end_reason=reason)


def after(winner: str | None, mine: Rating, theirs: Rating) -> tuple[Record, Record]:
    return ratings.after(ended(winner), (Record(mine), Record(theirs)))


def test_a_first_win_moves_both_alike_and_makes_both_surer() -> None:
    mine, theirs = after("ann", Rating(), Rating())
    assert (mine.rating.shown, theirs.rating.shown) == (1_658, 1_342)
    assert mine.rating.deviation == theirs.rating.deviation < UNSURE
    assert (mine.wins, mine.losses, theirs.wins, theirs.losses) == (1, 0, 0, 1)


def test_an_upset_moves_more_than_what_was_expected() -> None:
    strong, weak = Rating(1_900, 100), Rating(1_300, 100)
    expected, upset = after("ann", strong, weak), after("ann", weak, strong)
    assert upset[0].rating.mean - 1_300 > 3 * (expected[0].rating.mean - 1_900)


def test_a_draw_brings_two_ratings_together_and_is_counted() -> None:
    mine, theirs = after(None, Rating(1_800, 100), Rating(1_500, 100))
    assert 1_500 < theirs.rating.mean < mine.rating.mean < 1_800
    assert mine.draws == theirs.draws == 1


def test_what_was_given_up_counts_and_what_both_left_does_not() -> None:
    assert ratings.counts(ended("ann", "forfeit"))
    assert ratings.counts(ended("ann", "timeout"))
    assert ratings.counts(ended(None, "draw"))
    assert not ratings.counts(ended(None, "abandoned"))
    assert not ratings.counts(ended(None, "timeout"))
    assert not ratings.counts(replace(ended(None), status="expired"))


def test_a_newcomer_is_at_the_bottom_of_a_board_whatever_he_may_become() -> None:
    assert Rating().score == 0
    assert Rating(1_800, 60).score == 1_620


def test_a_new_season_knows_less_of_a_player_and_thinks_the_same() -> None:
    old = Rating(1_900, 80)
    new = ratings.renewed(old)
    assert new.mean == old.mean
    assert old.deviation < new.deviation < UNSURE
    assert ratings.renewed(Rating()) == Rating(START, UNSURE)


@given(RATINGS, RATINGS)
def test_a_winner_never_falls_and_a_loser_never_rises(mine: Rating, theirs: Rating) -> None:
    won, lost = after("ann", mine, theirs)
    assert won.rating.mean >= mine.mean
    assert lost.rating.mean <= theirs.mean
    assert won.rating.deviation < UNSURE + 10


@given(RATINGS, RATINGS)
def test_it_does_not_matter_who_challenged(mine: Rating, theirs: Rating) -> None:
    first, second = after("ann", mine, theirs)
    turned = after("bob", theirs, mine)
    assert first.rating.mean == pytest.approx(turned[1].rating.mean)
    assert second.rating.deviation == pytest.approx(turned[0].rating.deviation)


# Seasons

NOVEMBER = 1_795_342_800_000  # 2026-11-22


def test_seasons_are_months_or_quarters_in_utc() -> None:
    assert season_at(NOVEMBER, "month").id == "2026-11"
    assert season_at(NOVEMBER, "quarter").id == "2026-q4"
    begins = season_at(NOVEMBER, "quarter").begins_at
    assert season_at(begins, "quarter").id == "2026-q4"
    assert season_at(begins - 1, "quarter").id == "2026-q3"
    assert named("2026-q4", "month") is named("2026-13", "month") is None


@given(st.integers(0, 4_000_000_000_000), st.sampled_from(["month", "quarter"]))
def test_every_moment_is_in_one_season_whose_name_tells_it(at: int, length: str) -> None:
    season: Season = season_at(at, length)  # type: ignore[arg-type]
    assert season.begins_at <= at < season.later(1).begins_at
    assert named(season.id, season.length) == season
    assert season.id < season.later(1).id
