"""Blackjack: one player against the house, a fresh shoe of six decks for each game.

The rules: blackjack pays 3:2 (half coins fall to the house), the dealer looks at his hole
card under an ace or a ten, and stands on every 17. A player may double on any two cards,
also after a split; split two cards of one value, up to four hands; split aces get one card
each and are not split again. Insurance is half the bet and pays 2:1.

Anybody can replay a game once its seed is shown. The seed is a text of 64 hexadecimal
digits; its commitment is the SHA-256 of that text. The bytes are SHA-256("<seed>:shoe:0"),
SHA-256("<seed>:shoe:1") and so on. The shoe starts as six sorted decks (`game.deal`), one
after the other. Card i (from 0) is found by taking the next two bytes as a big-endian
number n, again while n >= 65536 - 65536 mod (312 - i), and swapping the cards at i and
i + n mod (312 - i). Player, dealer, player, dealer's hole card, then as they are asked for.

Every function is pure: a game in, the next game out, or a `GameError`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from hashlib import sha256
from itertools import chain, count, islice
from typing import Any, Literal, TypeAlias

from game.deal import SORTED, Cards
from game.errors import Conflict

DECKS = 6
HANDS = 4
BEST = 21
DEALER_STANDS = 17

Status: TypeAlias = Literal["insurance", "playing", "finished", "refunded"]
Outcome: TypeAlias = Literal["blackjack", "win", "push", "lose", "bust"]
Action: TypeAlias = Literal["hit", "stand", "double", "split"]


@dataclass(frozen=True, slots=True)
class Hand:
    """One hand of the player; `done` when no card will be added."""

    cards: Cards
    bet: int
    done: bool = False
    split: bool = False


@dataclass(frozen=True, slots=True)
class Game:
    """A game from its first four cards to its end.

    `turn` is the hand that is played. `drawn` cards have left the shoe. `status` is
    `insurance` while the player may still insure himself.
    """

    seed: str = field(repr=False)
    bet: int
    hands: tuple[Hand, ...]
    dealer: Cards = field(repr=False)
    drawn: int
    turn: int = 0
    insurance: int = 0
    status: Status = "playing"

    @property
    def staked(self) -> int:
        """All that the player has put in."""
        return sum(hand.bet for hand in self.hands) + self.insurance

    @property
    def over(self) -> bool:
        """Whether nothing can be done any more."""
        return self.status in ("finished", "refunded")


def shoe(seed: str, first: int, number: int) -> list[str]:
    """So many cards of the shoe, from the `first` (0 to 311) on."""
    return list(islice(_shuffled(seed), first, first + number))


def total(cards: Sequence[str]) -> tuple[int, bool]:
    """The best total of some cards, and whether an ace counts as 11 in it."""
    hard = sum(_value(card) for card in cards)
    soft = hard + 10 <= BEST and any(card[0] == "A" for card in cards)
    return (hard + 10, True) if soft else (hard, False)


def natural(cards: Sequence[str]) -> bool:
    """Whether two cards are an ace and a ten."""
    return len(cards) == 2 and total(cards)[0] == BEST


def start(seed: str, bet: int) -> Game:
    """Deal; a game with a blackjack in it may be over at once."""
    first, up, second, hole = shoe(seed, 0, 4)
    game = Game(seed, bet, (Hand((first, second), bet),), (up, hole), 4)
    return replace(game, status="insurance") if up[0] == "A" else _look(game)


def insure(game: Game, *, take: bool) -> Game:
    """Bet half on the dealer's blackjack, or do not.

    Raises:
        Conflict: there is nothing to insure against, or it is too late.
    """
    if game.status != "insurance":
        raise Conflict("Insurance is not offered now.")
    return _look(replace(game, insurance=game.bet // 2 if take else 0))


def act(game: Game, action: Action) -> Game:
    """Do something with the hand whose turn it is.

    While insurance is offered, doing anything else declines it; if the dealer then has a
    blackjack the game is over, and nothing was done.

    Raises:
        Conflict: the game is over, or that cannot be done with this hand.
    """
    ready = insure(game, take=False) if game.status == "insurance" else game
    if ready.over and not game.over:
        return ready
    if action not in actions(ready):
        raise Conflict("The game is over." if ready.over else f"You cannot {action} now.")
    return _advance(_ACTIONS[action](ready))


def actions(game: Game) -> tuple[Action, ...]:
    """What can be done with the hand whose turn it is."""
    if game.over:
        return ()
    hand = game.hands[game.turn]
    if len(hand.cards) > 2:
        return ("hit", "stand")
    first, second = map(_value, hand.cards)
    aces_again = hand.split and first == 1
    if first != second or len(game.hands) == HANDS or aces_again:
        return ("hit", "stand", "double")
    return ("hit", "stand", "double", "split")


def outcome(game: Game, hand: Hand) -> Outcome:
    """How a hand of a finished game ended."""
    mine, theirs = total(hand.cards)[0], total(game.dealer)[0]
    if mine > BEST:
        return "bust"
    if not hand.split and natural(hand.cards):
        return "push" if natural(game.dealer) else "blackjack"
    if natural(game.dealer) or mine < theirs <= BEST:
        return "lose"
    return "push" if mine == theirs else "win"


def paid(game: Game, hand: Hand) -> int:
    """What the player gets back for a hand of a finished game, its bet included."""
    factors = {"blackjack": 5, "win": 4, "push": 2, "lose": 0, "bust": 0}  # of half the bet
    return hand.bet * factors[outcome(game, hand)] // 2


def payout(game: Game) -> int:
    """What the player gets back of a game that is over, in all."""
    if game.status == "refunded":
        return game.staked
    insured = 3 * game.insurance if natural(game.dealer) else 0
    return insured + sum(paid(game, hand) for hand in game.hands)


def refund(game: Game) -> Game:
    """Give everything back, for a game that was left alone.

    Raises:
        Conflict: it is over.
    """
    if game.over:
        raise Conflict("The game is over.")
    return replace(game, status="refunded")


def to_dict(game: Game) -> dict[str, Any]:
    """All of it, secrets included; never for a client."""
    return asdict(game)


def from_dict(data: Mapping[str, Any]) -> Game:
    """What `to_dict` wrote, also after a trip through a store."""
    hands = tuple(Hand(**{**hand, "cards": tuple(hand["cards"])}) for hand in data["hands"])
    return Game(**{**data, "hands": hands, "dealer": tuple(data["dealer"])})


# --- inside -------------------------------------------------------------------------------


def _look(game: Game) -> Game:
    """The dealer looks under an ace or a ten; a blackjack on either side ends it."""
    over = natural(game.dealer) or natural(game.hands[0].cards)
    return replace(game, status="finished" if over else "playing")


def _hit(game: Game) -> Game:
    hand = game.hands[game.turn]
    cards = (*hand.cards, *shoe(game.seed, game.drawn, 1))
    hit = replace(hand, cards=cards, done=total(cards)[0] >= BEST)
    return replace(_with(game, hit), drawn=game.drawn + 1)


def _stand(game: Game) -> Game:
    return _with(game, replace(game.hands[game.turn], done=True))


def _double(game: Game) -> Game:
    doubled = replace(game.hands[game.turn], bet=2 * game.bet)
    return _stand(_hit(_with(game, doubled)))


def _split(game: Game) -> Game:
    hand = game.hands[game.turn]
    fresh = shoe(game.seed, game.drawn, 2)
    aces = hand.cards[0][0] == "A"
    pair = [_second(card, new, hand.bet, aces) for card, new in zip(hand.cards, fresh, strict=True)]
    split = replace(game, drawn=game.drawn + 2)
    return _with(split, *pair)


def _second(card: str, new: str, bet: int, aces: bool) -> Hand:
    cards = (card, new)
    return Hand(cards, bet, done=aces or total(cards)[0] == BEST, split=True)


_ACTIONS = {"hit": _hit, "stand": _stand, "double": _double, "split": _split}


def _with(game: Game, *hands: Hand) -> Game:
    """The game with these in the place of the hand whose turn it is."""
    before, after = game.hands[: game.turn], game.hands[game.turn + 1 :]
    return replace(game, hands=(*before, *hands, *after))


def _advance(game: Game) -> Game:
    turn = next((i for i, hand in enumerate(game.hands) if not hand.done), None)
    return _finish(game) if turn is None else replace(game, turn=turn)


def _finish(game: Game) -> Game:
    finished = replace(game, status="finished", turn=len(game.hands))
    if all(total(hand.cards)[0] > BEST for hand in game.hands):
        return finished
    cards, drawn = game.dealer, game.drawn
    while total(cards)[0] < DEALER_STANDS:
        cards = (*cards, *shoe(game.seed, drawn, 1))
        drawn += 1
    return replace(finished, dealer=cards, drawn=drawn)


def _value(card: str) -> int:
    """1 for an ace, 10 for a picture."""
    rank = card[0]
    return 1 if rank == "A" else int(rank) if rank.isdigit() else 10


def _shuffled(seed: str) -> Iterator[str]:
    cards = list(SORTED) * DECKS
    numbers = _numbers(seed)
    for place in range(len(cards)):
        left = len(cards) - place
        fair = 65_536 - 65_536 % left
        pick = place + next(number for number in numbers if number < fair) % left
        cards[place], cards[pick] = cards[pick], cards[place]
        yield cards[place]


def _numbers(seed: str) -> Iterator[int]:
    blocks = (sha256(f"{seed}:shoe:{number}".encode()).digest() for number in count())
    stream = chain.from_iterable(blocks)
    return (256 * high + low for high, low in zip(stream, stream, strict=False))
