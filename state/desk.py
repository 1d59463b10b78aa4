"""What moderators do: each action one transaction, its entry in the log included.

| collection | document | indexes |
| --- | --- | --- |
| `sanctions` | `{_id, kind, active, whom, player_id, by, reason, at, until, ended}` | a |
| `moderation_log` | `{_id, action, by, whom, player_id, reason, at, details}` | b |

a: `active, _id`: those in force; `active, until`: those whose time is over;
`whom.account_id, _id`. b: `action, _id`, `by.account_id, _id` and `whom.account_id, _id`.

A mute or a ban is what the account says (`muted_until`, `banned_until`), by the time of the
day: nothing has to run for it to end. `active` is its kind until it is ended, or found to
be over, then empty; `mute_id` and `ban_id` of the account name the newest. The log is only
ever added to. `enforce` of the account is the outbox: what is to be done outside of MongoDB
(sockets, tokens, the mute in Redis) and was not yet.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from game import moderation as rules
from game.chat import ChatMessage
from game.errors import Conflict, NotFound
from game.moderation import Action, Ended, Ending, Kind, LogEntry, Person, Resolved, Role
from state.copies import of_account
from state.documents import Document, DocumentStore, Transaction
from state.ids import new_timed_id

T = TypeVar("T")

UNTIL: dict[Kind, str] = {"ban": "banned_until", "mute": "muted_until"}


@dataclass(frozen=True, slots=True)
class Target:
    """Whose account is acted on, and the player of it that was pointed at."""

    account: Document
    person: Person
    player_id: str | None

    @property
    def who(self) -> tuple[str, str]:
        """Id and role."""
        return self.account["_id"], self.account["role"]


class Desk:
    """One action of a moderator, within one transaction."""

    def __init__(self, tx: Transaction, actor: Document, at: int) -> None:
        self._tx = tx
        self.at = at
        self._entries = 0
        self._who = actor["_id"], actor["role"]
        self.by = Person(account_id=actor["_id"], name=actor.get("username") or actor["_id"])

    async def player(self, player_id: str) -> Target:
        """Whom to act on, by one of his players.

        Raises:
            NotFound: there is no such player.
            Forbidden: the actor may not.
        """
        target = await self.author(player_id)
        rules.check_may_act(self._who, target.who)
        return target

    async def author(self, player_id: str) -> Target:
        """Whose player this is, whether the actor may act on him or not.

        Raises:
            NotFound: there is no such player.
        """
        player = await self._one("characters", player_id)
        account = await self._one("accounts", player["account_id"])
        return Target(account, Person(account_id=account["_id"], name=player["name"]), player_id)

    async def account(self, account_id: str) -> Target:
        """Whom to give a role.

        Raises:
            NotFound: there is no such account.
            Forbidden: the actor may not.
        """
        account = await self._one("accounts", account_id)
        name = account.get("username") or account_id
        target = Target(account, Person(account_id=account_id, name=name), None)
        rules.check_may_appoint(self._who, target.who)
        return target

    async def report(self, report_id: str) -> Document:
        """A report as it is now.

        Raises:
            NotFound: there is none.
        """
        return await self._one("reports", report_id)

    async def impose(self, kind: Kind, target: Target, until: int, reason: str) -> None:
        """Mute or ban an account; the newest decision counts."""
        await self._end(kind, target, "replaced", reason)
        sanction = {
            "_id": new_timed_id(self.at),
            "kind": kind,
            "active": kind,
            "whom": target.person,
            "player_id": target.player_id,
            "by": self.by,
            "reason": reason,
            "at": self.at,
            "until": until,
            "ended": None,
        }
        await self._tx.call("sanctions", "insert_one", sanction)
        fields = {UNTIL[kind]: until, f"{kind}_id": sanction["_id"]}
        effect = "sign_out" if kind == "ban" else "voice"
        await self._change(target, {**fields, **self._enforce(target, effect, reason)})

    async def lift(self, kind: Kind, target: Target, reason: str) -> None:
        """End what is in force now, if anything is."""
        await self._end(kind, target, "lifted", reason)
        voice = self._enforce(target, "voice", reason) if kind == "mute" else {}
        await self._change(target, {UNTIL[kind]: 0, **voice})

    async def appoint(self, target: Target, role: Role, reason: str) -> None:
        """Give an account a role; its sign-ins end, so that no token says another."""
        await self._change(target, {"role": role, **self._enforce(target, "sign_out", reason)})

    async def resolve(self, report: Document, resolution: Resolved) -> Document:
        """Close a report."""
        fields = {"status": "resolved", "resolution": resolution}
        await self._set("reports", report["_id"], fields)
        return {**report, **fields}

    async def log(self, action: Action, target: Target, reason: str, **details: Any) -> LogEntry:
        """Write down who did what to whom, and why."""
        entry = {
            "action": action,
            "by": self.by,
            "whom": target.person,
            "player_id": target.player_id,
            "reason": reason,
            "at": self.at,
            "details": details,
        }
        entry_id = new_timed_id(self.at, self._entries)
        self._entries += 1
        await self._tx.call("moderation_log", "insert_one", {"_id": entry_id, **entry})
        return cast("LogEntry", {"id": entry_id, **entry})

    # Inside

    def _enforce(self, target: Target, effect: str, reason: str) -> Document:
        # Added to what an earlier action left undone.
        left: Document = target.account.get("enforce") or {}
        return {"enforce": {**left, "at": self.at, "reason": reason, effect: True}}

    async def _end(self, kind: Kind, target: Target, how: Ending, reason: str) -> None:
        sanction_id = target.account.get(f"{kind}_id")
        if sanction_id is None or target.account.get(UNTIL[kind], 0) <= self.at:
            return
        ended = Ended(how=how, at=self.at, by=self.by, reason=reason)
        await self._set("sanctions", sanction_id, {"active": "", "ended": ended})

    async def _change(self, target: Target, fields: Document) -> None:
        await self._tx.spoil(of_account(target.account["_id"]))
        await self._set("accounts", target.account["_id"], fields)
        target.account.update(fields)

    async def _set(self, collection: str, one: str, fields: Document) -> None:
        await self._tx.call(collection, "update_one", {"_id": one}, {"$set": fields}, hint="_id_")

    async def _one(self, collection: str, one: str) -> Document:
        found: Document | None = await self._tx.call(collection, "find_one", {"_id": one})
        if found is None:
            raise NotFound
        return found


class Actions:
    """What moderators can do.

    All methods raise NotFound when there is no such player or report, Forbidden when the
    actor may not, and DependencyUnavailable when MongoDB does not answer; then it may have
    been done.
    """

    def __init__(self, documents: DocumentStore, now: Callable[[], int]) -> None:
        self._documents = documents
        self._now = now

    async def _act(self, by: str, work: Callable[[Desk], Awaitable[T]]) -> T:
        """Do something in the name of an account, by the role that it has at that moment."""

        async def attempt(tx: Transaction) -> T:
            actor = await tx.call("accounts", "find_one", {"_id": by})
            if actor is None:
                raise NotFound
            return await work(Desk(tx, actor, self._now()))

        return await self._documents.transaction(attempt)

    async def impose(
        self, by: str, kind: Kind, player_id: str, seconds: int | None, reason: str
    ) -> LogEntry:
        """Mute or ban an account, for a time or for good."""

        async def work(desk: Desk) -> LogEntry:
            target = await desk.player(player_id)
            return await _impose(desk, kind, target, seconds, reason)

        return await self._act(by, work)

    async def lift(self, by: str, kind: Kind, player_id: str, reason: str) -> LogEntry:
        """End a mute or a ban.

        Raises:
            Conflict: the account is not banned. (A mute may be one of the ladder's, which
                only Redis knows.)
        """

        async def work(desk: Desk) -> LogEntry:
            target = await desk.player(player_id)
            if kind == "ban" and target.account.get("banned_until", 0) <= desk.at:
                raise Conflict("The account is not banned.")
            await desk.lift(kind, target, reason)
            return await desk.log("unban" if kind == "ban" else "unmute", target, reason)

        return await self._act(by, work)

    async def resolve(
        self,
        by: str,
        report_id: str,
        action: rules.Resolution,
        note: str,
        seconds: int | None,
    ) -> tuple[Document, list[LogEntry]]:
        """Close a report, and mute or ban its author if that is the action.

        Returns:
            The report, and what was done, in that order.

        Raises:
            Conflict: it was closed.
        """

        async def work(desk: Desk) -> tuple[Document, list[LogEntry]]:
            entries: list[LogEntry] = []
            report = await desk.report(report_id)
            rules.check_open(report["status"])
            author = report["message"]["from"]["id"]
            if action == "mute" or action == "ban":  # noqa: PLR1714 - mypy narrows by it
                target = await desk.player(author)
                entries.append(await _impose(desk, action, target, seconds, note))
            else:
                target = await desk.author(author)
            resolved = Resolved(action=action, note=note, by=desk.by, at=desk.at)
            details = {"report_id": report_id, "resolution": action}
            entries.append(await desk.log("resolve_report", target, note, **details))
            return await desk.resolve(report, resolved), entries

        return await self._act(by, work)

    async def appoint(
        self, by: str, account_id: str, role: Role, reason: str, settled: str | None
    ) -> LogEntry:
        """Give an account a role.

        Args:
            settled: the user name of the administrator of the settings, who stays one.

        Raises:
            Conflict: he is that one, or the account is a guest's, which nobody can sign in
                to again.
        """

        async def work(desk: Desk) -> LogEntry:
            target = await desk.account(account_id)
            username = target.account.get("username_lower")
            if username is None:
                raise Conflict("A guest's account has no role but player's.")
            if settled is not None and username == settled.lower():
                raise Conflict("The administrator of the settings stays one.")
            former = target.account["role"]
            await desk.appoint(target, role, reason)
            return await desk.log("set_role", target, reason, role=role, former_role=former)

        return await self._act(by, work)

    async def note(self, by: str, action: Action, message: ChatMessage) -> None:
        """Write down what is about to be done to somebody else's message."""

        async def work(desk: Desk) -> None:
            target = await desk.author(message["from"]["id"])
            if target.person["account_id"] != by:
                await desk.log(action, target, "", message_id=message["id"])

        await self._act(by, work)


async def _impose(
    desk: Desk, kind: Kind, target: Target, seconds: int | None, reason: str
) -> LogEntry:
    until = rules.end_of(seconds, desk.at)
    await desk.impose(kind, target, until, reason)
    return await desk.log(kind, target, reason, until=rules.shown_end(until))
