"""Who is asking: a token becomes a caller, for sockets and for REST."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, TypeVar

from pydantic import StringConstraints

from game.errors import Forbidden, NotFound, TokenRevoked, Unauthenticated
from handlers.base import Caller
from handlers.payloads import Id, Payload
from server.boundary import valid
from state.accounts import Account, Accounts, Character
from state.entrance import Entrance
from state.tokens import Claims, Tokens

T = TypeVar("T")


class ConnectAuth(Payload):
    """The `auth` object of a socket's CONNECT."""

    token: Annotated[str, StringConstraints(min_length=1)]
    character_id: Id | None = None


class Authenticator:
    """Checks signature, expiry, revocation, ban and ownership, the cheap ones first."""

    def __init__(
        self, accounts: Accounts, tokens: Tokens, entrance: Entrance, now: Callable[[], int]
    ) -> None:
        self._accounts = accounts
        self._tokens = tokens
        self._entrance = entrance
        self._now = now

    async def connect(self, auth: Any) -> Caller:
        """Let a socket in.

        Raises:
            Unauthenticated, TokenExpired, TokenRevoked: the token is not good.
            Banned: the account is.
            Forbidden: the character is not the account's.
            ValidationFailed: `auth` has another shape.
        """
        token = auth.get("token") if isinstance(auth, dict) else None
        if not isinstance(token, str) or not token:
            raise Unauthenticated
        character_id = None
        if "character_id" in auth:
            # A stock client may send more than we read: `pid` and `offset` of a recovery.
            asked = {"token": token, "character_id": auth["character_id"]}
            character_id = valid(ConnectAuth.model_validate, asked).character_id
        claims = self._tokens.read(token)
        entry = await self._checked(claims, self._entrance.enter(claims))
        entry.account.refuse_banned(self._now())
        try:
            character = await self._entrance.character(entry, character_id)
        except NotFound:
            raise Forbidden("The character is not yours.") from None
        return _caller(claims, entry.account, character)

    async def bearer(self, header: str) -> Caller:
        """Let a REST call in, by its Authorization header.

        Raises:
            Unauthenticated, TokenExpired, TokenRevoked: the token is not good.
            Banned: the account is, which ended its tokens.
        """
        scheme, _, token = header.partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise Unauthenticated
        return await self.holder(token.strip())

    async def holder(self, token: str) -> Caller:
        """Whose access token it is.

        Raises:
            Unauthenticated, TokenExpired, TokenRevoked, Banned: as `bearer`.
        """
        claims = self._tokens.read(token)
        await self._checked(claims, self._tokens.check(claims))
        return _caller(claims)

    async def _checked(self, claims: Claims, check: Awaitable[T]) -> T:
        try:
            try:
                return await check
            except TokenRevoked:  # what a ban does as well, and then that is the reason
                account = await self._accounts.account(claims.account_id)
                account.refuse_banned(self._now())
                raise
        except NotFound:  # deleted after the token was issued
            raise Unauthenticated from None


def _caller(
    claims: Claims, account: Account | None = None, character: Character | None = None
) -> Caller:
    return Caller(
        account_id=claims.account_id,
        role=account.role if account else claims.role,
        family=claims.family,
        token_id=claims.token_id,
        expires_at=claims.expires_at,
        player_id=character.id if character else "",
        name=character.name if character else "",
        muted_until=account.muted_until if account else 0,
    )
