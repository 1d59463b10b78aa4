"""Names of the rooms that sockets are in: who is reached by what is published there."""

from __future__ import annotations


def player(player_id: str) -> str:
    """All sockets that play as this player."""
    return f"player:{player_id}"


def account(account_id: str) -> str:
    """All sockets of an account."""
    return f"account:{account_id}"


def family(family_id: str) -> str:
    """All sockets of one sign-in and the tokens that descend from it."""
    return f"family:{family_id}"


def admins() -> str:
    """All sockets of administrators."""
    return "admins"


def chat(room: str) -> str:
    """All sockets that joined a chat room."""
    return f"chat:{room}"


def spectators(duel_id: str) -> str:
    """All sockets that watch a duel."""
    return f"spectators:{duel_id}"
