"""What a room, a message's id and a text may be, and who may change a message."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from game.chat import (
    ChatMessage,
    Editor,
    Kind,
    MessageId,
    Room,
    clean,
    masking,
    normalise,
)
from game.errors import Conflict, Forbidden, NotFound, ValidationFailed

ANN, BOB = "a" * 20, "b" * 20
LIMIT = 50
WORDS = ("fuck", "shit", "naïve")

players = st.text("0123456789abcdef", min_size=20, max_size=20)
rooms = st.from_regex(r"[a-z][a-z0-9:_-]{0,63}", fullmatch=True)
milliseconds = st.integers(0, 10**13 - 1)
counters = st.integers(0, 99_999)


# Rooms


@pytest.mark.parametrize(
    ("name", "kind", "ids"),
    [
        ("global", Kind.OPEN, ()),
        ("trade", Kind.OPEN, ()),
        ("room:poker-night_2", Kind.OPEN, ()),
        ("room:poker:night-2", Kind.OPEN, ()),
        ("duel:0a1b", Kind.DUEL, ("0a1b",)),
        (f"whisper:{ANN}:{BOB}", Kind.WHISPER, (ANN, BOB)),
    ],
)
def test_a_name_says_who_may_enter(name: str, kind: Kind, ids: tuple[str, ...]) -> None:
    assert Room.named(name) == Room(name, kind, ids)


@pytest.mark.parametrize(
    "name",
    [
        "lobby",
        "global2",
        "room:",
        "duel:",
        "duel:a_b",
        "whisper:",
        f"whisper:{ANN}",
        f"whisper:{BOB}:{ANN}",
        f"whisper:{ANN}:{ANN}",
        f"whisper:{ANN.upper()}:{BOB}",
        "global\n",
        "room:é",
    ],
)
def test_a_name_of_no_known_kind_is_no_room(name: str) -> None:
    with pytest.raises(NotFound):
        Room.named(name)


@given(players, players)
def test_two_players_have_one_room_to_whisper(one: str, other: str) -> None:
    assume(one != other)
    room = Room.between(one, other)
    assert room == Room.between(other, one)
    assert set(room.ids) == {one, other}


# Ids


@given(milliseconds, counters, rooms)
def test_an_id_is_read_as_it_was_written(ms: int, seq: int, room: str) -> None:
    message_id = MessageId(ms, seq, room)
    assert MessageId.parse(str(message_id)) == message_id
    assert MessageId.of_entry(message_id.entry, room) == message_id


@given(st.tuples(milliseconds, counters), st.tuples(milliseconds, counters), rooms)
def test_ids_of_a_room_sort_by_time_as_text(
    one: tuple[int, int], other: tuple[int, int], room: str
) -> None:
    ids = MessageId(*one, room), MessageId(*other, room)
    assert (str(ids[0]) < str(ids[1])) == (one < other)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1-1@global",
        "1763800000000-00001",
        "1763800000000-00001@",
        "1763800000000-000001@global",
        "1763800000000-1@global",
        " 1763800000000-00001@global",
        "١٧٦٣٨٠٠٠٠٠٠٠٠-00001@global",
        "1763800000000-99999999999999999999@global",
        "1763800000000-00001@global\n",
    ],
)
def test_what_nobody_wrote_is_no_id(text: str) -> None:
    with pytest.raises(NotFound):
        Room.named(MessageId.parse(text).room)


# Texts


@given(st.text(max_size=LIMIT * 5))
def test_a_normal_text_stays_as_it_is(text: str) -> None:
    try:
        normal = normalise(text, LIMIT)
    except ValidationFailed:
        return
    assert normalise(normal, LIMIT) == normal
    assert unicodedata.is_normalized("NFC", normal)
    assert normal == normal.strip()
    assert 0 < len(normal) <= LIMIT


@given(st.text(st.characters(categories=["L", "N", "P", "S"]), min_size=1, max_size=8))
def test_what_people_write_is_let_through(text: str) -> None:
    assume(not set(text) & set("\u115f\u1160\u3164\uffa0\u2800"))
    assert normalise(f"  {text} ", LIMIT) == unicodedata.normalize("NFC", text)


def test_a_family_of_emoji_and_a_line_break_are_let_through() -> None:
    text = "👩‍👩‍👧\n你好"
    assert normalise(text, LIMIT) == text


@pytest.mark.parametrize(
    "character", ["\x00", "\t", "\r", "\x1b", "\x7f", "\x85", "\ud800", "\u202e", "\u2066"]
)
def test_control_characters_are_refused(character: str) -> None:
    for text in (f"a{character}b", f"{character}a", f"a{character}"):
        with pytest.raises(ValidationFailed) as refused:
            normalise(text, LIMIT)
        problem = refused.value.errors[0]
        assert (problem["field"], problem["type"]) == ("text", "forbidden_character")


def test_all_control_characters_and_surrogates_are_refused() -> None:
    for character in map(chr, range(0x110000)):
        if unicodedata.category(character) in {"Cc", "Cs"} and character != "\n":
            with pytest.raises(ValidationFailed):
                normalise(f"a{character}", LIMIT)


@pytest.mark.parametrize("text", ["", " ", "\n\n", "\u200b", "\u3164", "\u2800 \u00ad", "\u2003"])
def test_a_text_that_nobody_can_see_is_refused(text: str) -> None:
    with pytest.raises(ValidationFailed) as refused:
        normalise(text, LIMIT)
    assert refused.value.errors[0]["type"] == "string_too_short"


def test_the_length_is_counted_after_normalising() -> None:
    decomposed = "e\u0301" * LIMIT
    assert len(normalise(decomposed, LIMIT)) == LIMIT
    assert len(normalise(" " * LIMIT + "a" * LIMIT, LIMIT)) == LIMIT
    for text in (decomposed + "e", "a" * (LIMIT + 1), "a" * 20_000):
        with pytest.raises(ValidationFailed) as refused:
            normalise(text, LIMIT)
        assert refused.value.errors[0]["type"] == "string_too_long"


# Masking


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("fuck", "****"),
        ("Oh FuCk, shit!", "Oh ****, ****!"),
        ("Scunthorpe shitake fucking", "Scunthorpe shitake fucking"),
        ("fuck_fuck fuck-fuck", "fuck_fuck ****-****"),
        ("NAÏVE, naïveté", "*****, naïveté"),
    ],
)
def test_whole_words_are_masked(text: str, shown: str) -> None:
    assert masking(WORDS)(text) == shown


@given(st.lists(st.sampled_from([*WORDS, "hello", " ", "*", "_", "é", "\n"])).map("".join))
def test_a_mask_changes_nothing_twice_and_no_length(text: str) -> None:
    mask = masking(WORDS)
    assert mask(mask(text)) == mask(text)
    assert len(mask(text)) == len(text)


def test_without_words_nothing_is_masked() -> None:
    assert masking(())("fuck") == "fuck"


def test_rules_work_on_the_normal_text_one_after_the_other() -> None:
    shout = str.upper
    assert clean(" nai\u0308ve a ", LIMIT, (masking(WORDS), shout)) == "***** A"


# Changes

SENT_AT = 1_763_800_000_000
WINDOW_MS = 300_000


def message() -> ChatMessage:
    return {
        "id": "x",
        "room": "global",
        "from": {"id": ANN, "name": "Ann"},
        "text": "hi",
        "sent_at": SENT_AT,
    }


def editor(player_id: str, *, moderates: bool = False, after_ms: int = 0) -> Editor:
    return Editor(player_id, moderates, SENT_AT + after_ms, WINDOW_MS)


def test_an_author_edits_and_deletes_while_it_is_fresh() -> None:
    ann = editor(ANN, after_ms=WINDOW_MS)
    assert ann.edit(message(), "ho") == {**message(), "text": "ho", "edited_at": ann.at}
    assert ann.delete(message()) == {**message(), "text": "", "deleted": True}


@pytest.mark.parametrize(
    "stranger", [editor(BOB), editor(ANN, after_ms=WINDOW_MS + 1)], ids=["another", "too late"]
)
def test_others_and_late_authors_change_nothing(stranger: Editor) -> None:
    with pytest.raises(Forbidden):
        stranger.edit(message(), "ho")
    with pytest.raises(Forbidden):
        stranger.delete(message())


def test_a_moderator_changes_what_others_wrote_at_any_time() -> None:
    moderator = editor(BOB, moderates=True, after_ms=10 * WINDOW_MS)
    assert moderator.edit(message(), "ho")["from"]["id"] == ANN
    assert moderator.delete(message())["deleted"]


def test_a_deleted_message_stays_deleted() -> None:
    deleted = editor(ANN).delete(message())
    with pytest.raises(Conflict):
        editor(BOB, moderates=True).edit(deleted, "back again")
    assert editor(ANN).delete(deleted) == deleted
