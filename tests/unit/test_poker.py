"""Poker hands: counted, compared with a naive scorer, and shown by example."""

from __future__ import annotations

from collections import Counter
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from game.poker import RANKS, SUITS, Category, HandRank, rank

DECK = [r + s for r in RANKS for s in SUITS]
# Of all 2,598,960 hands; the published frequencies of five-card poker.
FREQUENCIES = {
    "straight_flush": 40,
    "four_of_a_kind": 624,
    "full_house": 3_744,
    "flush": 5_108,
    "straight": 10_200,
    "three_of_a_kind": 54_912,
    "two_pair": 123_552,
    "one_pair": 1_098_240,
    "high_card": 1_302_540,
}
STRAIGHTS = ["A2345", *(RANKS[i : i + 5] for i in range(9))]


def naive(hand: list[str]) -> tuple[int, list[int]]:
    """The rules as one reads them aloud: what it is, then its cards in order of weight."""
    ranks = [card[0] for card in hand]
    often = Counter(ranks)
    straight = next((i for i, run in enumerate(STRAIGHTS) if set(run) == set(ranks)), None)
    flush = len({card[1] for card in hand}) == 1
    counts = sorted(often.values())
    named = [
        straight is not None and flush,
        4 in counts,
        counts == [2, 3],
        flush,
        straight is not None,
        3 in counts,
        counts == [1, 2, 2],
        counts == [1, 1, 1, 2],
        True,
    ]
    weights = sorted((often[r] * 100 + RANKS.index(r) for r in ranks), reverse=True)
    return 8 - named.index(True), weights if straight is None else [straight]


def hands() -> st.SearchStrategy[list[str]]:
    """Any hand, with the rare ones made common."""
    few_ranks = st.lists(st.sampled_from(RANKS), min_size=2, max_size=3, unique=True)
    decks = st.one_of(
        st.just(DECK),
        st.sampled_from(SUITS).map(lambda suit: [c for c in DECK if c[1] == suit]),
        few_ranks.map(lambda ranks: [c for c in DECK if c[0] in ranks]),
    )
    any_hand = decks.flatmap(
        lambda deck: st.lists(st.sampled_from(deck), min_size=5, max_size=5, unique=True)
    )
    suits = st.one_of(
        st.sampled_from(SUITS).map(lambda suit: suit * 5),
        st.text(alphabet=SUITS, min_size=5, max_size=5),
    )
    straight = st.tuples(st.sampled_from(STRAIGHTS), suits).map(
        lambda pair: [r + s for r, s in zip(*pair, strict=True)]
    )
    return any_hand | straight


@given(hands(), hands())
def test_two_hands_compare_as_in_the_naive_scorer(one: list[str], other: list[str]) -> None:
    assert (rank(one) > rank(other)) == (naive(one) > naive(other))
    assert (rank(one) == rank(other)) == (naive(one) == naive(other))
    assert rank(one).category == naive(one)[0]


@given(hands().flatmap(lambda hand: st.tuples(st.just(hand), st.permutations(hand))))
def test_the_order_of_the_cards_does_not_matter(pair: tuple[list[str], list[str]]) -> None:
    assert rank(pair[0]) == rank(pair[1])


@pytest.mark.slow
def test_all_hands_fall_into_the_published_categories() -> None:
    counted = Counter(rank(hand).category for hand in combinations(DECK, 5))
    assert {category.name.lower(): n for category, n in counted.items()} == FREQUENCIES


@pytest.mark.parametrize(
    ("cards", "category", "kickers"),
    [
        ("TS JS QS KS AS", Category.STRAIGHT_FLUSH, (14,)),
        ("AH 2H 3H 4H 5H", Category.STRAIGHT_FLUSH, (5,)),
        ("AC 2H 3H 4H 5H", Category.STRAIGHT, (5,)),
        ("QC KH AH 2H 3H", Category.HIGH_CARD, (14, 13, 12, 3, 2)),
        ("2C 2H 2D 2S AS", Category.FOUR_OF_A_KIND, (2, 14)),
        ("2C 2H 2D AC AS", Category.FULL_HOUSE, (2, 14)),
        ("3C 3H KD KC 9S", Category.TWO_PAIR, (13, 3, 9)),
    ],
)
def test_a_hand_is_ranked_by_its_groups_then_its_kickers(
    cards: str, category: Category, kickers: tuple[int, ...]
) -> None:
    assert rank(cards.split()) == HandRank(category, kickers)


def test_the_wheel_is_the_lowest_straight() -> None:
    assert rank("AC 2H 3H 4H 5H".split()) < rank("2C 3H 4H 5H 6H".split())


def test_clients_read_the_category_in_snake_case() -> None:
    assert rank("2C 2H 2D AC AS".split()).name == "full_house"
