"""Chat: what a room is, what a message is, what a text may be, and who may change it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import NotRequired, Self

# Before Python 3.12 pydantic, which writes the documents from these types, does not take
# the one of `typing`.
from typing_extensions import TypedDict

from game.errors import Conflict, FieldProblem, Forbidden, NotFound, ValidationFailed
from game.names import BLANK

ROOM_PATTERN = r"^[a-z][a-z0-9:_-]{0,63}$"


class Kind(StrEnum):
    """Who may read and write in a room."""

    OPEN = "open"
    DUEL = "duel"
    WHISPER = "whisper"


_KINDS = (
    (Kind.OPEN, re.compile(r"global|trade|room:[a-z0-9:_-]+")),
    (Kind.DUEL, re.compile(r"duel:([a-z0-9-]+)")),
    (Kind.WHISPER, re.compile(r"whisper:([0-9a-f]{20}):([0-9a-f]{20})")),
)


@dataclass(frozen=True, slots=True)
class Room:
    """A room by its name; `ids` is a duel room's duel, or the two of a whisper."""

    name: str
    kind: Kind
    ids: tuple[str, ...] = ()

    @classmethod
    def named(cls, name: str) -> Self:
        """The room of that name.

        Raises:
            NotFound: the name is of no known kind.
        """
        for kind, pattern in _KINDS:
            match = pattern.fullmatch(name)
            # Only the sorted name of two players is a room, or they would have two.
            if match and sorted(set(match.groups())) == list(match.groups()):
                return cls(name, kind, match.groups())
        raise NotFound("There is no such room.")

    @classmethod
    def between(cls, player_id: str, other_id: str) -> Self:
        """Where two players whisper."""
        return cls.named(":".join(("whisper", *sorted((player_id, other_id)))))


_MESSAGE_ID = re.compile(r"([0-9]{13})-([0-9]{5,15})@(.+)")


@dataclass(frozen=True, slots=True, order=True)
class MessageId:
    """`<ms>-<seq>@<room>`: padded, so that the ids of a room sort by time as text too.

    `ms` is when it was sent, in milliseconds since the epoch; `seq` counts within it.
    """

    ms: int
    seq: int
    room: str

    def __str__(self) -> str:
        return f"{self.ms:013d}-{self.seq:05d}@{self.room}"

    @property
    def entry(self) -> str:
        """The id of the stream's entry: `<ms>-<seq>`."""
        return f"{self.ms}-{self.seq}"

    @classmethod
    def of_entry(cls, entry: str, room: str) -> Self:
        """The message of a stream's entry."""
        ms, _, seq = entry.partition("-")
        return cls(int(ms), int(seq), room)

    @classmethod
    def cursor(cls, text: str, room: str) -> Self:
        """Read where a page of a room's history begins.

        Raises:
            ValidationFailed: it is no message's id of that room.
        """
        try:
            if (found := cls.parse(text)).room == room:
                return found
        except NotFound:
            pass
        raise _problem("message_id", "It is no message of this room.", "before")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read what `str()` wrote.

        Raises:
            NotFound: no message can have that id.
        """
        match = _MESSAGE_ID.fullmatch(text)
        parsed = cls(int(match[1]), int(match[2]), match[3]) if match else None
        if parsed is None or str(parsed) != text:
            raise NotFound("There is no such message.")
        return parsed


class Author(TypedDict):
    """Who wrote it, by the name of that time."""

    id: str
    name: str


NOBODY = Author(id="deleted", name="Deleted player")
"""In the place of an author whose account is gone."""


# `from` is a keyword, so no class can have it as a field.
ChatMessage = TypedDict(
    "ChatMessage",
    {
        "id": str,
        "room": str,
        "from": Author,
        "text": str,
        "sent_at": int,
        "edited_at": NotRequired[int],
        "deleted": NotRequired[bool],
    },
)
ChatMessage.__doc__ = "A message as clients see it: times in ms; a deleted one has an empty text."


class MutedEvent(TypedDict):
    """Until when (in ms) a player may not speak; null: he may again."""

    player_id: str
    muted_until: int | None
    reason: str


# Texts

TextRule = Callable[[str], str]
"""Changes what is said; one that is applied twice changes nothing more."""

_REFUSED = re.compile(
    "["
    "\x00-\x09\x0b-\x1f\x7f-\x9f"  # control characters but the line feed
    "\ud800-\udfff"  # lone surrogates: no UTF-8 can carry them
    "\u202a-\u202e\u2066-\u2069"  # these make what follows, others' texts too, read backwards
    "]"
)
_INVISIBLE = frozenset({"Cc", "Cf", "Zl", "Zp", "Zs"})
# NFC makes one character of at most four, and takes quadratic time in combining marks.
_RAW_PER_CHAR = 4


def clean(text: str, limit: int, rules: Sequence[TextRule] = ()) -> str:
    """What is stored and shown of a text: normalised, then put through the rules.

    Raises:
        ValidationFailed: it is blank, too long, or has characters that are refused.
    """
    cleaned = normalise(text, limit)
    for rule in rules:
        cleaned = rule(cleaned)
    return cleaned


def normalise(text: str, limit: int) -> str:
    """NFC (Unicode Annex 15), without white space around it, of at most `limit` characters.

    Control characters except the line feed are refused, and so are lone surrogates and
    what overrides the direction of writing.

    Raises:
        ValidationFailed: it is blank, too long, or has characters that are refused.
    """
    too_long = _problem("string_too_long", f"At most {limit} characters.")
    if len(text) > limit * _RAW_PER_CHAR:
        raise too_long
    if _REFUSED.search(text):
        raise _problem("forbidden_character", "Control characters are refused.")
    normal = unicodedata.normalize("NFC", text).strip()
    if all(map(_invisible, normal)):
        raise _problem("string_too_short", "There is nothing to be seen in it.")
    if len(normal) > limit:
        raise too_long
    return normal


def _invisible(character: str) -> bool:
    return character in BLANK or unicodedata.category(character) in _INVISIBLE


def _problem(kind: str, message: str, field: str = "text") -> ValidationFailed:
    return ValidationFailed(errors=[FieldProblem(field=field, message=message, type=kind)])


@lru_cache(maxsize=8)  # the settings have one list; tests have some
def masking(words: tuple[str, ...]) -> TextRule:
    """A rule that shows these words as asterisks: whole words, in whatever case."""
    if not words:
        return str
    choice = "|".join(map(re.escape, words))
    pattern = re.compile(rf"(?<!\w)(?:{choice})(?!\w)", re.IGNORECASE)
    return lambda text: pattern.sub(lambda match: "*" * len(match[0]), text)


# Changes

Change = Callable[[ChatMessage], ChatMessage]
"""Makes the changed message, or raises why it may not be changed."""


@dataclass(frozen=True, slots=True)
class Editor:
    """Who wants to change a message, when (in ms), and for how long authors may (in ms)."""

    player_id: str
    moderates: bool
    at: int
    window_ms: int

    def edit(self, message: ChatMessage, text: str) -> ChatMessage:
        """The message with another text.

        Raises:
            Forbidden: not the author's any more, or somebody else's.
            Conflict: it was deleted.
        """
        self._check(message)
        if message.get("deleted"):
            raise Conflict("The message was deleted.")
        # Sent by Redis' clock, edited by the node's, which follows it at some distance.
        return {**message, "text": text, "edited_at": max(self.at, message["sent_at"])}

    def delete(self, message: ChatMessage) -> ChatMessage:
        """The message without its text; deleted again, it stays as it is.

        Raises:
            Forbidden: not the author's any more, or somebody else's.
        """
        self._check(message)
        return {**message, "text": "", "deleted": True}

    def _check(self, message: ChatMessage) -> None:
        if self.moderates:
            return
        if message["from"]["id"] != self.player_id:
            raise Forbidden("The message is somebody else's.")
        if self.at > message["sent_at"] + self.window_ms:
            raise Forbidden("It is too late to change the message.")
