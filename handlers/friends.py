"""Friends: ask, agree, part; and block whom one wants to hear nothing of."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, NotRequired

from typing_extensions import TypedDict

from game import friends as rules
from game import rooms
from game.chat import Author
from game.errors import Conflict
from game.friends import Side, TieState
from game.notifications import news
from handlers.base import Context, World
from handlers.payloads import Id, Nothing, Payload
from handlers.registry import Shown, command
from handlers.telling import notify
from state.friends import Change, Related, Rule
from state.live import PresenceView

AGAIN_MS = 20_000  # who was not answered has asked again by then
KEPT: dict[TieState, str] = {"incoming": "friend_requested", "friend": "friend_accepted"}


class OtherPlayer(Payload):
    """Whom it is about."""

    player_id: Id


class Friend(TypedDict):
    """Somebody who is something to the player, and since when (ms); of friends, how he is."""

    id: str
    name: str
    state: TieState
    since: int
    presence: NotRequired[PresenceView]


class FriendsReply(TypedDict):
    """All friends, then requests and blocks; within both the oldest first."""

    friends: list[Friend]


class FriendsChanged(TypedDict):
    """What another player is to this one now; `friend` is null when he is nothing any more."""

    player_id: str
    friend: Friend | None


@command("friends:list", Nothing)
async def list_friends(_: Nothing, ctx: Context) -> FriendsReply:
    """Friends with their presence, requests and blocks.

    From now on the connection is told when the presence of a friend changes, as far as
    PRESENCE__WATCHED_PER_CONNECTION goes.
    """
    return FriendsReply(friends=await _friends(ctx))


@command("friends:add", OtherPlayer)
async def add(cmd: OtherPlayer, ctx: Context) -> FriendsReply:
    """Ask a player to be friends, or agree if he has asked; again, it changes nothing.

    Raises:
        ValidationFailed: it is the caller himself.
        NotFound: there is no such player.
        Forbidden: the player has blocked the caller.
        Conflict: the caller has blocked him, or one of the two has as many as may be.
        StaleVersion: others were faster every time.
    """
    await ctx.world.accounts.player(cmd.player_id)
    return await _change(cmd, ctx, rules.add)


@command("friends:accept", OtherPlayer)
async def accept(cmd: OtherPlayer, ctx: Context) -> FriendsReply:
    """Agree to be friends with who has asked.

    Raises:
        ValidationFailed: it is the caller himself.
        NotFound: the player has not asked.
        Conflict: one of the two has as many friends as may be.
        StaleVersion: others were faster every time.
    """
    return await _change(cmd, ctx, rules.accept)


@command("friends:remove", OtherPlayer)
async def remove(cmd: OtherPlayer, ctx: Context) -> FriendsReply:
    """End a friendship, take a request back, or decline one; nothing to end is no error.

    Raises:
        ValidationFailed: it is the caller himself.
        StaleVersion: others were faster every time.
    """
    reply = await _change(cmd, ctx, rules.remove)
    await ctx.socket.unwatch([cmd.player_id])
    return reply


@command("friends:block", OtherPlayer)
async def block(cmd: OtherPlayer, ctx: Context) -> FriendsReply:
    """Have nothing to do with a player: no whispers, challenges or requests, either way.

    Raises:
        ValidationFailed: it is the caller himself.
        NotFound: there is no such player.
        Conflict: the caller has blocked as many as may be.
        StaleVersion: others were faster every time.
    """
    await ctx.world.accounts.player(cmd.player_id)
    reply = await _change(cmd, ctx, rules.block)
    await ctx.socket.unwatch([cmd.player_id])
    return reply


@command("friends:unblock", OtherPlayer)
async def unblock(cmd: OtherPlayer, ctx: Context) -> FriendsReply:
    """Take a block away; a friendship that was before it does not come back.

    Raises:
        ValidationFailed: it is the caller himself.
        StaleVersion: others were faster every time.
    """
    return await _change(cmd, ctx, rules.unblock)


async def _show_requests(ctx: Context, kept: str | None) -> dict[str, Any]:
    return {"friend_requests": await ctx.world.friends.requests(ctx.player_id, kept)}


SHOWN = Shown(lambda ctx: ctx.world.friends.ask_requests(ctx.player_id), _show_requests)
"""How many wait for his answer."""


async def part(world: World, player_id: str) -> None:
    """His account is deleted: he is nobody's friend any more."""
    for other in await world.friends.forget(player_id):
        news = FriendsChanged(player_id=player_id, friend=None)
        await world.publisher.emit("friends:changed", news, rooms.player(other))


async def _change(cmd: OtherPlayer, ctx: Context, rule: Rule) -> FriendsReply:
    other = rules.other_than(ctx.player_id, cmd.player_id)
    change = await ctx.world.friends.change(ctx.player_id, other, rule)
    friends = await _friends(ctx)
    await _tell(change, other, friends, ctx)
    await _notify(change.after.theirs, other, ctx)
    return FriendsReply(friends=friends)


async def _tell(change: Change, other: str, friends: Sequence[Friend], ctx: Context) -> None:
    """Tell all devices of the two, each if something changed for him."""
    if change.before.mine != change.after.mine:
        mine = next((one for one in friends if one["id"] == other), None)
        await _emit(ctx, ctx.player_id, FriendsChanged(player_id=other, friend=mine))
    if change.before.theirs != change.after.theirs:
        theirs = await _seen_by_the_other(change.after.theirs, ctx)
        await _emit(ctx, other, FriendsChanged(player_id=ctx.player_id, friend=theirs))


async def _notify(theirs: Side, other: str, ctx: Context) -> None:
    """Keep it for the other until he sees it: once for one who asks, takes it back, asks anew."""
    tie = theirs.tie
    # Asked again, it is told again: the first time may have died before it was told.
    if tie is None or tie.state not in KEPT or ctx.now() - tie.since > AGAIN_MS:
        return
    by = Author(id=ctx.player_id, name=ctx.caller.name)
    note = news(KEPT[tie.state], other, ctx.player_id, tie.since, by=by)
    await notify(ctx.world, other, note)


async def _emit(ctx: Context, player_id: str, news: FriendsChanged) -> None:
    await ctx.world.publisher.emit("friends:changed", news, rooms.player(player_id))


async def _seen_by_the_other(side: Side, ctx: Context) -> Friend | None:
    if side.tie is None:
        return None
    found = await _views([Related(ctx.player_id, side.tie)], ctx)
    return found[0] if found else None


async def _friends(ctx: Context) -> list[Friend]:
    related = await ctx.world.friends.of(ctx.player_id)
    friends = [one.player_id for one in related if one.tie.state == "friend"]
    with suppress(Conflict):  # it watches as many as it may: it asks for the others itself
        await ctx.socket.watch(friends)  # first, so that no change falls between the two
    return await _views(related, ctx)


async def _views(related: Sequence[Related], ctx: Context) -> list[Friend]:
    """With names and, of friends, presence; whoever was deleted just now is left out."""
    friends = [one.player_id for one in related if one.tie.state == "friend"]
    names, presence = await asyncio.gather(
        ctx.world.accounts.names([one.player_id for one in related]),
        ctx.world.live.presence(friends),
    )
    views: list[Friend] = []
    for one in related:
        if one.player_id in names:
            view = _view(one, names[one.player_id])
            if one.player_id in presence:
                view["presence"] = presence[one.player_id].view
            views.append(view)
    return views


def _view(one: Related, name: str) -> Friend:
    return Friend(id=one.player_id, name=name, state=one.tie.state, since=one.tie.since)
