"""Junk of every kind that a client can send, out of a seeded generator."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any

# A valid argument of every event, to be spoilt.
ARGUMENTS: dict[str, dict[str, Any]] = {
    "session:refresh": {"token": "a.b.c"},
    "chat:join": {"room": "room:fuzz"},
    "chat:leave": {"room": "room:fuzz"},
    "chat:send": {"room": "room:fuzz", "text": "hello", "client_id": "c1"},
    "chat:history": {"room": "room:fuzz", "before": "room:fuzz/1-0", "limit": 5},
    "chat:whisper": {"to": "a" * 20, "text": "psst"},
    "chat:edit": {"message_id": "room:fuzz/1-0", "text": "better"},
    "chat:delete": {"message_id": "room:fuzz/1-0"},
    "chat:report": {"message_id": "room:fuzz/1-0", "reason": "rude"},
    "chat:mute": {"player_id": "a" * 20, "seconds": 5},
    "chat:unmute": {"player_id": "a" * 20},
    "chat:typing": {"room": "room:fuzz"},
    "presence:set": {"status": "away"},
    "presence:query": {"player_ids": ["a" * 20]},
    "presence:watch": {"player_ids": ["a" * 20]},
    "presence:unwatch": {"player_ids": ["a" * 20]},
    "duel:challenge": {"opponent_id": "a" * 20, "stake": 0, "key": "k"},
    "duel:accept": {"duel_id": "a" * 20},
    "duel:decline": {"duel_id": "a" * 20},
    "duel:cancel": {"duel_id": "a" * 20},
    "duel:forfeit": {"duel_id": "a" * 20},
    "duel:play": {"duel_id": "a" * 20, "round": 1, "hold": [0, 1]},
    "duel:get": {"duel_id": "a" * 20},
    "duel:active": {},
    "duel:spectate": {"duel_id": "a" * 20},
    "duel:unspectate": {"duel_id": "a" * 20},
}
NAMES = [
    *("", " ", "connect", "disconnect", "connect_error", "error", "message", "*", "__proto__"),
    *(
        "guild:list",
        "wallet:transfer",
        "chat:Send",
        "chat:send ",
        "session:ready",
        "\0",
        "é" * 50,
    ),
    "x" * 5_000,
]
VALUES: list[Any] = [
    *(None, True, False, 0, -1, 1, 2**31, 2**63, 2**64, -(2**70), 10**400, 0.5, -0.0, 1e308),
    *(float("nan"), float("inf"), float("-inf"), "", " ", "0", "\0", "a\nb", "\u202e", "x" * 501),
    *("x" * 5_000, "\ud800", "ok\udfff", "😀" * 200, "../../etc", "{auth}:x", "$where", "room:"),
    *([], [[]], [None], [1, "a"], {}, {"a": {}}, {"$gt": ""}, {"_placeholder": True, "num": 0}),
    *([0] * 101, ["a" * 20] * 101, [0, 0, 0], [5], [-1], ["0"], {"x" * 100: 1}),
]
BINARY_HEADS = [
    '51-["chat:send",{"_placeholder":true,"num":0}]',
    '51-["chat:send",{"_placeholder":true,"num":99}]',
    '51-["chat:send",{"_placeholder":true,"num":-5}]',
    '51-["chat:send",{"_placeholder":true,"num":"a"}]',
    '51-["chat:send",{"_placeholder":true,"num":null}]',
    '51-["chat:send",{"room":"room:fuzz","text":{"_placeholder":true,"num":0}}]',
    '52-17["chat:send",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]',
    '51-{"_placeholder":true,"num":0}',
    '51-["chat:send",',
    '51-"text"',
    "51-null",
    "51-",
    "51-[NaN]",
    '51-["\\ud800"]',
    "51-" + "[" * 3_000 + "]" * 3_000,
    "51-" + '{"a":' * 2_000 + "1" + "}" * 2_000,
    "51-/admin,1[]",
    "51-" + "9" * 400 + "[]",
    '58-["chat:send"]',
    '59-["chat:send"]',
    '50-["chat:send",{}]',
    '5999-["chat:send"]',
    "5" + "9" * 30 + "-[]",
    '5["chat:send",{}]',
    '61-1["a"]',
    "60-",
]
HEADS = [
    *("", "2", "2[]", "2{}", "2null", "2[1]", '2["chat:send"]', '2["chat:send",1]', '2["a",{},{}]'),
    *('2["a",[]]', "2[NaN]", '2["\\ud800",{}]', "2[[]]", '2"text"', "2true", '2["chat:send",{}'),
    *("0", "0{}", '0{"token":"x"}', "0[]", "0/", "0/admin,", '0/admin,{"token":1}', "1/admin,"),
    *("3", "3[]", "31[]", '31["a"]', "31{}", "31", "3999999999999[1]", "3" + "9" * 40 + "[]"),
    *('4{"message":"x"}', "4", "7[]", "8", "9", "a", "-1", "/", '2/admin,["a"]', "2/admin"),
    *(
        '2/admin,7["a",{}]',
        "2/" + "a" * 100 + ',["a"]',
        "2/a?b=c,[]",
        '2?["a"]',
        "22",
        "²[]",
        "٢[]",
    ),
    '2["a",{"b":' + "9" * 5_000 + "}]",
    '2["a",{' + ",".join(f'"k{n}":{n}' for n in range(1_000)) + "}]",
    '2["a",{"a":1,"a":2}]',
    '2["a",{}]trailing',
    '2 ["a",{}]',
    '2["a"\u2028,{}]',
]


def _argument(dice: random.Random, event: str) -> Any:
    argument = dict(ARGUMENTS[event])
    for _ in range(dice.randint(1, 3)):
        match dice.randrange(4):
            case 0 if argument:
                del argument[dice.choice(list(argument))]
            case 1:
                argument[dice.choice(["extra", "", "__proto__", "x" * 300])] = dice.choice(VALUES)
            case 2 if argument:
                argument[dice.choice(list(argument))] = dice.choice(VALUES)
            case _:
                return dice.choice([argument, dice.choice(VALUES), [argument]])
    return argument


def _nested(dice: random.Random) -> str:
    depth = dice.choice([7, 8, 9, 50, 1_000, 3_000])
    if dice.random() < 0.5:
        return "[" * depth + "]" * depth
    return '{"a":' * depth + "1" + "}" * depth


def _event(dice: random.Random, ack_id: int) -> str:
    """An event that is wrong in some way, or by chance in none."""
    event = dice.choice(list(ARGUMENTS))
    ack: object = ack_id
    match dice.randrange(8):
        case 0:
            body = [dice.choice(NAMES), {}]
        case 1:
            return f'2{ack}["{event}",{_nested(dice)}]'
        case 2:  # above the limit of a message, below that of a frame
            body = [event, {"room": "room:fuzz", "text": "x" * dice.randint(16_400, 20_000)}]
        case _:
            body = [event, _argument(dice, event)]
    text = json.dumps(body, ensure_ascii=dice.random() < 0.5)
    if _has_surrogates(text):
        text = json.dumps(body)
    return f"2{ack}{text}"


def _has_surrogates(text: str) -> bool:
    return any("\ud800" <= char <= "\udfff" for char in text)


def _noise(dice: random.Random) -> str:
    letters = '0123456789[]{}",:-/\\ abc\0\x1eé€😀'
    return "".join(dice.choice(letters) for _ in range(dice.randint(1, 60)))


def packets(seed: int) -> Iterator[tuple[int | None, str | bytes]]:
    """Socket.IO packets that must not end a connection: (ack id if one is asked for, packet).

    A binary one is an attachment, announced or not.
    """
    dice = random.Random(seed)
    ack_id = 1_000_000  # no other packet's, and no beginning of one
    while True:
        ack_id += 1
        match dice.randrange(12):
            case 0:
                yield None, dice.choice(HEADS)
            case 1:
                yield None, dice.choice(BINARY_HEADS)
                for _ in range(dice.randrange(3)):
                    yield None, dice.randbytes(dice.choice([0, 1, 100, 17_000]))
            case 2:
                yield None, dice.randbytes(dice.randrange(50))
            case 3:
                yield None, _without_connect(_noise(dice))
            case 4:
                whole = _event(dice, 888_888_888)
                yield None, whole[: dice.randrange(len(whole))]
            case 5:
                yield None, f"2{'9' * 30}{json.dumps([dice.choice(list(ARGUMENTS)), {}])}"
            case 6:
                yield None, "2" + _event(dice, ack_id).lstrip("0123456789")
            case _:
                yield ack_id, _event(dice, ack_id)


def _without_connect(packet: str) -> str:
    """A DISCONNECT would be obeyed: not what is asked for here."""
    return "2" + packet if packet.startswith("1") else packet


# Engine.IO packets after which a connection is over.
FATAL = [
    "7",
    "8",
    "9",
    "x",
    "",
    "0",
    '0{"sid":"x"}',
    "1",
    "ping",
    "\0",
    "é",
    "-4",
    " 4",
    "bé",
    "bA",
]

# WebSocket frames that break RFC 6455 or say what no text is; the mask is four zeros.
FRAMES = [
    b"\x81\x82\0\0\0\0\xff\xfe",  # text that is not UTF-8
    b"\x81\x85\0\0\0\0" + b"4\xed\xa0\x80x",  # a lone surrogate, encoded
    b"\x81\x83\0\0\0\0" + b"4\xc0\x80",  # an overlong NUL
    b"\x83\x80\0\0\0\0",  # a reserved opcode
    b"\xf1\x80\0\0\0\0",  # reserved bits
    b"\x09\x80\0\0\0\0",  # a ping in fragments
    b"\x89\xfe\x00\x7e\0\0\0\0" + b"x" * 126,  # a ping that is too long
    b"\x80\x80\0\0\0\0",  # a continuation of nothing
    b"\x01\x81\0\0\0\0" + b"4" + b"\x81\x81\0\0\0\0" + b"2",  # a text inside of a text
    b"\x88\x81\0\0\0\0x",  # a close with half a code
    b"\x88\x82\0\0\0\0\x00\x01",  # a close with a code that is none
    b"\x81\xff\x7f\xff\xff\xff\xff\xff\xff\xff\0\0\0\0",  # eight exabytes
    b"\x81\xff\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\0",  # and more
    b"\x81\xff\0\0\0\0\0\x01\x00\x01\0\0\0\0",  # 64 KiB and one byte, announced
]

# CONNECT packets that sign nobody in.
AUTHS = [
    *("0", "0{}", "0[]", "0null", "0true", '0"token"', "0{", '0{"token":}', "0NaN"),
    *('0{"token":1}', '0{"token":null}', '0{"token":""}', '0{"token":"a.b.c"}', '0{"tok":"x"}'),
    *('0{"token":["x"]}', '0{"token":{"a":"b"}}', '0{"token":"\\ud800"}', '0{"token":"é.é.é"}'),
    '0{"token":"' + "x" * 20_000 + '"}',
    '0{"token":"' + "a." * 2_000 + '"}',
    '0{"token":"eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0."}',
    '0{"token":"eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0.","character_id":{"$gt":""}}',
    "0" + "[" * 5_000,
    "0/admin,",
    '0/admin,{"token":"x"}',
    "0" + "9" * 50 + "{}",
]

# Bodies of polling requests that end a session, since they are no packets or say so.
BODIES = [
    *(b"", b"\x1e", b"\x1e\x1e\x1e", b"\xff\xfe", b"4\xed\xa0\x80", b"9", b"x" * 100, b"\0"),
    b"b\xc3\xa9",
    b"\x1e".join([b"3"] * 65),
    b"4" + b"x" * 70_000,
    b"0",
    b"3\x1e\x1e3",
    b"1\x1ex",
]

# Requests by hand; {host} and {sid} are put in.
_HEAD = "Host: {host}\r\n"
_POST = "POST /socket.io/?EIO=4&transport=polling&sid={sid} HTTP/1.1\r\n" + _HEAD
_GET = "GET /socket.io/?EIO=4&transport="
REQUESTS = [
    _POST + "Content-Length: 99999999999\r\n\r\n4",
    _POST + "Content-Length: 99999999999999999999999999999\r\n\r\n4",
    _POST + "Content-Length: -1\r\n\r\n4",
    _POST + "Content-Length: abc\r\n\r\n4",
    _POST + "Content-Length: 1\r\nContent-Length: 2\r\n\r\n41",
    _POST + "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    _POST + "Transfer-Encoding: chunked\r\n\r\n3\r\n41x\r\n0\r\n\r\n",
    _POST + "Transfer-Encoding: chunked\r\n\r\nZZ\r\n41x\r\n0\r\n\r\n",
    _POST + "Content-Encoding: gzip\r\nContent-Length: 3\r\n\r\n4[]",
    _POST + "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 3\r\n\r\nd=4",
    _GET + "polling&sid={sid}&j=0 HTTP/1.1\r\n" + _HEAD + "\r\n",
    _GET + "polling&sid={sid}&j=x HTTP/1.1\r\n" + _HEAD + "\r\n",
    _GET + "polling&sid=%00%ff HTTP/1.1\r\n" + _HEAD + "\r\n",
    _GET + "polling&sid=" + "x" * 2_000 + " HTTP/1.1\r\n" + _HEAD + "\r\n",
    _GET + "pigeon HTTP/1.1\r\n" + _HEAD + "\r\n",
    _GET + "websocket HTTP/1.1\r\n" + _HEAD + "\r\n",
    _GET + "websocket HTTP/1.1\r\n" + _HEAD + "Upgrade: websocket\r\n\r\n",
    _GET + "websocket HTTP/1.1\r\n" + _HEAD + "Upgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
    _GET + "websocket HTTP/1.1\r\n" + _HEAD + "Upgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Version: 7\r\nSec-WebSocket-Key: x\r\n\r\n",
    _GET + "websocket&sid={sid} HTTP/1.1\r\n" + _HEAD + "Upgrade: websocket\r\n"
    "Connection: Upgrade\r\n\r\n",
    _GET
    + "websocket&sid={sid} HTTP/1.1\r\n"
    + _HEAD
    + "Upgrade: h2c\r\nConnection: Upgrade\r\n\r\n",
    _GET + "polling HTTP/1.1\r\n" + _HEAD + "Upgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
    _GET + "polling HTTP/1.1\r\n" + _HEAD + "Origin: https://evil.example\r\n\r\n",
    "GET /socket.io/?EIO=3&transport=polling HTTP/1.1\r\n" + _HEAD + "\r\n",
    "GET /socket.io/?EIO=4&EIO=3&transport=polling&transport=x HTTP/1.1\r\n" + _HEAD + "\r\n",
    "GET /socket.io/?" + "a=b&" * 1_500 + " HTTP/1.1\r\n" + _HEAD + "\r\n",
    "PUT /socket.io/?EIO=4&transport=polling&sid={sid} HTTP/1.1\r\n" + _HEAD + "\r\n",
    "DELETE /socket.io/?EIO=4&transport=polling&sid={sid} HTTP/1.1\r\n" + _HEAD + "\r\n",
    "OPTIONS /socket.io/?EIO=4&transport=polling&sid={sid} HTTP/1.1\r\n" + _HEAD + "\r\n",
    "HEAD /socket.io/?EIO=4&transport=polling HTTP/1.1\r\n" + _HEAD + "\r\n",
    "GET /socket.io/ HTTP/1.0\r\n\r\n",
    "GET /socket.io HTTP/1.1\r\n" + _HEAD + "\r\n",
    "GET /../../etc/passwd HTTP/1.1\r\n" + _HEAD + "\r\n",
    "GET /%2e%2e/%00 HTTP/1.1\r\n" + _HEAD + "\r\n",
    "GET / HTTP/9.9\r\n" + _HEAD + "\r\n",
    "NONSENSE\r\n\r\n",
    "\0\1\2\3\r\n\r\n",
    "GET / HTTP/1.1\r\n" + _HEAD + "X: " + "x" * 20_000 + "\r\n\r\n",
    "GET / HTTP/1.1\r\n" + _HEAD + "Authorization: Bearer \xff\xfe\r\n\r\n",
    "GET /api/v1/me HTTP/1.1\r\n" + _HEAD + "Authorization: Bearer \xe9.\xe9.\xe9\r\n\r\n",
    "POST /api/v1/auth/guest HTTP/1.1\r\n" + _HEAD + "Content-Length: 3\r\n\r\n[[[",
    "POST /api/v1/auth/guest HTTP/1.1\r\n" + _HEAD + "Content-Length: 4\r\n\r\n\xff\xfe{{}}",
    "POST /api/v1/auth/guest HTTP/1.1\r\n" + _HEAD + "Content-Encoding: gzip\r\n"
    "Content-Length: 4\r\n\r\nabcd",
]

# Requests that are not sent to their end.
CUT = [
    _POST + "Content-Length: 100\r\n\r\n4",
    _POST + "Transfer-Encoding: chunked\r\n\r\n5\r\n4",
    _POST[:-20],
    _GET + "polling&sid={sid} HTTP/1.1\r\n" + _HEAD + "\r\n",
    "POST /api/v1/auth/guest HTTP/1.1\r\n" + _HEAD + "Content-Length: 100\r\n\r\n{{",
    "POST /api/v1/auth/guest HTTP/1.1\r\n" + _HEAD + "Transfer-Encoding: chunked\r\n\r\n5\r\n{{",
]
