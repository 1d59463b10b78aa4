"""What may be a user name, a display name, a password."""

from __future__ import annotations

import re
import unicodedata

from game.errors import FieldProblem, ValidationFailed

USERNAME = re.compile(r"[A-Za-z0-9_.-]{3,64}")
USERNAME_CHARS = 64
DISPLAY_CHARS = 40
# Read at all: normalising takes quadratic time in combining marks.
DISPLAY_RAW_CHARS = 4 * DISPLAY_CHARS
PASSWORD_MIN_CHARS = 8
PASSWORD_CHARS = 128  # a phrase; bounds what is hashed

# Letters and symbols by category, but blank on every screen: the fillers of Hangul and
# the Braille pattern without dots.
BLANK = frozenset("\u115f\u1160\u3164\uffa0\u2800")


def username(text: str) -> str:
    """A name to sign in with; unique whatever its case.

    Raises:
        ValidationFailed: not 3 to 64 of A-Z, a-z, 0-9, `_`, `.` and `-`.
    """
    if not USERNAME.fullmatch(text):
        raise _failed("username", "3 to 64 of the characters A-Z a-z 0-9 _ . -", "username")
    return text


def password(text: str, field: str = "password") -> str:
    """A password.

    Raises:
        ValidationFailed: shorter than 8 or longer than 128 characters.
    """
    if not PASSWORD_MIN_CHARS <= len(text) <= PASSWORD_CHARS:
        wanted = f"{PASSWORD_MIN_CHARS} to {PASSWORD_CHARS} characters"
        raise _failed(field, wanted, "password")
    return text


def display_name(text: str) -> str:
    """A name that others see: in NFC, without white space around, single spaces inside.

    Raises:
        ValidationFailed: not 1 to 40 characters, or one of them is a control, format,
            bidirectional, private or unassigned character, or nothing of it can be seen.
    """
    if len(text) > DISPLAY_RAW_CHARS:
        raise _failed("name", f"1 to {DISPLAY_CHARS} characters", "display_name_length")
    name = unicodedata.normalize("NFC", text).strip()
    if any(unicodedata.category(char).startswith("C") for char in name):
        raise _failed("name", "no control or format characters", "display_name_characters")
    name = " ".join(name.split())
    if not 1 <= len(name) <= DISPLAY_CHARS:
        raise _failed("name", f"1 to {DISPLAY_CHARS} characters", "display_name_length")
    if not any(map(_visible, name)):
        raise _failed("name", "something that can be seen", "display_name_invisible")
    return name


def first_name(username: str | None, account_id: str) -> str:
    """The display name of an account that chose none; guests are numbered by their id."""
    if username is None:
        return f"Guest-{int(account_id, 16) % 10_000:04d}"
    return username[:DISPLAY_CHARS]


def _visible(char: str) -> bool:
    return unicodedata.category(char)[0] in "LNPS" and char not in BLANK


def _failed(field: str, message: str, kind: str) -> ValidationFailed:
    return ValidationFailed(errors=[FieldProblem(field=field, message=message, type=kind)])
