"""What follows from what happened: a table from domain events to what is done about them.

A posting of the ledger is such an event, and its own outbox entry: it is marked `untold`
in the transaction that made it, and the mark is taken away when its reactions have run. The
node that made it runs them at once; what a crash left untold any node finds and does
later. So a reaction may run twice, and must do no harm then: what may happen one time only
(a payout) has its own `once` in the ledger.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from typing_extensions import TypedDict

from config.logging import get_logger
from game import economy, events, ratings, rooms
from game.chat import Author
from game.duels import Duel
from game.errors import DependencyUnavailable, GameError, NotFound
from game.events import Event, event
from game.notifications import news
from handlers.base import World
from handlers.registry import periodic
from handlers.telling import happened, notify
from state.ledger import Change, Posting
from state.standings import WEALTH

SWEEP_SECONDS = 1.0
ENDED_SECONDS = 0.25  # a winner waits half of it for his money
LEFT_SECONDS = 5.0
BY_OTHERS = frozenset({"robbed", "robbery_failed", "coins_received"})
CHAIN = 20  # untold entries of a wallet that are told before a newer one

log = get_logger(__name__)


class WalletChanged(TypedDict):
    """What a player has now, and by what it changed; `id` is the entry's."""

    id: str
    balance: int
    amount: int
    reason: str
    ref: str
    at: int


class RatingChanged(TypedDict):
    """A player's rating after a duel, and by what it changed; `score` is his on the board."""

    duel_id: str
    season: str
    rating: int
    uncertainty: int
    score: int
    change: int


async def tell_owners(world: World, posting: Posting) -> None:
    """Tell the players of a posting, on all their devices."""
    for change in posting.changes:
        if player_id := economy.owner(change.account):
            changed = WalletChanged(
                id=posting.id,
                balance=posting.balance(change.account),
                amount=change.amount,
                reason=posting.reason,
                ref=posting.ref,
                at=posting.at,
            )
            await world.publisher.emit("wallet:changed", changed, rooms.player(player_id))


async def tell_webhooks(world: World, posting: Posting) -> None:
    """Webhooks of a posting, and of what it was for."""
    for change in posting.changes:
        if economy.owner(change.account):
            for one in await _untold(world, posting, change.account):
                await _tell_of_entry(world, one, change.account)
    if posting.reason in {"purchase", "refund"}:
        order = await world.economy.orders.get(posting.ref)
        moved = "purchase.granted" if posting.reason == "purchase" else "purchase.refunded"
        await happened(world, events.purchase_moved(moved, order, posting.at))


async def _untold(world: World, posting: Posting, account: str) -> list[Posting]:
    """A posting, behind earlier ones of the wallet whose webhooks a crash held up."""
    chain = [posting]
    if not await world.outbound.webhooks.wanting("wallet.posted", posting.at):
        return chain
    while len(chain) < CHAIN:
        before = await world.economy.ledger.untold_before(chain[0], account)
        ref = f"{before.id}/{account}" if before else ""
        if before is None or await world.outbound.deliveries.known("wallet.posted", ref):
            break
        chain.insert(0, before)
    return chain


async def _tell_of_entry(world: World, posting: Posting, account: str) -> None:
    """Webhooks of one wallet's entry; with the first one there is a player."""
    if posting.reason == "start":
        data = events.PlayerCreated(player_id=posting.ref, name=await _name(world, posting.ref))
        place = f"{posting.id}-0"  # before the posting itself
        born = event("player.created", posting.ref, account, posting.at, data, order=place)
        await happened(world, born)
    await happened(world, _wallet_posted(posting, account))


def _wallet_posted(posting: Posting, account: str) -> Event:
    change = next(one for one in posting.changes if one.account == account)
    data = events.WalletPosted(
        posting_id=posting.id,
        player_id=account.removeprefix("player:"),
        amount=change.amount,
        balance=posting.balance(account),
        reason=posting.reason,
        ref=posting.ref,
    )
    ref = f"{posting.id}/{account}"
    return event("wallet.posted", ref, account, posting.at, data, order=f"{posting.id}-1")


async def notify_owners(world: World, posting: Posting) -> None:
    """Notifications of what others did to a wallet, or what somebody waited for."""
    for change in posting.changes:
        player_id = economy.owner(change.account)
        kind = _kind(posting, change)
        if player_id and kind:
            by = await _other(world, posting, change) if kind in BY_OTHERS else None
            amount, ref = abs(change.amount), posting.id
            note = news(kind, player_id, ref, posting.at, by=by, amount=amount)
            await notify(world, player_id, note)


def _kind(posting: Posting, change: Change) -> str | None:
    """What a player is told of his part of a posting, if anything."""
    gains = change.amount > 0
    match posting.reason:
        case "transfer" if gains:
            return "coins_received"
        case "stake_paid":
            return "duel_won"
        case "purchase":
            return "purchase_granted"
        case "rob" if economy.owner(change.account) == posting.ref:  # the victim
            return "robbery_failed" if gains else "robbed"
    return None


async def _other(world: World, posting: Posting, change: Change) -> Author:
    """The other player of a posting of two."""
    owners = [economy.owner(one.account) for one in posting.changes if one is not change]
    player_id = next(one for one in owners if one)
    return Author(id=player_id, name=await _name(world, player_id))


async def _name(world: World, player_id: str) -> str:
    """A player's name, empty if he was deleted meanwhile."""
    try:
        return (await world.accounts.player(player_id)).name
    except NotFound:
        return ""


POSTED: tuple[Callable[[World, Posting], Awaitable[None]], ...] = (
    tell_owners,
    notify_owners,
    tell_webhooks,
)


async def react(world: World, postings: Sequence[Posting]) -> None:
    """Run what follows from these postings, and note that it has run; else it is put off."""
    changes = [change for posting in postings for change in posting.changes]
    owners = {owner for change in changes if (owner := economy.owner(change.account))}
    try:
        await world.ladder.boards.mark(WEALTH, owners)  # first: what is told is told once
    except DependencyUnavailable:
        return  # the coins have moved: that is no error, and what follows is done later
    for posting in postings:
        try:
            for reaction in POSTED:
                await reaction(world, posting)
        except GameError as error:  # it happened all the same, and whoever asked may go on
            log.warning("reaction_put_off", posting=posting.id, code=error.code)
        else:
            world.economy.ledger.told([posting.id])


@periodic("untold postings", lambda _: SWEEP_SECONDS)
async def tell_the_untold(world: World) -> None:
    """Do what a node that died did not come to."""
    await world.economy.ledger.save_told()
    await react(world, await world.economy.ledger.untold())


# Duels: their ends are in an outbox of Redis, from the step that ended them on


async def settle_stake(world: World, duel: Duel) -> None:
    """Pay what was held for a duel."""
    await react(world, (await world.economy.stakes.settle(duel)).postings)


async def rate_fighters(world: World, duel: Duel) -> None:
    """Move the ratings and tell the two; what was moved before is only told again."""
    if not ratings.counts(duel):
        return
    rated = await world.ladder.ratings.apply(duel)
    await world.ladder.boards.mark(rated.season, [one.player_id for one in rated.changes])
    for one in rated.changes:
        changed = RatingChanged(
            duel_id=duel.id,
            season=rated.season,
            rating=one.rating,
            uncertainty=one.uncertainty,
            score=one.score,
            change=one.change,
        )
        await world.publisher.emit("rating:changed", changed, rooms.player(one.player_id))


async def tell_webhooks_of_duel(world: World, duel: Duel) -> None:
    """Webhooks of a duel's end."""
    await happened(world, events.duel_ended(duel))


DUEL_ENDED: tuple[Callable[[World, Duel], Awaitable[None]], ...] = (
    settle_stake,
    rate_fighters,
    tell_webhooks_of_duel,
)
"""After every duel with a result, and the end of every challenge with a stake. The duel is
as it ended: `status`, `winner_id`, `end_reason`. At least once, in this order."""


@periodic("ended duels", lambda _: ENDED_SECONDS)
async def react_to_ended_duels(world: World) -> None:
    """Do what follows from the end of duels; one that fails is lent out again."""
    ended = await world.duels.ended()
    outcomes = await asyncio.gather(
        *(_react_to_end(world, duel) for duel in ended), return_exceptions=True
    )
    for outcome in outcomes:  # one that fails must not hold up the others
        if isinstance(outcome, BaseException):
            raise outcome


async def _react_to_end(world: World, duel: Duel) -> None:
    for reaction in DUEL_ENDED:
        await reaction(world, duel)
    await world.duels.settled(duel.id)


@periodic("stakes left behind", lambda _: LEFT_SECONDS)
async def settle_left_stakes(world: World) -> None:
    """Look after money whose duel never began, or was lost with Redis."""
    for duel_id in await world.economy.stakes.left():
        await react(world, (await world.economy.stakes.settle_left(duel_id)).postings)
        await world.economy.stakes.look_later(duel_id)
