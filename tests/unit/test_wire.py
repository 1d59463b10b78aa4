"""The head of a Socket.IO packet, and JSON within bounds."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from game.errors import MalformedPayload
from server import wire

scalars = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text('[]{}"\\', max_size=4), inner, max_size=3)
    ),
    max_leaves=12,
)


@pytest.mark.parametrize(
    ("packet", "kind", "namespace", "ack_id", "attachments", "rest"),
    [
        ("0", wire.CONNECT, "/", None, 0, ""),
        ('0{"token":"t"}', wire.CONNECT, "/", None, 0, '{"token":"t"}'),
        ("0/admin,", wire.CONNECT, "/admin", None, 0, ""),
        ('0/admin,{"a":1}', wire.CONNECT, "/admin", None, 0, '{"a":1}'),
        ("1", wire.DISCONNECT, "/", None, 0, ""),
        ('2["e"]', wire.EVENT, "/", None, 0, '["e"]'),
        ('212["e"]', wire.EVENT, "/", 12, 0, '["e"]'),
        ('2/chat,0["e"]', wire.EVENT, "/chat", 0, 0, '["e"]'),
        ("37[1]", wire.ACK, "/", 7, 0, "[1]"),
        ('4{"message":"m"}', wire.CONNECT_ERROR, "/", None, 0, '{"message":"m"}'),
        ('51-["e"]', wire.BINARY_EVENT, "/", None, 1, '["e"]'),
        ('52-/a,3["e"]', wire.BINARY_EVENT, "/a", 3, 2, '["e"]'),
        ("61-4[]", wire.BINARY_ACK, "/", 4, 1, "[]"),
    ],
)
def test_a_head_says_what_follows(
    packet: str, kind: int, namespace: str, ack_id: int | None, attachments: int, rest: str
) -> None:
    head = wire.try_head(packet)
    assert head is not None
    assert (head.type, head.namespace, head.ack_id, head.attachments) == (
        *(kind, namespace, ack_id, attachments),
    )
    assert packet[head.start :] == rest


@pytest.mark.parametrize("packet", ["", "7", "x", " 2[]", "-1", "٣[]", "\x00"])
def test_what_is_no_head_is_none(packet: str) -> None:
    assert wire.try_head(packet) is None


def test_an_id_or_a_count_of_many_digits_is_not_read() -> None:
    head = wire.try_head("2" + "9" * 16 + "[]")
    assert head is not None
    with pytest.raises(MalformedPayload):
        wire.read_json("2" + "9" * 16 + "[]", head.start, 8)
    attachments = wire.try_head("5" + "9" * 4 + "-[]")
    assert attachments is not None
    assert attachments.attachments == 0


@given(st.text(max_size=40))
def test_a_head_is_read_of_anything_or_not(packet: str) -> None:
    head = wire.try_head(packet)
    assert head is None or 1 <= head.start <= len(packet)


# JSON


def depth(value: Any) -> int:
    """Levels of nesting, by a walk over what was parsed."""
    if isinstance(value, list):
        return 1 + max(map(depth, value), default=0)
    if isinstance(value, dict):
        return 1 + max(map(depth, value.values()), default=0)
    return 0


@given(values, st.integers(0, 6), st.sampled_from(["", "2", "42[{"]))
def test_the_depth_is_that_of_the_parsed_value(value: Any, limit: int, head: str) -> None:
    text = head + json.dumps(value)
    assert wire.depth_exceeds(text, len(head), limit) == (depth(value) > limit)


@given(values)
def test_what_is_within_bounds_is_read_as_it_is(value: Any) -> None:
    assert wire.read_json("42" + json.dumps(value), 2, 20) == value


@given(st.text(max_size=30))
def test_anything_else_is_malformed_and_nothing_worse(text: str) -> None:
    try:
        value = wire.read_json(text, 0, 8)
    except MalformedPayload:
        return
    assert orjson.loads(text) == value


@pytest.mark.parametrize(
    "text",
    [
        "",
        "NaN",
        "[Infinity]",
        "-Infinity",
        '"\\ud800"',
        '"\ud800"',
        "[1,]",
        "01",
        "[",
        "1e999",
        "{}{}",
    ],
)
def test_what_is_no_json_is_malformed(text: str) -> None:
    with pytest.raises(MalformedPayload):
        wire.read_json(text, 0, 8)


def test_deep_nesting_is_refused_before_it_is_parsed() -> None:
    assert wire.depth_exceeds("[" * 100_000, 0, 8)
    assert not wire.depth_exceeds("[" * 8 + "]" * 8, 0, 8)
    assert wire.depth_exceeds("[" * 9 + "]" * 9, 0, 8)
    brackets_in_a_text = '{"text":"' + "[{" * 1_000 + '"}'
    assert not wire.depth_exceeds(brackets_in_a_text, 0, 8)
    many_side_by_side = "[" + ",".join(["[]"] * 1_000) + "]"
    assert not wire.depth_exceeds(many_side_by_side, 0, 2)
    with pytest.raises(MalformedPayload):
        wire.read_json("[" * 100_000, 0, 8)


# Events


def test_an_event_is_a_name_and_one_object() -> None:
    assert wire.event('20["e",{"a":1}]', 2, 8) == ("e", {"a": 1})
    assert wire.event('2["e"]', 1, 8) == ("e", {})


@pytest.mark.parametrize(
    "body", [[], {}, "e", None, [1], [None, {}], ["e", 1], ["e", []], ["e", None], ["e", {}, {}]]
)
def test_anything_else_is_no_event(body: object) -> None:
    with pytest.raises(MalformedPayload):
        wire.event(json.dumps(body), 0, 8)
