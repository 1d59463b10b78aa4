"""Buying coins for money: an order's life, and how a provider's word is believed.

An order is `created`, then `paid` when the provider says so, `granted` when the coins are in
the wallet, and `refunded` when the provider gave the money back. Each step is taken once;
what a provider says again, late or in another order changes nothing more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from hmac import compare_digest
from hmac import new as hmac
from typing import Any, Literal, TypeAlias

from game.errors import Conflict, Unauthenticated

Status: TypeAlias = Literal["created", "paid", "granted", "refunded"]
TOLERANCE_SECONDS = 300  # of a signature's time, as Stripe's own libraries have it


@dataclass(frozen=True, slots=True)
class Pack:
    """Coins for money; the price is in the currency's smallest unit."""

    id: str
    name: str
    coins: int
    price: int
    currency: str


@dataclass(frozen=True, slots=True)
class Order:
    """A purchase; `url` is where the player pays, `taken` what a refund took from his wallet."""

    id: str
    player_id: str
    pack: Pack
    created_at: int
    status: Status = "created"
    url: str | None = None
    taken: int = 0


@dataclass(frozen=True, slots=True)
class Word:
    """What a provider says of an order: that it was paid, or that the money went back."""

    order_id: str
    says: Literal["paid", "refunded"]
    amount: int
    currency: str


def pay(order: Order, word: Word) -> Order:
    """The order, paid; the same if it was before.

    Raises:
        Conflict: it is not what was to be paid.
    """
    if (word.amount, word.currency) != (order.pack.price, order.pack.currency):
        raise Conflict("That is not the price of the order.")
    return replace(order, status="paid") if order.status == "created" else order


def grant(order: Order) -> Order:
    """The order with its coins given; the same if that is not due."""
    return replace(order, status="granted") if order.status == "paid" else order


def refund(order: Order, balance: int) -> Order:
    """The order given back; of the coins, what the player still has; the same if it was before."""
    if order.status == "refunded":
        return order
    given = order.pack.coins if order.status == "granted" else 0
    return replace(order, status="refunded", taken=min(given, balance))


def check_signature(text: str, header: str, secret: str, at: int) -> None:
    """Let a webhook's body pass that its provider signed, not long ago.

    The scheme is Stripe's: `t=<seconds>,v1=<hex>,…`, where one `v1` is the HMAC-SHA-256 of
    `<seconds>.<body>` (docs.stripe.com/webhooks, "Verify webhook signatures manually").

    Args:
        at: milliseconds since the epoch.

    Raises:
        Unauthenticated: it is not signed so, or too long ago.
    """
    parts = [part.partition("=") for part in header.split(",")]
    time = next((value for name, _, value in parts if name == "t"), "")
    digest = hmac(secret.encode(), f"{time}.{text}".encode(), sha256).hexdigest()
    signed = any(name == "v1" and _same(value, digest) for name, _, value in parts)
    recent = time.isdecimal() and abs(at / 1000 - int(time)) <= TOLERANCE_SECONDS
    if not (signed and recent):
        raise Unauthenticated("The signature is not good.")


def _same(one: str, other: str) -> bool:
    return compare_digest(one.encode(), other.encode())


def stripe_word(event: Mapping[str, Any]) -> Word | None:
    """What one of Stripe's events says of an order; None for those that we do not need.

    A refund counts when all of the money went back.
    """
    thing = event["data"]["object"]
    order_id = (thing.get("metadata") or {}).get("order_id")
    if not order_id:
        return None
    currency = str(thing.get("currency"))
    paid = ("checkout.session.completed", "checkout.session.async_payment_succeeded")
    if event["type"] in paid and thing.get("payment_status") == "paid":
        return Word(order_id, "paid", thing["amount_total"], currency)
    if event["type"] == "charge.refunded" and thing.get("refunded"):
        return Word(order_id, "refunded", thing["amount_refunded"], currency)
    return None
