"""Duels: five-card draw between two fighters, first to three rounds.

Every function is pure: a duel and the present moment in (`at`, integer milliseconds since
the epoch), the next duel out, or a `GameError`. A changed duel has the next `version`; one
that did not change is the same object, which is how a caller knows that there is nothing
to save.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from game import deal, poker
from game.duel_clock import away_deadline, end, finish, judge_absence, move, set_clock
from game.duel_state import (
    Duel,
    EndReason,
    Fighter,
    RoundResult,
    Rules,
    Status,
    from_dict,
    saved,
    to_dict,
    update,
)
from game.errors import Conflict, DuelOver, Forbidden, NotYourTurn, ValidationFailed

# All that other floors need of a duel, but for its views.
__all__ = [
    "Duel",
    "EndReason",
    "Fighter",
    "RoundResult",
    "Rules",
    "Status",
    "accept",
    "away_deadline",
    "cancel",
    "challenge",
    "decline",
    "forfeit",
    "from_dict",
    "next_deadline",
    "play",
    "presence",
    "tick",
    "to_dict",
]

CHALLENGER, OPPONENT = 0, 1
HOLD_ALL = tuple(range(deal.HAND_SIZE))


# --- the challenge ------------------------------------------------------------------------


def challenge(
    id: str,
    challenger: tuple[str, str],
    opponent: tuple[str, str],
    seed: str,
    at: int,
    rules: Rules,
    stake: int = 0,
) -> Duel:
    """A duel offered; the two are given as (id, name), the seed as `game.deal` wants it.

    Raises:
        ValidationFailed: the challenger and his opponent are the same.
    """
    if challenger[0] == opponent[0]:
        raise _invalid("opponent_id", "You cannot challenge yourself.", "not_self")
    fighters = Fighter(*challenger), Fighter(*opponent)
    return Duel(
        id, fighters, seed, rules, challenged_at=at, deadline=at + rules.challenge_ms, stake=stake
    )


def accept(duel: Duel, by: str, connected: Mapping[str, bool], at: int) -> Duel:
    """Start the first round; who is not connected now counts as away from now on.

    Raises:
        NotFound, Forbidden, DuelOver, Conflict: as for `decline`.
    """
    _check_offer(duel, by, OPPONENT, at)
    started = replace(duel, status="active", started_at=at)
    for seat, fighter in enumerate(duel.fighters):
        here = connected.get(fighter.id, False)
        started = update(started, seat, connected=here, away_since=None if here else at)
    return saved(duel, _start_round(started, at))


def decline(duel: Duel, by: str, at: int) -> Duel:
    """Say no to a challenge.

    Raises:
        NotFound: not one of the two.
        Forbidden: it is the other one's to do.
        DuelOver: it was fought.
        Conflict: already answered, or its time is over.
    """
    _check_offer(duel, by, OPPONENT, at)
    return saved(duel, end(duel, "declined", at))


def cancel(duel: Duel, by: str, at: int) -> Duel:
    """Take one's own challenge back.

    Raises:
        NotFound, Forbidden, DuelOver, Conflict: as for `decline`.
    """
    _check_offer(duel, by, CHALLENGER, at)
    return saved(duel, end(duel, "cancelled", at))


def _check_offer(duel: Duel, by: str, seat: int, at: int) -> None:
    if duel.seat(by) != seat:
        raise Forbidden("Only the other one of the two may do that.")
    if duel.status == "finished":
        raise DuelOver
    if duel.status != "challenged":
        raise Conflict("The challenge was already answered or is over.")
    if _is_due(duel.deadline, at):
        raise Conflict("The challenge's time is over.")


# --- the rounds ---------------------------------------------------------------------------


def play(duel: Duel, by: str, round: int, hold: Collection[int], at: int) -> Duel:
    """Hold these cards (distinct positions, 0-4) and draw the rest, which a fighter sees at once.

    The second play of a round is its showdown. A play by a fighter who counts as away is
    his return; when that decides the duel (see `presence`), the play is not counted.

    Raises:
        NotFound: not one of the two.
        DuelOver: the duel is over.
        Conflict: not accepted yet, or another round is being played.
        NotYourTurn: he has played this round.
        ValidationFailed: `hold` is not what it should be.
    """
    seat = duel.seat(by)
    _check_running(duel)
    _check_play(duel, seat, round, hold)
    # A play after the round's deadline counts if it comes before the tick that serves the
    # deadline: of the two, the one that is saved first is what happened.
    here = move(duel, seat, True, at)
    if here.status != "active":
        return saved(duel, here)
    hand = deal.drawn(deal.deck(duel.seed, duel.round), seat, hold)
    played = update(here, seat, hand=hand, hold=tuple(sorted(hold)), unanswered=0)
    complete = all(fighter.played for fighter in played.fighters)
    return saved(duel, _showdown(played, at) if complete else played)


def forfeit(duel: Duel, by: str, at: int) -> Duel:
    """Resign; the other wins, unless his absence had lost him the duel before.

    Raises:
        NotFound: not one of the two.
        DuelOver: the duel is over.
        Conflict: not accepted yet.
    """
    other = duel.fighters[1 - duel.seat(by)]
    _check_running(duel)
    judged = judge_absence(duel, at)
    return saved(duel, finish(duel, other.id, "forfeit", at) if judged is duel else judged)


def _check_running(duel: Duel) -> None:
    if duel.status == "challenged":
        raise Conflict("The challenge is not accepted yet.")
    if duel.status != "active":
        raise DuelOver


def _check_play(duel: Duel, seat: int, round: int, hold: Collection[int]) -> None:
    if round != duel.round:
        raise Conflict(f"Round {duel.round} is being played.")
    if duel.fighters[seat].played:
        raise NotYourTurn("You have played this round; the other has not.")
    if len(set(hold)) != len(hold) or not set(hold) <= set(HOLD_ALL):
        raise _invalid("hold", "Distinct positions from 0 to 4.", "positions")


def _start_round(duel: Duel, at: int) -> Duel:
    number = duel.round + 1
    cards = deal.deck(duel.seed, number)
    ready = replace(duel, round=number, deadline=None, remaining_ms=duel.rules.round_ms)
    for seat in (CHALLENGER, OPPONENT):
        ready = update(ready, seat, hand=deal.dealt(cards, seat), hold=None)
    return set_clock(ready, at)


def _showdown(duel: Duel, at: int) -> Duel:
    """Compare the hands of two fighters who both hold, and go on from there."""
    first, second = duel.fighters
    ranks = poker.rank(first.hand), poker.rank(second.hand)
    winner = None if ranks[0] == ranks[1] else int(ranks[1] > ranks[0])
    result = RoundResult(
        round=duel.round,
        holds=(first.hold or (), second.hold or ()),
        hands=(first.hand, second.hand),
        ranks=(ranks[0].name, ranks[1].name),
        winner_id=None if winner is None else duel.fighters[winner].id,
    )
    shown = replace(duel, rounds=(*duel.rounds, result))
    if winner is not None:
        shown = update(shown, winner, score=duel.fighters[winner].score + 1)
    return _after_round(shown, at)


def _after_round(duel: Duel, at: int) -> Duel:
    first, second = duel.fighters
    leader = first if first.score > second.score else second
    if leader.score < duel.rules.rounds_to_win and duel.round < duel.rules.max_rounds:
        return _start_round(duel, at)
    if first.score == second.score:
        return finish(duel, None, "draw", at)
    return finish(duel, leader.id, "score", at)


# --- presence -----------------------------------------------------------------------------


def presence(duel: Duel, who: str, connected: bool, seq: int, at: int) -> Duel:
    """Note that a fighter's last connection is gone, or that he is back.

    `seq` grows with every change of his connection; what is not newer than the last noted
    changes nothing, so that changes may arrive twice or in the wrong order. `at` is when
    it happened. While a fighter is away the round's clock stands still. A fighter who has
    used up his time away loses to one who is here: at once, or when that one comes back;
    when both have used it up, the duel is a draw.

    Raises:
        NotFound: not one of the two.
    """
    seat = duel.seat(who)
    if duel.status not in ("challenged", "active") or seq <= duel.fighters[seat].seq:
        return duel
    noted = update(duel, seat, seq=seq)
    if duel.status == "challenged":
        return saved(duel, update(noted, seat, connected=connected))
    return saved(duel, move(noted, seat, connected, at))


# --- time ---------------------------------------------------------------------------------


def next_deadline(duel: Duel) -> int | None:
    """When `tick` will next have something to do; None when only the players have.

    With both away that is the later of their two limits: the one who is first to use up
    his time has not lost it to anybody yet.
    """
    limits = (away_deadline(duel, fighter.id) for fighter in duel.fighters)
    return max((limit for limit in limits if limit is not None), default=duel.deadline)


def tick(duel: Duel, at: int) -> Duel:
    """Do what is due: expire the challenge, close the round, judge an absence."""
    if not _is_due(next_deadline(duel), at):
        return duel
    if duel.status == "challenged":
        return saved(duel, end(duel, "expired", at))
    if duel.deadline is None:
        return saved(duel, judge_absence(duel, at))
    return saved(duel, _close_round(duel, at))


def _is_due(deadline: int | None, at: int) -> bool:
    return deadline is not None and at >= deadline


def _close_round(duel: Duel, at: int) -> Duel:
    """Who did not answer holds all, or forfeits if he has done so too often in a row.

    A forfeit leaves this last round without a showdown: its cards cannot give a point to
    the one who loses by it.
    """
    closed = duel
    for seat, fighter in enumerate(duel.fighters):
        if not fighter.played:
            closed = update(closed, seat, hold=HOLD_ALL, unanswered=fighter.unanswered + 1)
    limit = duel.rules.unanswered_limit
    stayed = [fighter.id for fighter in closed.fighters if fighter.unanswered < limit]
    if len(stayed) == len(closed.fighters):
        return _showdown(closed, at)
    return finish(closed, stayed[0] if stayed else None, "timeout", at)


def _invalid(field: str, message: str, type: str) -> ValidationFailed:
    return ValidationFailed(message, errors=[{"field": field, "message": message, "type": type}])
