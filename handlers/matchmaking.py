"""Matchmaking: wait for an opponent of about one's own strength; the duel begins by itself."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping
from functools import partial
from typing import Annotated, Any

from pydantic import Field
from typing_extensions import TypedDict

from game import duels as rules
from game import rooms
from game.duel_views import DuelView, view_for
from game.duels import Duel
from game.economy import INT64_MAX
from game.errors import AlreadyInDuel, Conflict, InsufficientFunds
from game.matchmaking import Ticket
from handlers.base import Context, World
from handlers.fights import SEED_BYTES, MatchView, Reason, announce, begun, leave_queue, tell_left
from handlers.payloads import Empty, Payload
from handlers.registry import Shown, command, periodic
from state.live import Left
from state.matches import Pair, Waiting


class Join(Payload):
    """What each of the two is to put in."""

    stake: Annotated[int, Field(ge=0, le=INT64_MAX)] = 0


class MatchFound(TypedDict):
    """The duel that has begun."""

    duel: DuelView


# --- the queue ----------------------------------------------------------------------------


@command("match:join", Join)
async def join(cmd: Join, ctx: Context) -> MatchView:
    """Wait for an opponent with the same stake; again is the same wait.

    Raises:
        AlreadyInDuel: the caller is fighting, or has offered a duel.
        InsufficientFunds: the caller has less than the stake.
        Conflict: the caller waits with another stake.
    """
    world, player = ctx.world, ctx.player_id
    duel = await world.duels.open(player)
    if duel and (duel.status == "active" or duel.fighters[0].id == player):
        raise AlreadyInDuel("You are in a duel, or have offered one.")
    if cmd.stake and await world.economy.ledger.balance(player) < cmd.stake:
        raise InsufficientFunds
    record = await world.ladder.ratings.of(player)
    who = "", player, ctx.caller.name, ctx.caller.account_id
    ticket = Ticket(*who, rating=record.rating.shown, stake=cmd.stake, since=0)
    waiting = await world.ladder.matches.join(ticket, await world.live.attendance(player))
    # Who went while he joined would wait for ever.
    await _note_presence(world, player)
    if waiting.stake != cmd.stake:
        raise Conflict("You are waiting with another stake.")
    return _view(waiting)


@command("match:leave", Join)
async def leave(_: Join, ctx: Context) -> Empty:
    """Wait no more, for whatever stake; it is no error not to wait.

    Raises:
        Conflict: an opponent was found, and the duel begins.
    """
    if await leave_queue(ctx.world, ctx.player_id, "left") == "claimed":
        raise Conflict("An opponent was found.")
    return Empty()


def _view(waiting: Waiting) -> MatchView:
    return MatchView(
        waiting_since=waiting.since, stake=waiting.stake, estimated_wait=waiting.estimate
    )


async def _came(ctx: Context, ticket: Any) -> dict[str, Any]:
    """Who comes back in time has kept his place, and is shown it."""
    waiting = await ctx.world.ladder.matches.waiting(ticket)
    if waiting:
        await _note_presence(ctx.world, ctx.player_id)
    return {"match": _view(waiting) if waiting else None}


SHOWN = Shown(lambda ctx: ctx.world.ladder.matches.ask_ticket(ctx.player_id), _came)


async def went(world: World, left: Left) -> None:
    """Who is gone is paired with nobody; his place is kept for a while."""
    if left.sockets == 0:
        await world.ladder.matches.note_presence(left.player_id, 0, left.seq)


async def _note_presence(world: World, player_id: str) -> None:
    there = await world.live.attendance(player_id)
    await world.ladder.matches.note_presence(player_id, there.sockets, there.seq)


# --- pairs --------------------------------------------------------------------------------


@periodic("matchmaking", lambda settings: settings.match.every_seconds)
async def find_opponents(world: World) -> None:
    """Pair who may meet, and go on with pairs that another node did not come to an end with."""
    matches = world.ladder.matches
    found = [*await matches.due(), *await matches.claim(world.friends.blocked_pairs)]
    outcomes = await asyncio.gather(
        *(_begin(world, pair) for pair in found), return_exceptions=True
    )
    for outcome in outcomes:  # one that failed is due again when its lease is over
        if isinstance(outcome, BaseException):
            raise outcome


async def _begin(world: World, pair: Pair) -> None:
    """Let a pair fight. Whatever was done of it before is not done again.

    The duel is kept before the stakes are taken: what is held for a duel that does not begin
    its end gives back.
    """
    first, second = ((one.player_id, one.name) for one in pair.tickets)
    seed, at = secrets.token_hex(SEED_BYTES), world.now()
    duel = rules.challenge(
        pair.id, first, second, seed, at, world.duels.rules, pair.tickets[0].stake
    )
    await world.duels.prepare(duel)
    if await _away(world, pair):
        await _give_up(world, pair, {})
        return
    try:
        await _start(world, pair)
    except InsufficientFunds:
        await _give_up(world, pair, await _poor(world, pair))
    except AlreadyInDuel:
        await _give_up(world, pair, await _busy(world, pair))
    except Conflict:  # begun before, or over before it began
        await _give_up(world, pair, {})


async def _start(world: World, pair: Pair) -> None:
    duel = await world.duels.get(pair.id)
    if duel.status != "challenged":  # nothing may be held for it any more
        raise Conflict
    if duel.stake:
        held = await world.economy.stakes.hold(duel)
        await world.react(held.postings)
    rule = partial(begun, world, by=pair.tickets[1].player_id)
    step = await world.duels.step(pair.id, rule)
    await _tell_found(world, step.after)
    await announce(world, step)
    await world.ladder.matches.finish(pair, fights=True)


async def _give_up(world: World, pair: Pair, drops: Mapping[str, Reason]) -> None:
    """Put them back, but those who are dropped; unless the duel has begun after all."""

    async def rule(duel: Duel) -> Duel:
        if duel.status != "challenged":
            return duel
        return rules.cancel(duel, pair.tickets[0].player_id, world.now())

    duel = (await world.duels.step(pair.id, rule)).after
    if duel.started_at is not None:
        await _tell_found(world, duel)
        await world.ladder.matches.finish(pair, fights=True)
        return
    back = {one.player_id for one in pair.tickets} - drops.keys()
    await world.ladder.matches.finish(pair, fights=False, back=back)
    for player in back:
        await _note_presence(world, player)
    for player, reason in drops.items():
        await tell_left(world, player, reason)


async def _tell_found(world: World, duel: Duel) -> None:
    for fighter in duel.fighters:
        news = MatchFound(duel=view_for(duel, fighter.id))
        await world.publisher.emit("match:found", news, rooms.player(fighter.id))


async def _away(world: World, pair: Pair) -> bool:
    there = [await world.live.attendance(one.player_id) for one in pair.tickets]
    return not all(one.sockets for one in there)


async def _poor(world: World, pair: Pair) -> dict[str, Reason]:
    return {
        one.player_id: "insufficient_funds"
        for one in pair.tickets
        if await world.economy.ledger.balance(one.player_id) < one.stake
    }


async def _busy(world: World, pair: Pair) -> dict[str, Reason]:
    return {
        one.player_id: "in_duel"
        for one in pair.tickets
        if await world.duels.active(one.player_id) not in {None, pair.id}
    }
