"""The Socket.IO v5 packet, read from the front: enough to answer before parsing the rest.

    <type>[<attachments>-][/<namespace>,][<ack id>][JSON]

https://github.com/socketio/socket.io-protocol, "Packet encoding".
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import orjson

from game.errors import MalformedPayload, PayloadTooLarge

CONNECT, DISCONNECT, EVENT, ACK, CONNECT_ERROR, BINARY_EVENT, BINARY_ACK = range(7)

EVENT_HEAD = 17  # a type, 15 digits and a bracket

# Bounded on purpose: an ack id or a count of more digits than this is junk.
_HEAD = re.compile(r"([0-6])(?:(\d{1,3})-)?(?:(/[^,]{0,63}),?)?(\d{1,15})?", re.ASCII)
_BRACKETS = re.compile(r'"(?:[^"\\]|\\.)*"?|[\[\]{}]')


@dataclass(slots=True)  # made for every message: frozen costs a microsecond
class Head:
    """What stands before the JSON; `start` is where the JSON begins."""

    type: int
    namespace: str
    ack_id: int | None
    attachments: int
    start: int


def try_head(packet: str) -> Head | None:
    """Read the head of a packet of any length, in constant time; None if it is not one."""
    found = _HEAD.match(packet)
    if found is None:
        return None
    kind, attachments, namespace, ack_id = found.groups()
    return Head(
        type=int(kind),
        namespace=namespace or "/",
        ack_id=int(ack_id) if ack_id else None,
        attachments=int(attachments or 0),
        start=found.end(),
    )


def is_number(text: str) -> bool:
    """Whether it is digits, as in an ack id."""
    return text.isascii() and text.isdigit()


def check_size(packet: str, most: int) -> None:
    """Let a packet of at most so many bytes pass.

    Raises:
        PayloadTooLarge: it has more.
    """
    if len(packet.encode()) > most:
        raise PayloadTooLarge(f"A message may have {most} bytes.")


def read_json(packet: str, start: int, max_depth: int) -> Any:
    """Parse what follows the head, after a look at how deep it nests.

    Raises:
        MalformedPayload: no JSON (NaN, lone surrogates and the like included), or too deep.
    """
    # Counting all opening brackets settles nearly every message.
    brackets = packet.count("[", start) + packet.count("{", start)
    if brackets > max_depth and depth_exceeds(packet, start, max_depth):
        raise MalformedPayload(f"JSON may nest {max_depth} levels deep.")
    try:
        return orjson.loads(packet[start:])
    except (orjson.JSONDecodeError, UnicodeEncodeError):
        raise MalformedPayload("The payload is not valid JSON.") from None


def depth_exceeds(text: str, start: int, max_depth: int) -> bool:
    """Whether JSON nests deeper than that, without parsing it: brackets inside of strings
    are left out.
    """
    depth = 0
    for token in _BRACKETS.finditer(text, start):
        bracket = token.group()
        if bracket in "[{":
            depth += 1
            if depth > max_depth:
                return True
        elif bracket in "]}":
            depth -= 1
    return False


def event(packet: str, start: int, max_depth: int) -> tuple[str, dict[str, Any]]:
    """The name and the one object argument of an event whose JSON begins at `start`; no
    argument counts as `{}`.

    Raises:
        MalformedPayload: not a name followed by at most one object.
    """
    body = read_json(packet, start, max_depth)
    if type(body) is list and body and type(body[0]) is str:
        if len(body) == 2 and type(body[1]) is dict:
            return body[0], body[1]
        if len(body) == 1:
            return body[0], {}
    raise MalformedPayload("An event is a name and one JSON object.")
