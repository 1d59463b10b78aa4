"""What moderators read: reports, players and their records, what is in force, and the log."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints
from typing_extensions import TypedDict

from game import names
from game.chat import ChatMessage, Kind, MessageId, Room
from game.errors import NotFound
from game.moderation import (
    Action,
    LogEntry,
    ReportStatus,
    ReportView,
    SanctionView,
    shown_end,
)
from game.moderation import Kind as SanctionKind
from handlers.base import ADMINS, MODERATORS, Context, World
from handlers.payloads import Id, Payload
from handlers.registry import route
from state.records import Player

PAGE = 50
FOUND = 50  # players; whoever needs more names them better
AROUND = 10  # messages before a reported one, and as many after it
RECENT = 50  # reports, mutes and bans in a player's record

Limit = Annotated[int, Field(ge=1, le=100)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=names.DISPLAY_CHARS)]


class ListReports(Payload):
    """Which reports: the oldest, or those after the cursor that a page ended with."""

    status: ReportStatus = "open"
    cursor: Id | None = None
    limit: Limit = PAGE


class OneReport(Payload):
    """Which report."""

    report_id: Id


class FindPlayers(Payload):
    """How a name or a user name begins, in whatever case."""

    name: Name


class OnePlayer(Payload):
    """Which player."""

    player_id: Id


class ListSanctions(Payload):
    """Mutes or bans: the newest, or those before the cursor of a page."""

    kind: SanctionKind
    cursor: Id | None = None
    limit: Limit = PAGE


class ReadLog(Payload):
    """Which actions: the newest, or those before the cursor of a page.

    `by` and `whom` are accounts.
    """

    action: Action | None = None
    by: Id | None = None
    whom: Id | None = None
    cursor: Id | None = None
    limit: Limit = PAGE


class ReportsReply(TypedDict):
    """Reports, the oldest first; `next_cursor` is null when there are no more."""

    reports: list[ReportView]
    next_cursor: str | None


class ReportInContext(TypedDict):
    """A report, its message as it is now, and what was said around it, the oldest first.

    `message_now` is null when it is not stored any more. Around a whisper nothing is shown:
    only what one of the two has reported is the moderators' to read.
    """

    report: ReportView
    message_now: ChatMessage | None
    said_before: list[ChatMessage]
    said_after: list[ChatMessage]


class KnownPlayer(TypedDict):
    """A player and his account; guests have no user name. Times in ms, the last name first.

    `banned_until` and `muted_until` are null for good, and 0 when the account is not.
    """

    id: str
    name: str
    former_names: list[str]
    account_id: str
    username: str | None
    role: str
    banned_until: int | None
    muted_until: int | None


class PlayersReply(TypedDict):
    """Players by name, at most 50."""

    found: list[KnownPlayer]


class PlayerRecord(TypedDict):
    """All players of one account, and the newest 50 reports, mutes and bans of it."""

    characters: list[KnownPlayer]
    reports: list[ReportView]
    sanctions: list[SanctionView]


class SanctionsReply(TypedDict):
    """In force now, the newest first; `next_cursor` is null when there are no more."""

    sanctions: list[SanctionView]
    next_cursor: str | None


class LogReply(TypedDict):
    """Actions, the newest first; `next_cursor` is null when there are no more."""

    entries: list[LogEntry]
    next_cursor: str | None


@route("GET", "/moderation/reports", ListReports, roles=MODERATORS)
async def list_reports(cmd: ListReports, ctx: Context) -> ReportsReply:
    """List reports, those that wait longest first."""
    found = await ctx.world.moderation.reports.page(cmd.status, cmd.cursor or "", cmd.limit + 1)
    page = found[: cmd.limit]
    return ReportsReply(reports=page, next_cursor=page[-1]["id"] if page != found else None)


@route("GET", "/moderation/reports/{report_id}", OneReport, roles=MODERATORS)
async def get_report(cmd: OneReport, ctx: Context) -> ReportInContext:
    """Show a report and what was said around its message.

    Raises:
        NotFound: there is no such report.
    """
    report = await ctx.world.moderation.reports.get(cmd.report_id)
    message_id = MessageId.parse(report["message"]["id"])
    before, after = await _around(message_id, ctx.world)
    now = await _now(message_id, ctx.world)
    return ReportInContext(report=report, message_now=now, said_before=before, said_after=after)


@route("GET", "/moderation/players", FindPlayers, roles=MODERATORS)
async def find_players(cmd: FindPlayers, ctx: Context) -> PlayersReply:
    """Find players whose name, or their account's user name, begins with a text."""
    found = await ctx.world.moderation.records.search(cmd.name, FOUND)
    return PlayersReply(found=[_known(one) for one in found])


@route("GET", "/moderation/players/{player_id}", OnePlayer, roles=MODERATORS)
async def get_record(cmd: OnePlayer, ctx: Context) -> PlayerRecord:
    """Show what is known of a player's account: names, reports, mutes and bans.

    Raises:
        NotFound: there is no such player.
    """
    moderation, most = ctx.world.moderation, ctx.world.settings.auth.characters_per_account
    players = await moderation.records.players(cmd.player_id, most)
    if not players:  # the account was deleted just now
        raise NotFound("There is no such player.")
    return PlayerRecord(
        characters=[_known(one) for one in players],
        reports=await moderation.reports.about([one.id for one in players], RECENT),
        sanctions=await moderation.records.sanctions(players[0].account_id, RECENT),
    )


@route("GET", "/moderation/sanctions", ListSanctions, roles=MODERATORS)
async def list_sanctions(cmd: ListSanctions, ctx: Context) -> SanctionsReply:
    """List the mutes or the bans that are in force; those of the mute ladder are not there."""
    records = ctx.world.moderation.records
    found = await records.in_force(cmd.kind, cmd.cursor, cmd.limit + 1)
    page = found[: cmd.limit]
    return SanctionsReply(sanctions=page, next_cursor=page[-1]["id"] if page != found else None)


@route("GET", "/moderation/log", ReadLog, roles=ADMINS)
async def read_log(cmd: ReadLog, ctx: Context) -> LogReply:
    """List what moderators and administrators did, to whom, when and why."""
    found = await ctx.world.moderation.records.log(
        cmd.cursor, cmd.limit + 1, action=cmd.action, by=cmd.by, whom=cmd.whom
    )
    page = found[: cmd.limit]
    return LogReply(entries=page, next_cursor=page[-1]["id"] if page != found else None)


async def _around(
    message_id: MessageId, world: World
) -> tuple[list[ChatMessage], list[ChatMessage]]:
    if Room.named(message_id.room).kind is Kind.WHISPER:
        return [], []
    before = await world.archive.history(message_id.room, message_id, AROUND)
    return before.messages, await world.archive.after(message_id, AROUND)


async def _now(message_id: MessageId, world: World) -> ChatMessage | None:
    try:
        return await world.archive.find(message_id)
    except NotFound:
        return None


def _known(player: Player) -> KnownPlayer:
    return KnownPlayer(
        id=player.id,
        name=player.name,
        former_names=player.former_names,
        account_id=player.account_id,
        username=player.username,
        role=player.role,
        banned_until=shown_end(player.banned_until),
        muted_until=shown_end(player.muted_until),
    )
