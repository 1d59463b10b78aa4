"""Names that nobody can guess or make twice."""

from __future__ import annotations

import secrets

ID_BYTES = 10  # 80 bits: a billion ids, and the odds of two alike are one in a million
SECRET_BYTES = 32


def new_id() -> str:
    """20 lower-case hex characters: the id of an account, a character, a sign-in, …."""
    return secrets.token_hex(ID_BYTES)


def new_secret() -> str:
    """256 bits as URL-safe text, for what is proved by knowing it."""
    return secrets.token_urlsafe(SECRET_BYTES)


def new_timed_id(at: int, number: int = 0) -> str:
    """20 lower-case hex characters that sort by their time (ms) as text, then by a number."""
    return f"{at:012x}{number:02x}{secrets.token_hex(3)}"
