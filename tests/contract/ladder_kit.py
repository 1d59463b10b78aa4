"""What the tests of matchmaking and leaderboards share: whole worlds on real stores."""

from __future__ import annotations

from typing import Any, cast

from config.settings import Settings
from game import duels as rules
from game.duels import Duel
from handlers import reactions
from handlers.base import Caller, Publisher, World
from state.accounts import Accounts
from state.archive import Archive
from state.chat import Chat
from state.connect import RedisStore
from state.documents import DocumentStore
from state.duels import Duels
from state.economy import Economy
from state.friends import Friends
from state.ladder import Ladder
from state.live import Live, Seat
from state.outbound import Outbound
from tests.contract.duels_kit import now
from tests.contract.players_kit import Player, Recorder, Socket

SETTINGS = Settings()
SEED = "5eed" * 16


class Telling(Recorder):
    """Remembers what was published; who watches is nobody's business here."""

    async def presence_changed(self, player_ids: Any) -> None: ...

    async def empty(self, room: str) -> None: ...

    def sent(self, event: str) -> list[tuple[Any, str]]:
        return [(data, room) for name, data, room, _ in self.events if name == event]


class Clock:
    """Redis' time as it was at the beginning, which a test may move."""

    def __init__(self, at: int) -> None:
        self.at = at

    def __call__(self) -> int:
        return self.at

    def forward(self, seconds: float) -> None:
        self.at += int(seconds * 1000)


async def build(
    redis: RedisStore, documents: DocumentStore, settings: Settings = SETTINGS
) -> World:
    """A node without sockets. The databases have their indexes already, or none."""
    clock = Clock(await now(redis))
    duels = Duels(redis, settings)
    return World(
        settings=settings,
        now=clock,
        accounts=Accounts(documents, settings, clock),
        profiles=cast("Any", None),
        tokens=cast("Any", None),
        entrance=cast("Any", None),
        rates=cast("Any", None),
        live=Live(redis, settings.limits, "n1", 10),
        chat=Chat(redis, settings),
        archive=Archive(documents, redis, settings),
        duels=duels,
        friends=Friends(documents, settings.social, clock),
        economy=Economy.build(documents, duels, settings, clock),
        ladder=Ladder.build(redis, documents, settings, clock, lambda _: None),
        outbound=Outbound.build(documents, settings, clock),
        ways=cast("Any", None),
        moderation=cast("Any", None),
        operations=cast("Any", None),
        jobs=cast("Any", None),
        schedules=cast("Any", None),
        upkeep=cast("Any", None),
        belongings=cast("Any", None),
        deletions=cast("Any", None),
        publisher=cast("Publisher", Telling()),
        reactions=reactions.react,
    )


def told(world: World) -> Telling:
    return cast("Telling", world.publisher)


async def seat(world: World, name: str, account_id: str = "") -> Player:
    """A player who is connected; his character is not kept."""
    player_id, account = f"p-{name}", account_id or f"a-{name}"
    where = f"n1.{name}", f"pid-{name}", player_id, name, account, f"10.0.0.{name}"
    await world.live.join(Seat(*where))
    caller = Caller(account, "player", "f1", "t1", 0, player_id, name)
    return Player(world, caller, Socket(name))


def finished(duel_id: str, winner: str | None, at: int, loser: str = "bob") -> Duel:
    """A duel of ann, or of the winner, with bob or the loser that is over."""
    first = winner or "ann"
    duel = rules.challenge(duel_id, (first, first), (loser, loser), SEED, at, rules.Rules())
    duel = rules.accept(duel, loser, {first: True, loser: True}, at)
    return rules.forfeit(duel, loser if winner else first, at)
