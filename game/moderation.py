"""Who may act on whom, for how long, and what is written down of it."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

# Before Python 3.12 pydantic, which writes the documents from these types, does not take
# the one of `typing`.
from typing_extensions import TypedDict

from game.chat import Author, ChatMessage
from game.errors import Conflict, Forbidden

Role: TypeAlias = Literal["player", "operator", "moderator", "admin"]
Kind: TypeAlias = Literal["ban", "mute"]
Action: TypeAlias = Literal[
    "mute", "unmute", "ban", "unban", "resolve_report", "delete_message", "edit_message", "set_role"
]
Resolution: TypeAlias = Literal["dismiss", "mute", "ban", "other"]
ReportStatus: TypeAlias = Literal["open", "resolved"]
Ending: TypeAlias = Literal["lifted", "replaced", "expired"]

FOREVER = 253_402_300_799_000  # ms: the last second of the year 9999
MUTE_SECONDS = 300  # a moderator who names no time wants a break, no punishment
MUTE_SECONDS_MAX = 30 * 86_400  # longer is a ban
BAN_SECONDS_MAX = 10 * 365 * 86_400  # longer is for good
REASON_CHARS = 500


class Person(TypedDict):
    """An account, and a name of it that people know."""

    account_id: str
    name: str


class Ended(TypedDict):
    """How a mute or a ban came to an end; nobody (null) ends one whose time is over."""

    how: Ending
    at: int
    by: Person | None
    reason: str


class SanctionView(TypedDict):
    """A mute or a ban: of an account, aimed at one of its players.

    Times in ms; `until` is null for good, `ended` while it was not brought to an end.
    """

    id: str
    kind: Kind
    whom: Person
    player_id: str
    by: Person
    reason: str
    at: int
    until: int | None
    in_force: bool
    ended: Ended | None


class Resolved(TypedDict):
    """What came of a report."""

    action: Resolution
    note: str
    by: Person
    at: int


class ReportView(TypedDict):
    """A report; `message` is as it was when it was reported. `resolution` is null while open."""

    id: str
    status: ReportStatus
    message: ChatMessage
    reporter: Author
    reason: str
    reported_at: int
    resolution: Resolved | None


class LogEntry(TypedDict):
    """One action of a moderator or an administrator.

    `details` has what is particular to the action: `until` (ms, null for good), `report_id`,
    `resolution`, `message_id`, `role` and `former_role`.
    """

    id: str
    action: Action
    by: Person
    whom: Person
    player_id: str | None
    reason: str
    at: int
    details: dict[str, Any]


def check_may_act(by: tuple[str, str], whom: tuple[str, str]) -> None:
    """Let a moderator act on players, an administrator on everybody who is none.

    Nobody acts on himself. An administrator loses his role first, then he is one of the
    others.

    Args:
        by: id and role of the account that acts.
        whom: id and role of the account that is acted on.

    Raises:
        Forbidden: the role is not enough, or it is the same account.
    """
    (actor, role), (target, standing) = by, whom
    allowed = {"moderator": standing == "player", "admin": standing != "admin"}
    if actor == target or not allowed.get(role, False):
        raise Forbidden("You may not act on this account.")


def check_may_appoint(by: tuple[str, str], whom: tuple[str, str]) -> None:
    """Let an administrator change the role of anybody but himself.

    Raises:
        Forbidden: he is none, or it is his own account.
    """
    if by[1] != "admin" or by[0] == whom[0]:
        raise Forbidden("You may not give this account a role.")


def end_of(seconds: int | None, at: int) -> int:
    """Until when (ms) something lasts that begins `at`; without seconds, for good."""
    return FOREVER if seconds is None else at + seconds * 1000


def shown_end(until: int) -> int | None:
    """An end as clients see it: null for good."""
    return None if until >= FOREVER else until


def check_open(status: ReportStatus) -> None:
    """Let a report be resolved once.

    Raises:
        Conflict: it was.
    """
    if status != "open":
        raise Conflict("The report is resolved already.")
