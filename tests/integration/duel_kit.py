"""A duel at a table, and what everybody at it may have seen."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from game import deal, poker
from tests.harness import Player, Table

CARD = re.compile(r"[2-9TJQKA][CDHS]")
VIEW = {
    *("id", "status", "players", "stake", "round", "deadline", "opponent_played", "rounds"),
    *("commitment", "version"),
}
OPTIONAL = {"you", "winner_id", "end_reason", "seed"}

View = dict[str, Any]


@dataclass
class Fight:
    """An accepted duel; `ann` challenged, `bob` accepted."""

    ann: Player
    bob: Player
    id: str
    watchers: list[Player] = field(default_factory=list)

    async def play(self, who: Player, round: int, hold: Sequence[int]) -> View:
        """What `duel:play` answers; kept in the player's history too."""
        fields = {"duel_id": self.id, "round": round, "hold": list(hold)}
        answer = await who.do("duel:play", **fields)
        who.history.append(("ack", answer))
        view: View = answer["duel"]
        return view

    async def play_out(self) -> View:
        """Both hold all, until it is over; bob's last view."""
        return await self.play_on((await self.bob.do("duel:get", duel_id=self.id))["duel"])

    async def play_on(self, view: View) -> View:
        """The same, from a view of bob's on."""
        while view["status"] == "active":
            if not view["opponent_played"]:
                await self.play(self.ann, view["round"], [0, 1, 2, 3, 4])
            view = await self.play(self.bob, view["round"], [0, 1, 2, 3, 4])
        return view


async def begin(table: Table, ann: Player, bob: Player, key: str = "k") -> Fight:
    """A duel that ann offered and bob accepted."""
    return Fight(ann, bob, (await table.duel(ann, bob, key))["id"])


async def state(player: Player, **expected: object) -> View:
    """The next `duel:state` that is as expected."""
    view: View = await player.next("duel:state", lambda one: one.items() >= expected.items())
    return view


def check_view(view: View) -> None:
    """The shape of a DuelView, whoever sees it."""
    assert VIEW <= view.keys() <= VIEW | OPTIONAL
    assert len(view["players"]) == 2
    for player in view["players"]:
        assert player.keys() == {"id", "name", "connected", "score"}
    assert ("you" in view) <= (view["status"] == "active")
    assert ("seed" in view) == (view["status"] == "finished") == ("end_reason" in view)


def check_deal(view: View, holds: Mapping[int, Sequence[Sequence[int]]]) -> None:
    """Replay a finished duel from its seed, with what each held in each round."""
    assert sha256(view["seed"].encode()).hexdigest() == view["commitment"]
    ids = [player["id"] for player in view["players"]]
    for result in view["rounds"]:
        cards = deal.deck(view["seed"], result["round"])
        hands = [deal.drawn(cards, seat, holds[result["round"]][seat]) for seat in (0, 1)]
        assert result["hands"] == dict(zip(ids, map(list, hands), strict=True))
        ranks = [poker.rank(hand) for hand in hands]
        assert result["ranks"] == dict(zip(ids, [rank.name for rank in ranks], strict=True))
        won = None if ranks[0] == ranks[1] else ids[ranks[1] > ranks[0]]
        assert result["winner_id"] == won
    wins = [result["winner_id"] for result in view["rounds"]]
    assert [player["score"] for player in view["players"]] == [wins.count(one) for one in ids]


def check_secrets(player: Player, seat: int | None, final: View) -> None:
    """Nothing that a player ever received shows a card that he might not see then.

    Args:
        seat: 0 or 1 for the fighters, None for anybody else.
        final: the finished duel, whose seed tells what was secret.
    """
    shown = 0
    for name, data in player.history:
        over = '"seed"' in str(data).replace("'", '"')
        assert over or final["seed"] not in str(data), (name, data)
        for path, text in _texts(data):
            if CARD.fullmatch(text):
                _check_card(path, text, seat, final, data)
                shown += 1
    assert shown


def _check_card(path: tuple[Any, ...], text: str, seat: int | None, final: View, data: Any) -> None:
    view = data.get("duel", data)
    if "hands" in path:  # of a round that is over
        result = view["rounds"][path[path.index("rounds") + 1]] if "rounds" in path else view
        assert result["round"] < view["round"] or "rounds" not in path or view.get("seed")
        assert result == final["rounds"][result["round"] - 1] | {
            key: value for key, value in result.items() if key == "duel_id"
        }
        return
    assert path[-3:-1] == ("you", "hand"), path
    assert seat is not None
    cards = deal.deck(final["seed"], view["round"])
    mine = {*deal.dealt(cards, seat), *cards[10 + 5 * seat : 15 + 5 * seat]}
    assert text in mine


def _texts(data: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], str]]:
    """Every text of a JSON value, keys included, with the way to it."""
    if isinstance(data, str):
        yield path, data
    elif isinstance(data, dict):
        for key, value in data.items():
            yield (*path, "key"), key
            yield from _texts(value, (*path, key))
    elif isinstance(data, list):
        for index, value in enumerate(data):
            yield from _texts(value, (*path, index))
