"""Ratings: how strong a player seems to be, and how sure that is.

The model is Bradley-Terry of Weng and Lin, "A Bayesian Approximation Method for Online
Ranking" (Journal of Machine Learning Research 12, 2011), by openskill, at sixty times its
usual scale, so that numbers look like those of chess. docs/matchmaking.md says why.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import hypot

from openskill.models import BradleyTerryFull

from game.duel_state import Duel

START, UNSURE = 1_500.0, 500.0  # of a new player: 25 and 25/3 of the model's usual scale
CHANCE = UNSURE / 2  # of the game: so much better wins three of four duels
DRIFT = UNSURE / 100  # of a player between two duels: nobody is ever known for certain
RENEWAL = UNSURE / 2  # how much less is known when a season begins
SURE = 3  # deviations below the rating: 99.9 % are stronger than their score

_MODEL = BradleyTerryFull(mu=START, sigma=UNSURE, beta=CHANCE, tau=DRIFT)


@dataclass(frozen=True, slots=True)
class Rating:
    """What is believed of a player's strength: its mean and its standard deviation."""

    mean: float = START
    deviation: float = UNSURE

    @property
    def shown(self) -> int:
        """The rating as players see it, and are matched by."""
        return round(self.mean)

    @property
    def uncertainty(self) -> int:
        """The deviation as players see it."""
        return round(self.deviation)

    @property
    def score(self) -> int:
        """What leaderboards order by: how strong the player is for nearly certain; not
        below 0, where newcomers are.
        """
        return max(0, round(self.mean - SURE * self.deviation))


@dataclass(frozen=True, slots=True)
class Record:
    """A player's season: his rating, and how his duels ended."""

    rating: Rating = Rating()
    wins: int = 0
    losses: int = 0
    draws: int = 0


def counts(duel: Duel) -> bool:
    """Whether a duel says anything about strength: one won, or both were there to the end."""
    return duel.winner_id is not None or duel.end_reason == "draw"


def after(duel: Duel, records: tuple[Record, Record]) -> tuple[Record, Record]:
    """What a duel that counts makes of its two fighters' seasons, in their order."""
    first, second = (fighter.id for fighter in duel.fighters)
    places = [0 if duel.winner_id in {None, one} else 1 for one in (first, second)]
    rated = _rate((records[0].rating, records[1].rating), places)
    mine, theirs = (
        _counted(replace(record, rating=rating), duel.winner_id, one)
        for record, rating, one in zip(records, rated, (first, second), strict=True)
    )
    return mine, theirs


def renewed(rating: Rating) -> Rating:
    """The rating that a new season begins with: as strong, but less is known."""
    return replace(rating, deviation=min(UNSURE, hypot(rating.deviation, RENEWAL)))


def _rate(ratings: tuple[Rating, Rating], places: list[int]) -> tuple[Rating, Rating]:
    teams = [[_MODEL.create_rating([one.mean, one.deviation])] for one in ratings]
    (mine,), (theirs,) = _MODEL.rate(teams, ranks=[float(place) for place in places])
    return Rating(mine.mu, mine.sigma), Rating(theirs.mu, theirs.sigma)


def _counted(record: Record, winner_id: str | None, player_id: str) -> Record:
    if winner_id is None:
        return replace(record, draws=record.draws + 1)
    if winner_id == player_id:
        return replace(record, wins=record.wins + 1)
    return replace(record, losses=record.losses + 1)
