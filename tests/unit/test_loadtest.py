"""What scripts/loadtest makes of what its players hear."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from loadtest import report, worker
from loadtest.accounts import Account
from loadtest.frames import event, one_frame
from loadtest.loop import Loop, Target
from loadtest.player import Field, Player
from loadtest.rooms import Hearing, Room
from loadtest.scenario import Scenario, Thresholds, read
from loadtest.stats import Histogram, Sample
from loadtest.verdict import verdicts

EXAMPLES = sorted((Path(__file__).parents[2] / "loadtest" / "scenarios").glob("*.toml"))


def member(room: Room, history: list[str] | None = None) -> tuple[Hearing, Counter[str]]:
    counts: Counter[str] = Counter()
    hearing = Hearing(room, counts)
    hearing.asked_to_join()
    hearing.joined(history or [])
    return hearing, counts


@given(st.lists(st.integers(0, 9), unique=True, min_size=1), st.data())
def test_a_member_who_hears_everything_once_in_order_is_content(told, data):
    room = Room("room:a")
    hearings = [member(room) for _ in range(3)]
    places = [0, 0, 0]
    while any(place < len(told) for place in places):
        who = data.draw(st.sampled_from([n for n in range(3) if places[n] < len(told)]))
        hearings[who][0].heard(str(told[places[who]]))
        places[who] += 1
    for hearing, counts in hearings:
        assert hearing.complete
        hearing.settle()
        assert not +counts


@pytest.mark.parametrize(
    ("heard", "wrong"),
    [
        ("abcd", {}),
        ("abd", {"lost": 1}),
        ("abc", {"lost": 1}),
        ("", {"lost": 4}),
        ("abbcd", {"doubled": 1}),
        ("abcda", {"doubled": 1}),
        ("acbd", {"out_of_order": 1}),
        ("dcba", {"out_of_order": 3}),
    ],
)
def test_what_is_missing_twice_or_too_late_is_counted(heard, wrong):
    room = Room("room:a")
    good, _ = member(room)
    other, counts = member(room)
    for one in "abcd":
        good.heard(one)
    for one in heard:
        other.heard(one)
    other.settle()
    assert +counts == Counter(wrong)


def test_who_joins_has_to_hear_what_comes_after_what_he_was_shown():
    room = Room("room:a")
    first, _ = member(room)
    first.heard("a")
    late: Counter[str] = Counter()
    hearing = Hearing(room, late)
    hearing.asked_to_join()
    first.heard("b")
    hearing.joined(["a", "b"])
    hearing.heard("b")  # told between the two, it may be in both
    first.heard("c")
    assert not hearing.complete
    hearing.heard("c")
    hearing.settle()
    assert not +late
    hearing.heard("a")
    assert +late == Counter(doubled=1)


def test_what_comes_before_the_answer_to_a_join_is_heard():
    room = Room("room:a")
    first, _ = member(room)
    counts: Counter[str] = Counter()
    hearing = Hearing(room, counts)
    hearing.asked_to_join()
    for one in "ab":
        first.heard(one)
    hearing.heard("b")  # told after the history was read, heard before it came
    hearing.joined(["a"])
    first.heard("c")
    hearing.heard("c")
    hearing.settle()
    assert hearing.complete
    assert not +counts


def test_who_left_need_not_hear_anything():
    room = Room("room:a")
    one, _ = member(room)
    gone, counts = member(room)
    gone.left()
    one.heard("a")
    gone.settle()
    assert gone.complete
    assert not +counts


@pytest.mark.parametrize(("comes", "lost"), [(True, 0), (False, 1)])
def test_the_end_waits_for_what_was_acknowledged_and_nobody_has_heard(monkeypatch, comes, lost):
    """The answer and the message come over two lines: either may be the first."""
    monkeypatch.setattr(worker, "SETTLE_SECONDS", 0.5)
    target = Target("127.0.0.1", 9, 0, None, None)
    field = Field(Loop(), target, Scenario(), random.Random(1), Sample())
    room = Room("room:a")
    player = Player(field, Account("token", "id", 60), room)
    player.hearing.joined([])
    player.ready = True
    room.acknowledge("a")
    if comes:
        field.loop.after(0.05, lambda: player.hearing.heard("a"))
    worker._settle(field, [player], [room])
    assert field.second.counts["lost"] == lost


@given(st.lists(st.floats(0.05, 60_000), min_size=1), st.floats(0.01, 1))
def test_a_quantile_is_at_most_a_bucket_too_high(times, part):
    histogram = Histogram()
    for one in times:
        histogram.record(one)
    ordered = sorted(times)
    exact = ordered[max(0, -(-int(len(times) * part * 1e9) // int(1e9)) - 1)]
    found = histogram.quantile(part)
    assert found is not None
    assert found >= exact * 0.999 or part * len(times) % 1 < 1e-6
    assert found <= max(ordered) * 1.081


def test_processes_add_up():
    whole = Sample()
    for number in (1, 2):
        part = Sample(players=number, connected=number)
        part.counts["acks"] += 9 * number
        part.errors["ack: forbidden"] += number
        part.times["ack"].record(5)
        whole.add(Sample.load(part.dump()))
        part.begin_anew()
        assert part.players == number
        assert not part.counts
    assert (whole.players, whole.counts["acks"], whole.times["ack"].count) == (3, 27, 2)
    assert whole.error_rate == pytest.approx(0.1)


def test_a_run_in_which_nobody_could_sign_in_kept_to_nothing():
    judged = {one.name: one.kept for one in verdicts(Thresholds(), Sample())}
    assert judged.pop("connect_p99_ms") is False
    assert all(judged.values())


def test_a_page_needs_nothing_else_and_shows_what_was_broken():
    seconds = [Sample(players=n, connected=n) for n in range(5)]
    seconds[2].times["ack"].record(7)
    whole = Sample(counts=Counter({"lost": 1}))
    judged = list(verdicts(Thresholds(), whole))
    page = report.page("http://<host>", Scenario(), seconds, whole, judged)
    assert page.count("<svg") == len(report.CHARTS)
    assert "http://&lt;host&gt;" in page
    assert not {"src=", "href=", "@import"} & set(page.split())
    assert 'lost</td><td class="number">1 ✗' in page
    assert "BROKEN  lost: 1" in report.text(whole, judged)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_is_a_scenario(path):
    assert read(path).load.players


def test_a_misspelt_field_is_no_scenario(tmp_path):
    file = tmp_path / "a.toml"
    file.write_text("[load]\nplayer = 3\n", "utf-8")
    with pytest.raises(ValidationError, match="player"):
        read(file)


@pytest.mark.parametrize("url", ["localhost:8080", "ftp://a", "http://", "ws://a"])
def test_what_is_no_url_of_a_server_is_refused(url):
    with pytest.raises(ValueError, match="URL"):
        Target.of(url)


def test_an_event_is_a_masked_frame():
    sent = event("chat:join", 7, room="room:a")
    assert sent[1] & 0x80
    assert sent[2:6] == bytes(4)
    assert sent[6:] == b'427["chat:join",{"room":"room:a"}]'
    answer = b"\x81\x03abc\x81\x7e\x00\xc8" + b"x" * 200
    first = one_frame(answer, 0)
    assert first == (0x81, b"abc", 5)
    cut = random.Random(1).randrange(6, len(answer))
    assert one_frame(answer[:cut], 5) is None
    assert one_frame(answer, 5) == (0x81, b"x" * 200, len(answer))
