"""What the owner of an account changes of it: a character's name, the password, a guest's name.

`characters` gets `renamed_at` (ms) and `former: [{name, until}]`, the newest last, for
moderators. Guests that register get what registered accounts have (accounts.py).
"""

from __future__ import annotations

from collections.abc import Callable

from pymongo.errors import DuplicateKeyError

from config.settings import Settings
from game.errors import Conflict, NotFound, RateLimited, Unauthenticated
from state.accounts import Account, Accounts, Character, account_of, character_of
from state.copies import of_account
from state.documents import Document, DocumentStore, Transaction

FORMER = 50  # names that are kept; at one a day nobody needs more to be recognised


class Profiles:
    """Changes of accounts and characters.

    All methods raise DependencyUnavailable when MongoDB does not answer.
    """

    def __init__(
        self,
        documents: DocumentStore,
        accounts: Accounts,
        settings: Settings,
        now: Callable[[], int],
    ) -> None:
        self._documents = documents
        self._passwords = accounts.passwords
        self._pause_ms = settings.auth.rename_seconds * 1000
        self._now = now

    async def rename(self, account_id: str, character_id: str, name: str) -> Character:
        """Give a character another name; the same again changes nothing.

        Raises:
            NotFound: it is not the account's.
            RateLimited: it was renamed a short while ago.
        """

        async def work(tx: Transaction) -> Character:
            found = await tx.call("characters", "find_one", {"_id": character_id})
            if found is None or found["account_id"] != account_id:
                raise NotFound("There is no such character of yours.")
            if found["name"] == name:
                return character_of(found)
            changed = self._renamed(found, name)
            await tx.spoil(of_account(account_id))
            await _update(tx, "characters", character_id, changed)
            return character_of({**found, **changed})

        return await self._documents.transaction(work)

    def _renamed(self, found: Document, name: str) -> Document:
        now = self._now()
        wait_ms = found.get("renamed_at", 0) + self._pause_ms - now
        if wait_ms > 0:
            raise RateLimited("A name stays for a while.", retry_after=wait_ms / 1000)
        former = [*found.get("former", []), {"name": found["name"], "until": now}]
        fields = {"name": name, "name_lower": name.lower(), "renamed_at": now}
        return {**fields, "former": former[-FORMER:]}

    async def register(self, account_id: str, username: str, password: str) -> Account:
        """Make a guest's account one with a user name and a password.

        Raises:
            Conflict: it is no guest's, or the name is taken.
        """
        fields = {
            "username": username,
            "username_lower": username.lower(),
            "password": await self._passwords.hash(password),
        }

        async def work(tx: Transaction) -> Account:
            found = await self._account(tx, account_id)
            if "username" in found:
                raise Conflict("The account has a user name.")
            taken = {"username_lower": username.lower()}
            if await tx.call("accounts", "find_one", taken):
                raise Conflict("The user name is taken.")
            await tx.spoil(of_account(account_id))
            await _update(tx, "accounts", account_id, fields)
            return account_of({**found, **fields})

        try:
            return await self._documents.transaction(work)
        except DuplicateKeyError:  # of a commit: somebody was faster
            raise Conflict("The user name is taken.") from None

    async def set_password(self, account_id: str, password: str, keep: str) -> list[str]:
        """Another password; all sign-ins but one end, and are returned."""
        fields = {"password": await self._passwords.hash(password)}

        async def work(tx: Transaction) -> list[str]:
            await self._account(tx, account_id)
            await _update(tx, "accounts", account_id, fields)
            found = [one async for one in tx.each("families", {"account_id": account_id})]
            ended = [one["_id"] for one in found if not one["revoked"] and one["_id"] != keep]
            for family in ended:
                await _update(tx, "families", family, {"revoked": True})
            return ended

        return await self._documents.transaction(work)

    async def _account(self, tx: Transaction, account_id: str) -> Document:
        found: Document | None = await tx.call("accounts", "find_one", {"_id": account_id})
        if found is None:  # deleted just now
            raise Unauthenticated
        return found


async def _update(tx: Transaction, collection: str, which: str, fields: Document) -> None:
    await tx.call(collection, "update_one", {"_id": which}, {"$set": fields}, hint="_id_")
