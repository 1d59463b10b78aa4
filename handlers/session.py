"""The session itself: keep it signed in, and tell others that a player came or went."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any, Literal

from pydantic import StringConstraints
from typing_extensions import TypedDict

from game.duel_views import DuelView
from game.errors import Forbidden
from handlers.base import Context, World
from handlers.fights import MatchView
from handlers.payloads import Payload
from handlers.registry import Shown, command
from state.live import Left


class RefreshSession(Payload):
    """A newer access token of the same account."""

    token: Annotated[str, StringConstraints(min_length=1, max_length=4_096)]


class SessionReply(TypedDict):
    """When the session ends unless it is refreshed again, in ms."""

    expires_at: int


class PlayerInfo(TypedDict):
    """Who plays on this connection; the role is his account's."""

    id: str
    name: str
    role: str


class Resume(TypedDict):
    """What the player was at: the chat rooms that the connection is in, his duel, his mute.

    `duel` is the one that he fights, else the one that he has offered, else the newest that
    was offered to him. `muted_until` is in ms. `match` says that he waits for an opponent.
    They are null when there is none.
    `friend_requests` is how many wait for his answer.
    """

    rooms: list[str]
    duel: DuelView | None
    muted_until: int | None
    match: MatchView | None
    friend_requests: int


class SessionReady(TypedDict):
    """Signed in: who, as what, and what the client has to know to show the truth.

    `recovered`: the former session goes on and nothing was missed. `server_time` in ms.
    """

    player: PlayerInfo
    session_id: str
    recovered: bool
    server_time: int
    resume: Resume


class ServerNotice(TypedDict):
    """What those who run the server should look at, and how much of it there is."""

    kind: Literal["audit"]
    findings: int


@command("session:refresh", RefreshSession)
async def refresh(cmd: RefreshSession, ctx: Context) -> SessionReply:
    """Go on with a newer access token, so that the socket need not be dropped.

    Raises:
        Unauthenticated, TokenExpired, TokenRevoked: the token is not good.
        Forbidden: it is somebody else's.
    """
    claims = ctx.world.tokens.read(cmd.token)
    await ctx.world.tokens.check(claims)
    if claims.account_id != ctx.caller.account_id:
        raise Forbidden
    ctx.socket.renew(
        replace(
            ctx.caller,
            family=claims.family,
            token_id=claims.token_id,
            expires_at=claims.expires_at,
        )
    )
    return SessionReply(expires_at=claims.expires_at)


async def came(ctx: Context) -> dict[str, Any]:
    """A socket signed in: with a player's first one, whoever watches him is told."""
    if ctx.socket.first:
        await ctx.world.publisher.presence_changed([ctx.player_id])
    return {}


async def _show_mute(_: Context, until: int | None) -> dict[str, Any]:
    return {"muted_until": until}


SHOWN = Shown(lambda ctx: ctx.world.chat.ask_mute(ctx.player_id), _show_mute)
"""Until when he may not speak."""


async def went(world: World, left: Left) -> None:
    """A socket is gone: with a player's last one, whoever watches him is told."""
    if left.sockets == 0:
        await world.publisher.presence_changed([left.player_id])
