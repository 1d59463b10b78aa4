"""What each viewer may know of a duel: the `DuelView` of the protocol.

A hand leaves through here for its owner only, until the showdown of its round; the seed
leaves when the duel is finished, since it would show every card before.
"""

from __future__ import annotations

from typing import NotRequired

# Before Python 3.12 pydantic, which writes the documents from these types, does not take
# the one of `typing`.
from typing_extensions import TypedDict

from game.deal import commitment
from game.duel_state import Duel, EndReason, Fighter, RoundResult, Status


class PlayerView(TypedDict):
    """One of the two, as everybody sees him."""

    id: str
    name: str
    connected: bool
    score: int


class OwnView(TypedDict):
    """A fighter's own cards: those dealt until he has played, then the drawn ones."""

    hand: list[str]
    played: bool


class RoundView(TypedDict):
    """A round after its showdown; hands and ranks by player id."""

    round: int
    hands: dict[str, list[str]]
    ranks: dict[str, str]
    winner_id: str | None


class DuelView(TypedDict):
    """A duel as one viewer sees it.

    `deadline` (milliseconds since the epoch) is the round's or the challenge's, null while
    the clock stands still. `you` is there for a fighter of an active duel, `winner_id`
    when somebody has won, `end_reason` and `seed` when the duel is finished.
    """

    id: str
    status: Status
    players: list[PlayerView]
    stake: int
    round: int
    deadline: int | None
    you: NotRequired[OwnView]
    opponent_played: bool
    rounds: list[RoundView]
    winner_id: NotRequired[str]
    end_reason: NotRequired[EndReason]
    commitment: str
    seed: NotRequired[str]
    version: int


def may_see(duel: Duel, viewer_id: str | None) -> bool:
    """Anybody may watch a duel that was accepted; a challenge is between the two."""
    public = duel.status in ("active", "finished")
    return public or viewer_id in [fighter.id for fighter in duel.fighters]


def view_for(duel: Duel, viewer_id: str | None) -> DuelView:
    """The duel as this viewer may see it, if he may at all; anybody else is None."""
    view: DuelView = {
        "id": duel.id,
        "status": duel.status,
        "players": [_player(fighter) for fighter in duel.fighters],
        "stake": duel.stake,
        "round": duel.round,
        "deadline": duel.deadline,
        "opponent_played": False,
        "rounds": [_round(duel, result) for result in duel.rounds],
        "commitment": commitment(duel.seed),
        "version": duel.version,
    }
    _add_own(view, duel, viewer_id)
    _add_end(view, duel)
    return view


def _player(fighter: Fighter) -> PlayerView:
    return {
        "id": fighter.id,
        "name": fighter.name,
        "connected": fighter.connected,
        "score": fighter.score,
    }


def _round(duel: Duel, result: RoundResult) -> RoundView:
    ids = [fighter.id for fighter in duel.fighters]
    return {
        "round": result.round,
        "hands": dict(zip(ids, map(list, result.hands), strict=True)),
        "ranks": dict(zip(ids, result.ranks, strict=True)),
        "winner_id": result.winner_id,
    }


def _add_own(view: DuelView, duel: Duel, viewer_id: str | None) -> None:
    if duel.status != "active":
        return
    for own, other in zip(duel.fighters, reversed(duel.fighters), strict=True):
        if own.id == viewer_id:
            view["you"] = {"hand": list(own.hand), "played": own.played}
            view["opponent_played"] = other.played


def _add_end(view: DuelView, duel: Duel) -> None:
    if duel.winner_id is not None:
        view["winner_id"] = duel.winner_id
    if duel.end_reason is not None:
        view["end_reason"] = duel.end_reason
    if duel.status == "finished":
        view["seed"] = duel.seed
