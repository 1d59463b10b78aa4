"""Contacts: how an account is reached when nobody plays, and of what it wants to hear so.

| collection | document | indexes |
| --- | --- | --- |
| `contacts` | `{_id: account, email?, proof?, verified, devices, on, off, mailed}` | none |

`proof` is in the link that verifies the address: a new address has a new one. `on` and `off`
hold `<kind>/<channel>`. `mailed` counts the e-mails of a day.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

from game.notifications import Channel, reaches
from state.documents import Document, DocumentStore, Transaction

PROOF_BYTES = 12
DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class Device:
    """A browser's push subscription (RFC 8291): where to, its public key and its secret."""

    endpoint: str
    p256dh: str
    auth: str


@dataclass(frozen=True, slots=True)
class Contact:
    """What is known of an account; nothing of most."""

    email: str | None = None
    proof: str = ""
    verified: bool = False
    devices: tuple[Device, ...] = ()
    on: tuple[str, ...] = ()
    off: tuple[str, ...] = ()
    day: int = 0
    mailed: int = 0

    def wants(self, kind: str, channel: Channel) -> bool:
        """Whether the account is to be told of a kind in this way."""
        there = self.verified if channel == "email" else bool(self.devices)
        return there and reaches(kind, channel, self.on, self.off)

    def choose(self, kind: str, channel: Channel, *, on: bool) -> Contact:
        """The contact with one choice made."""
        choice = f"{kind}/{channel}"
        was_on = tuple(one for one in self.on if one != choice)
        was_off = tuple(one for one in self.off if one != choice)
        return replace(
            self,
            on=(*was_on, choice) if on else was_on,
            off=was_off if on else (*was_off, choice),
        )


class Contacts:
    """All accounts'.

    All methods raise DependencyUnavailable when MongoDB does not answer.
    """

    def __init__(self, documents: DocumentStore, now: Callable[[], int]) -> None:
        self._documents = documents
        self._now = now

    async def get(self, account_id: str) -> Contact:
        """An account's, empty if it gave none."""
        found = await self._documents.call("contacts", "find_one", {"_id": account_id})
        return _contact(found)

    async def change(self, account_id: str, rule: Callable[[Contact], Contact]) -> Contact:
        """Make of an account's what a rule, which may run several times, makes of it."""

        async def work(tx: Transaction) -> Contact:
            found = await tx.call("contacts", "find_one", {"_id": account_id})
            before = _contact(found)
            after = rule(before)
            if after == before:
                return after
            document = {**asdict(after), "_id": account_id}
            if found is None:
                await tx.call("contacts", "insert_one", document)
            else:
                which = {"_id": account_id}
                await tx.call("contacts", "replace_one", which, document, hint="_id_")
            return after

        return await self._documents.transaction(work)

    async def set_email(self, account_id: str, email: str | None) -> Contact:
        """Another address, to be verified; the same one again keeps what it has."""
        proof = secrets.token_hex(PROOF_BYTES)

        def rule(one: Contact) -> Contact:
            if one.email == email:
                return one
            return replace(one, email=email, proof=proof if email else "", verified=False)

        return await self.change(account_id, rule)

    async def verify(self, account_id: str, proof: str) -> bool:
        """Believe an address, if the proof is the present one's."""

        def rule(one: Contact) -> Contact:
            return replace(one, verified=True) if proof and one.proof == proof else one

        after = await self.change(account_id, rule)
        return after.verified and after.proof == proof

    async def delete(self, account_id: str) -> None:
        """Forget it."""
        await self._documents.call("contacts", "delete_one", {"_id": account_id})

    async def count_email(self, account_id: str, most: int) -> bool:
        """Count one more e-mail of today; False if there were so many already."""
        day, counted = self._now() // DAY_MS, False

        def rule(one: Contact) -> Contact:
            nonlocal counted
            before = one.mailed if one.day == day else 0
            counted = before < most
            return replace(one, day=day, mailed=before + 1) if counted else one

        await self.change(account_id, rule)
        return counted


def _contact(found: Document | None) -> Contact:
    if found is None:
        return Contact()
    fields: dict[str, Any] = {key: value for key, value in found.items() if key != "_id"}
    fields["devices"] = tuple(Device(**one) for one in fields["devices"])
    return Contact(**{**fields, "on": tuple(fields["on"]), "off": tuple(fields["off"])})
