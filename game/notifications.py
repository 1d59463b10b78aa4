"""Notifications: what a player should see, in sentences, and how he is reached when away.

To add a kind: a line in `KINDS`, and a call of `world.notify(player_id, news(…))`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Literal, TypeAlias

from typing_extensions import TypedDict

from game.chat import Author
from game.duel_state import Duel

ID_CHARS = 20

Channel: TypeAlias = Literal["email", "push"]
CHANNELS: tuple[Channel, ...] = ("email", "push")


@dataclass(frozen=True, slots=True)
class Kind:
    """A sentence with places for `{name}` (who did it) and `{amount}`.

    `reach` are the ways that are on unless the player turns them off.
    """

    text: str
    reach: tuple[Channel, ...] = CHANNELS


KINDS: Mapping[str, Kind] = {
    "robbed": Kind("{name} robbed you of {amount} coins."),
    "robbery_failed": Kind("{name} tried to rob you, and paid you {amount} coins.", ("push",)),
    "coins_received": Kind("{name} sent you {amount} coins.", ("push",)),
    "duel_challenged": Kind("{name} challenges you to a duel.", ("push",)),
    "duel_won": Kind("You won {amount} coins in a duel.", ("push",)),
    "purchase_granted": Kind("The {amount} coins that you bought are in your wallet.", ("email",)),
}


class Notification(TypedDict):
    """Something that a player should see.

    `text` is a sentence for people. `by` is who did it, `amount` the coins that moved, `ref`
    what it was about: the id of a duel, an order or a posting. `at` in ms.
    """

    id: str
    kind: str
    text: str
    by: Author | None
    amount: int
    ref: str
    at: int
    read: bool


def news(  # the facts of a notification
    kind: str, player_id: str, ref: str, at: int, *, by: Author | None = None, amount: int = 0
) -> Notification:
    """A notification of `KINDS`; the same kind, player and `ref` are the same notification."""
    name = by["name"] if by else ""
    key = f"{kind}/{player_id}/{ref}"
    return Notification(
        id=sha256(key.encode()).hexdigest()[:ID_CHARS],
        kind=kind,
        text=KINDS[kind].text.format(name=name, amount=amount),
        by=by,
        amount=amount,
        ref=ref,
        at=at,
        read=False,
    )


def reaches(kind: str, channel: Channel, on: Collection[str], off: Collection[str]) -> bool:
    """Whether a player is told of a kind in a way, by what he turned on and off."""
    choice = f"{kind}/{channel}"
    return choice not in off and (choice in on or channel in KINDS[kind].reach)


def challenged(duel: Duel) -> Notification:
    """Of a challenge, for the opponent."""
    challenger, opponent = duel.fighters
    by = Author(id=challenger.id, name=challenger.name)
    at, stake = duel.challenged_at, duel.stake
    return news("duel_challenged", opponent.id, duel.id, at, by=by, amount=stake)
