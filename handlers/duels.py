"""Duels: offer, answer, play, watch; and what the clock and the connections do to them."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Annotated, Any

from pydantic import Field
from typing_extensions import TypedDict

from game import duels as rules
from game import rooms
from game.duel_views import DuelView, may_see, view_for
from game.duels import Duel
from game.economy import INT64_MAX
from game.errors import AlreadyInDuel, Conflict, DuelOver, InsufficientFunds, NotFound
from game.notifications import challenged
from handlers.base import Context, World
from handlers.fights import SEED_BYTES, announce, begun, leave_queue, with_presence
from handlers.payloads import Id, Key, Nothing, Payload
from handlers.registry import Shown, command, periodic
from handlers.telling import notify_away
from state.ids import new_id
from state.live import Attendance, Left

DEADLINE_SECONDS = 0.2  # how often each node looks: a round's end is late by half of it
RETRY_MS = 500  # until it is known whether a fighter's node lives
SILENT_BEATS = 2.5  # beats that a node may miss before its players' clocks are doubted


Act = Callable[[Duel, str, int], Duel]


class Challenge(Payload):
    """Whom to challenge; the same key offers once, however often it is sent."""

    opponent_id: Id
    stake: Annotated[int, Field(ge=0, le=INT64_MAX)] = 0
    key: Key


class WhichDuel(Payload):
    """One duel, by its id."""

    duel_id: Id


class Play(Payload):
    """Which of the five cards, by position, are kept in this round."""

    duel_id: Id
    round: Annotated[int, Field(ge=1)]
    hold: Annotated[list[Annotated[int, Field(ge=0, le=4)]], Field(max_length=5)]


class DuelReply(TypedDict):
    """The duel as the caller sees it."""

    duel: DuelView


class MaybeDuelReply(TypedDict):
    """The duel as the caller sees it, null if there is none."""

    duel: DuelView | None


# --- the challenge ------------------------------------------------------------------------


@command("duel:challenge", Challenge)
async def challenge(cmd: Challenge, ctx: Context) -> DuelReply:
    """Offer a duel; it lives for a minute.

    Raises:
        NotFound: there is no such player.
        Forbidden: one of the two has blocked the other.
        ValidationFailed: it is the caller himself.
        AlreadyInDuel: one of the two is fighting, or the caller has offered one.
        IdempotencyMismatch: the key was used for another challenge.
        Conflict: the opponent has too many open challenges.
        InsufficientFunds: the caller has less than the stake.
    """
    # Both leave at once: that blocks are looked up costs no time, and needs no cache.
    opponent, _ = await asyncio.gather(
        ctx.world.accounts.player(cmd.opponent_id),
        ctx.world.friends.refuse_blocked(ctx.player_id, cmd.opponent_id),
    )
    duel = rules.challenge(
        new_id(),
        (ctx.player_id, ctx.caller.name),
        (opponent.id, opponent.name),
        secrets.token_hex(SEED_BYTES),
        ctx.now(),
        ctx.world.duels.rules,
        cmd.stake,
    )
    await _check_cover(duel, ctx)
    mine = DuelReply(duel=view_for(duel, ctx.player_id))
    body = [cmd.opponent_id, cmd.stake]
    answer: DuelReply = await ctx.world.duels.create(duel, cmd.key, body, mine)
    if answer is mine:
        theirs = view_for(duel, opponent.id)
        await ctx.world.publisher.emit("duel:challenged", theirs, rooms.player(opponent.id))
        await notify_away(ctx.world, opponent.id, challenged(duel))
        await leave_queue(ctx.world, ctx.player_id, "in_duel")
    return answer


@command("duel:accept", WhichDuel)
async def accept(cmd: WhichDuel, ctx: Context) -> DuelReply:
    """Start a duel that the caller was challenged to.

    Raises:
        NotFound: no such duel, or not the caller's to see.
        Forbidden: it is the caller's own challenge, or one has blocked the other since.
        DuelOver: it was fought.
        Conflict: already answered, or its time is over.
        AlreadyInDuel: one of the two is fighting another.
        InsufficientFunds: one of the two can no longer cover the stake.
        StaleVersion: others were faster every time.
    """
    await _prepare(cmd.duel_id, ctx)
    rule = partial(begun, ctx.world, by=ctx.player_id)
    accepted = await _step(cmd.duel_id, ctx, rule)
    for fighter in accepted["duel"]["players"]:
        await leave_queue(ctx.world, fighter["id"], "in_duel")
    return accepted


async def _check_cover(duel: Duel, ctx: Context) -> None:
    if duel.stake and await ctx.world.economy.ledger.balance(ctx.player_id) < duel.stake:
        raise InsufficientFunds


async def _prepare(duel_id: str, ctx: Context) -> None:
    """Hold the stakes before the duel begins: of one that does not, its end gives them back."""
    duel = await ctx.world.duels.get(duel_id)
    rules.accept(duel, ctx.player_id, {}, ctx.now())  # refused for any other reason first
    await ctx.world.friends.refuse_blocked(*(fighter.id for fighter in duel.fighters))
    if not duel.stake:
        return
    for fighter in duel.fighters:
        if await ctx.world.duels.active(fighter.id):
            raise AlreadyInDuel(f"{fighter.name} is in another duel.")
    held = await ctx.world.economy.stakes.hold(duel)
    await ctx.world.react(held.postings)


@command("duel:decline", WhichDuel)
async def decline(cmd: WhichDuel, ctx: Context) -> DuelReply:
    """Say no to a challenge.

    Raises:
        NotFound: no such duel, or not the caller's to see.
        Forbidden: it is the caller's own challenge.
        DuelOver: it was fought.
        Conflict: already answered, or its time is over.
        StaleVersion: others were faster every time.
    """
    return await _act(cmd, ctx, rules.decline)


@command("duel:cancel", WhichDuel)
async def cancel(cmd: WhichDuel, ctx: Context) -> DuelReply:
    """Take one's own challenge back.

    Raises:
        NotFound: no such duel, or not the caller's to see.
        Forbidden: it is the other's challenge.
        DuelOver: it was fought.
        Conflict: already answered, or its time is over.
        StaleVersion: others were faster every time.
    """
    return await _act(cmd, ctx, rules.cancel)


# --- the fight ----------------------------------------------------------------------------


@command("duel:play", Play)
async def play(cmd: Play, ctx: Context) -> DuelReply:
    """Hold some of the five cards and draw the rest.

    Raises:
        ValidationFailed: a position is held twice.
        NotFound: no such duel, or not the caller's.
        Conflict: not accepted yet, or another round is being played.
        NotYourTurn: the caller has played this round.
        DuelOver: the duel is over.
        StaleVersion: others were faster every time.
    """
    return await _act(cmd, ctx, lambda duel, by, at: rules.play(duel, by, cmd.round, cmd.hold, at))


@command("duel:forfeit", WhichDuel)
async def forfeit(cmd: WhichDuel, ctx: Context) -> DuelReply:
    """Resign; the other wins.

    Raises:
        NotFound: no such duel, or not the caller's.
        Conflict: not accepted yet.
        DuelOver: the duel is over.
        StaleVersion: others were faster every time.
    """
    return await _act(cmd, ctx, rules.forfeit)


async def resign(world: World, player_id: str) -> None:
    """His account is deleted: his duel and all challenges end."""
    for _ in range(world.settings.duels.incoming + 2):
        duel = await world.duels.open(player_id)
        if duel is None:
            return
        act = rules.decline if duel.seat(player_id) else rules.cancel
        with suppress(Conflict, DuelOver):  # it ends by itself at this moment
            act = rules.forfeit if duel.status == "active" else act
            await _act_for(world, duel.id, player_id, act)


async def _act(cmd: WhichDuel | Play, ctx: Context, act: Act) -> DuelReply:
    after = await _act_for(ctx.world, cmd.duel_id, ctx.player_id, act)
    return DuelReply(duel=view_for(after, ctx.player_id))


async def _act_for(world: World, duel_id: str, player_id: str, act: Act) -> Duel:
    async def rule(duel: Duel) -> Duel:
        return act(duel, player_id, world.now())

    step = await world.duels.step(duel_id, rule)
    await announce(world, step)
    return step.after


async def _step(duel_id: str, ctx: Context, rule: Any) -> DuelReply:
    step = await ctx.world.duels.step(duel_id, rule)
    await announce(ctx.world, step)
    return DuelReply(duel=view_for(step.after, ctx.player_id))


# --- looking on ---------------------------------------------------------------------------


@command("duel:get", WhichDuel)
async def get(cmd: WhichDuel, ctx: Context) -> DuelReply:
    """A duel as the caller may see it.

    Raises:
        NotFound: no such duel, or not the caller's to see.
    """
    duel = await ctx.world.duels.get(cmd.duel_id)
    if not may_see(duel, ctx.player_id):
        raise NotFound("There is no such duel.")
    return DuelReply(duel=view_for(duel, ctx.player_id))


@command("duel:active", Nothing)
async def active(_: Nothing, ctx: Context) -> MaybeDuelReply:
    """The caller's duel: the one being fought, else his offer, else the newest to him."""
    duel = await ctx.world.duels.open(ctx.player_id)
    return MaybeDuelReply(duel=view_for(duel, ctx.player_id) if duel else None)


# --- connections --------------------------------------------------------------------------


async def _came(ctx: Context, duel: Duel | None) -> dict[str, Any]:
    """A player signed in: if he was missed in a duel he is back; he is shown where it stands."""
    if duel and duel.status == "active":
        await _note_presence(ctx.world, ctx.player_id, ctx.now())
        duel = await ctx.world.duels.open(ctx.player_id)
    return {"duel": view_for(duel, ctx.player_id) if duel else None}


SHOWN = Shown(lambda ctx: ctx.world.duels.ask_open(ctx.player_id), _came)


async def went(world: World, left: Left) -> None:
    """With a player's last socket gone, his duel's clock stands still from then on."""
    if left.sockets == 0:
        await _note_presence(world, left.player_id, left.at)


async def _note_presence(world: World, player_id: str, at: int) -> None:
    duel_id = await world.duels.active(player_id)
    if duel_id is None:
        return

    async def rule(duel: Duel) -> Duel:
        return await with_presence(world, duel, player_id, at)

    await announce(world, await world.duels.step(duel_id, rule))


# --- the clock ----------------------------------------------------------------------------


@periodic("duel deadlines", lambda _: DEADLINE_SECONDS)
async def serve_deadlines(world: World) -> None:
    """Do what is due in any duel, whichever node it was played on."""
    due = await world.duels.due()
    outcomes = await asyncio.gather(
        *(_serve(world, duel_id) for duel_id in due), return_exceptions=True
    )
    for outcome in outcomes:  # one that failed is due again when its lease is over
        if isinstance(outcome, BaseException):
            raise outcome


async def _serve(world: World, duel_id: str) -> None:
    try:
        step = await world.duels.step(duel_id, lambda duel: _tick(world, duel))
    except NotFound:
        await world.duels.schedule(duel_id, 0, None)
        return
    if step.changed:
        await announce(world, step)
    else:
        at = max(rules.next_deadline(step.after) or 0, world.now() + RETRY_MS)
        await world.duels.schedule(duel_id, step.after.version, at)


async def _tick(world: World, duel: Duel) -> Duel:
    if duel.status != "active":
        return rules.tick(duel, world.now())
    checked, silent = duel, False
    for fighter in duel.fighters:
        there = await world.live.attendance(fighter.id)
        # Word of his coming or going may have been lost: this is what it would have said.
        here = there.sockets > 0
        checked = rules.presence(checked, fighter.id, here, there.seq, there.seen)
        silent = silent or (here and not _known_alive(there, world))
    # A server that is silent may be dead: then the others will say since when. Until that
    # is known nobody can say that its players let the time run out.
    return checked if silent else rules.tick(checked, world.now())


def _known_alive(there: Attendance, world: World) -> bool:
    silence = world.now() - there.alive_at
    return silence <= SILENT_BEATS * world.settings.nodes.heartbeat_seconds * 1000
