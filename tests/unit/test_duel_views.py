"""What a viewer is shown of a duel, key by key; the secrets' laws are in test_duel_laws."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter

from game import deal, duels
from game.duel_views import DuelView, may_see, view_for
from game.duels import Duel, Rules

SEED = "0123456789abcdef" * 4
T0 = 1_000_000
ALL = (0, 1, 2, 3, 4)
DECK = list(deal.deck(SEED, 1))


def offer() -> Duel:
    return duels.challenge("d1", ("ann", "Ann"), ("bob", "Bob"), SEED, T0, Rules())


def begun() -> Duel:
    return duels.accept(offer(), "bob", {"ann": True, "bob": True}, T0)


def played() -> Duel:
    return duels.play(begun(), "ann", 1, [0], T0)


def test_a_challenge_as_the_two_see_it() -> None:
    view = {
        "id": "d1",
        "status": "challenged",
        "players": [
            {"id": "ann", "name": "Ann", "connected": True, "score": 0},
            {"id": "bob", "name": "Bob", "connected": True, "score": 0},
        ],
        "stake": 0,
        "round": 0,
        "deadline": T0 + 60_000,
        "opponent_played": False,
        "rounds": [],
        "commitment": deal.commitment(SEED),
        "version": 1,
    }
    assert view_for(offer(), "ann") == view_for(offer(), "bob") == view


def test_a_fighter_sees_his_own_hand_and_that_the_other_has_played() -> None:
    mine, other = view_for(played(), "ann"), view_for(played(), "bob")
    assert mine["you"] == {"hand": [DECK[0], *DECK[10:14]], "played": True}
    assert mine["opponent_played"] is False
    assert other["you"] == {"hand": DECK[5:10], "played": False}
    assert other["opponent_played"] is True
    assert mine["deadline"] == T0 + 20_000


@pytest.mark.parametrize("viewer", ["eve", None])
def test_a_spectator_sees_neither_hands_nor_who_has_played(viewer: str | None) -> None:
    view = view_for(played(), viewer)
    assert "you" not in view
    assert view["opponent_played"] is False


def test_the_showdown_shows_both_hands_to_everybody() -> None:
    view = view_for(duels.play(played(), "bob", 1, ALL, T0), None)
    (result,) = view["rounds"]
    assert result["hands"] == {"ann": [DECK[0], *DECK[10:14]], "bob": DECK[5:10]}
    assert result["ranks"].keys() == {"ann", "bob"}
    assert result["winner_id"] in ("ann", "bob")
    assert view["round"] == 2


def test_the_end_shows_the_winner_and_the_seed() -> None:
    view = view_for(duels.forfeit(played(), "ann", T0), "ann")
    assert (view["status"], view["winner_id"], view["end_reason"]) == ("finished", "bob", "forfeit")
    assert deal.commitment(view["seed"]) == view["commitment"]
    assert view["deadline"] is None
    assert view["opponent_played"] is False
    assert "you" not in view


def test_a_draw_has_no_winner() -> None:
    drawn = duels.tick(duels.tick(begun(), T0 + 20_000), T0 + 40_000)
    view = view_for(drawn, None)
    assert view["end_reason"] == "timeout"
    assert "winner_id" not in view


def test_a_challenge_that_came_to_nothing_keeps_its_seed() -> None:
    view = view_for(duels.decline(offer(), "bob", T0), "ann")
    assert view.keys().isdisjoint({"seed", "you", "winner_id", "end_reason"})


def test_there_is_no_deadline_while_the_clock_stands_still() -> None:
    view = view_for(duels.presence(begun(), "bob", False, 1, T0), "ann")
    assert view["deadline"] is None
    assert [player["connected"] for player in view["players"]] == [True, False]


def test_anybody_may_watch_a_fight_but_a_challenge_is_between_the_two() -> None:
    private = [offer(), duels.decline(offer(), "bob", T0), duels.tick(offer(), T0 + 60_000)]
    private.append(duels.cancel(offer(), "ann", T0))
    for duel in private:
        assert [may_see(duel, who) for who in ("ann", "bob", "eve", None)] == [
            True,
            True,
            False,
            False,
        ]
    for duel in (begun(), duels.forfeit(begun(), "ann", T0)):
        assert all(may_see(duel, who) for who in ("ann", "bob", "eve", None))


def test_the_documents_are_generated_from_the_view_itself() -> None:
    adapter = TypeAdapter(DuelView)
    for duel in (offer(), played(), duels.forfeit(begun(), "ann", T0)):
        assert adapter.validate_python(view_for(duel, "ann"), strict=True) == view_for(duel, "ann")
    optional = {"you", "winner_id", "end_reason", "seed"}
    schema = adapter.json_schema()
    assert set(schema["properties"]) - set(schema["required"]) == optional
