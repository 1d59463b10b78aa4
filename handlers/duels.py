"""Duels: offer, answer, play, watch; and what the clock and the connections do to them."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Annotated, Any

from pydantic import Field
from typing_extensions import TypedDict

from game import duels as rules
from game import rooms
from game.duel_views import DuelView, RoundView, may_see, view_for
from game.duels import Duel
from game.economy import INT64_MAX
from game.errors import AlreadyInDuel, Conflict, DuelOver, InsufficientFunds, NotFound
from handlers.base import Context, Id, Key, Nothing, Payload, World, command, periodic
from state.duels import Step
from state.ids import new_id
from state.live import Attendance, Left

SEED_BYTES = 32
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


class OpponentView(TypedDict):
    """Whether the other fighter is there, and by when (ms) he must be back if he is not."""

    duel_id: str
    player_id: str
    connected: bool
    deadline: int | None


class RoundNews(RoundView):
    """A round's showdown; hands and ranks by player id, no winner if they are equal."""

    duel_id: str


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
    return answer


@command("duel:accept", WhichDuel)
async def accept(cmd: WhichDuel, ctx: Context) -> DuelReply:
    """Start a duel that the caller was challenged to.

    Raises:
        NotFound: no such duel, or not the caller's to see.
        Forbidden: it is the caller's own challenge, or one has blocked the other since.
        Conflict: already answered, or its time is over.
        AlreadyInDuel: one of the two is fighting another.
        InsufficientFunds: one of the two can no longer cover the stake.
        StaleVersion: others were faster every time.
    """
    await _prepare(cmd.duel_id, ctx)

    async def rule(duel: Duel) -> Duel:
        for fighter in duel.fighters:
            duel = await _with_presence(ctx.world, duel, fighter.id, ctx.now())
        connected = {fighter.id: fighter.connected for fighter in duel.fighters}
        return rules.accept(duel, ctx.player_id, connected, ctx.now())

    return await _step(cmd.duel_id, ctx, rule)


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
    await _announce(world, step)
    return step.after


async def _step(duel_id: str, ctx: Context, rule: Any) -> DuelReply:
    step = await ctx.world.duels.step(duel_id, rule)
    await _announce(ctx.world, step)
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


async def came(ctx: Context) -> dict[str, Any]:
    """A player signed in: if he was missed in a duel he is back; he is shown where it stands."""
    await _note_presence(ctx.world, ctx.player_id, ctx.now())
    duel = await ctx.world.duels.open(ctx.player_id)
    return {"duel": view_for(duel, ctx.player_id) if duel else None}


async def went(world: World, left: Left) -> None:
    """With a player's last socket gone, his duel's clock stands still from then on."""
    if left.sockets == 0:
        await _note_presence(world, left.player_id, left.at)


async def _note_presence(world: World, player_id: str, at: int) -> None:
    duel_id = await world.duels.active(player_id)
    if duel_id is None:
        return

    async def rule(duel: Duel) -> Duel:
        return await _with_presence(world, duel, player_id, at)

    await _announce(world, await world.duels.step(duel_id, rule))


async def _with_presence(world: World, duel: Duel, player_id: str, at: int) -> Duel:
    # Read after the duel: whoever saves last has seen the newest of both.
    there = await world.live.attendance(player_id)
    return rules.presence(duel, player_id, there.sockets > 0, there.seq, at)


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
        await _announce(world, step)
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


# --- telling ------------------------------------------------------------------------------


async def _announce(world: World, step: Step) -> None:
    """Tell the two and the spectators what a step changed, each with his own view."""
    if not step.changed:
        return
    for result in view_for(step.after, None)["rounds"][len(step.before.rounds) :]:
        news: RoundNews = {"duel_id": step.after.id, **result}
        await _tell(world, step.after, "duel:round", [news] * 3)
    await _tell_of_absence(world, step)
    first, second = step.after.fighters
    views = [view_for(step.after, who) for who in (first.id, second.id, None)]
    await _tell(world, step.after, "duel:state", views)
    if step.after.status == step.before.status:
        return
    if step.after.status != "active":
        await _tell(world, step.after, "duel:ended", views)
        await world.publisher.empty(rooms.spectators(step.after.id))
    await world.publisher.presence_changed([fighter.id for fighter in step.after.fighters])


async def _tell_of_absence(world: World, step: Step) -> None:
    first, second = step.after.fighters
    for before, now, other in zip(
        step.before.fighters, (first, second), (second, first), strict=True
    ):
        if before.connected != now.connected:
            news = OpponentView(
                duel_id=step.after.id,
                player_id=now.id,
                connected=now.connected,
                deadline=rules.away_deadline(step.after, now.id),
            )
            await world.publisher.emit("duel:opponent", news, rooms.player(other.id))


async def _tell(world: World, duel: Duel, event: str, each: Sequence[object]) -> None:
    audience = [rooms.player(fighter.id) for fighter in duel.fighters]
    for room, data in zip([*audience, rooms.spectators(duel.id)], each, strict=True):
        await world.publisher.emit(event, data, room)
