"""What a connection's sign-in asks the stores: one round trip to Redis in the common case."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from state.accounts import Account, Accounts, Character
from state.copies import Copies, key_of, of_account
from state.tokens import Claims, Tokens


@dataclass(frozen=True, slots=True)
class Entry:
    """Who comes in, and as whom he may play; the first character is the oldest."""

    account: Account
    characters: list[Character]


class Entrance:
    """Lets sign-ins go on. All methods raise DependencyUnavailable when a store is away."""

    def __init__(self, accounts: Accounts, tokens: Tokens, copies: Copies) -> None:
        self._accounts = accounts
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

        async def read() -> dict[str, Any]:
            account = await self._accounts.account(claims.account_id)
            characters = await self._accounts.characters(claims.account_id)
            return {"account": asdict(account), "characters": list(map(asdict, characters))}

        kept = await self._copies.use(found, name, read)
        characters = [Character(**one) for one in kept["characters"]]
        return Entry(Account(**kept["account"]), characters)

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
