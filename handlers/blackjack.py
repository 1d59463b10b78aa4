"""Blackjack: deal, play, and give back what was left alone."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from functools import partial
from typing import Any, NotRequired, cast

from pydantic import Field
from typing_extensions import TypedDict

from game import blackjack as rules
from game import rooms
from game.blackjack import Action, Game, Hand, Outcome, Status
from game.deal import commitment
from game.errors import FieldProblem, ValidationFailed
from handlers.base import Context, World
from handlers.payloads import Amount, Id, Key, Payload
from handlers.registry import command, periodic
from state.blackjack import Table

SEED_BYTES = 32
LOOK_SECONDS = 5.0


class Start(Payload):
    """The bet; the same key deals once, however often it is sent."""

    bet: Amount
    key: Key


class Move(Payload):
    """The game to go on with, the open one without; the same key moves once, however often."""

    game_id: Id | None = None
    key: Key = Field(default_factory=partial(secrets.token_hex, 16))


class Insure(Move):
    """Whether to bet half on the dealer's blackjack."""

    take: bool


class WhichGame(Payload):
    """A game, or the one that is open."""

    game_id: Id | None = None


class HandView(TypedDict):
    """A hand of the player's; how it ended and what it paid, once that is known."""

    cards: list[str]
    total: int
    soft: bool
    bet: int
    done: bool
    outcome: NotRequired[Outcome]
    paid: NotRequired[int]


class DealerView(TypedDict):
    """The dealer's cards; the hole card is not among them before the end."""

    cards: list[str]
    total: int


class GameView(TypedDict):
    """A game as its player sees it.

    `turn` is the hand that is played, by its place. `deadline` (ms) is when an open game is
    given back if nothing is done. `payout`, of all bets together, and `seed` are there when
    the game is over.
    """

    id: str
    status: Status
    bet: int
    staked: int
    insurance: int
    hands: list[HandView]
    turn: int
    can: list[Action]
    dealer: DealerView
    deadline: int | None
    payout: NotRequired[int]
    commitment: str
    seed: NotRequired[str]
    version: int


class GameReply(TypedDict):
    """The game after the step, and what the caller has then."""

    game: GameView
    balance: int


class EndedGame(TypedDict):
    """A game that came to its end without its player."""

    game: GameView


class MaybeGameReply(TypedDict):
    """The game, null if there is none."""

    game: GameView | None


@command("blackjack:start", Start)
async def start(cmd: Start, ctx: Context) -> GameReply:
    """Bet, and be dealt two cards.

    Raises:
        ValidationFailed: the bet is higher than the table takes.
        Conflict: the caller has a game that is not over.
        InsufficientFunds: he has less than the bet.
        IdempotencyMismatch: the key was used for something else.
    """
    most = ctx.world.settings.blackjack.most_bet
    if cmd.bet > most:
        problem = FieldProblem(field="bet", message=f"At most {most}.", type="less_than_equal")
        raise ValidationFailed(problem["message"], errors=[problem])
    seed = secrets.token_hex(SEED_BYTES)
    blackjack = ctx.world.economy.blackjack
    done = await blackjack.start(ctx.player_id, cmd.bet, seed, cmd.key, _reply)
    await ctx.world.react(done.postings)
    return cast("GameReply", done.answer)


@command("blackjack:hit", Move)
async def hit(cmd: Move, ctx: Context) -> GameReply:
    """Take a card.

    Raises:
        NotFound: the caller has no such game.
        Conflict: it is over.
        IdempotencyMismatch: the key was used for something else.
    """
    return await _act(cmd, ctx, "hit")


@command("blackjack:stand", Move)
async def stand(cmd: Move, ctx: Context) -> GameReply:
    """Take no more cards for this hand.

    Raises:
        NotFound, Conflict, IdempotencyMismatch: as for `hit`.
    """
    return await _act(cmd, ctx, "stand")


@command("blackjack:double", Move)
async def double(cmd: Move, ctx: Context) -> GameReply:
    """Double the bet of this hand, and take one last card.

    Raises:
        NotFound, IdempotencyMismatch: as for `hit`.
        Conflict: the game is over, or the hand has more than two cards.
        InsufficientFunds: the caller has less than the bet.
    """
    return await _act(cmd, ctx, "double")


@command("blackjack:split", Move)
async def split(cmd: Move, ctx: Context) -> GameReply:
    """Make two hands of a pair, with a bet on each.

    Raises:
        NotFound, IdempotencyMismatch: as for `hit`.
        Conflict: the game is over, or this hand cannot be split.
        InsufficientFunds: the caller has less than the bet.
    """
    return await _act(cmd, ctx, "split")


@command("blackjack:insure", Insure)
async def insure(cmd: Insure, ctx: Context) -> GameReply:
    """Insure the bet against the dealer's blackjack, or decline it.

    Raises:
        NotFound, IdempotencyMismatch: as for `hit`.
        Conflict: insurance is not offered now.
        InsufficientFunds: the caller has less than half the bet.
    """
    what = f"insure {cmd.take}"
    return await _step(cmd, ctx, what, partial(rules.insure, take=cmd.take))


@command("blackjack:state", WhichGame)
async def state(cmd: WhichGame, ctx: Context) -> MaybeGameReply:
    """A game of the caller's as it stands.

    Raises:
        NotFound: he has no such game.
    """
    table = await ctx.world.economy.blackjack.get(ctx.player_id, cmd.game_id)
    return MaybeGameReply(game=_view(table) if table else None)


@periodic("blackjack left alone", lambda _: LOOK_SECONDS)
async def give_back(world: World) -> None:
    """Give back the bets of games that nobody went on with."""
    for table, done in await world.economy.blackjack.give_back():
        await world.react(done.postings)
        await _tell(world, table)


async def _act(cmd: Move, ctx: Context, action: Action) -> GameReply:
    return await _step(cmd, ctx, action, lambda game: rules.act(game, action))


async def _step(cmd: Move, ctx: Context, what: str, rule: Callable[[Game], Game]) -> GameReply:
    blackjack = ctx.world.economy.blackjack
    done = await blackjack.step(ctx.player_id, cmd.game_id, cmd.key, what, rule, _reply)
    await ctx.world.react(done.postings)
    return cast("GameReply", done.answer)


async def _tell(world: World, table: Table) -> None:
    """`blackjack:ended`: a game came to its end without its player."""
    news = EndedGame(game=_view(table))
    await world.publisher.emit("blackjack:ended", news, rooms.player(table.player_id))


def _reply(table: Table) -> Any:
    return GameReply(game=_view(table), balance=table.balance)


def _view(table: Table) -> GameView:
    game = table.game
    cards = game.dealer if game.status == "finished" else game.dealer[:1]
    view: GameView = {
        "id": table.id,
        "status": game.status,
        "bet": game.bet,
        "staked": game.staked,
        "insurance": game.insurance,
        "hands": [_hand(game, hand) for hand in game.hands],
        "turn": game.turn,
        "can": list(rules.actions(game)),
        "dealer": {"cards": list(cards), "total": rules.total(cards)[0]},
        "deadline": table.due_at,
        "commitment": commitment(game.seed),
        "version": table.version,
    }
    if game.over:
        view["payout"], view["seed"] = rules.payout(game), game.seed
    return view


def _hand(game: Game, hand: Hand) -> HandView:
    value, soft = rules.total(hand.cards)
    view: HandView = {
        "cards": list(hand.cards),
        "total": value,
        "soft": soft,
        "bet": hand.bet,
        "done": hand.done,
    }
    if game.status == "finished":
        view["outcome"], view["paid"] = rules.outcome(game, hand), rules.paid(game, hand)
    return view
