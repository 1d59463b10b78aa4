"""Engine.IO packets, encoded once for however many receive them."""

from __future__ import annotations

from engineio import exceptions, packet

from server.websocket import BINARY_FRAME, websocket_frame


class Message(packet.Packet):
    """An Engine.IO message whose encodings are made once, however many receive it."""

    def __init__(self, text: str, event_id: int = 0) -> None:
        self.packet_type = packet.MESSAGE  # and the rest of the stock constructor's work
        self.data = text
        self.binary = False
        self.encode_cache = "4" + text
        self.frame = websocket_frame(self.encode_cache.encode())
        self.event_id = event_id  # its place in the log; 0 for what is not kept


def size_of(pkt: packet.Packet) -> int:
    """The bytes of a packet that waits."""
    return len(pkt.data if pkt.binary else pkt.encode())


def frame_of(pkt: packet.Packet) -> bytes:
    """The packet as a complete frame."""
    if isinstance(pkt, Message):
        return pkt.frame
    if pkt.binary:  # not encoded here: what is cached for a WebSocket does not fit a poll
        return websocket_frame(pkt.data, BINARY_FRAME)
    return websocket_frame(pkt.encode().encode())


def from_base64(text: str) -> bytes:
    """A binary message as polling sends it.

    Raises:
        UnknownPacketError: it is no base64.
    """
    try:
        data: bytes = packet.Packet(encoded_packet=text).data
    except ValueError:
        raise exceptions.UnknownPacketError from None
    return data
