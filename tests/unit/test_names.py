"""User names, display names and passwords: what passes and what is refused."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from game import names
from game.errors import ValidationFailed


def refused(rule: Callable[[str], str], text: str) -> str:
    with pytest.raises(ValidationFailed) as caught:
        rule(text)
    (problem,) = caught.value.errors
    return problem["field"]


@pytest.mark.parametrize("text", ["ann", "A.b-c_9", "x" * 64])
def test_a_user_name_is_kept_as_it_is(text: str) -> None:
    assert names.username(text) == text


@pytest.mark.parametrize(
    "text", ["", "ab", "x" * 65, "a b", "änn", "ann\n", "ann\u0000", "a\u0661\u0661"]
)
def test_other_user_names_are_refused(text: str) -> None:
    assert refused(names.username, text) == "username"


@pytest.mark.parametrize("length", [8, 128])
def test_a_password_has_8_to_128_characters(length: int) -> None:
    assert names.password("é" * length) == "é" * length


@pytest.mark.parametrize("length", [0, 7, 129])
def test_a_shorter_or_longer_password_is_refused(length: int) -> None:
    assert refused(names.password, "x" * length) == "password"


def test_a_display_name_is_composed_stripped_and_spaced_singly() -> None:
    assert names.display_name(" \u2003Zoe\u0308   the\u00a0\u2028Great ") == "Zoë the Great"


@pytest.mark.parametrize("text", ["x", "x" * 40, "李", "🂡", "-", "é" * 40, "e\u0301" * 40])
def test_a_display_name_has_1_to_40_characters(text: str) -> None:
    assert names.display_name(text) == unicodedata.normalize("NFC", text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "x" * 41,
        "x" + "\u0301" * 100_000,  # would take seconds to normalise
        "a\u0000b",
        "a\tb",
        "a\u200bb",  # zero width space
        "a\u202eb",  # right-to-left override
        "a\u2066b",  # left-to-right isolate
        "a\ue000b",  # private
        "a\ud800b",  # half of a pair
        "a\U000e0041",  # a tag
        "\u3164",  # the Hangul filler
        "\u2800\u2800",
        "\u0301\ufe0f",  # marks on nothing
    ],
)
def test_a_display_name_that_hides_or_deceives_is_refused(text: str) -> None:
    assert refused(names.display_name, text) == "name"


@given(st.text(st.characters(), max_size=45))
def test_what_passes_is_safe_to_show_and_passes_again(text: str) -> None:
    try:
        name = names.display_name(text)
    except ValidationFailed:
        return
    assert names.display_name(name) == name
    assert 1 <= len(name) <= 40
    assert unicodedata.is_normalized("NFC", name)
    assert not any(unicodedata.category(char)[0] == "C" for char in name)
    assert name == " ".join(name.split(" "))


@given(st.text("0123456789abcdef", min_size=20, max_size=20))
def test_a_guest_is_numbered_by_its_id_alone(account_id: str) -> None:
    name = names.first_name(None, account_id)
    assert names.display_name(name) == name
    assert name == f"Guest-{int(account_id, 16) % 10_000:04d}"


@given(st.from_regex(names.USERNAME, fullmatch=True))
def test_every_user_name_gives_a_display_name(username: str) -> None:
    name = names.first_name(username, "0")
    assert names.display_name(name) == name
    assert username.startswith(name)
