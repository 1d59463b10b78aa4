"""Moderation: reports, mutes, bans and roles, and what follows from them.

An action is one transaction with its entry in the log (state/desk.py). What it changes
outside of MongoDB is done right after it, or, when a crash came between, by any node.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Annotated, Any

from pydantic import Field, StringConstraints
from typing_extensions import TypedDict

from game import rooms
from game.chat import MutedEvent
from game.disconnects import Disconnect
from game.errors import Conflict, DependencyUnavailable
from game.events import moderated
from game.moderation import (
    BAN_SECONDS_MAX,
    MUTE_SECONDS,
    MUTE_SECONDS_MAX,
    REASON_CHARS,
    LogEntry,
    ReportView,
    Resolution,
    Role,
)
from game.notifications import news
from handlers.base import ADMINS, MODERATORS, Context, World
from handlers.payloads import Id, Payload
from handlers.registry import command, periodic, route
from handlers.telling import happened, notify
from state import reports
from state.enforcement import Due

LEFT_SECONDS = 1.0  # how often nodes look for what a crash left undone
OVER_SECONDS = 30.0
COUNT_SECONDS = 15.0

Reason = Annotated[str, StringConstraints(min_length=1, max_length=REASON_CHARS)]
MuteSeconds = Annotated[int, Field(ge=1, le=MUTE_SECONDS_MAX)]
BanSeconds = Annotated[int, Field(ge=1, le=BAN_SECONDS_MAX)]


class Mute(Payload):
    """Who may not speak, for how long, and why; who may speak again, `seconds` or not."""

    player_id: Id
    reason: Annotated[str, StringConstraints(max_length=REASON_CHARS)] = ""
    seconds: MuteSeconds = MUTE_SECONDS


class Lift(Payload):
    """Whose mute or ban ends, and why."""

    player_id: Id
    reason: Reason


class MutePlayer(Lift):
    """Whose account may not speak, for how long, and why."""

    seconds: MuteSeconds = MUTE_SECONDS


class BanPlayer(Lift):
    """Whose account is banned, and why; without seconds for good."""

    seconds: BanSeconds | None = None


class ResolveReport(Payload):
    """What comes of a report, and why.

    `mute` and `ban` do that to the author: `seconds` is how long, for a ban without for
    good. `other` is for what was done elsewhere; `dismiss`: nothing is wrong.
    """

    report_id: Id
    action: Resolution
    note: Reason
    seconds: BanSeconds | None = None


class ChangeRole(Payload):
    """The new role of an account, and why it gets it."""

    account_id: Id
    role: Role
    reason: Reason


class ActionReply(TypedDict):
    """The entry of the log."""

    entry: LogEntry


class ResolvedReport(TypedDict):
    """The report as it is now."""

    report: ReportView


# Over sockets


@command("chat:mute", Mute)
async def mute(cmd: Mute, ctx: Context) -> MutedEvent:
    """Let a player not speak for a while; the newest decision counts.

    Raises:
        Forbidden: the caller is no moderator, or may not act on this player.
        NotFound: there is no such player.
    """
    ctx.only_moderators()
    entry = await _impose_mute(cmd.player_id, cmd.seconds, cmd.reason, ctx)
    until = entry["details"]["until"]
    return MutedEvent(player_id=cmd.player_id, muted_until=until, reason=cmd.reason)


@command("chat:unmute", Mute)
async def unmute(cmd: Mute, ctx: Context) -> MutedEvent:
    """Let a player speak again, his mute ladder at its beginning.

    Raises:
        Forbidden: the caller is no moderator, or may not act on this player.
        NotFound: there is no such player.
    """
    ctx.only_moderators()
    await _lift_mute(cmd.player_id, cmd.reason, ctx)
    return MutedEvent(player_id=cmd.player_id, muted_until=None, reason=cmd.reason)


# Over REST


@route("POST", "/moderation/players/{player_id}/mute", MutePlayer, roles=MODERATORS)
async def mute_player(cmd: MutePlayer, ctx: Context) -> ActionReply:
    """Let an account's players not speak for a while; the newest decision counts.

    Raises:
        Forbidden: the caller may not act on this player.
        NotFound: there is no such player.
        StaleVersion: others were faster every time.
    """
    return ActionReply(entry=await _impose_mute(cmd.player_id, cmd.seconds, cmd.reason, ctx))


@route("POST", "/moderation/players/{player_id}/unmute", Lift, roles=MODERATORS)
async def unmute_player(cmd: Lift, ctx: Context) -> ActionReply:
    """Let an account's players speak again, their mute ladders at their beginning.

    Raises:
        Forbidden: as for `mute_player`.
        NotFound: as for `mute_player`.
        StaleVersion: as for `mute_player`.
    """
    return ActionReply(entry=await _lift_mute(cmd.player_id, cmd.reason, ctx))


@route("POST", "/moderation/players/{player_id}/ban", BanPlayer, roles=MODERATORS)
async def ban_player(cmd: BanPlayer, ctx: Context) -> ActionReply:
    """Ban a player's account: its sign-ins end, its sockets close, everywhere.

    A ban that is in force is replaced. A duel that the player fights is left to the clock of
    his absence.

    Raises:
        Forbidden: as for `mute_player`.
        NotFound: as for `mute_player`.
        StaleVersion: as for `mute_player`.
    """
    actions = ctx.world.moderation.actions
    entry = await actions.impose(
        ctx.caller.account_id, "ban", cmd.player_id, cmd.seconds, cmd.reason
    )
    return await _followed(entry, ctx)


@route("POST", "/moderation/players/{player_id}/unban", Lift, roles=MODERATORS)
async def unban_player(cmd: Lift, ctx: Context) -> ActionReply:
    """Let a banned account sign in again, from now on.

    Raises:
        Forbidden: as for `mute_player`.
        NotFound: as for `mute_player`.
        Conflict: the account is not banned.
        StaleVersion: as for `mute_player`.
    """
    actions = ctx.world.moderation.actions
    entry = await actions.lift(ctx.caller.account_id, "ban", cmd.player_id, cmd.reason)
    return await _followed(entry, ctx)


@route("POST", "/moderation/reports/{report_id}/resolve", ResolveReport, roles=MODERATORS)
async def resolve_report(cmd: ResolveReport, ctx: Context) -> ResolvedReport:
    """Close a report, and mute or ban its author if that is the action.

    Raises:
        Forbidden: the caller may not act on the author.
        NotFound: there is no such report, or no such player any more.
        Conflict: it was closed; of several at once, one closes it.
        StaleVersion: as for `mute_player`.
    """
    seconds = cmd.seconds
    if cmd.action == "mute":
        seconds = min(seconds or MUTE_SECONDS, MUTE_SECONDS_MAX)
    try:
        report, entries = await ctx.world.moderation.actions.resolve(
            ctx.caller.account_id, cmd.report_id, cmd.action, cmd.note, seconds
        )
    except Conflict:  # whoever closed it may have died before its reporter was told
        await _thank(await ctx.world.moderation.reports.get(cmd.report_id), ctx.world)
        raise
    for entry in entries:
        await _followed(entry, ctx)
    await _thank(reports.view(report), ctx.world)
    return ResolvedReport(report=reports.view(report))


@route("PUT", "/accounts/{account_id}/role", ChangeRole, roles=ADMINS)
async def change_role(cmd: ChangeRole, ctx: Context) -> ActionReply:
    """Give an account another role; it signs in again, so that no token says the former.

    Raises:
        Forbidden: it is the caller's own account.
        NotFound: there is no such account.
        Conflict: it is a guest's, or the administrator's of the settings.
        StaleVersion: as for `mute_player`.
    """
    settled = ctx.world.settings.admin.username
    entry = await ctx.world.moderation.actions.appoint(
        ctx.caller.account_id, cmd.account_id, cmd.role, cmd.reason, settled
    )
    return await _followed(entry, ctx)


# What all nodes do


async def lay_mute(ctx: Context) -> dict[str, Any]:
    """A muted account signed in: its mute counts for whichever player it plays as.

    He may be new, or Redis may have lost its data. What a moderator decides meanwhile is
    seen by the second look, or is laid over this by himself.
    """
    until = ctx.caller.muted_until
    if until > ctx.now():
        await ctx.world.chat.mute(ctx.player_id, until)
        account = await ctx.world.accounts.account(ctx.caller.account_id)
        if account.muted_until != until:
            await _set_voice(ctx.player_id, account.muted_until, ctx.world)
    return {}


@periodic("moderation left undone", lambda _: LEFT_SECONDS)
async def carry_out_the_left(world: World) -> None:
    """Do what a node that died did not come to."""
    for due in await world.moderation.enforcement.left():
        await _carry_out(due, world)


@periodic("mutes and bans over", lambda _: OVER_SECONDS)
async def end_those_over(world: World) -> int:
    """Take what is over out of the lists of what is in force."""
    return await world.moderation.enforcement.end_those_over()


@periodic("open reports", lambda _: COUNT_SECONDS)
async def count_reports(world: World) -> None:
    """Tell how many reports wait."""
    await world.moderation.reports.count_open()


# Inside


async def _impose_mute(player_id: str, seconds: int, reason: str, ctx: Context) -> LogEntry:
    actions = ctx.world.moderation.actions
    entry = await actions.impose(ctx.caller.account_id, "mute", player_id, seconds, reason)
    return (await _followed(entry, ctx))["entry"]


async def _lift_mute(player_id: str, reason: str, ctx: Context) -> LogEntry:
    actions = ctx.world.moderation.actions
    entry = await actions.lift(ctx.caller.account_id, "mute", player_id, reason)
    return (await _followed(entry, ctx))["entry"]


async def _followed(entry: LogEntry, ctx: Context) -> ActionReply:
    # It is done: what cannot be carried out now, `carry_out_the_left` will within seconds.
    with suppress(DependencyUnavailable):
        due = await ctx.world.moderation.enforcement.due(entry["whom"]["account_id"])
        if due:
            await _carry_out(due, ctx.world)
    if event := moderated(entry):
        await happened(ctx.world, event)
    return ActionReply(entry=entry)


async def _thank(report: ReportView, world: World) -> None:
    """Let the reporter know that a report is closed, but not what came of it for another."""
    if resolution := report["resolution"]:
        who = report["reporter"]["id"]
        await notify(world, who, news("report_resolved", who, report["id"], resolution["at"]))


async def _carry_out(due: Due, world: World) -> None:
    if due.sign_out:
        code = Disconnect.BANNED if due.banned else Disconnect.TOKEN_REVOKED
        families = await world.accounts.revoke_all(due.account_id)
        await world.tokens.revoke(*families, code=code)
        await world.publisher.close(rooms.account(due.account_id), code)
    if due.voice:
        for one in await world.accounts.characters(due.account_id):
            until = await _set_voice(one.id, due.muted_until, world)
            event = MutedEvent(player_id=one.id, muted_until=until, reason=due.reason)
            await world.publisher.emit("chat:muted", event, rooms.player(one.id))
    await world.moderation.enforcement.done(due)


async def _set_voice(player_id: str, muted_until: int, world: World) -> int | None:
    """Let a player be mute until then, in ms, or speak; returns until when he is."""
    if muted_until > world.now():
        await world.chat.mute(player_id, muted_until)
        return muted_until
    await world.chat.unmute(player_id)
    return None
