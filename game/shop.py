"""The shop: what is for sale, what a player owns of it, and what using it does.

Times are integer milliseconds since the epoch.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from game.economy import PERMILLE, checked
from game.errors import Conflict, NotFound

BoostKind: TypeAlias = Literal["shield", "luck"]
"""`shield`: nobody can rob the player. `luck`: percent points on top of a robber's odds."""


@dataclass(frozen=True, slots=True)
class Effect:
    """What using an item gives its player for a time."""

    kind: BoostKind
    lasts_ms: int
    percent: int = 0


@dataclass(frozen=True, slots=True)
class Item:
    """Something for sale.

    `stock` is how many there are in all, `limit` how many one player may ever buy, `opens`
    and `closes` when it is for sale (the end excluded); None is without such a bound.
    `keeps_ms` is how long it can be used once bought.
    """

    id: str
    name: str
    description: str
    price: int
    stock: int | None = None
    limit: int | None = None
    opens: int | None = None
    closes: int | None = None
    keeps_ms: int | None = None
    resale_permille: int = 0
    effect: Effect | None = None


@dataclass(frozen=True, slots=True)
class Lot:
    """Some of one item that expire together; None never do."""

    count: int
    expires_at: int | None = None


@dataclass(frozen=True, slots=True)
class Boost:
    """What a player has for a time; nothing when `until` is over."""

    until: int = 0
    percent: int = 0


def for_sale(item: Item, at: int) -> bool:
    """Whether it can be bought at this moment."""
    return (item.opens or 0) <= at and (item.closes is None or at < item.closes)


def sell(item: Item, count: int, *, sold: int, bought: int, at: int) -> int:
    """The price of so many.

    Args:
        sold: how many all players have bought so far.
        bought: how many this one has.

    Raises:
        NotFound: it is not for sale now.
        Conflict: there are not so many left, for him or at all.
    """
    if not for_sale(item, at):
        raise NotFound("That is not for sale.")
    if item.stock is not None and sold + count > item.stock:
        raise Conflict(f"Only {max(0, item.stock - sold)} of it are left.")
    if item.limit is not None and bought + count > item.limit:
        raise Conflict(f"One player can buy {item.limit} of it, and you have had {bought}.")
    return checked(item.price * count)


def resale(item: Item, count: int) -> int:
    """What the shop pays for so many, rounded down.

    Raises:
        Conflict: it does not take them back.
    """
    paid = checked(item.price * count) * item.resale_permille // PERMILLE
    if not paid:
        raise Conflict("The shop does not buy that.")
    return paid


def live(lots: Iterable[Lot], at: int) -> tuple[Lot, ...]:
    """The lots that have not expired."""
    return tuple(lot for lot in lots if lot.expires_at is None or lot.expires_at > at)


def count(lots: Iterable[Lot]) -> int:
    """How many there are in all."""
    return sum(lot.count for lot in lots)


def add(lots: Iterable[Lot], item: Item, number: int, at: int) -> tuple[Lot, ...]:
    """The lots with so many more, bought now; those that expire together are one."""
    expires_at = None if item.keeps_ms is None else at + item.keeps_ms
    kept = live(lots, at)
    same = [lot for lot in kept if lot.expires_at == expires_at]
    others = tuple(lot for lot in kept if lot.expires_at != expires_at)
    return (*others, Lot(count(same) + number, expires_at))


def take(lots: Iterable[Lot], number: int, at: int) -> tuple[Lot, ...]:
    """The lots with so many less, those first that expire first.

    Raises:
        Conflict: there are not so many.
    """
    kept = live(lots, at)
    if count(kept) < number:
        raise Conflict(f"You have {count(kept)} of it.")
    ordered = sorted(kept, key=lambda lot: (lot.expires_at is None, lot.expires_at or 0))
    left: list[Lot] = []
    for lot in ordered:
        used = min(lot.count, number)
        number -= used
        if used < lot.count:
            left.append(replace(lot, count=lot.count - used))
    return tuple(left)


def boost(now: Boost, item: Item, at: int) -> Boost:
    """The boost after an item was used: the same strength lasts longer.

    Raises:
        Conflict: the item has no effect, or one of another strength is running.
    """
    effect = item.effect
    if effect is None:
        raise Conflict("That cannot be used.")
    if now.until > at and now.percent != effect.percent:
        raise Conflict("Something of another strength is still working.")
    return Boost(max(now.until, at) + effect.lasts_ms, effect.percent)
