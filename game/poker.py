"""Poker: what five cards are worth.

A card is two characters, rank then suit: "AS", "TD", "2C".
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum
from functools import cache
from typing import NamedTuple

RANKS = "23456789TJQKA"
SUITS = "CDHS"


class Category(IntEnum):
    """The nine kinds of hand, weakest first; a royal flush is a straight flush."""

    HIGH_CARD = 0
    ONE_PAIR = 1
    TWO_PAIR = 2
    THREE_OF_A_KIND = 3
    STRAIGHT = 4
    FLUSH = 5
    FULL_HOUSE = 6
    FOUR_OF_A_KIND = 7
    STRAIGHT_FLUSH = 8


class HandRank(NamedTuple):
    """What a hand is worth: the greater of two wins, equal ones tie.

    `kickers` are rank values, 2 to 14 (ace), heaviest first: the ranks of the larger
    groups before those of the smaller ones; a straight has its top card only.
    """

    category: Category
    kickers: tuple[int, ...]

    @property
    def name(self) -> str:
        """The category as clients read it, "full_house" for one."""
        return self.category.name.lower()


# A hand's code is the sum of its cards' codes. It counts every rank and every suit in
# three bits each, which five cards never overflow, so the order of the cards is gone and
# one look-up does the rest.
_RANK_BITS = 3 * len(RANKS)
_CODES = {
    rank + suit: (1 << 3 * r) + (1 << _RANK_BITS + 3 * s)
    for r, rank in enumerate(RANKS)
    for s, suit in enumerate(SUITS)
}
_FLUSHES = frozenset(5 << 3 * s for s in range(len(SUITS)))
_WHEEL = (14, 5, 4, 3, 2)
_GROUPS = {
    (2, 1, 1, 1): Category.ONE_PAIR,
    (2, 2, 1): Category.TWO_PAIR,
    (3, 1, 1): Category.THREE_OF_A_KIND,
    (3, 2): Category.FULL_HOUSE,
    (4, 1): Category.FOUR_OF_A_KIND,
}


def rank(hand: Iterable[str]) -> HandRank:
    """The rank of five different cards, in any order."""
    code = sum(map(_CODES.__getitem__, hand))
    return _evaluate(code & (1 << _RANK_BITS) - 1, code >> _RANK_BITS in _FLUSHES)


@cache  # at most 6,175 groups of ranks, and the 1,287 of them that can be a flush
def _evaluate(ranks: int, flush: bool) -> HandRank:
    counts = [(ranks >> 3 * r & 7, r + 2) for r in range(len(RANKS))]
    groups, values = zip(*sorted((c for c in counts if c[0]), reverse=True), strict=True)
    if groups in _GROUPS:
        return HandRank(_GROUPS[groups], values)
    if top := _straight_top(values):
        return HandRank(Category.STRAIGHT_FLUSH if flush else Category.STRAIGHT, (top,))
    return HandRank(Category.FLUSH if flush else Category.HIGH_CARD, values)


def _straight_top(values: tuple[int, ...]) -> int | None:
    if values == _WHEEL:
        return 5
    return values[0] if values[0] - values[-1] == len(values) - 1 else None
