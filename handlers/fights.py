"""What all features that begin or move duels share: who is there, and telling what changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

from typing_extensions import TypedDict

from game import duels as rules
from game import rooms
from game.duel_views import RoundView, view_for
from game.duels import Duel
from handlers.base import World
from state.duels import Step
from state.matches import State

SEED_BYTES = 32

Reason: TypeAlias = Literal["left", "in_duel", "insufficient_funds"]


class OpponentView(TypedDict):
    """Whether the other fighter is there, and by when (ms) he must be back if he is not."""

    duel_id: str
    player_id: str
    connected: bool
    deadline: int | None


class RoundNews(RoundView):
    """A round's showdown; hands and ranks by player id, no winner if they are equal."""

    duel_id: str


class MatchView(TypedDict):
    """Since when (ms) the player waits, for a duel with which stake, and how long (ms) others
    have waited for that lately; null if there were too few.
    """

    waiting_since: int
    stake: int
    estimated_wait: int | None


class MatchLeft(TypedDict):
    """The player does not wait for an opponent any more, and why not."""

    reason: Reason


async def with_presence(world: World, duel: Duel, player_id: str, at: int) -> Duel:
    """A duel that knows whether one of its fighters is there."""
    # Read after the duel: whoever saves last has seen the newest of both.
    there = await world.live.attendance(player_id)
    return rules.presence(duel, player_id, there.sockets > 0, there.seq, at)


async def begun(world: World, duel: Duel, *, by: str) -> Duel:
    """An offered duel that one accepts now.

    Raises:
        NotFound, Forbidden: it is not his to accept.
        Conflict: it was answered, or its time is over.
    """
    at = world.now()
    for fighter in duel.fighters:
        duel = await with_presence(world, duel, fighter.id, at)
    connected = {fighter.id: fighter.connected for fighter in duel.fighters}
    return rules.accept(duel, by, connected, at)


async def leave_queue(world: World, player_id: str, reason: Reason) -> State:
    """Let a player wait for no opponent any more; the state of his wait before."""
    state = await world.ladder.matches.leave(player_id)
    if state in {"waiting", "away"}:
        await tell_left(world, player_id, reason)
    return state


async def tell_left(world: World, player_id: str, reason: Reason) -> None:
    """Tell all devices of a player that he waits no more."""
    await world.publisher.emit("match:left", MatchLeft(reason=reason), rooms.player(player_id))


async def announce(world: World, step: Step) -> None:
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
