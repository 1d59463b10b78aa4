"""The deal: a shuffle that anybody can replay once the seed is shown.

How to replay it, in any language:

1. The seed is a text of 64 hexadecimal digits. Its commitment, shown before the first
   card, is the SHA-256 of that text (its ASCII bytes, not the 32 bytes it stands for).
2. The bytes of round R are SHA-256("<seed>:<R>:0"), then SHA-256("<seed>:<R>:1") and so
   on, the 32 bytes of each in order; R and the counter are decimal, rounds count from 1.
3. The deck starts sorted: 2C 3C … KC AC, then D, H and S (index 0 to 51). Fisher-Yates:
   for i = 51 down to 1, take the next byte b, and again while b >= 256 - 256 mod (i + 1),
   so that no card is favoured; then swap the cards at i and at b mod (i + 1).
4. Player 0, the challenger, is dealt cards 0-4, player 1 cards 5-9. Player 0's discards
   are replaced by cards 10-14, player 1's by 15-19, lowest position first, so that the
   order in which they answer changes nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from hashlib import sha256
from itertools import chain, count
from typing import TypeAlias

from game.poker import RANKS, SUITS

HAND_SIZE = 5
SORTED = tuple(rank + suit for suit in SUITS for rank in RANKS)

Cards: TypeAlias = tuple[str, ...]


def commitment(seed: str) -> str:
    """The hexadecimal SHA-256 of the seed's text."""
    return sha256(seed.encode()).hexdigest()


def deck(seed: str, round: int) -> Cards:
    """The 52 cards of a round in the order in which they are dealt."""
    cards = list(SORTED)
    stream = _stream(seed, round)
    for last in range(len(cards) - 1, 0, -1):
        pick = _below(last + 1, stream)
        cards[last], cards[pick] = cards[pick], cards[last]
    return tuple(cards)


def dealt(cards: Sequence[str], seat: int) -> Cards:
    """The five cards that player 0 or 1 starts the round with."""
    return tuple(cards[HAND_SIZE * seat :][:HAND_SIZE])


def drawn(cards: Sequence[str], seat: int, hold: Collection[int]) -> Cards:
    """The hand after the draw: the positions in `hold` (0-4) stay, the others are replaced."""
    replacements = iter(cards[HAND_SIZE * (2 + seat) :])
    hand = dealt(cards, seat)
    return tuple(card if i in hold else next(replacements) for i, card in enumerate(hand))


def _stream(seed: str, round: int) -> Iterator[int]:
    blocks = (sha256(f"{seed}:{round}:{counter}".encode()).digest() for counter in count())
    return chain.from_iterable(blocks)


def _below(bound: int, stream: Iterator[int]) -> int:
    # A byte modulo the bound would favour small numbers; the uneven end is thrown away.
    fair = 256 - 256 % bound
    return next(byte for byte in stream if byte < fair) % bound
