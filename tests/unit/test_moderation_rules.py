"""Who may act on whom: the whole table, and how long things last."""

from __future__ import annotations

import itertools
from contextlib import suppress

import pytest

from game.errors import Conflict, Forbidden
from game.moderation import FOREVER, check_may_act, check_may_appoint, check_open, end_of, shown_end

ROLES = ("player", "operator", "moderator", "admin")
ALLOWED = {
    ("moderator", "player"),
    ("admin", "player"),
    ("admin", "operator"),
    ("admin", "moderator"),
}


def test_moderators_act_on_players_and_administrators_on_all_who_are_none() -> None:
    allowed = set()
    for role, other in itertools.product(ROLES, ROLES):
        with suppress(Forbidden):
            check_may_act(("a", role), ("b", other))
            allowed.add((role, other))
    assert allowed == ALLOWED


@pytest.mark.parametrize("role", ROLES)
def test_nobody_acts_on_himself_or_gives_himself_a_role(role: str) -> None:
    for other in ROLES:
        with pytest.raises(Forbidden):
            check_may_act(("a", role), ("a", other))
        with pytest.raises(Forbidden):
            check_may_appoint(("a", role), ("a", other))


@pytest.mark.parametrize("other", ROLES)
def test_only_administrators_give_roles(other: str) -> None:
    check_may_appoint(("a", "admin"), ("b", other))
    for role in ROLES[:-1]:
        with pytest.raises(Forbidden):
            check_may_appoint(("a", role), ("b", other))


def test_without_seconds_it_is_for_good() -> None:
    assert (end_of(None, 5), shown_end(FOREVER)) == (FOREVER, None)
    assert (end_of(2, 5), shown_end(2_005)) == (2_005, 2_005)


def test_a_report_is_resolved_once() -> None:
    check_open("open")
    with pytest.raises(Conflict):
        check_open("resolved")
