"""The laws of robbery."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.sections import Rob
from game import rob
from game.errors import Conflict, GameError, InsufficientFunds, RateLimited, ValidationFailed
from game.rob import SIDES, Rules, Side

RULES = Rules(40, 80, 50, 150, 100, 100, 3_600_000, 1_800_000)
NOW = 1_000_000_000
ROLL = st.integers(0, SIDES - 1)
COINS = st.integers(0, 2**62)
RICH = Side(1_000)


@given(COINS, COINS, st.integers(0, 100), ROLL, ROLL)
def test_nobody_pays_more_than_he_has(
    mine: int, theirs: int, luck: int, first: int, second: int
) -> None:
    try:
        outcome = rob.attempt(Side(mine), Side(theirs), luck, (first, second), NOW, RULES)
    except GameError:
        assert min(mine, theirs) < RULES.least_balance
        return
    payer = theirs if outcome.success else mine
    assert 0 <= outcome.amount <= payer * 150 // 1_000


def test_the_odds_are_what_they_say_over_all_rolls() -> None:
    for luck, chance in ((0, 40), (15, 55), (90, 80)):
        won = sum(rob.attempt(RICH, RICH, luck, (r, 0), NOW, RULES).success for r in range(SIDES))
        assert won == chance * SIDES // 100


def test_the_loot_is_spread_evenly_from_the_least_to_the_most() -> None:
    amounts = [rob.attempt(RICH, RICH, 0, (0, roll), NOW, RULES).amount for roll in range(SIDES)]
    assert (min(amounts), max(amounts)) == (50, 150)
    counts = [amounts.count(amount) for amount in range(50, 151)]
    assert max(counts) - min(counts) <= 1


def test_who_must_wait_is_told_how_long() -> None:
    with pytest.raises(RateLimited) as refused:
        rob.attempt(Side(1_000, tried_at=NOW - 3_000_000), RICH, 0, (0, 0), NOW, RULES)
    assert refused.value.retry_after == 600
    rob.attempt(Side(1_000, tried_at=NOW - 3_600_000), RICH, 0, (0, 0), NOW, RULES)


def test_the_safe_and_the_poor_are_left_alone() -> None:
    for victim in (Side(1_000, safe_until=NOW + 1), Side(99)):
        with pytest.raises(Conflict):
            rob.attempt(RICH, victim, 0, (0, 0), NOW, RULES)
    with pytest.raises(InsufficientFunds):
        rob.attempt(Side(99), RICH, 0, (0, 0), NOW, RULES)
    with pytest.raises(ValidationFailed):
        rob.check_victim("a", "a")


def test_what_the_settings_say_of_the_numbers_is_so() -> None:
    settings = Rob()
    loot = (settings.least_loot_permille + settings.most_loot_permille) / 2
    assert (settings.odds_percent, loot, settings.fine_permille) == (40, 100, 100)
