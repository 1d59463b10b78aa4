"""The laws of money."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from game import economy as rules
from game.economy import Sent
from game.errors import Conflict, InsufficientFunds, ValidationFailed

AMOUNTS = st.integers(-(2**62), 2**62)


@given(st.lists(st.tuples(st.sampled_from("abc"), AMOUNTS), max_size=6))
def test_a_movement_sums_to_zero_or_is_none(entries: list[tuple[str, int]]) -> None:
    try:
        made = rules.movement("transfer", "", entries)
    except Conflict:
        return
    assert sum(entry.amount for entry in made.entries) == 0
    assert all(entry.amount for entry in made.entries)
    accounts = [entry.account for entry in made.entries]
    assert len(set(accounts)) == len(accounts) >= 2


@given(st.integers(0, rules.INT64_MAX), AMOUNTS)
def test_a_players_balance_is_never_below_zero_nor_beyond_64_bits(
    balance: int, amount: int
) -> None:
    try:
        after = rules.balance_after(balance, amount)
    except (Conflict, InsufficientFunds):
        assert not 0 <= balance + amount <= rules.INT64_MAX
    else:
        assert 0 <= after == balance + amount <= rules.INT64_MAX


def test_only_the_operators_accounts_keep_no_balance() -> None:
    assert all(map(rules.is_system, rules.SYSTEMS))
    assert not rules.is_system(rules.player("mint"))
    assert not rules.is_system(rules.escrow("duel", "mint"))


@given(st.integers(1, rules.INT64_MAX), st.integers(0, 1_000))
def test_a_fee_is_never_less_than_its_share_nor_a_coin_more(amount: int, permille: int) -> None:
    assert 0 <= rules.fee(amount, permille) * 1_000 - amount * permille < 1_000


def test_the_days_limit_starts_anew_with_the_day() -> None:
    noon = 10 * rules.DAY_MS + 5
    sent = rules.send(Sent(), 60, 100, noon)
    with pytest.raises(Conflict):
        rules.send(sent, 41, 100, noon)
    assert rules.send(sent, 40, 100, noon) == Sent(10, 100)
    assert rules.send(sent, 41, 100, noon + rules.DAY_MS) == Sent(11, 41)


def test_nobody_sends_coins_to_himself() -> None:
    with pytest.raises(ValidationFailed):
        rules.check_transfer("a", "a")
