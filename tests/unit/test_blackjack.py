"""Blackjack: the laws, a second scorer, and what basic strategy brings."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from dataclasses import replace
from itertools import count, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from game import blackjack as rules
from game.blackjack import Action, Game, Hand
from game.deal import SORTED
from game.errors import Conflict
from tests.sizes import sized
from tests.unit.basic_strategy import advise

SEEDS = st.integers(0, 2**64).map(lambda number: f"{number:064x}")
MOVES = st.lists(st.sampled_from(["hit", "stand", "double", "split"]), max_size=40)
CARD = st.sampled_from(SORTED)


def play(game: Game, moves: list[Action]) -> Game:
    for move in moves:
        try:
            game = rules.act(game, move)
        except Conflict:
            assert game.over or move in ("double", "split")
    while not game.over:
        game = rules.act(game, "stand")
    return game


def naive_totals(cards: tuple[str, ...]) -> list[int]:
    """Every way to count them, no cleverness."""
    ways = [
        {"A": (1, 11), "T": (10,), "J": (10,), "Q": (10,), "K": (10,)}.get(card[0])
        or (int(card[0]),)
        for card in cards
    ]
    return sorted({sum(way) for way in product(*ways)})


def naive_best(cards: tuple[str, ...]) -> int:
    good = [way for way in naive_totals(cards) if way <= 21]
    return max(good) if good else 0


def naive_payout(game: Game) -> int:
    """What is paid, in the words of a rule book."""
    dealer = naive_best(game.dealer)
    dealer_natural = len(game.dealer) == 2 and dealer == 21
    back = game.insurance * 3 if dealer_natural else 0
    for hand in game.hands:
        mine = naive_best(hand.cards)
        mine_natural = mine == 21 and len(hand.cards) == 2 and len(game.hands) == 1
        if mine_natural and not dealer_natural:
            back += hand.bet + math.floor(hand.bet * 1.5)
        elif mine_natural or (mine and mine == dealer and not dealer_natural):
            back += hand.bet
        elif mine and not dealer_natural and mine > dealer:
            back += 2 * hand.bet
    return back


@given(st.lists(CARD, min_size=2, max_size=12))
def test_the_total_is_what_a_naive_count_says(cards: list[str]) -> None:
    value, soft = rules.total(cards)
    assert value == (naive_best(tuple(cards)) or min(naive_totals(tuple(cards))))
    assert soft == (value != min(naive_totals(tuple(cards))))


@given(SEEDS, MOVES, st.integers(1, 10**9), st.booleans())
def test_any_game_is_paid_as_the_naive_scorer_pays_it(
    seed: str, moves: list[Action], bet: int, insured: bool
) -> None:
    game = rules.start(seed, bet)
    if game.status == "insurance":
        game = rules.insure(game, take=insured)
    game = play(game, moves)
    assert game.status == "finished"
    assert rules.payout(game) == naive_payout(game)
    assert rules.payout(game) <= 2 * game.staked + bet // 2


@given(SEEDS, MOVES)
def test_a_game_deals_the_shoe_in_its_order_and_every_card_once(
    seed: str, moves: list[Action]
) -> None:
    game = play(rules.start(seed, 2), moves)
    shown = [*game.dealer, *(card for hand in game.hands for card in hand.cards)]
    assert Counter(shown) == Counter(rules.shoe(seed, 0, game.drawn))
    assert len(game.hands) <= 4
    value = rules.total(game.dealer)[0]
    assert (
        value >= 17
        or rules.natural(game.hands[0].cards)
        or all(rules.total(hand.cards)[0] > 21 for hand in game.hands)
    )
    assert rules.from_dict(rules.to_dict(game)) == game


@given(SEEDS)
def test_the_shoe_is_six_whole_decks(seed: str) -> None:
    assert Counter(rules.shoe(seed, 0, 312)) == dict.fromkeys(SORTED, 6)


def seed_of(wanted: tuple[str, ...], start: int = 0) -> str:
    """A seed whose shoe begins with cards of these ranks ('.' is any)."""
    for number in count(start):
        seed = f"{number:064x}"
        cards = rules.shoe(seed, 0, len(wanted))
        if all(want in (".", card[0]) for want, card in zip(wanted, cards, strict=True)):
            return seed
    raise AssertionError


def test_a_blackjack_is_paid_three_to_two_and_half_coins_fall_to_the_house() -> None:
    game = rules.start(seed_of(("A", "5", "K", ".")), 7)
    assert game.status == "finished"
    assert rules.payout(game) == 7 + 10


def test_under_an_ace_insurance_pays_two_to_one() -> None:
    seed = seed_of(("9", "A", "8", "K"))
    offered = rules.start(seed, 10)
    assert offered.status == "insurance"
    insured = rules.insure(offered, take=True)
    assert (insured.status, insured.staked, rules.payout(insured)) == ("finished", 15, 15)
    hit = rules.act(offered, "hit")  # declined by playing on: the hit is not dealt
    assert (hit.drawn, hit.status, rules.payout(hit)) == (4, "finished", 0)


def test_insurance_is_lost_when_the_dealer_has_nothing() -> None:
    game = rules.insure(rules.start(seed_of(("9", "A", "8", "7")), 10), take=True)
    assert (game.status, game.insurance) == ("playing", 5)
    with pytest.raises(Conflict):
        rules.insure(game, take=True)


def test_the_dealer_stands_on_a_soft_17() -> None:
    game = rules.act(rules.start(seed_of(("K", "6", "8", "A")), 10), "stand")
    assert (len(game.dealer), rules.payout(game)) == (2, 20)


def test_split_aces_get_one_card_each_and_are_no_blackjack() -> None:
    game = rules.act(rules.start(seed_of(("A", "6", "A", "K", "K"), start=632_000), 10), "split")
    assert game.status == "finished"
    assert rules.outcome(game, game.hands[0]) != "blackjack"
    assert [len(hand.cards) for hand in game.hands] == [2, 2]


def test_only_pairs_are_split_and_only_two_cards_doubled() -> None:
    game = rules.start(seed_of(("2", "6", "3", "9", "2"), start=764_000), 10)
    with pytest.raises(Conflict):
        rules.act(game, "split")
    hit = rules.act(game, "hit")
    with pytest.raises(Conflict):
        rules.act(hit, "double")


def test_four_hands_are_the_most() -> None:
    hands = tuple(Hand(("8C", "8D"), 10, split=True) for _ in range(4))
    game = replace(rules.start(seed_of(("2", "6", "3", "9")), 10), hands=hands)
    assert "split" not in rules.actions(game)
    assert "split" in rules.actions(replace(game, hands=hands[:3]))


def test_what_was_left_alone_is_given_back_once() -> None:
    game = rules.act(rules.start(seed_of(("5", "6", "5", "9")), 10), "split")
    gone = rules.refund(game)
    assert rules.payout(gone) == gone.staked == 20
    with pytest.raises(Conflict):
        rules.refund(gone)


PUBLISHED_EDGE = 0.0040
"""Of the house against basic strategy under these rules: 0.53 % for six decks (dealer stands
on soft 17, double on any two cards, one card on split aces, no surrender), less 0.13 % for
doubling after a split: thecolorofblackjack.com, "solution one"."""
GAMES = sized("BLACKJACK_GAMES", 30_000, 1_000_000)
BET = 100


@pytest.mark.slow
def test_basic_strategy_brings_what_is_published() -> None:
    gains = []
    for number in range(GAMES):
        game = rules.start(f"{number:064x}", BET)
        while not game.over:
            game = rules.act(game, advise(game))
        gains.append((rules.payout(game) - game.staked) / BET)
    error = statistics.stdev(gains) / math.sqrt(GAMES)
    assert 1.1 < statistics.stdev(gains) < 1.2  # published: about 1.15 of a bet a game
    assert abs(statistics.fmean(gains) + PUBLISHED_EDGE) < 2.58 * error  # 99 %
