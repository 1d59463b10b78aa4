"""The clocks of a duel: the round's, and those of the two fighters' absences.

They exclude each other. While both fighters are here the round's clock runs (`deadline`);
while one is away it stands still (`remaining_ms`) and his absence counts instead. All his
absences of one duel together may last `Rules.reconnect_ms`.
"""

from __future__ import annotations

from dataclasses import replace

from game.duel_state import Duel, EndReason, Fighter, Status, update


def away_deadline(duel: Duel, who: str) -> int | None:
    """When a fighter who is away must be back; None if he is here or nothing is running.

    Raises:
        NotFound: not one of the two.
    """
    fighter = duel.fighters[duel.seat(who)]
    if duel.status != "active" or fighter.away_since is None:
        return None
    return fighter.away_since + max(0, duel.rules.reconnect_ms - fighter.away_ms)


def move(duel: Duel, seat: int, connected: bool, at: int) -> Duel:
    """A fighter of an active duel is here or away from now on."""
    # What was decided before he came or went stands, even if no tick has served it yet.
    judged = judge_absence(duel, at)
    if judged is not duel or duel.fighters[seat].connected == connected:
        return judged
    moved = update(
        duel,
        seat,
        connected=connected,
        away_since=None if connected else at,
        away_ms=_away_ms(duel.fighters[seat], at),
    )
    return judge_absence(set_clock(moved, at), at)


def _away_ms(fighter: Fighter, at: int) -> int:
    since = at if fighter.away_since is None else fighter.away_since
    return fighter.away_ms + max(0, at - since)


def set_clock(duel: Duel, at: int) -> Duel:
    """Run the round's clock if both are here, else stop it."""
    both = all(fighter.connected for fighter in duel.fighters)
    if both and duel.remaining_ms is not None:
        return replace(duel, deadline=at + duel.remaining_ms, remaining_ms=None)
    if not both and duel.deadline is not None:
        left = min(max(0, duel.deadline - at), duel.rules.round_ms)
        return replace(duel, deadline=None, remaining_ms=left)
    return duel


def judge_absence(duel: Duel, at: int) -> Duel:
    """End a duel that somebody's absence has decided.

    Who has used up his time loses to one who is here and has not; as long as the other is
    away too there is nobody to win, and when both have used it up it is a draw. Coming
    back late does not mend it.
    """
    limit = duel.rules.reconnect_ms
    lost = [_away_ms(fighter, at) >= limit for fighter in duel.fighters]
    if all(lost):
        return finish(duel, None, "abandoned", at)
    for gone, other in zip(lost, reversed(duel.fighters), strict=True):
        if gone and other.connected:
            return finish(duel, other.id, "forfeit", at)
    return duel


def end(duel: Duel, status: Status, at: int) -> Duel:
    """Close the duel for good, with nothing due any more."""
    return replace(duel, status=status, deadline=None, remaining_ms=None, ended_at=at)


def finish(duel: Duel, winner_id: str | None, reason: EndReason, at: int) -> Duel:
    """Close a duel that was fought; no winner is a draw."""
    return replace(end(duel, "finished", at), winner_id=winner_id, end_reason=reason)
