"""Access tokens: signed, read without I/O, revoked by the sign-in they descend from.

| key | type | TTL | owner |
| --- | --- | --- | --- |
| `{auth}:revoked:<family>` | string: why | an access token's life and a minute | its expiry |

Every access token belongs to a sign-in, so a revocation needs no key per token.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hmac import digest
from typing import Any

import jwt
from jwt.utils import base64url_decode, base64url_encode
from pydantic import BaseModel, ConfigDict, SecretStr

from config.settings import Settings
from game.disconnects import Disconnect
from game.errors import TokenExpired, TokenRevoked, Unauthenticated
from state.accounts import Account
from state.connect import RedisStore
from state.ids import new_id

ALGORITHM = "HS256"
KNOWN = 4_096  # tokens whose signatures are not computed again; some 4 MB
MAX_CHARS = 4_096  # ours have some 300; what is longer is not worth decoding
# A refresh that was under way while its family was revoked issues a token that ends a
# little later than the others; no handler takes this long.
SLACK_SECONDS = 60
TOGETHER = 500  # revocations in one round trip

# PyJWT's own clock is off: exp is checked below, against the clock that was passed in.
OPTIONS: Any = {"verify_exp": False, "verify_iat": False, "verify_nbf": False}


class Said(BaseModel):
    """A token's claims on the wire (RFC 7519, 4.1; `role` and `fam` are ours).

    One that somebody else signed with our secret may have no `fam`: it is a sign-in of its own.
    """

    model_config = ConfigDict(strict=True)

    sub: str
    jti: str
    role: str
    iat: int
    exp: int
    fam: str | None = None


@dataclass(frozen=True, slots=True)
class Claims:
    """What a valid token says. `expires_at` is in milliseconds since the epoch."""

    account_id: str
    role: str
    family: str
    token_id: str
    expires_at: int


class Tokens:
    """Issues, reads and revokes access tokens.

    Args:
        redis: where revocations are kept.
        secret: signs the tokens; the same on every node.
        settings: the whole tree.
        now: milliseconds since the epoch, the same on every node.
    """

    def __init__(
        self, redis: RedisStore, secret: SecretStr, settings: Settings, now: Callable[[], int]
    ) -> None:
        self._redis = redis
        self._secret = secret
        self._seconds = settings.auth.access_seconds
        self.now = now
        # What a signature covers does not change: who comes back is not verified anew.
        self._verified = lru_cache(KNOWN)(self._verify)

    def issue(self, account: Account, family: str) -> tuple[str, int]:
        """A token of that sign-in, and the seconds that it lives."""
        issued_at = self.now() // 1000
        said = Said(
            sub=account.id,
            jti=new_id(),
            role=account.role,
            iat=issued_at,
            exp=issued_at + self._seconds,
            fam=family,
        )
        key = self._secret.get_secret_value()
        return jwt.encode(said.model_dump(), key, ALGORITHM), self._seconds

    def read(self, token: str) -> Claims:
        """What the token says, by its signature alone: no I/O, revocation unchecked.

        Raises:
            Unauthenticated: not a token, or not one of ours.
            TokenExpired: one of ours, past its time.
        """
        claims = self._verified(token)
        if claims.expires_at <= self.now():
            raise TokenExpired
        return claims

    def _verify(self, token: str) -> Claims:
        if len(token) > MAX_CHARS or not _is_canonical(token.rpartition(".")[2]):
            raise Unauthenticated
        key = self._secret.get_secret_value()
        try:
            said = Said.model_validate(
                jwt.decode(token, key, algorithms=[ALGORITHM], options=OPTIONS)
            )
        # A header is parsed before its signature can be checked: what is no UTF-8 or is
        # nested deeply comes out of PyJWT as it is. Pydantic's refusal is a ValueError.
        except (jwt.PyJWTError, ValueError, RecursionError):
            raise Unauthenticated from None
        return Claims(said.sub, said.role, said.fam or said.jti, said.jti, said.exp * 1000)

    def seal(self, purpose: str, text: str) -> str:
        """What nobody without the secret can make of a text: 64 hexadecimal digits."""
        # No token's signature: what a token signs has no colon (RFC 7515, 5.1).
        key = self._secret.get_secret_value().encode()
        return digest(key, f"{purpose}:{text}".encode(), "sha256").hex()

    async def check(self, claims: Claims, *beside: str) -> str | None:
        """Let tokens pass whose sign-in goes on.

        Args:
            beside: at most one key of `{auth}`, which is read in the same round trip.

        Returns:
            What stands there.

        Raises:
            TokenRevoked: it was signed out, here or on another node.
            DependencyUnavailable: Redis did not answer, so nobody can know.
        """
        mark, *found = await self._redis.call("MGET", _key(claims.family), *beside)
        if mark:
            raise TokenRevoked
        return found[0] if found else None

    async def revoke(self, *families: str, code: Disconnect = Disconnect.TOKEN_REVOKED) -> None:
        """End all access tokens of these sign-ins now; `code` is what their sockets are told.

        Raises:
            DependencyUnavailable: Redis did not answer; some may have been revoked.
        """
        why, seconds = code.value, self._seconds + SLACK_SECONDS
        for start in range(0, len(families), TOGETHER):
            some = families[start : start + TOGETHER]
            await self._redis.batch([("SET", _key(one), why, "EX", seconds) for one in some])

    async def revoked(self, families: Sequence[str]) -> dict[str, Disconnect]:
        """Those of the sign-ins that were revoked, and why, in one round trip.

        Raises:
            DependencyUnavailable: Redis did not answer.
        """
        if not families:
            return {}
        marks = await self._redis.call("MGET", *map(_key, families))
        known = zip(families, marks, strict=True)
        return {family: Disconnect(mark) for family, mark in known if mark}


def _key(family: str) -> str:
    return f"{{auth}}:revoked:{family}"


def _is_canonical(signature: str) -> bool:
    """Whether it is the one text of its bytes (RFC 4648, 3.5; RFC 7515, 2): PyJWT takes padding,
    and bits behind the last byte, so that two different tokens would be the same.
    """
    try:
        return base64url_encode(base64url_decode(signature)).decode() == signature
    except ValueError:
        return False
