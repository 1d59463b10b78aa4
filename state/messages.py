"""How a chat message is written: in a room's stream, its changes, and the archive.

| key | type | TTL | owner |
| --- | --- | --- | --- |
| `{chat}:room:<room>` | stream of `{m: JSON of room, from, text}` | a day after the last change | the archiver |
| `{chat}:changes:<room>` | hash: entry -> `<rev> <edited_at> <deleted> <text>` | as the stream | the archiver |
| `{chat}:pending:<room>` | sorted set: entries by ms whose change is not archived | none | the archiver |
| `{chat}:archived:<room>` | string: the last archived entry | as the stream | the archiver |
| `{chat}:dirty` | sorted set: rooms by ms when an archiver may take them | none | the archiver |

An entry is a stream's own id, `<ms>-<seq>`. A room is in `dirty` as long as anything of it
is not archived; only then its keys have no TTL. Entries are never changed: what happened
to a message later is laid over it, and `rev` counts that.
"""  # noqa: E501 - a table's row is one line

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import orjson

from game.chat import Author, ChatMessage, MessageId
from state.documents import Document

DIRTY = "{chat}:dirty"


def stream(room: str) -> str:
    """The room's messages."""
    return f"{{chat}}:room:{room}"


def changes(room: str) -> str:
    """What happened to them since."""
    return f"{{chat}}:changes:{room}"


def pending(room: str) -> str:
    """The changes that are not archived."""
    return f"{{chat}}:pending:{room}"


def archived(room: str) -> str:
    """How far the archive goes."""
    return f"{{chat}}:archived:{room}"


def kept_together(room: str) -> tuple[str, str, str]:
    """The stream, its changes and its position: they expire as one.

    Without its changes, a stream would show again what was deleted.
    """
    return stream(room), changes(room), archived(room)


@dataclass(frozen=True, slots=True)
class Stored:
    """A message, and how often it was changed."""

    message: ChatMessage
    rev: int


def body(room: str, author: Author, text: str) -> str:
    """What a stream's entry holds of a message."""
    return orjson.dumps({"room": room, "from": author, "text": text}).decode()


def from_entry(entry: str, written: str, change: str = "") -> Stored:
    """Read a stream's entry, with what happened to it since."""
    fields = orjson.loads(written)
    message_id = MessageId.of_entry(entry, fields["room"])
    fields |= {"id": str(message_id), "sent_at": message_id.ms, "rev": 0}
    if change:
        fields |= changed_fields(change)
    return _stored(fields)


def changed_fields(change: str) -> Document:
    """What a change puts in the place of a message's fields."""
    rev, edited_at, deleted, text = change.split(" ", 3)
    fields: Document = {"rev": int(rev), "text": text}
    if edited_at != "0":
        fields["edited_at"] = int(edited_at)
    if deleted == "1":
        fields["deleted"] = True
    return fields


def change_of(stored: Stored) -> str:
    """What is laid over a stream's entry."""
    message = stored.message
    deleted = int(message.get("deleted", False))
    return f"{stored.rev} {message.get('edited_at', 0)} {deleted} {message['text']}"


def from_document(document: Document) -> Stored:
    """Read the archive."""
    fields = dict(document)
    return _stored({"id": fields.pop("_id"), **fields})


def to_document(stored: Stored) -> Document:
    """Write for the archive."""
    fields = dict(stored.message)
    return {"_id": fields.pop("id"), **fields, "rev": stored.rev}


def _stored(fields: Document) -> Stored:
    rev = fields.pop("rev")
    return Stored(cast("ChatMessage", fields), rev)
