"""Why the server ends a connection: an error never does, these do."""

from __future__ import annotations

from enum import StrEnum

# Before Python 3.12 pydantic, which writes the documents from these types, does not take
# the one of `typing`.
from typing_extensions import TypedDict


class Disconnect(StrEnum):
    """The codes of `server:disconnect`."""

    SLOW_CONSUMER = "slow_consumer"
    DRAINING = "draining"
    TOKEN_REVOKED = "token_revoked"  # noqa: S105 - a code, no secret
    TOKEN_EXPIRED = "token_expired"  # noqa: S105 - a code, no secret
    BANNED = "banned"
    ABUSE = "abuse"
    REPLACED = "replaced"
    KICKED = "kicked"

    @property
    def reconnect(self) -> bool:
        """Whether connecting again, with a fresh token where that is the matter, can work."""
        return self in {Disconnect.SLOW_CONSUMER, Disconnect.DRAINING, Disconnect.TOKEN_EXPIRED}


REASONS = {
    Disconnect.SLOW_CONSUMER: "The connection reads too slowly.",
    Disconnect.DRAINING: "The server is shutting down.",
    Disconnect.TOKEN_REVOKED: "The session was signed out.",
    Disconnect.TOKEN_EXPIRED: "The access token is past its time.",
    Disconnect.BANNED: "The account is banned.",
    Disconnect.ABUSE: "Too many refused requests.",
    Disconnect.REPLACED: "Another connection took the place of this one.",
    Disconnect.KICKED: "An administrator ended the connection.",
}


class Farewell(TypedDict):
    """Why the server ends the connection, and whether to come back."""

    code: Disconnect
    reason: str
    reconnect: bool


def farewell(code: Disconnect) -> Farewell:
    """What a client is told before its connection ends."""
    return Farewell(code=code, reason=REASONS[code], reconnect=code.reconnect)
