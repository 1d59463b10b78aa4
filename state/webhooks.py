"""Webhooks: who wants to be told of which events, and how his endpoint does.

| collection | document | indexes |
| --- | --- | --- |
| `webhooks` | `{_id, url, events, description, secrets, active, reason, …}` | none |

It is told of what happens from its creation on; other nodes know of it a second later.
`failures` counts those in a row, `failing_since` is when they began, `rests_until` when the
endpoint is tried again.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from config.outbound import Webhooks as Settings
from game import webhooks as rules
from game.errors import Conflict, NotFound
from game.webhooks import Secret
from state.documents import Document, DocumentStore, Transaction
from state.ids import new_id

SECRET_BYTES = 32
FRESH_MS = 1_000  # how long a node goes by the endpoints that it has read
EVERYTHING = "*"


@dataclass(frozen=True, slots=True)
class Webhook:
    """One endpoint. Times are in milliseconds; `reason` says why it is not active."""

    id: str
    url: str
    events: tuple[str, ...]
    description: str
    secrets: tuple[Secret, ...]
    created_at: int
    active: bool = True
    reason: str = ""
    failures: int = 0
    failing_since: int | None = None
    rests_until: int = 0

    def wants(self, type: str, at: int) -> bool:
        """Whether it is to be told of an event of that type, which happened then."""
        return (
            self.active and at >= self.created_at and not {type, EVERYTHING}.isdisjoint(self.events)
        )


class Webhooks:
    """The endpoints.

    All methods raise DependencyUnavailable when MongoDB does not answer.
    """

    def __init__(
        self, documents: DocumentStore, settings: Settings, now: Callable[[], int]
    ) -> None:
        self._documents = documents
        self._settings = settings
        self._now = now
        self._known: list[Webhook] = []
        self._read_at = 0

    async def wanting(self, type: str, at: int) -> list[Webhook]:
        """Who is to be told of an event, as far as this node has read a moment ago."""
        if abs(self._now() - self._read_at) > FRESH_MS:
            self._read_at = self._now()
            self._known = await self.all()
        return [one for one in self._known if one.wants(type, at)]

    async def all(self) -> list[Webhook]:
        """All, the oldest first."""
        found = await self._documents.find(
            "webhooks", {}, sort=[("created_at", 1), ("_id", 1)], limit=self._settings.endpoints
        )
        return [_webhook(document) for document in found]

    async def get(self, webhook_id: str) -> Webhook:
        """One of them.

        Raises:
            NotFound: there is none.
        """
        found = await self._documents.call("webhooks", "find_one", {"_id": webhook_id})
        return _found(found)

    async def create(self, url: str, events: Sequence[str], description: str) -> Webhook:
        """A new one, with a secret of its own.

        Raises:
            Conflict: there are as many as there may be.
        """
        if len(await self.all()) >= self._settings.endpoints:
            raise Conflict(f"There are at most {self._settings.endpoints} webhooks.")
        at = self._now()
        made = Webhook(new_id(), url, tuple(events), description, (_fresh(),), at)
        await self._documents.call("webhooks", "insert_one", _document(made))
        self._read_at = 0
        return made

    async def change(self, webhook_id: str, rule: Callable[[Webhook], Webhook]) -> Webhook:
        """Make of one what a rule, which may run several times, makes of it.

        Raises:
            NotFound: there is none.
        """

        async def work(tx: Transaction) -> Webhook:
            before = _found(await tx.call("webhooks", "find_one", {"_id": webhook_id}))
            after = rule(before)
            if after != before:
                which = {"_id": webhook_id}
                await tx.call("webhooks", "replace_one", which, _document(after), hint="_id_")
            return after

        self._read_at = 0
        return await self._documents.transaction(work)

    async def rotate(self, webhook_id: str) -> Webhook:
        """Give it a new secret; the old one signs on for ROTATION_SECONDS.

        Raises:
            NotFound: there is none.
        """
        fresh, until = _fresh(), self._now() + self._settings.rotation_seconds * 1000

        def rule(one: Webhook) -> Webhook:
            return replace(one, secrets=rules.rotate(one.secrets, fresh, until))

        return await self.change(webhook_id, rule)

    async def delete(self, webhook_id: str) -> None:
        """Forget one.

        Raises:
            NotFound: there is none.
        """
        done = await self._documents.call("webhooks", "delete_one", {"_id": webhook_id})
        self._read_at = 0
        if not done.deleted_count:
            raise NotFound("There is no such webhook.")

    # How it does

    async def answered(self, webhook: Webhook) -> None:
        """It took a delivery: all is well."""
        if webhook.failures or webhook.failing_since is not None:
            await self.change(webhook.id, _well)

    async def failed(self, webhook_id: str) -> Webhook:
        """It did not; after too many times in a row it rests.

        Raises:
            NotFound: there is none any more.
        """
        knobs, at = self._settings, self._now()

        def rule(one: Webhook) -> Webhook:
            failures = one.failures + 1
            longest = knobs.breaker_longest_seconds
            rest = rules.rest(failures, knobs.breaker_failures, knobs.breaker_seconds, longest)
            since = at if one.failing_since is None else one.failing_since
            until = at + int(rest * 1000)
            return replace(one, failures=failures, failing_since=since, rests_until=until)

        return await self.change(webhook_id, rule)

    async def may_try(self, webhook: Webhook) -> int:
        """0 if it may be sent to now, else when, in ms; of those who wait for the end of a rest
        one may try, and the others wait for what comes of it.
        """
        at = self._now()
        if webhook.failures < self._settings.breaker_failures:
            return 0
        taken = False

        def rule(one: Webhook) -> Webhook:
            nonlocal taken
            taken = one.rests_until <= at
            probe = at + int(self._settings.timeout_seconds * 2000)
            return replace(one, rests_until=probe) if taken else one

        after = await self.change(webhook.id, rule)
        return 0 if taken else after.rests_until

    async def disable(self, webhook_id: str, reason: str) -> bool:
        """Send it nothing more; whether it was this call that did it."""
        ended = False

        def rule(one: Webhook) -> Webhook:
            nonlocal ended
            ended = one.active
            return replace(one, active=False, reason=reason) if one.active else one

        await self.change(webhook_id, rule)
        return ended


def _well(one: Webhook) -> Webhook:
    return replace(one, failures=0, failing_since=None, rests_until=0)


def enabled(one: Webhook) -> Webhook:
    """As if it had never failed."""
    return replace(_well(one), active=True, reason="")


def _fresh() -> Secret:
    return rules.secret(secrets.token_bytes(SECRET_BYTES))


def _document(one: Webhook) -> Document:
    fields = asdict(one)
    return {"_id": fields.pop("id"), **fields}


def _found(document: Document | None) -> Webhook:
    if document is None:
        raise NotFound("There is no such webhook.")
    return _webhook(document)


def _webhook(document: Document) -> Webhook:
    fields: dict[str, Any] = {**document, "id": document["_id"]}
    del fields["_id"]
    fields["events"] = tuple(fields["events"])
    fields["secrets"] = tuple(Secret(**one) for one in fields["secrets"])
    return Webhook(**fields)
