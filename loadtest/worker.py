"""One process of a run: its players, on one loop; it tells the parent every second."""

from __future__ import annotations

import gc
import itertools
import random
import resource
from dataclasses import dataclass
from multiprocessing.connection import Connection

from loadtest.accounts import RefusedError, guests
from loadtest.loop import Loop, Target, now
from loadtest.player import Field, Player
from loadtest.rooms import Room
from loadtest.scenario import Scenario
from loadtest.stats import Sample

SETTLE_SECONDS = 15.0  # for what is under way when the time is over
SPARE_FILES = 64  # besides the connections


@dataclass(frozen=True)
class Share:
    """What one process does of a run; `run` is in the names of its rooms."""

    scenario: Scenario
    url: str
    run: str
    index: int

    @property
    def players(self) -> int:
        """How many of the players are this process'."""
        load = self.scenario.load
        return len(range(self.index, load.players, load.processes))


def work(share: Share, parent: Connection) -> None:
    """A process' whole life. It says `("guests", n)`, hears "go", and says `("second", sample)`
    again and again, at last `("end", sample)`; or `("failed", why)`.
    """
    try:
        _allow_files(share.players + SPARE_FILES)
        target = Target.of(share.url)
        _play(share, target, parent)
    except (RefusedError, OSError, ValueError) as error:
        parent.send(("failed", str(error)))
    except (EOFError, KeyboardInterrupt):  # the parent is gone, or both are stopped
        return


def _allow_files(count: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < count:
        raise RefusedError(f"{count} open files are needed, and {hard} allowed: ulimit -n")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, count)), hard))


def _play(share: Share, target: Target, parent: Connection) -> None:
    load = share.scenario.load
    accounts = guests(target, share.players, lambda count: parent.send(("guests", count)))
    lasts = load.ramp_seconds + load.seconds + SETTLE_SECONDS
    if min(one.seconds for one in accounts) < lasts:
        raise RefusedError(
            f"an access token lives {accounts[0].seconds} s and the run takes {lasts:.0f} s: "
            "raise SHOWDOWN_AUTH__ACCESS_SECONDS"
        )
    dice = random.Random(load.seed + share.index)  # noqa: S311 - a run that can be repeated
    field = Field(Loop(), target, share.scenario, dice, Sample())
    rooms = [
        Room(f"room:load-{share.run}-{share.index}-{number}")
        for number in range(-(-share.players // load.room_size))
    ]
    players = [
        Player(field, account, rooms[number // load.room_size])
        for number, account in enumerate(accounts)
    ]
    for one, other in zip(players[::2], players[1::2], strict=False):
        one.rival, other.rival = other, one
    gc.freeze()
    gc.disable()  # the players make no cycles worth a pause
    parent.recv()
    _run(field, players, parent)
    _settle(field, players, rooms)
    parent.send(("end", field.second.dump()))


def _run(field: Field, players: list[Player], parent: Connection) -> None:
    load, begun = field.scenario.load, now()
    for number, player in enumerate(players):
        field.loop.at(begun + load.ramp_seconds * number / len(players), player.begin)
    for second in itertools.count(1):
        end = min(begun + second, begun + load.ramp_seconds + load.seconds)
        field.loop.run(end)
        if end < begun + second:
            return
        parent.send(("second", field.second.dump()))
        field.second.begin_anew()


def _settle(field: Field, players: list[Player], rooms: list[Room]) -> None:
    """Let come what is under way; what has not come then, is lost."""
    field.acting = False
    field.loop.run(now() + SETTLE_SECONDS, lambda: not any(one.waits for one in players))
    for player in players:
        if player.ready:
            player.hearing.settle()
    field.second.counts["lost"] += sum(len(room.acknowledged) for room in rooms)
    for player in players:
        player.go()
