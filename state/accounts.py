"""Accounts, their characters, and their sign-ins, in MongoDB.

| collection | document | indexes |
| --- | --- | --- |
| `accounts` | `{_id, role, created_at, username?, …_lower?, password?, …}` | a |
| `characters` | `{_id, account_id, slot, name, name_lower, created_at}` | b |
| `families` | `{_id, account_id, current, revoked, created_at, expires_at}` | c |

a: `username_lower`, unique and sparse, since guests have none. b: `account_id` and `slot`,
unique: the cap and the order in one; `name_lower`, for the moderators' search.
c: `expires_at`, which deletes; `account_id`.

A character is a player: its id is the player's id. A family is one sign-in: the chain of
refresh tokens that descend from it, of which only the newest is good. What moderators write
into an account (`banned_until`, `muted_until`, …) is in desk.py.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from pymongo import UpdateOne
from pymongo.errors import DuplicateKeyError

from config.settings import Settings, SettingsError
from game import names
from game.errors import Banned, Conflict, NotFound, Unauthenticated, ValidationFailed
from game.moderation import FOREVER
from state.documents import Document, DocumentStore
from state.ids import new_id, new_secret
from state.passwords import Passwords

PLAYER, ADMIN = "player", "admin"
BY_ID = (("_id", 1),)
Read = Callable[[str], Awaitable["Account"]]  # by its id, as `Accounts.account`


@dataclass(frozen=True, slots=True)
class Account:
    """Who signs in; guests have no user name. `…_until` in milliseconds, 0 for never."""

    id: str
    username: str | None
    role: str
    banned_until: int
    muted_until: int = 0

    def refuse_banned(self, now: int) -> None:
        """Let accounts pass that are not banned.

        Raises:
            Banned: the account is, at this moment.
        """
        if self.banned_until >= FOREVER:
            raise Banned
        if self.banned_until > now:
            raise Banned(retry_after=(self.banned_until - now) / 1000)


@dataclass(frozen=True, slots=True)
class Character:
    """Who plays."""

    id: str
    account_id: str
    name: str


@dataclass(frozen=True, slots=True)
class SignIn:
    """A family and the one refresh token of it that is good."""

    family: str
    account: Account
    refresh_token: str


@dataclass(frozen=True, slots=True)
class Spent:
    """A refresh token was used again: its family is revoked."""

    family: str


class Accounts:
    """Who may sign in, and as whom they play.

    Args:
        documents: where everything is kept.
        settings: the whole tree.
        now: milliseconds since the epoch, the same on every node.

    All methods raise DependencyUnavailable when MongoDB does not answer.
    """

    def __init__(
        self, documents: DocumentStore, settings: Settings, now: Callable[[], int]
    ) -> None:
        self._documents = documents
        self._slots = settings.auth.characters_per_account
        self._refresh_life = timedelta(seconds=settings.auth.refresh_seconds)
        self._now = now
        self.passwords = Passwords()

    async def prepare(self) -> None:
        """Make the indexes, at start; on several nodes at once does no harm."""
        indexes: tuple[tuple[str, list[tuple[str, int]], Document], ...] = (
            ("accounts", [("username_lower", 1)], {"unique": True, "sparse": True}),
            ("characters", [("account_id", 1), ("slot", 1)], {"unique": True}),
            ("families", [("expires_at", 1)], {"expireAfterSeconds": 0}),
            ("families", [("account_id", 1)], {}),
        )
        for collection, keys, options in indexes:
            await self._documents.call(collection, "create_index", keys, **options)

    # Accounts

    async def create_guest(self, name: str | None) -> tuple[Account, Character]:
        """A new account without a password, and its character."""
        account = await self._insert({"role": PLAYER})
        return account, await self._first(account, name)

    async def register(self, username: str, password: str) -> tuple[Account, Character]:
        """A new account, and its character of the same name.

        Raises:
            Conflict: the name is taken, in whatever case.
        """
        account = await self._insert_named(username, password, PLAYER)
        return account, await self._first(account)

    async def verify_login(self, username: str, password: str) -> Account:
        """The account of that name, if the password is its.

        Raises:
            Unauthenticated: no such name, or another password; which, is not told.
        """
        query = {"username_lower": username.lower()}
        found = await self._documents.call("accounts", "find_one", query)
        stored = found["password"] if found else None
        if not await self.passwords.verify(stored, password):
            raise Unauthenticated("The user name or the password is wrong.")
        if stored and self.passwords.outdated(stored):
            await self._replace_password(found, password)
        return account_of(found)

    async def account(self, account_id: str) -> Account:
        """One account.

        Raises:
            NotFound: there is none.
        """
        return account_of(await self._one("accounts", {"_id": account_id}))

    async def ensure_admin(self, username: str, password: str) -> list[str]:
        """Make the administrator of the settings, or give him his new password.

        Returns:
            the sign-ins that a new password ended; their access tokens are still good.

        Raises:
            SettingsError: the name or the password is none, or a player has the name.
        """
        _check_admin(username, password)
        try:
            await self._insert_named(username, password, ADMIN)
        except Conflict:  # made at an earlier start, or by another node just now
            found = await self._one("accounts", {"username_lower": username.lower()})
        else:
            return []
        if found["role"] != ADMIN:  # promoted, whoever holds its tokens would be promoted too
            raise SettingsError("SHOWDOWN_ADMIN__USERNAME: a player has that name; take another")
        if await self.passwords.verify(found["password"], password):
            return []
        await self._replace_password(found, password)
        return await self.revoke_all(found["_id"])

    # Characters

    async def first_character(self, account: Account) -> Character:
        """The account's first character; made anew if a crash cut its creation short."""
        found = await self.characters(account.id)
        return found[0] if found else await self._first(account)

    async def characters(self, account_id: str) -> list[Character]:
        """All of an account, the oldest first."""
        query = {"account_id": account_id}
        found = await self._documents.find(
            "characters", query, sort=[("slot", 1)], limit=self._slots
        )
        return [character_of(document) for document in found]

    async def add_character(self, account_id: str, name: str) -> Character:
        """One more character.

        Raises:
            Conflict: the account has as many as it may have.
        """
        for slot in range(self._slots):
            character = await self._insert_character(account_id, slot, name)
            if character:
                return character
        raise Conflict(f"An account has at most {self._slots} characters.")

    async def character_of(self, account_id: str, character_id: str | None) -> Character:
        """The character to play as: the one named if it is the account's, or its first.

        Raises:
            NotFound: it is not the account's, or nobody's.
        """
        which = {"slot": 0} if character_id is None else {"_id": character_id}
        return character_of(await self._one("characters", {"account_id": account_id, **which}))

    async def player(self, player_id: str) -> Character:
        """Anybody's character, by its id.

        Raises:
            NotFound: there is no such player.
        """
        return character_of(await self._one("characters", {"_id": player_id}))

    async def names(self, player_ids: Sequence[str]) -> dict[str, str]:
        """The names of these players, in one round trip; nobody's ids are left out."""
        if not player_ids:
            return {}
        query, most = {"_id": {"$in": list(player_ids)}}, len(player_ids)
        found = await self._documents.find("characters", query, sort=[("_id", 1)], limit=most)
        return {one["_id"]: one["name"] for one in found}

    # Sign-ins

    async def sign_in(self, account: Account, read: Read | None = None) -> SignIn:
        """Begin a family; `read` is how the account is read, as in `rotate`.

        Raises:
            Banned: the account is.
        """
        family, secret = new_id(), new_secret()
        document = {
            "_id": family,
            "account_id": account.id,
            "current": _digest(secret),
            "revoked": False,
            "created_at": self._date(),
            "expires_at": self._date() + self._refresh_life,
        }
        await self._documents.call("families", "insert_one", document)
        # Read again: a ban or another role either ends this family too, or is seen here.
        current = await (read or self.account)(account.id)
        current.refuse_banned(self._now())
        return SignIn(family, current, f"{family}.{secret}")

    async def rotate(self, refresh_token: str, read: Read | None = None) -> SignIn | Spent:
        """Spend a refresh token for a new one.

        Of parallel uses one wins; a second use, parallel or later, revokes the family,
        the winner's new token included.

        Raises:
            Unauthenticated: no such sign-in, or past its time.
            Banned: the account is; the token is not spent.
        """
        family, _, secret = refresh_token.partition(".")
        found = await self._documents.call("families", "find_one", {"_id": family})
        if found is None or found["expires_at"] <= self._date():
            raise Unauthenticated("The sign-in is past its time; sign in again.")
        account = await self._owner(found, read)
        account.refuse_banned(self._now())
        if found["current"] == _digest(secret) and not found["revoked"]:
            fresh = new_secret()
            if await self._swap(family, secret, fresh):
                return SignIn(family, account, f"{family}.{fresh}")
        await self.revoke(family)
        return Spent(family)

    async def continued(self, family: str, seconds: int) -> Account:
        """The account of a sign-in, which a ban ends, that is not older than so many seconds.

        Raises:
            Unauthenticated: it is, or has ended.
        """
        found = await self._documents.call("families", "find_one", {"_id": family})
        first = self._date() - timedelta(seconds=seconds)
        if found is None or found["revoked"] or found["created_at"] <= first:
            raise Unauthenticated("The sign-in is past its time; sign in again.")
        return await self._owner(found)

    async def revoke(self, family: str) -> None:
        """End a sign-in: its refresh token is good no more."""
        await self._documents.update_guarded("families", {"_id": family}, {"revoked": True})

    async def revoke_all(self, account_id: str) -> list[str]:
        """End all sign-ins of an account; returns them, whose access tokens are still good."""
        query = {"account_id": account_id}
        families = [one["_id"] async for one in self._documents.each("families", query, sort=BY_ID)]
        if families:
            ended = {"$set": {"revoked": True}}
            writes = [UpdateOne({"_id": family}, ended, hint="_id_") for family in families]
            await self._documents.call("families", "bulk_write", writes, ordered=False)
        return families

    async def _owner(self, family: Document, read: Read | None = None) -> Account:
        try:
            return await (read or self.account)(family["account_id"])
        except NotFound:  # deleted just now
            raise Unauthenticated from None

    async def _insert(self, fields: Document) -> Account:
        document = {"_id": new_id(), "created_at": self._date(), **fields}
        await self._documents.call("accounts", "insert_one", document)
        return account_of(document)

    async def _insert_named(self, username: str, password: str, role: str) -> Account:
        fields = {
            "username": username,
            "username_lower": username.lower(),
            "password": await self.passwords.hash(password),
            "role": role,
        }
        try:
            return await self._insert(fields)
        except DuplicateKeyError:
            raise Conflict("The user name is taken.") from None

    async def _first(self, account: Account, name: str | None = None) -> Character:
        chosen = name or names.first_name(account.username, account.id)
        made = await self._insert_character(account.id, 0, chosen)
        return made or await self.character_of(account.id, None)

    async def _insert_character(self, account_id: str, slot: int, name: str) -> Character | None:
        document = {
            "_id": new_id(),
            "account_id": account_id,
            "slot": slot,
            "name": name,
            "name_lower": name.lower(),
            "created_at": self._date(),
        }
        try:
            await self._documents.call("characters", "insert_one", document)
        except DuplicateKeyError:  # the slot is taken
            return None
        return character_of(document)

    async def _swap(self, family: str, secret: str, fresh: str) -> bool:
        guard = {"_id": family, "current": _digest(secret), "revoked": False}
        expires_at = self._date() + self._refresh_life
        return await self._documents.update_guarded(
            "families", guard, {"current": _digest(fresh), "expires_at": expires_at}
        )

    async def _replace_password(self, found: Document, password: str) -> None:
        # Guarded by the old hash: of nodes that start at once, one writes.
        guard = {"_id": found["_id"], "password": found["password"]}
        fields = {"password": await self.passwords.hash(password)}
        await self._documents.update_guarded("accounts", guard, fields)

    async def _one(self, collection: str, query: Document) -> Document:
        found: Document | None = await self._documents.call(collection, "find_one", query)
        if found is None:
            raise NotFound
        return found

    def _date(self) -> datetime:
        return datetime.fromtimestamp(self._now() / 1000, UTC)


def account_of(document: Document) -> Account:
    """Read a document of `accounts`."""
    return Account(
        id=document["_id"],
        username=document.get("username"),
        role=document["role"],
        # The driver's own integers are no commands' arguments for Redis.
        banned_until=int(document.get("banned_until", 0)),
        muted_until=int(document.get("muted_until", 0)),
    )


def character_of(document: Document) -> Character:
    """Read a document of `characters`."""
    return Character(document["_id"], document["account_id"], document["name"])


def _digest(secret: str) -> str:
    return sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def _check_admin(username: str, password: str) -> None:
    try:
        names.username(username)
        names.password(password)
    except ValidationFailed as failed:
        problem = failed.errors[0]
        variable = f"SHOWDOWN_ADMIN__{problem['field'].upper()}"
        raise SettingsError(f"{variable}: {problem['message']}") from None
