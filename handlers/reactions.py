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

from game import economy, ratings, rooms
from game.duels import Duel
from game.errors import DependencyUnavailable
from handlers.base import World, periodic
from state.ledger import Posting
from state.standings import WEALTH

SWEEP_SECONDS = 1.0
ENDED_SECONDS = 0.25  # a winner waits half of it for his money
LEFT_SECONDS = 5.0


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
            news = WalletChanged(
                id=posting.id,
                balance=posting.balance(change.account),
                amount=change.amount,
                reason=posting.reason,
                ref=posting.ref,
                at=posting.at,
            )
            await world.publisher.emit("wallet:changed", news, rooms.player(player_id))


POSTED: tuple[Callable[[World, Posting], Awaitable[None]], ...] = (tell_owners,)


async def react(world: World, postings: Sequence[Posting]) -> None:
    """Run what follows from these postings, and note that it has run."""
    changes = [change for posting in postings for change in posting.changes]
    owners = {owner for change in changes if (owner := economy.owner(change.account))}
    try:
        await world.ladder.boards.mark(WEALTH, owners)  # first: what is told is told once
    except DependencyUnavailable:
        return  # the coins have moved: that is no error, and what follows is done later
    for posting in postings:
        for reaction in POSTED:
            await reaction(world, posting)
    world.economy.ledger.told(posting.id for posting in postings)


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
        news = RatingChanged(
            duel_id=duel.id,
            season=rated.season,
            rating=one.rating,
            uncertainty=one.uncertainty,
            score=one.score,
            change=one.change,
        )
        await world.publisher.emit("rating:changed", news, rooms.player(one.player_id))


DUEL_ENDED: tuple[Callable[[World, Duel], Awaitable[None]], ...] = (settle_stake, rate_fighters)
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
