"""WebSocket frames as a lean client needs them: masked with zeros, without fragments."""

from __future__ import annotations

import json
import struct
from typing import Any


def frame(text: bytes, opcode: int = 0x81) -> bytes:
    """A client's frame, masked with zeros."""
    size = len(text)
    if size < 126:
        return bytes((opcode, 0x80 | size, 0, 0, 0, 0)) + text
    if size < 65_536:
        return struct.pack("!BBHI", opcode, 0x80 | 126, size, 0) + text
    return struct.pack("!BBQI", opcode, 0x80 | 127, size, 0) + text


def event(name: str, ack_id: int = 0, **fields: Any) -> bytes:
    """A frame with an event of one object that asks for an answer."""
    return frame(f"42{ack_id}{json.dumps([name, fields], separators=(',', ':'))}".encode())


def one_frame(data: bytes, at: int) -> tuple[int, bytes, int] | None:
    """A server's frame: its first byte, its payload and where the next one begins."""
    if len(data) - at < 2:
        return None
    size, head = data[at + 1], 2
    if size == 126:
        size, head = int.from_bytes(data[at + 2 : at + 4], "big"), 4
    elif size == 127:
        size, head = int.from_bytes(data[at + 2 : at + 10], "big"), 10
    end = at + head + size
    if end > len(data) or len(data) - at < head:
        return None
    return data[at], data[at + head : end], end


PONG = frame(b"3")
CLOSE = frame(b"\x03\xe8", 0x88)
