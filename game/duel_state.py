"""What a duel is made of, and how it is kept.

Times are integer milliseconds since the epoch, durations integer milliseconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal, TypeAlias

from game.deal import Cards
from game.errors import NotFound

Status: TypeAlias = Literal["challenged", "active", "finished", "declined", "cancelled", "expired"]
EndReason: TypeAlias = Literal["score", "forfeit", "timeout", "abandoned", "draw"]


@dataclass(frozen=True, slots=True)
class Rules:
    """The numbers of a duel, all positive; a duel keeps those that it was offered under."""

    challenge_ms: int = 60_000
    round_ms: int = 20_000
    reconnect_ms: int = 600_000
    rounds_to_win: int = 3
    max_rounds: int = 9
    unanswered_limit: int = 2


@dataclass(frozen=True, slots=True)
class Fighter:
    """One of the two, with what is his in the present round.

    `seq` is that of the last change of his connection that was noted. `away_ms` sums up
    the absences that are over, `away_since` begins the present one. `hand` is what he
    would show now: his dealt cards until he plays (`hold` is None), the drawn ones after.
    """

    id: str
    name: str
    connected: bool = True
    seq: int = 0
    away_since: int | None = None
    away_ms: int = 0
    score: int = 0
    unanswered: int = 0
    hand: Cards = field(default=(), repr=False)
    hold: tuple[int, ...] | None = field(default=None, repr=False)

    @property
    def played(self) -> bool:
        """Whether he answered the present round."""
        return self.hold is not None


@dataclass(frozen=True, slots=True)
class RoundResult:
    """A round after its showdown; pairs are in the order of the fighters."""

    round: int
    holds: tuple[tuple[int, ...], tuple[int, ...]]
    hands: tuple[Cards, Cards]
    ranks: tuple[str, str]
    winner_id: str | None


@dataclass(frozen=True, slots=True)
class Duel:
    """A duel from its challenge to its end; fighter 0 is the challenger.

    `stake` is what each puts in. `deadline` is when the challenge expires or the round's
    time is up, None when neither can happen. `round` is 0 before the first.
    """

    id: str
    fighters: tuple[Fighter, Fighter]
    seed: str = field(repr=False)
    rules: Rules
    challenged_at: int
    deadline: int | None
    stake: int = 0
    status: Status = "challenged"
    version: int = 1
    round: int = 0
    remaining_ms: int | None = None
    rounds: tuple[RoundResult, ...] = ()
    started_at: int | None = None
    ended_at: int | None = None
    winner_id: str | None = None
    end_reason: EndReason | None = None

    def seat(self, who: str) -> int:
        """0 or 1, the place of one of the two.

        Raises:
            NotFound: it is somebody else.
        """
        for seat, fighter in enumerate(self.fighters):
            if fighter.id == who:
                return seat
        raise NotFound("There is no such duel of yours.")


def to_dict(duel: Duel) -> dict[str, Any]:
    """All of it, secrets included, in types that JSON has; never for a client."""
    return asdict(duel)


def from_dict(data: Mapping[str, Any]) -> Duel:
    """What `to_dict` wrote, also after a trip through JSON."""
    first, second = (Fighter(**_frozen(fighter)) for fighter in data["fighters"])
    rounds = tuple(RoundResult(**_frozen(result)) for result in data["rounds"])
    kept = {**data, "rules": Rules(**data["rules"]), "rounds": rounds}
    return Duel(**{**kept, "fighters": (first, second)})


def _frozen(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _frozen(part) for key, part in value.items()}
    return tuple(map(_frozen, value)) if isinstance(value, list | tuple) else value


def saved(before: Duel, after: Duel) -> Duel:
    """The duel to save, one version on; the very same as before if nothing changed."""
    return before if after == before else replace(after, version=before.version + 1)


def update(duel: Duel, seat: int, **changes: Any) -> Duel:
    """The duel with these fields of one fighter changed."""
    fighters = list(duel.fighters)
    fighters[seat] = replace(fighters[seat], **changes)
    return replace(duel, fighters=(fighters[0], fighters[1]))
