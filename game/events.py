"""Domain events: what happened, under stable names, for programs outside of the server.

A name and its data are a contract (docs/webhooks.md): fields may be added, none is taken
away or renamed. To add an event: its data below, a line in `EVENTS`, and one call of
`world.happened(event(…))` behind the step that it follows from.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

# Before Python 3.12 pydantic does not take the one of `typing`.
from typing_extensions import TypedDict

from game.chat import ChatMessage
from game.duel_state import Duel
from game.purchases import Order

ID_CHARS = 24


class PlayerCreated(TypedDict):
    """A player got his wallet."""

    player_id: str
    name: str


class WalletPosted(TypedDict):
    """The ledger has one more entry of a wallet: what it gained or lost, and what it held then."""

    posting_id: str
    player_id: str
    amount: int
    balance: int
    reason: str
    ref: str


class DuelEnded(TypedDict):
    """A duel is over; the winner is null if nobody won, `end_reason` if nobody fought."""

    duel_id: str
    status: str
    end_reason: str | None
    players: list[str]
    winner_id: str | None
    stake: int
    rounds: int


class PurchaseMoved(TypedDict):
    """Coins that were bought, or taken back; the price is in the currency's smallest unit."""

    order_id: str
    player_id: str
    pack: str
    coins: int
    price: int
    currency: str


class ChatReported(TypedDict):
    """Somebody showed a message to the moderators."""

    report_id: str
    message_id: str
    room: str
    author_id: str
    reporter_id: str
    reason: str


EVENTS: Mapping[str, Any] = {
    "player.created": PlayerCreated,
    "wallet.posted": WalletPosted,
    "duel.ended": DuelEnded,
    "purchase.granted": PurchaseMoved,
    "purchase.refunded": PurchaseMoved,
    "chat.reported": ChatReported,
}


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened at `at` (ms).

    `aggregate` is the thing that it happened to: events of one are told in the order of
    `order`, a text that sorts. The id is made of the type and of what it was, so that the
    same event has the same id, whoever tells of it and how often.
    """

    id: str
    type: str
    aggregate: str
    at: int
    order: str
    data: Mapping[str, Any]

    def envelope(self) -> dict[str, Any]:
        """The body of a webhook (Standard Webhooks, "Payload structure")."""
        when = datetime.fromtimestamp(self.at / 1000, UTC).isoformat(timespec="milliseconds")
        timestamp = when.replace("+00:00", "Z")
        return {"type": self.type, "timestamp": timestamp, "data": dict(self.data)}


def event(type: str, ref: str, aggregate: str, at: int, data: Any, *, order: str = "") -> Event:
    """An event of `EVENTS`.

    Args:
        type: its name.
        ref: what tells it from all others of its type.
        aggregate: the thing that it happened to, such as `duel:…`.
        at: when, in milliseconds.
        data: as `EVENTS` has it.
        order: its place among those of the aggregate; none: by its time.
    """
    if type not in EVENTS:
        raise KeyError(type)
    return Event(event_id(type, ref), type, aggregate, at, order or f"{at:012x}", data)


def event_id(type: str, ref: str) -> str:
    """Without a full stop, which separates the parts of what is signed."""
    return "evt_" + sha256(f"{type}/{ref}".encode()).hexdigest()[:ID_CHARS]


def duel_ended(duel: Duel) -> Event:
    """Of a duel that is over."""
    at = duel.ended_at or duel.challenged_at
    data = DuelEnded(
        duel_id=duel.id,
        status=duel.status,
        end_reason=duel.end_reason,
        players=[fighter.id for fighter in duel.fighters],
        winner_id=duel.winner_id,
        stake=duel.stake,
        rounds=len(duel.rounds),
    )
    return event("duel.ended", duel.id, f"duel:{duel.id}", at, data)


def purchase_moved(type: str, order: Order, at: int) -> Event:
    """Of an order whose coins were granted or taken back."""
    pack = order.pack
    data = PurchaseMoved(
        order_id=order.id,
        player_id=order.player_id,
        pack=pack.id,
        coins=pack.coins,
        price=pack.price,
        currency=pack.currency,
    )
    return event(type, order.id, f"order:{order.id}", at, data)


def chat_reported(
    message: ChatMessage, report_id: str, reporter_id: str, reason: str, at: int
) -> Event:
    """Of a message that somebody showed to the moderators."""
    data = ChatReported(
        report_id=report_id,
        message_id=message["id"],
        room=message["room"],
        author_id=message["from"]["id"],
        reporter_id=reporter_id,
        reason=reason,
    )
    return event("chat.reported", report_id, f"chat:{message['room']}", at, data)
