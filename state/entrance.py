"""What a connection's sign-in asks the stores: one round trip to Redis in the common case."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

from game.errors import DependencyUnavailable
from state.accounts import Account, Accounts, Character, SignIn, Spent
from state.copies import Copies, key_of, of_account, of_requests
from state.friends import Friends
from state.tokens import Claims, Tokens


@dataclass(frozen=True, slots=True)
class Entry:
    """Who comes in, and as whom he may play; the first character is the oldest."""

    account: Account
    characters: list[Character]


class Entrance:
    """Lets sign-ins go on. All methods raise DependencyUnavailable when a store is away."""

    def __init__(
        self, accounts: Accounts, friends: Friends, tokens: Tokens, copies: Copies
    ) -> None:
        self._accounts = accounts
        self._friends = friends
        self._tokens = tokens
        self._copies = copies

    async def enter(self, claims: Claims) -> Entry:
        """Let tokens pass whose sign-in goes on, and say whose they are.

        Raises:
            TokenRevoked: it was signed out, here or on another node.
            NotFound: the account was deleted.
        """
        name = of_account(claims.account_id)
        found = await self._tokens.check(claims, key_of(name))
        read = partial(self._read, claims.account_id)
        kept = await self._copies.use(found, name, read)
        return _entry(kept)

    async def expect(self, account: Account, character: Character) -> None:
        """Know a new account before it comes: its first connection asks MongoDB nothing."""
        kept = {of_account(account.id): _kept(account, [character]), of_requests(character.id): 0}
        await self._copies.begin(kept)

    async def sign_in(self, account: Account) -> tuple[SignIn, Character]:
        """Begin a family of who comes again, and find his first character. For as long as the
        token lives his connections find copies, made of what is read here anyway.

        Raises:
            Banned: the account is.
        """
        found: list[Character] = []
        signed_in = await self._accounts.sign_in(account, partial(self._read_anew, found))
        return signed_in, await self._first(signed_in.account, found)

    async def refresh(self, refresh_token: str) -> tuple[SignIn, Character] | Spent:
        """Spend a refresh token for a new one, otherwise as `sign_in`.

        Raises:
            Unauthenticated, Banned: as `Accounts.rotate`.
        """
        found: list[Character] = []
        renewed = await self._accounts.rotate(refresh_token, partial(self._read_anew, found))
        if isinstance(renewed, Spent):
            return renewed
        return renewed, await self._first(renewed.account, found)

    async def _read_anew(self, found: list[Character], account_id: str) -> Account:
        read = partial(self._read, account_id)
        entry = _entry(await self._copies.renew(of_account(account_id), read))
        found += entry.characters
        return entry.account

    async def _first(self, account: Account, characters: list[Character]) -> Character:
        """The oldest; made anew if a crash cut the account's creation short."""
        if not characters:
            return await self._accounts.first_character(account)
        with suppress(DependencyUnavailable):  # a token was spent for what is returned
            await self._friends.expect(characters[0].id)
        return characters[0]

    async def character(self, entry: Entry, character_id: str | None) -> Character:
        """The character to play as: the one named if it is the account's, or its first.

        Raises:
            NotFound: it is not the account's, or nobody's.
        """
        for one in entry.characters:
            if character_id in (None, one.id):
                return one
        # Made since then: a new one makes no copy wrong, only short.
        return await self._accounts.character_of(entry.account.id, character_id)

    async def _read(self, account_id: str) -> dict[str, Any]:
        account = await self._accounts.account(account_id)
        return _kept(account, await self._accounts.characters(account_id))


def _entry(kept: dict[str, Any]) -> Entry:
    characters = [Character(**one) for one in kept["characters"]]
    return Entry(Account(**kept["account"]), characters)


def _kept(account: Account, characters: list[Character]) -> dict[str, Any]:
    return {"account": asdict(account), "characters": list(map(asdict, characters))}
