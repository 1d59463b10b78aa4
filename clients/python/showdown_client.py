"""A typed client of Showdown, generated from its documents by scripts/docs: do not edit.

It needs aiohttp and python-socketio, and nothing else of Showdown.

    async with Showdown("http://127.0.0.1:8080") as game:
        await game.sign_in(await game.guest(name="ann"))
        game.on("chat:message", lambda message: print(message["text"]))
        await game.chat_join(room="global")
        await game.chat_send(room="global", text="Hello")
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Literal, NotRequired, Self, TypedDict, overload

import aiohttp
import socketio

ANSWER_SECONDS = 15.0


class AccountAnswer(TypedDict):
    """The account as it is now."""

    account: AccountView


class AccountView(TypedDict):
    """Who signs in; `username` is null for guests."""

    id: str
    username: str | None
    role: str


class ActionReply(TypedDict):
    """The entry of the log."""

    entry: LogEntry


class AddSchedule(TypedDict):
    """Either `cron` (in the time zone `tz`) or `every` so many seconds.

    `missed`: of runs that nobody was there for, `once` makes one, `each` all, `skip` none.
    """

    name: str
    task: str
    payload: NotRequired[dict[str, Any]]
    cron: NotRequired[str | None]
    every: NotRequired[int | None]
    tz: NotRequired[str]
    missed: NotRequired[Literal["once", "each", "skip"]]


class AroundReply(TypedDict):
    """Part of a board, the best first, and how many are on it; wealth has no seasons."""

    board: Literal["rating", "wins", "wealth"]
    season: str | None
    entries: list[Entry]
    total: int


class AttemptReply(TypedDict):
    """What it came to: `amount` was taken, or paid if it failed.

    `odds` were the chance in percent, `again_at` is when the caller may try again, in ms.
    """

    success: bool
    amount: int
    odds: int
    balance: int
    again_at: int


class AttemptView(TypedDict):
    """One request: when (ms), its answer's status code and beginning, or what went wrong."""

    at: int
    code: int | None
    error: str
    answer: str
    ms: int


class Author(TypedDict):
    """Who wrote it, by the name of that time."""

    id: str
    name: str


class BalanceReply(TypedDict):
    """What the caller has."""

    balance: int


class BanPlayer(TypedDict):
    """Whose account is banned, and why; without seconds for good."""

    reason: str
    seconds: NotRequired[int | None]


class BatchItem(TypedDict):
    """What became of one order: a job, or the code and text of its refusal."""

    ok: bool
    id: NotRequired[str]
    status: NotRequired[
        Literal["waiting", "delayed", "running", "completed", "failed", "cancelled"]
    ]
    url: NotRequired[str]
    code: NotRequired[str]
    detail: NotRequired[str]


class BatchOrdered(TypedDict):
    """A batch, and where its state can be read."""

    id: str
    status: Literal["running", "cancelling", "done", "cancelled"]
    total: int
    url: str


class BatchReply(TypedDict):
    """What became of each order, in their order."""

    jobs: list[BatchItem]


class BatchState(TypedDict):
    """One batch."""

    batch: BatchView


class BatchView(TypedDict):
    """A batch as it stands: how many of its items have which result, and the coins paid."""

    id: str
    status: Literal["running", "cancelling", "done", "cancelled"]
    total: int
    paid: int
    refused: int
    cancelled: int
    amount: int
    created_at: int
    ended_at: int | None


class BoostView(TypedDict):
    """What works for the caller until then, in ms."""

    kind: Literal["shield", "luck"]
    percent: int
    until: int


class ChangeRole(TypedDict):
    """The new role of an account, and why it gets it."""

    role: Literal["player", "operator", "moderator", "admin"]
    reason: str


class ChangeSchedule(TypedDict):
    """What shall be otherwise."""

    paused: NotRequired[bool | None]
    cron: NotRequired[str | None]
    every: NotRequired[int | None]
    tz: NotRequired[str | None]
    missed: NotRequired[Literal["once", "each", "skip"] | None]


class ChangedWebhook(TypedDict):
    """What is to be another; what is null stays. `active` true begins anew what was disabled."""

    url: NotRequired[str | None]
    events: NotRequired[
        list[
            Literal[
                "*",
                "player.created",
                "wallet.posted",
                "duel.ended",
                "purchase.granted",
                "purchase.refunded",
                "chat.reported",
                "player.muted",
                "player.unmuted",
                "player.banned",
                "player.unbanned",
                "job.died",
            ]
        ]
        | None
    ]
    description: NotRequired[str | None]
    active: NotRequired[bool | None]


class CharacterAnswer(TypedDict):
    """The character as it is now, which stands in `character` as well."""

    id: str
    name: str
    character: CharacterView


class CharacterExport(TypedDict):
    """A character, and all records of it as the server keeps them, the newest first."""

    id: str
    name: str
    records: dict[str, list[dict[str, Any]]]


class CharacterView(TypedDict):
    """Who plays."""

    id: str
    name: str


class CharactersAnswer(TypedDict):
    """All characters of the account, the oldest first."""

    characters: list[CharacterView]


ChatMessage = TypedDict(
    "ChatMessage",
    {
        "id": "str",
        "room": "str",
        "from": "Author",
        "text": "str",
        "sent_at": "int",
        "edited_at": "NotRequired[int]",
        "deleted": "NotRequired[bool]",
    },
)


class CheckView(TypedDict):
    """One check: whether it passes, and since when (ms since the epoch)."""

    ok: bool
    since: int


class Choice(TypedDict):
    """Whether to be told of a kind in a way."""

    kind: Literal[
        "robbed",
        "robbery_failed",
        "coins_received",
        "duel_challenged",
        "duel_won",
        "purchase_granted",
        "friend_requested",
        "friend_accepted",
        "report_resolved",
    ]
    channel: Literal["email", "push"]
    on: bool


class Cleaned(TypedDict):
    """How many were taken away."""

    removed: int


class Connected(TypedDict):
    """Connected: the session's id, and the one that a client goes on with after an absence."""

    sid: str
    pid: str


class ConnectionView(TypedDict):
    """A signed-in connection: its id, its node, who plays, from where, in which chat rooms."""

    id: str
    node: str
    player_id: str
    name: str
    address: str
    rooms: list[str]


class Connections(TypedDict):
    """The connections that were asked for: how many, by node, and some of them.

    `complete`: every node answered; else there may be more.
    """

    total: int
    complete: bool
    nodes: list[NodeView]
    connections: list[ConnectionView]


class DeadLetter(TypedDict):
    """A job that has failed for good: after how many attempts, and why the last one did.

    `trace_id` finds the log line with the trace.
    """

    id: str
    task: str
    attempts: int
    reason: str
    trace_id: NotRequired[str]


class DeadLettersReply(TypedDict):
    """A page, the newest first; `next_before` is null on the last one."""

    dead_letters: list[JobView]
    next_before: str | None


class DealerView(TypedDict):
    """The dealer's cards; the hole card is not among them before the end."""

    cards: list[str]
    total: int


class DeliveriesAnswer(TypedDict):
    """Deliveries, the newest first; null as the cursor when there are no more."""

    deliveries: list[DeliveryView]
    next_before: str | None


class DeliveryAnswer(TypedDict):
    """One delivery."""

    delivery: DeliveryView


class DeliveryView(TypedDict):
    """What became of an event, for one webhook; the newest attempts last."""

    event_id: str
    type: str
    at: int
    status: Literal["pending", "delivered", "failed"]
    tries: int
    attempts: list[AttemptView]


class Discard(TypedDict):
    """Which, and why nobody needs it."""

    reason: str


Disconnect = Literal[
    "slow_consumer",
    "draining",
    "token_revoked",
    "token_expired",
    "banned",
    "abuse",
    "replaced",
    "kicked",
]


class DuelReply(TypedDict):
    """The duel as the caller sees it."""

    duel: DuelView


class DuelView(TypedDict):
    """A duel as one viewer sees it.

    `deadline` (milliseconds since the epoch) is the round's or the challenge's, null while the
    clock stands still. `you` is there for a fighter of an active duel, `winner_id` when
    somebody has won, `end_reason` and `seed` when the duel is finished.
    """

    id: str
    status: Literal["challenged", "active", "finished", "declined", "cancelled", "expired"]
    players: list[PlayerView]
    stake: int
    round: int
    deadline: int | None
    you: NotRequired[OwnView]
    opponent_played: bool
    rounds: list[RoundView]
    winner_id: NotRequired[str]
    end_reason: NotRequired[Literal["score", "forfeit", "timeout", "abandoned", "draw"]]
    commitment: str
    seed: NotRequired[str]
    version: int


class EffectView(TypedDict):
    """What using an item gives for so many seconds."""

    kind: Literal["shield", "luck"]
    seconds: int
    percent: int


class EmailReply(TypedDict):
    """The address, and whether it is the account's beyond doubt; until then nothing goes there."""

    email: str | None
    verified: bool


class Empty(TypedDict):
    """`{}`: done, and there is nothing to tell."""


class Ended(TypedDict):
    """How a mute or a ban came to an end; nobody (null) ends one whose time is over."""

    how: Literal["lifted", "replaced", "expired"]
    at: int
    by: Person | None
    reason: str


class EndedConnections(TypedDict):
    """How many connections were ended; `complete`: every node answered when they were counted."""

    ended: int
    complete: bool


class EndedGame(TypedDict):
    """A game that came to its end without its player."""

    game: GameView


class Entry(TypedDict):
    """A player's place; equal scores have equal ranks: 1, 2, 2, 4."""

    rank: int
    player: RankedPlayer
    score: int


class EntryView(TypedDict):
    """One change of a wallet: what it gained (or lost) and had then; `at` in ms.

    `reason` and `ref` tell what for: a transfer's `ref` is its note. `players` are the others
    of it.
    """

    id: str
    at: int
    amount: int
    balance: int
    reason: str
    ref: str
    players: list[str]


class ErrorObject(TypedDict):
    """Why something was refused: RFC 9457 problem details, the same over sockets and REST.

    `code` is stable, the texts are for people. `retryable`: the same request may succeed later,
    unchanged; `retry_after` (seconds) is there when it is known how much later, `errors` when
    fields are at fault. `request_id` finds the server's log line.
    """

    type: str
    title: str
    status: int
    detail: str
    code: str
    retryable: bool
    retry_after: NotRequired[float]
    errors: NotRequired[list[FieldProblem]]
    request_id: str


class Export(TypedDict):
    """An account; times in milliseconds, `username` is null for guests."""

    exported_at: int
    account: dict[str, Any]
    characters: list[CharacterExport]


class Farewell(TypedDict):
    """Why the server ends the connection, and whether to come back."""

    code: Disconnect
    reason: str
    reconnect: bool


class FieldProblem(TypedDict):
    """One field that did not validate: where, what, and the rule's stable name."""

    field: str
    message: str
    type: str


class Friend(TypedDict):
    """Somebody who is something to the player, and since when (ms); of friends, how he is."""

    id: str
    name: str
    state: Literal["friend", "incoming", "outgoing", "blocked"]
    since: int
    presence: NotRequired[PresenceView]


class FriendsChanged(TypedDict):
    """What another player is to this one now; `friend` is null when he is nothing any more."""

    player_id: str
    friend: Friend | None


class FriendsReply(TypedDict):
    """All friends, then requests and blocks; within both the oldest first."""

    friends: list[Friend]


class FullHealth(TypedDict):
    """All that an operator wants to know of a node, its checks by name."""

    node: str
    connections: int
    stores: dict[str, StoreView]
    checks: dict[str, CheckView]


class GameReply(TypedDict):
    """The game after the step, and what the caller has then."""

    game: GameView
    balance: int


class GameView(TypedDict):
    """A game as its player sees it.

    `turn` is the hand that is played, by its place. `deadline` (ms) is when an open game is
    given back if nothing is done. `payout`, of all bets together, and `seed` are there when the
    game is over.
    """

    id: str
    status: Literal["insurance", "playing", "finished", "refunded"]
    bet: int
    staked: int
    insurance: int
    hands: list[HandView]
    turn: int
    can: list[Literal["hit", "stand", "double", "split"]]
    dealer: DealerView
    deadline: int | None
    payout: NotRequired[int]
    commitment: str
    seed: NotRequired[str]
    version: int


class HandView(TypedDict):
    """A hand of the player's; how it ended and what it paid, once that is known."""

    cards: list[str]
    total: int
    soft: bool
    bet: int
    done: bool
    outcome: NotRequired[Literal["blackjack", "win", "push", "lose", "bust"]]
    paid: NotRequired[int]


class HistoryReply(TypedDict):
    """The oldest message first; `next_before` is null at the room's beginning."""

    messages: list[ChatMessage]
    next_before: str | None


class InventoryReply(TypedDict):
    """All that the caller owns, and what works for him."""

    items: list[OwnedView]
    boosts: list[BoostView]


class ItemView(TypedDict):
    """Something for sale; null is without a bound. `left` is for all, `yours` for the caller."""

    id: str
    name: str
    description: str
    price: int
    resale: int
    left: int | None
    yours: int | None
    closes: int | None
    keeps_seconds: int | None
    effect: EffectView | None


class JobBatch(TypedDict):
    """Up to 100 jobs."""

    jobs: list[JobOrder]


class JobOrder(TypedDict):
    """A job: its task, and what the task is given.

    The same `key` of the same account and task is the same job, for as long as it is kept.
    `delay` is in seconds; `priority` 1 is the most urgent, 10 the least.
    """

    task: str
    payload: NotRequired[dict[str, Any]]
    key: NotRequired[str | None]
    delay: NotRequired[float]
    priority: NotRequired[int]


class JobView(TypedDict):
    """A job. Times are ms since the epoch; `attempts` is how often it has been tried.

    `result` is there when it is completed, `reason` when its last attempt failed, and
    `trace_id`, which finds the log line with the trace, with it.
    """

    id: str
    task: str
    status: Literal["waiting", "delayed", "running", "completed", "failed", "cancelled"]
    payload: dict[str, Any]
    priority: int
    attempts: int
    created_at: int
    progress: NotRequired[Progress]
    started_at: NotRequired[int]
    finished_at: NotRequired[int]
    result: NotRequired[Any]
    reason: NotRequired[str]
    trace_id: NotRequired[str]


class JobsReply(TypedDict):
    """A page of jobs."""

    jobs: list[JobView]


class Joined(TypedDict):
    """A room as it is entered: who came first, how many they are, what was said last."""

    room: str
    members: list[Member]
    member_count: int
    messages: list[ChatMessage]


class Keys(TypedDict):
    """A subscription's keys, as a browser gives them."""

    p256dh: str
    auth: str


class KnownPlayer(TypedDict):
    """A player and his account; guests have no user name. Times in ms, the last name first.

    `banned_until` and `muted_until` are null for good, and 0 when the account is not.
    """

    id: str
    name: str
    former_names: list[str]
    account_id: str
    username: str | None
    role: str
    banned_until: int | None
    muted_until: int | None


class LedgerReply(TypedDict):
    """What the caller has, and entries, the newest first; null as the cursor at their end.

    `names` are those of the players in them, as far as they are still there.
    """

    balance: int
    entries: list[EntryView]
    next_before: str | None
    names: dict[str, str]


class Lift(TypedDict):
    """Whose mute or ban ends, and why."""

    reason: str


class Liveness(TypedDict):
    """The event loop turns."""

    status: Literal["live"]


class LogEntry(TypedDict):
    """One action of a moderator or an administrator.

    `details` has what is particular to the action: `until` (ms, null for good), `report_id`,
    `resolution`, `message_id`, `role` and `former_role`.
    """

    id: str
    action: Literal[
        "mute",
        "unmute",
        "ban",
        "unban",
        "resolve_report",
        "delete_message",
        "edit_message",
        "set_role",
    ]
    by: Person
    whom: Person
    player_id: str | None
    reason: str
    at: int
    details: dict[str, Any]


class LogReply(TypedDict):
    """Actions, the newest first; `next_cursor` is null when there are no more."""

    entries: list[LogEntry]
    next_cursor: str | None


class LotView(TypedDict):
    """Some that expire together, at a time in ms or never."""

    count: int
    expires_at: int | None


class MatchFound(TypedDict):
    """The duel that has begun."""

    duel: DuelView


class MatchLeft(TypedDict):
    """The player does not wait for an opponent any more, and why not."""

    reason: Literal["left", "in_duel", "insufficient_funds"]


class MatchView(TypedDict):
    """Since when (ms) the player waits, for a duel with which stake, and how long (ms) others
    have waited for that lately; null if there were too few.
    """

    waiting_since: int
    stake: int
    estimated_wait: int | None


class MaybeDuelReply(TypedDict):
    """The duel as the caller sees it, null if there is none."""

    duel: DuelView | None


class MaybeGameReply(TypedDict):
    """The game, null if there is none."""

    game: GameView | None


class MeAnswer(TypedDict):
    """The caller's account, which stands in `account` as well, and all its characters."""

    id: str
    username: str | None
    role: str
    account: AccountView
    characters: list[CharacterView]


class Member(TypedDict):
    """A player in a room."""

    id: str
    name: str
    status: str


class MessageReply(TypedDict):
    """The message as it is now."""

    message: ChatMessage


class MutePlayer(TypedDict):
    """Whose account may not speak, for how long, and why."""

    reason: str
    seconds: NotRequired[int]


class MutedEvent(TypedDict):
    """Until when (in ms) a player may not speak; null: he may again."""

    player_id: str
    muted_until: int | None
    reason: str


class NewWebhook(TypedDict):
    """Where to, and of which events; `*` is all of them."""

    url: str
    events: list[
        Literal[
            "*",
            "player.created",
            "wallet.posted",
            "duel.ended",
            "purchase.granted",
            "purchase.refunded",
            "chat.reported",
            "player.muted",
            "player.unmuted",
            "player.banned",
            "player.unbanned",
            "job.died",
        ]
    ]
    description: NotRequired[str]


class NodeView(TypedDict):
    """A node that is believed to live: whether it answered in time, and what it counted."""

    node: str
    answered: bool
    connections: int


class Notification(TypedDict):
    """Something that a player should see.

    `text` is a sentence for people. `by` is who did it, `amount` the coins that moved, `ref`
    what it was about: the id of a duel, a posting, a player or a report. `at` in ms.
    """

    id: str
    kind: str
    text: str
    by: Author | None
    amount: int
    ref: str
    at: int
    read: bool


class NotificationsReply(TypedDict):
    """Notifications, the newest first, and how many in all are unread.

    The cursor is null when there are no more.
    """

    notifications: list[Notification]
    unread: int
    next_before: str | None


class OperationEntry(TypedDict):
    """One call of an operator that changes something; `at` in ms.

    `action` is the call, as `POST /queues/{queue}/pause`; `details` what it was given, without
    payloads of jobs. `outcome` is `ok`, the code of its refusal, or null when only its begin is
    known.
    """

    id: str
    action: str
    by: Person
    details: dict[str, Any]
    at: int
    outcome: str | None


class OperationsReply(TypedDict):
    """Calls, the newest first; `next_cursor` is null when there are no more."""

    entries: list[OperationEntry]
    next_cursor: str | None


class OpponentView(TypedDict):
    """Whether the other fighter is there, and by when (ms) he must be back if he is not."""

    duel_id: str
    player_id: str
    connected: bool
    deadline: int | None


class OrderNews(TypedDict):
    """An order as it stands now."""

    order: OrderView


class OrderReply(TypedDict):
    """An order of the caller's, and whether money moves."""

    order: OrderView
    notice: str


class OrderView(TypedDict):
    """An order; `url` is where to pay, null when there is nothing to pay any more."""

    id: str
    status: Literal["created", "paid", "granted", "refunded"]
    pack: PackView
    url: str | None
    created_at: int


class Ordered(TypedDict):
    """The job, how it stands, and where that can be read."""

    id: str
    status: Literal["waiting", "delayed", "running", "completed", "failed", "cancelled"]
    url: str


class OwnView(TypedDict):
    """A fighter's own cards: those dealt until he has played, then the drawn ones."""

    hand: list[str]
    played: bool


class OwnedView(TypedDict):
    """What the caller has of one item."""

    item: str
    count: int
    lots: list[LotView]


class PackView(TypedDict):
    """Coins for money; the price is in the currency's smallest unit."""

    id: str
    name: str
    coins: int
    price: int
    currency: str


class PacksReply(TypedDict):
    """What can be bought, and whether money moves."""

    provider: str
    notice: str
    packs: list[PackView]


class Person(TypedDict):
    """An account, and a name of it that people know."""

    account_id: str
    name: str


class PlayerInfo(TypedDict):
    """Who plays on this connection; the role is his account's."""

    id: str
    name: str
    role: str


class PlayerRecord(TypedDict):
    """All players of one account, and the newest 50 reports, mutes and bans of it."""

    characters: list[KnownPlayer]
    reports: list[ReportView]
    sanctions: list[SanctionView]


class PlayerView(TypedDict):
    """One of the two, as everybody sees him."""

    id: str
    name: str
    connected: bool
    score: int


class PlayersReply(TypedDict):
    """Players by name, at most 50."""

    found: list[KnownPlayer]


class PresenceReply(TypedDict):
    """The presence of each player asked for, by id."""

    presence: dict[str, PresenceView]


class PresenceView(TypedDict):
    """How a player shows himself; `last_seen` in ms, null when that is not known."""

    status: Literal["online", "away", "busy", "offline"]
    last_seen: int | None
    in_duel: bool


class Progress(TypedDict):
    """How far a job has come."""

    done: int
    total: int


class QueueReply(TypedDict):
    """One queue."""

    queue: QueueView


class QueueView(TypedDict):
    """A queue: one task's jobs by state, and how long (ms) the oldest has been waiting."""

    name: str
    profile: str
    paused: bool
    waiting: int
    delayed: int
    running: int
    completed: int
    failed: int
    oldest_ms: int


class QueuesReply(TypedDict):
    """All queues."""

    queues: list[QueueView]


class RankedPlayer(TypedDict):
    """Who it is."""

    id: str
    name: str


class RatingChanged(TypedDict):
    """A player's rating after a duel, and by what it changed; `score` is his on the board."""

    duel_id: str
    season: str
    rating: int
    uncertainty: int
    score: int
    change: int


class RatingReply(TypedDict):
    """A player's present season: docs/matchmaking.md says what the numbers mean."""

    player_id: str
    season: str
    rating: int
    uncertainty: int
    score: int
    wins: int
    losses: int
    draws: int


class Readiness(TypedDict):
    """Whether the node is fit to serve, and the names of the checks that say no."""

    status: Literal["ready", "not_ready"]
    failing: list[str]


class Received(TypedDict):
    """The webhook was understood."""

    received: bool


class Renamed(TypedDict):
    """The name that a player has from now on."""

    player_id: str
    name: str


class Replay(TypedDict):
    """Up to 100 of them."""

    ids: list[str]


class ReplayReply(TypedDict):
    """Those that wait again, and the code of the refusal of each other."""

    replayed: list[str]
    refused: dict[str, str]


class ReportInContext(TypedDict):
    """A report, its message as it is now, and what was said around it, the oldest first.

    `message_now` is null when it is not stored any more. Around a whisper nothing is shown:
    only what one of the two has reported is the moderators' to read.
    """

    report: ReportView
    message_now: ChatMessage | None
    said_before: list[ChatMessage]
    said_after: list[ChatMessage]


class ReportReply(TypedDict):
    """What the moderators know the report by."""

    report_id: str


class ReportView(TypedDict):
    """A report; `message` is as it was when it was reported. `resolution` is null while open."""

    id: str
    status: Literal["open", "resolved"]
    message: ChatMessage
    reporter: Author
    reason: str
    reported_at: int
    resolution: Resolved | None


class ReportsReply(TypedDict):
    """Reports, the oldest first; `next_cursor` is null when there are no more."""

    reports: list[ReportView]
    next_cursor: str | None


class ResolveReport(TypedDict):
    """What comes of a report, and why.

    `mute` and `ban` do that to the author: `seconds` is how long, for a ban without for good.
    `other` is for what was done elsewhere; `dismiss`: nothing is wrong.
    """

    action: Literal["dismiss", "mute", "ban", "other"]
    note: str
    seconds: NotRequired[int | None]


class Resolved(TypedDict):
    """What came of a report."""

    action: Literal["dismiss", "mute", "ban", "other"]
    note: str
    by: Person
    at: int


class ResolvedReport(TypedDict):
    """The report as it is now."""

    report: ReportView


class Resume(TypedDict):
    """What the player was at: the chat rooms that the connection is in, his duel, his mute.

    `duel` is the one that he fights, else the one that he has offered, else the newest that was
    offered to him. `muted_until` is in ms. `match` says that he waits for an opponent. They are
    null when there is none. `friend_requests` is how many wait for his answer.
    """

    rooms: list[str]
    duel: DuelView | None
    muted_until: int | None
    match: MatchView | None
    friend_requests: int


class RoundNews(TypedDict):
    """A round's showdown; hands and ranks by player id, no winner if they are equal."""

    round: int
    hands: dict[str, list[str]]
    ranks: dict[str, str]
    winner_id: str | None
    duel_id: str


class RoundView(TypedDict):
    """A round after its showdown; hands and ranks by player id."""

    round: int
    hands: dict[str, list[str]]
    ranks: dict[str, str]
    winner_id: str | None


class SanctionView(TypedDict):
    """A mute or a ban: of an account, aimed at one of its players.

    Times in ms; `until` is null for good, `ended` while it was not brought to an end.
    """

    id: str
    kind: Literal["ban", "mute"]
    whom: Person
    player_id: str
    by: Person
    reason: str
    at: int
    until: int | None
    in_force: bool
    ended: Ended | None


class SanctionsReply(TypedDict):
    """In force now, the newest first; `next_cursor` is null when there are no more."""

    sanctions: list[SanctionView]
    next_cursor: str | None


class ScheduleReply(TypedDict):
    """One schedule."""

    schedule: ScheduleView


class ScheduleView(TypedDict):
    """A schedule: either `cron` (in the time zone `tz`) or `every` so many seconds.

    `missed` says what becomes of runs that nobody was there for. Code's own schedules (`own`)
    can be paused, but not changed or deleted.
    """

    name: str
    task: str
    payload: dict[str, Any]
    cron: str | None
    every: int | None
    tz: str
    missed: Literal["once", "each", "skip"]
    paused: bool
    own: bool
    next_at: int
    last_at: int | None


class SchedulesReply(TypedDict):
    """All schedules, by name."""

    schedules: list[ScheduleView]


class SecretAnswer(TypedDict):
    """A webhook and its secret, which is not shown again."""

    webhook: WebhookView
    secret: str


class ServerNotice(TypedDict):
    """What those who run the server should look at, and how much of it there is."""

    kind: Literal["audit"]
    findings: int


class SessionReady(TypedDict):
    """Signed in: who, as what, and what the client has to know to show the truth.

    `recovered`: the former session goes on and nothing was missed. `server_time` in ms.
    """

    player: PlayerInfo
    session_id: str
    recovered: bool
    server_time: int
    resume: Resume


class SessionReply(TypedDict):
    """When the session ends unless it is refreshed again, in ms."""

    expires_at: int


class SettingsReply(TypedDict):
    """How an account is reached: by kind, at which address, on how many devices.

    `push_key` is what a browser subscribes with; `email` is null if none was given, and without
    `offers_email` the server sends none.
    """

    kinds: dict[str, WaysOfKind]
    offers_email: bool
    email: str | None
    verified: bool
    devices: int
    push_key: str


class ShopReply(TypedDict):
    """What is for sale now."""

    items: list[ItemView]


class StatusReply(TypedDict):
    """The status that others see from now on."""

    status: str


class StoreView(TypedDict):
    """Connections of the pool that are in use, of how many; and whether its breaker is open."""

    in_use: int
    size: int
    open: bool


class TokenAnswer(TypedDict):
    """Signed in; `expires_in` is in seconds, of the access token."""

    account: AccountView
    character: CharacterView
    access_token: str
    refresh_token: str
    token_type: str
    expires_in: int


class TopReply(TypedDict):
    """The same, and what to ask for the next page with; null if this is the last."""

    board: Literal["rating", "wins", "wealth"]
    season: str | None
    entries: list[Entry]
    total: int
    next_after: str | None


class TradeReply(TypedDict):
    """The caller's balance, what was paid in all, and how many he owns now."""

    balance: int
    price: int
    owned: int


class TransferItem(TypedDict):
    """Coins for a player."""

    to: str
    amount: int
    note: NotRequired[str]


class TransferItemView(TypedDict):
    """An item: paid by the ledger entry `entry_id`, or refused with the code of an error."""

    index: int
    to: str
    amount: int
    note: str
    status: Literal["waiting", "paid", "refused", "cancelled"]
    entry_id: NotRequired[str]
    code: NotRequired[str]


class TransferItemsReply(TypedDict):
    """Items in their order; `next_index` is null on the last page."""

    items: list[TransferItemView]
    next_index: int | None


class TransferReply(TypedDict):
    """The sender's new balance, what went to the other, and what it cost on top."""

    balance: int
    to: str
    amount: int
    fee: int


TypingEvent = TypedDict("TypingEvent", {"room": "str", "from": "Author"})


class UnreadReply(TypedDict):
    """How many are unread now."""

    unread: int


class UseReply(TypedDict):
    """The boost as it is now, and how many of the item are left."""

    kind: Literal["shield", "luck"]
    percent: int
    until: int
    owned: int


class WalletChanged(TypedDict):
    """What a player has now, and by what it changed; `id` is the entry's."""

    id: str
    balance: int
    amount: int
    reason: str
    ref: str
    at: int


class WatchedReply(TypedDict):
    """The duel as everybody may see it."""

    duel: DuelView


class WaysOfKind(TypedDict):
    """Whether an account that is away is told of a kind by e-mail, and by push."""

    email: bool
    push: bool


class WebhookAnswer(TypedDict):
    """One webhook."""

    webhook: WebhookView


class WebhookDisabled(TypedDict):
    """Nothing more is sent to a webhook, and why."""

    webhook_id: str
    url: str
    reason: str


class WebhookView(TypedDict):
    """A webhook and how it does; times in ms.

    `reason` says why it is not active, `failures` counts those in a row.
    """

    id: str
    url: str
    events: list[str]
    description: str
    active: bool
    reason: str
    failures: int
    created_at: int


class WebhooksAnswer(TypedDict):
    """All of them, the oldest first."""

    webhooks: list[WebhookView]


class WithdrawalState(TypedDict):
    """One withdrawal."""

    withdrawal: WithdrawalView


class WithdrawalView(TypedDict):
    """A withdrawal: its coins are held until it is `confirmed` or, given back, `failed`.

    `reference` is the outside ledger's, `reason` why it failed.
    """

    id: str
    player_id: str
    address: str
    amount: int
    status: Literal["held", "submitted", "confirmed", "failed"]
    reference: str | None
    reason: str | None
    created_at: int
    ended_at: int | None


class WithdrawalsReply(TypedDict):
    """A page, the newest first; `next_before` is null on the last one."""

    withdrawals: list[WithdrawalView]
    next_before: str | None


def _given(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


class Refused(Exception):
    """The server said no; `code` is stable, `error` is the whole error object."""

    def __init__(self, error: ErrorObject) -> None:
        super().__init__(f"{error['code']}: {error['detail']}")
        self.error = error
        self.code = error["code"]


class Showdown:
    """One player: REST calls at once, events after `sign_in`.

    All that asks raises Refused when the server says no.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.token = ""
        self.socket = socketio.AsyncClient()
        self.ready: SessionReady
        self._http: aiohttp.ClientSession
        self._refusal: Any = None
        self._welcome: asyncio.Queue[SessionReady] = asyncio.Queue()
        self.socket.on("session:ready", self._welcomed)
        self.socket.on("connect_error", self._was_refused)

    async def __aenter__(self) -> Self:
        self._http = aiohttp.ClientSession()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.socket.disconnect()
        await self._http.close()

    async def sign_in(self, tokens: TokenAnswer, character_id: str | None = None) -> SessionReady:
        """Connect as the account of a token answer; returns what `session:ready` said."""
        self.token = tokens["access_token"]
        chosen = {"character_id": character_id} if character_id else {}
        try:
            await self.socket.connect(self.url, auth={"token": self.token, **chosen})
        except socketio.exceptions.ConnectionError:
            if self._refusal is None:
                raise
            raise Refused(self._refusal["data"]) from None
        self.ready = await asyncio.wait_for(self._welcome.get(), ANSWER_SECONDS)
        return self.ready

    def _welcomed(self, ready: SessionReady, *_: object) -> None:
        self._welcome.put_nowait(ready)

    def _was_refused(self, data: Any) -> None:
        self._refusal = data

    async def _call(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        query: dict[str, Any] | None = None,
    ) -> Any:
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        url = self.url + path
        asked = {name: str(value) for name, value in (query or {}).items()}
        async with self._http.request(
            method, url, headers=headers, json=body, params=asked
        ) as answer:
            shown: Any = await answer.json(content_type=None) if await answer.read() else None
            if answer.status >= 400:
                raise Refused(shown)
            return shown

    async def _ask(self, event: str, data: dict[str, Any]) -> Any:
        answer = await self.socket.call(event, data, timeout=ANSWER_SECONDS)
        if not answer["ok"]:
            raise Refused(answer["error"])
        return answer["data"]

    async def guest(self, *, name: str | None = None) -> TokenAnswer:
        """Make an account without a password and sign it in.

        Raises:
            Refused: validation_failed, payload_too_large, malformed_payload, forbidden,
                rate_limited, dependency_unavailable, timeout, internal.
        """
        answer: TokenAnswer = await self._call(
            "POST", "/api/v1/auth/guest", {**_given({"name": name})}
        )
        return answer

    async def register(self, *, username: str, password: str) -> TokenAnswer:
        """Make an account with a password and sign it in.

        Raises:
            Refused: validation_failed, payload_too_large, malformed_payload, forbidden,
                conflict, rate_limited, dependency_unavailable, timeout, internal.
        """
        answer: TokenAnswer = await self._call(
            "POST", "/api/v1/auth/register", {"username": username, "password": password}
        )
        return answer

    async def login(self, *, username: str, password: str) -> TokenAnswer:
        """Sign in by password.

        Raises:
            Refused: validation_failed, payload_too_large, malformed_payload, unauthenticated,
                forbidden, banned, rate_limited, dependency_unavailable, timeout,
                internal.
        """
        answer: TokenAnswer = await self._call(
            "POST", "/api/v1/auth/login", {"username": username, "password": password}
        )
        return answer

    async def refresh(self, *, refresh_token: str) -> TokenAnswer:
        """Take a new pair of tokens for a refresh token, which is spent.

        Raises:
            Refused: validation_failed, payload_too_large, malformed_payload, unauthenticated,
                token_revoked, forbidden, banned, rate_limited,
                dependency_unavailable, timeout, internal.
        """
        answer: TokenAnswer = await self._call(
            "POST", "/api/v1/auth/refresh", {"refresh_token": refresh_token}
        )
        return answer

    async def logout(self) -> None:
        """End the caller's sign-in: its tokens and its live connections.

        Raises:
            Refused: validation_failed, payload_too_large, malformed_payload, unauthenticated,
                token_expired, token_revoked, forbidden, banned, rate_limited,
                dependency_unavailable, timeout, internal.
        """
        await self._call("POST", "/api/v1/auth/logout")

    async def me(self) -> MeAnswer:
        """Tell the caller who he is.

        Raises:
            Refused: unauthenticated, token_expired, token_revoked, forbidden, banned,
                rate_limited, dependency_unavailable, timeout, internal.
        """
        answer: MeAnswer = await self._call("GET", "/api/v1/me")
        return answer

    async def deletion_delete(self) -> None:
        """Delete the caller's account, for good.

        Raises:
            Refused: unauthenticated, token_expired, token_revoked, forbidden, stale_version,
                banned, rate_limited, dependency_unavailable, timeout, internal.
        """
        await self._call("DELETE", "/api/v1/me")

    async def characters(self) -> CharactersAnswer:
        """List the characters of the caller's account.

        Raises:
            Refused: unauthenticated, token_expired, token_revoked, forbidden, banned,
                rate_limited, dependency_unavailable, timeout, internal.
        """
        answer: CharactersAnswer = await self._call("GET", "/api/v1/characters")
        return answer

    async def create_character(self, *, name: str) -> CharacterAnswer:
        """Add a character to the caller's account.

        Raises:
            Refused: validation_failed, payload_too_large, malformed_payload, unauthenticated,
                token_expired, token_revoked, forbidden, conflict, banned,
                rate_limited, dependency_unavailable, timeout, internal.
        """
        answer: CharacterAnswer = await self._call("POST", "/api/v1/characters", {"name": name})
        return answer

    async def board(
        self,
        *,
        board: Literal["rating", "wins", "wealth"],
        limit: int | None = None,
        season: str | None = None,
        after: str | None = None,
    ) -> TopReply:
        """The best of a board, as `leaderboard:top`.

        Raises:
            Refused: validation_failed, unauthenticated, token_expired, token_revoked,
                forbidden, not_found, banned, rate_limited, dependency_unavailable,
                timeout, internal.
        """
        answer: TopReply = await self._call(
            "GET",
            f"/api/v1/leaderboards/{board}",
            query={**_given({"limit": limit, "season": season, "after": after})},
        )
        return answer

    async def rename_character(self, *, id: str, name: str) -> CharacterAnswer:
        """Give a character of the caller's another name; its live connections are told.

        Raises:
            Refused: validation_failed, payload_too_large, malformed_payload, unauthenticated,
                token_expired, token_revoked, forbidden, not_found, stale_version,
                banned, rate_limited, dependency_unavailable, timeout, internal.
        """
        answer: CharacterAnswer = await self._call(
            "PATCH", f"/api/v1/characters/{id}", {"name": name}
        )
        return answer

    async def register_guest(self, *, username: str, password: str) -> AccountAnswer:
        """Give a guest's account a user name and a password; all that it has stays.

        Raises:
            Refused: validation_failed, payload_too_large, malformed_payload, unauthenticated,
                token_expired, token_revoked, forbidden, conflict, stale_version,
                banned, rate_limited, dependency_unavailable, timeout, internal.
        """
        answer: AccountAnswer = await self._call(
            "POST", "/api/v1/me/register", {"username": username, "password": password}
        )
        return answer

    async def change_password(self, *, password: str, new_password: str) -> None:
        """Take another password; all sign-ins of the account but the caller's end.

        Raises:
            Refused: validation_failed, payload_too_large, malformed_payload, unauthenticated,
                token_expired, token_revoked, forbidden, conflict, stale_version,
                banned, rate_limited, dependency_unavailable, timeout, internal.
        """
        await self._call(
            "POST", "/api/v1/me/password", {"password": password, "new_password": new_password}
        )

    async def export(self) -> Export:
        """Everything that belongs to the caller's account, as a file.

        Raises:
            Refused: unauthenticated, token_expired, token_revoked, forbidden, not_found,
                banned, rate_limited, dependency_unavailable, timeout, internal.
        """
        answer: Export = await self._call("GET", "/api/v1/me/export")
        return answer

    async def order(
        self,
        *,
        items: list[TransferItem],
        key: str,
        character_id: str | None = None,
        reason: str | None = None,
    ) -> BatchOrdered:
        """Give coins to many players, from a character or, by an administrator, from the house.

        Raises:
            Refused: validation_failed, payload_too_large, malformed_payload, unauthenticated,
                token_expired, token_revoked, forbidden, conflict, stale_version,
                idempotency_mismatch, banned, rate_limited, dependency_unavailable,
                timeout, internal.
        """
        answer: BatchOrdered = await self._call(
            "POST",
            "/api/v1/transfers/batch",
            {
                "items": items,
                "key": key,
                **_given({"character_id": character_id, "reason": reason}),
            },
        )
        return answer

    async def transfers_get(self, *, batch_id: str) -> BatchState:
        """A batch as it stands.

        Raises:
            Refused: validation_failed, unauthenticated, token_expired, token_revoked,
                forbidden, not_found, banned, rate_limited, dependency_unavailable,
                timeout, internal.
        """
        answer: BatchState = await self._call("GET", f"/api/v1/transfers/batch/{batch_id}")
        return answer

    async def transfers_delete(self, *, batch_id: str) -> BatchState:
        """Stop a batch: what has not begun is cancelled, what is paid stays paid.

        Raises:
            Refused: validation_failed, unauthenticated, token_expired, token_revoked,
                forbidden, not_found, conflict, stale_version, banned, rate_limited,
                dependency_unavailable, timeout, internal.
        """
        answer: BatchState = await self._call("DELETE", f"/api/v1/transfers/batch/{batch_id}")
        return answer

    async def items(
        self, *, batch_id: str, from_index: int | None = None, limit: int | None = None
    ) -> TransferItemsReply:
        """What became of each item of a batch.

        Raises:
            Refused: validation_failed, unauthenticated, token_expired, token_revoked,
                forbidden, not_found, banned, rate_limited, dependency_unavailable,
                timeout, internal.
        """
        answer: TransferItemsReply = await self._call(
            "GET",
            f"/api/v1/transfers/batch/{batch_id}/items",
            query={**_given({"from_index": from_index, "limit": limit})},
        )
        return answer

    async def withdrawals_get(self, *, withdrawal_id: str) -> WithdrawalState:
        """A withdrawal of the caller's account as it stands; operators see all.

        Raises:
            Refused: validation_failed, unauthenticated, token_expired, token_revoked,
                forbidden, not_found, banned, rate_limited, dependency_unavailable,
                timeout, internal.
        """
        answer: WithdrawalState = await self._call("GET", f"/api/v1/withdrawals/{withdrawal_id}")
        return answer

    async def health_live(self) -> Liveness:
        """Whether the event loop turns."""
        answer: Liveness = await self._call("GET", "/health/live")
        return answer

    async def health_ready(self) -> Readiness:
        """Whether the node is fit to serve, and which checks say no."""
        answer: Readiness = await self._call("GET", "/health/ready")
        return answer

    async def health(self) -> FullHealth:
        """All checks and pools of the node, for administrators and operators.

        Raises:
            Refused: unauthenticated, token_expired, token_revoked, forbidden, banned,
                rate_limited, dependency_unavailable, timeout, internal.
        """
        answer: FullHealth = await self._call("GET", "/health")
        return answer

    async def openapi(self) -> dict[str, Any]:
        """This document."""
        answer: dict[str, Any] = await self._call("GET", "/openapi.json")
        return answer

    async def asyncapi(self) -> dict[str, Any]:
        """The events, as an AsyncAPI document."""
        answer: dict[str, Any] = await self._call("GET", "/asyncapi.json")
        return answer

    async def session_refresh(self, *, token: str) -> SessionReply:
        """Go on with a newer access token, so that the socket need not be dropped.

        Raises:
            Refused: validation_failed, payload_too_large, malformed_payload, unauthenticated,
                token_expired, token_revoked, forbidden, rate_limited,
                dependency_unavailable, timeout, internal.
        """
        answer: SessionReply = await self._ask("session:refresh", {"token": token})
        return answer

    async def chat_join(self, *, room: str) -> Joined:
        """Enter a room: who is there, and what was said last.

        Raises:
            Refused: validation_failed, payload_too_large, malformed_payload, token_expired,
                forbidden, not_found, conflict, rate_limited,
                dependency_unavailable, timeout, internal.
        """
        answer: Joined = await self._ask("chat:join", {"room": room})
        return answer

    async def chat_leave(self, *, room: str) -> Empty:
        """Leave a room; not being in it is no error.

        Raises:
            Refused: validation_failed, payload_too_large, malformed_payload, token_expired,
                not_found, rate_limited, dependency_unavailable, timeout, internal.
        """
        answer: Empty = await self._ask("chat:leave", {"room": room})
        return answer

    async def chat_send(
        self, *, room: str, text: str, client_id: str | None = None
    ) -> MessageReply:
        """Say something to everybody in a room that the connection is in.

        Raises:
            Refused: validation_failed, payload_too_large, malformed_payload, token_expired,
                forbidden, not_found, muted, rate_limited, dependency_unavailable,
                timeout, internal.
        """
        answer: MessageReply = await self._ask(
            "chat:send", {"room": room, "text": text, **_given({"client_id": client_id})}
        )
        return answer

    async def chat_history(
        self, *, room: str, before: str | None = None, limit: int | None = None
    ) -> HistoryReply:
        """Read what was said in a room, the newest page first.

        Raises:
            Refused: validation_failed, payload_too_large, malformed_payload, token_expired,
                forbidden, not_found, rate_limited, dependency_unavailable, timeout,
                internal.
        """
        answer: HistoryReply = await self._ask(
            "chat:history", {"room": room, **_given({"before": before, "limit": limit})}
        )
        return answer

    async def chat_whisper(
        self, *, to: str, text: str, client_id: str | None = None
    ) -> MessageReply:
        """Say something to one player.

        Raises:
            Refused: validation_failed, payload_too_large, malformed_payload, token_expired,
                forbidden, not_found, muted, rate_limited, dependency_unavailable,
                timeout, internal.
        """
        answer: MessageReply = await self._ask(
            "chat:whisper", {"to": to, "text": text, **_given({"client_id": client_id})}
        )
        return answer

    async def chat_edit(self, *, message_id: str, text: str) -> MessageReply:
        """Put another text in a message's place: its author for some minutes, a moderator always.

        Raises:
            Refused: validation_failed, payload_too_large, malformed_payload, token_expired,
                forbidden, not_found, conflict, stale_version, muted, rate_limited,
                dependency_unavailable, timeout, internal.
        """
        answer: MessageReply = await self._ask(
            "chat:edit", {"message_id": message_id, "text": text}
        )
        return answer

    async def chat_delete(self, *, message_id: str, text: str | None = None) -> MessageReply:
        """Take a message's text away: its author for some minutes, a moderator always.

        Raises:
            Refused: validation_failed, payload_too_large, malformed_payload, token_expired,
                forbidden, not_found, stale_version, rate_limited,
                dependency_unavailable, timeout, internal.
        """
        answer: MessageReply = await self._ask(
            "chat:delete", {"message_id": message_id, **_given({"text": text})}
        )
        return answer

    async def chat_report(self, *, message_id: str, reason: str) -> ReportReply:
        """Show a message to the moderators, as it is now.

        Raises:
            Refused: validation_failed, payload_too_large, malformed_payload, token_expired,
                forbidden, not_found, rate_limited, dependency_unavailable, timeout,
                internal.
        """
        answer: ReportReply = await self._ask(
            "chat:report", {"message_id": message_id, "reason": reason}
        )
        return answer

    async def chat_mute(
        self, *, player_id: str, reason: str | None = None, seconds: int | None = None
    ) -> MutedEvent:
        """Let a player not speak for a while; the newest decision counts.

        Raises:
            Refused: validation_failed, payload_too_large, malformed_payload, token_expired,
                forbidden, not_found, rate_limited, dependency_unavailable, timeout,
                internal.
        """
        answer: MutedEvent = await self._ask(
            "chat:mute", {"player_id": player_id, **_given({"reason": reason, "seconds": seconds})}
        )
        return answer

    async def chat_unmute(
        self, *, player_id: str, reason: str | None = None, seconds: int | None = None
    ) -> MutedEvent:
        """Let a player speak again, his mute ladder at its beginning.

        Raises:
            Refused: validation_failed, payload_too_large, malformed_payload, token_expired,
                forbidden, not_found, rate_limited, dependency_unavailable, timeout,
                internal.
        """
        answer: MutedEvent = await self._ask(
            "chat:unmute",
            {"player_id": player_id, **_given({"reason": reason, "seconds": seconds})},
        )
        return answer

    async def chat_typing(self, *, room: str) -> Empty:
        """Let the others in a room see that the caller writes.

        Raises:
            Refused: validation_failed, payload_too_large, malformed_payload, token_expired,
                forbidden, not_found, rate_limited, dependency_unavailable, timeout,
                internal.
        """
        answer: Empty = await self._ask("chat:typing", {"room": room})
        return answer

    async def presence_set(self, *, status: Literal["online", "away", "busy"]) -> StatusReply:
        """Show yourself as online, away or busy, on all devices alike.

        Raises:
            Refused: validation_failed, payload_too_large, malformed_payload, token_expired,
                rate_limited, dependency_unavailable, timeout, internal.
        """
        answer: StatusReply = await self._ask("presence:set", {"status": status})
        return answer

    async def presence_query(self, *, player_ids: list[str]) -> PresenceReply:
        """How these players show themselves; unknown ones are offline.

        Raises:
            Refused: validation_failed, payload_too_large, malformed_payload, token_expired,
                rate_limited, dependency_unavailable, timeout, internal.
        """
        answer: PresenceReply = await self._ask("presence:query", {"player_ids": player_ids})
        return answer

    async def presence_watch(self, *, player_ids: list[str]) -> PresenceReply:
        """How these players show themselves, and be told when that changes.

        Raises:
            Refused: validation_failed, payload_too_large, malformed_payload, token_expired,
                conflict, rate_limited, dependency_unavailable, timeout, internal.
        """
        answer: PresenceReply = await self._ask("presence:watch", {"player_ids": player_ids})
        return answer

    async def presence_unwatch(self, *, player_ids: list[str]) -> PresenceReply:
        """Be told no more of these players.

        Raises:
            Refused: validation_failed, payload_too_large, malformed_payload, token_expired,
                rate_limited, dependency_unavailable, timeout, internal.
        """
        answer: PresenceReply = await self._ask("presence:unwatch", {"player_ids": player_ids})
        return answer

    async def friends_list(self) -> FriendsReply:
        """Friends with their presence, requests and blocks.

        Raises:
            Refused: validation_failed, payload_too_large, malformed_payload, token_expired,
                rate_limited, dependency_unavailable, timeout, internal.
        """
        answer: FriendsReply = await self._ask("friends:list", {})
        return answer

    async def friends_add(self, *, player_id: str) -> FriendsReply:
        """Ask a player to be friends, or agree if he has asked; again, it changes nothing.

        Raises:
            Refused: validation_failed, payload_too_large, malformed_payload, token_expired,
                forbidden, not_found, conflict, stale_version, rate_limited,
                dependency_unavailable, timeout, internal.
        """
        answer: FriendsReply = await self._ask("friends:add", {"player_id": player_id})
        return answer

    async def friends_accept(self, *, player_id: str) -> FriendsReply:
        """Agree to be friends with who has asked.

        Raises:
            Refused: validation_failed, payload_too_large, malformed_payload, token_expired,
                not_found, conflict, stale_version, rate_limited,
                dependency_unavailable, timeout, internal.
        """
        answer: FriendsReply = await self._ask("friends:accept", {"player_id": player_id})
        return answer

    async def friends_remove(self, *, player_id: str) -> FriendsReply:
        """End a friendship, take a request back, or decline one; nothing to end is no error.

        Raises:
            Refused: validation_failed, payload_too_large, malformed_payload, token_expired,
                stale_version, rate_limited, dependency_unavailable, timeout,
                internal.
        """
        answer: FriendsReply = await self._ask("friends:remove", {"player_id": player_id})
        return answer

    async def friends_block(self, *, player_id: str) -> FriendsReply:
        """Have nothing to do with a player: no whispers, challenges or requests, either way.

        Raises:
            Refused: validation_failed, payload_too_large, malformed_payload, token_expired,
                not_found, conflict, stale_version, rate_limited,
                dependency_unavailable, timeout, internal.
        """
        answer: FriendsReply = await self._ask("friends:block", {"player_id": player_id})
        return answer

    async def friends_unblock(self, *, player_id: str) -> FriendsReply:
        """Take a block away; a friendship that was before it does not come back.

        Raises:
            Refused: validation_failed, payload_too_large, malformed_payload, token_expired,
                stale_version, rate_limited, dependency_unavailable, timeout,
                internal.
        """
        answer: FriendsReply = await self._ask("friends:unblock", {"player_id": player_id})
        return answer

    async def duel_challenge(
        self, *, opponent_id: str, key: str, stake: int | None = None
    ) -> DuelReply:
        """Offer a duel; it lives for a minute.

        Raises:
            Refused: validation_failed, payload_too_large, malformed_payload, token_expired,
                forbidden, not_found, conflict, idempotency_mismatch,
                insufficient_funds, already_in_duel, rate_limited,
                dependency_unavailable, timeout, internal.
        """
        answer: DuelReply = await self._ask(
            "duel:challenge", {"opponent_id": opponent_id, "key": key, **_given({"stake": stake})}
        )
        return answer

    async def duel_accept(self, *, duel_id: str) -> DuelReply:
        """Start a duel that the caller was challenged to.

        Raises:
            Refused: validation_failed, payload_too_large, malformed_payload, token_expired,
                forbidden, not_found, conflict, stale_version, insufficient_funds,
                already_in_duel, duel_over, rate_limited, dependency_unavailable,
                timeout, internal.
        """
        answer: DuelReply = await self._ask("duel:accept", {"duel_id": duel_id})
        return answer

    async def duel_decline(self, *, duel_id: str) -> DuelReply:
        """Say no to a challenge.

        Raises:
            Refused: validation_failed, payload_too_large, malformed_payload, token_expired,
                forbidden, not_found, conflict, stale_version, duel_over,
                rate_limited, dependency_unavailable, timeout, internal.
        """
        answer: DuelReply = await self._ask("duel:decline", {"duel_id": duel_id})
        return answer

    async def duel_cancel(self, *, duel_id: str) -> DuelReply:
        """Take one's own challenge back.

        Raises:
            Refused: validation_failed, payload_too_large, malformed_payload, token_expired,
                forbidden, not_found, conflict, stale_version, duel_over,
                rate_limited, dependency_unavailable, timeout, internal.
        """
        answer: DuelReply = await self._ask("duel:cancel", {"duel_id": duel_id})
        return answer

    async def duel_forfeit(self, *, duel_id: str) -> DuelReply:
        """Resign; the other wins.

        Raises:
            Refused: validation_failed, payload_too_large, malformed_payload, token_expired,
                not_found, conflict, stale_version, duel_over, rate_limited,
                dependency_unavailable, timeout, internal.
        """
        answer: DuelReply = await self._ask("duel:forfeit", {"duel_id": duel_id})
        return answer

    async def duel_play(self, *, duel_id: str, round: int, hold: list[int]) -> DuelReply:
        """Hold some of the five cards and draw the rest.

        Raises:
            Refused: validation_failed, payload_too_large, malformed_payload, token_expired,
                not_found, conflict, stale_version, not_your_turn, duel_over,
                rate_limited, dependency_unavailable, timeout, internal.
        """
        answer: DuelReply = await self._ask(
            "duel:play", {"duel_id": duel_id, "round": round, "hold": hold}
        )
        return answer

    async def duel_get(self, *, duel_id: str) -> DuelReply:
        """A duel as the caller may see it.

        Raises:
            Refused: validation_failed, payload_too_large, malformed_payload, token_expired,
                not_found, rate_limited, dependency_unavailable, timeout, internal.
        """
        answer: DuelReply = await self._ask("duel:get", {"duel_id": duel_id})
        return answer

    async def duel_active(self) -> MaybeDuelReply:
        """The caller's duel: the one being fought, else his offer, else the newest to him.

        Raises:
            Refused: validation_failed, payload_too_large, malformed_payload, token_expired,
                rate_limited, dependency_unavailable, timeout, internal.
        """
        answer: MaybeDuelReply = await self._ask("duel:active", {})
        return answer

    async def match_join(self, *, stake: int | None = None) -> MatchView:
        """Wait for an opponent with the same stake; again is the same wait.

        Raises:
            Refused: validation_failed, payload_too_large, malformed_payload, token_expired,
                conflict, insufficient_funds, already_in_duel, rate_limited,
                dependency_unavailable, timeout, internal.
        """
        answer: MatchView = await self._ask("match:join", {**_given({"stake": stake})})
        return answer

    async def match_leave(self, *, stake: int | None = None) -> Empty:
        """Wait no more, for whatever stake; it is no error not to wait.

        Raises:
            Refused: validation_failed, payload_too_large, malformed_payload, token_expired,
                conflict, rate_limited, dependency_unavailable, timeout, internal.
        """
        answer: Empty = await self._ask("match:leave", {**_given({"stake": stake})})
        return answer

    async def leaderboard_top(
        self,
        *,
        board: Literal["rating", "wins", "wealth"],
        limit: int | None = None,
        season: str | None = None,
        after: str | None = None,
    ) -> TopReply:
        """The best of a board.

        Raises:
            Refused: validation_failed, payload_too_large, malformed_payload, token_expired,
                not_found, rate_limited, dependency_unavailable, timeout, internal.
        """
        answer: TopReply = await self._ask(
            "leaderboard:top",
            {"board": board, **_given({"limit": limit, "season": season, "after": after})},
        )
        return answer

    async def leaderboard_around(
        self,
        *,
        board: Literal["rating", "wins", "wealth"],
        limit: int | None = None,
        season: str | None = None,
    ) -> AroundReply:
        """The caller's place and those next to it; no entries if he is not on the board.

        Raises:
            Refused: validation_failed, payload_too_large, malformed_payload, token_expired,
                not_found, rate_limited, dependency_unavailable, timeout, internal.
        """
        answer: AroundReply = await self._ask(
            "leaderboard:around", {"board": board, **_given({"limit": limit, "season": season})}
        )
        return answer

    async def rating_get(self, *, player_id: str | None = None) -> RatingReply:
        """How strong a player seems to be, and how his duels of this season ended.

        Raises:
            Refused: validation_failed, payload_too_large, malformed_payload, token_expired,
                not_found, rate_limited, dependency_unavailable, timeout, internal.
        """
        answer: RatingReply = await self._ask("rating:get", {**_given({"player_id": player_id})})
        return answer

    async def duel_spectate(self, *, duel_id: str) -> WatchedReply:
        """Watch others fight, without their hands.

        Raises:
            Refused: validation_failed, payload_too_large, malformed_payload, token_expired,
                not_found, conflict, duel_over, rate_limited,
                dependency_unavailable, timeout, internal.
        """
        answer: WatchedReply = await self._ask("duel:spectate", {"duel_id": duel_id})
        return answer

    async def duel_unspectate(self, *, duel_id: str) -> WatchedReply:
        """Watch no more.

        Raises:
            Refused: validation_failed, payload_too_large, malformed_payload, token_expired,
                not_found, rate_limited, dependency_unavailable, timeout, internal.
        """
        answer: WatchedReply = await self._ask("duel:unspectate", {"duel_id": duel_id})
        return answer

    async def wallet_get(self) -> BalanceReply:
        """What the caller has.

        Raises:
            Refused: validation_failed, payload_too_large, malformed_payload, token_expired,
                rate_limited, dependency_unavailable, timeout, internal.
        """
        answer: BalanceReply = await self._ask("wallet:get", {})
        return answer

    async def wallet_ledger(
        self, *, before: str | None = None, limit: int | None = None
    ) -> LedgerReply:
        """What happened to the caller's wallet.

        Raises:
            Refused: validation_failed, payload_too_large, malformed_payload, token_expired,
                rate_limited, dependency_unavailable, timeout, internal.
        """
        answer: LedgerReply = await self._ask(
            "wallet:ledger", {**_given({"before": before, "limit": limit})}
        )
        return answer

    async def wallet_transfer(
        self, *, to: str, amount: int, key: str, note: str | None = None
    ) -> TransferReply:
        """Give coins to another player.

        Raises:
            Refused: validation_failed, payload_too_large, malformed_payload, token_expired,
                not_found, conflict, idempotency_mismatch, insufficient_funds,
                rate_limited, dependency_unavailable, timeout, internal.
        """
        answer: TransferReply = await self._ask(
            "wallet:transfer", {"to": to, "amount": amount, "key": key, **_given({"note": note})}
        )
        return answer

    async def wallet_batch(self, *, items: list[TransferItem], key: str) -> BatchOrdered:
        """Give coins to many players: each item is paid or refused by itself, later.

        Raises:
            Refused: validation_failed, payload_too_large, malformed_payload, token_expired,
                conflict, stale_version, idempotency_mismatch, rate_limited,
                dependency_unavailable, timeout, internal.
        """
        answer: BatchOrdered = await self._ask("wallet:batch", {"items": items, "key": key})
        return answer

    async def wallet_batch_cancel(self, *, batch_id: str) -> BatchState:
        """Stop a batch: what has not begun is cancelled, what is paid stays paid.

        Raises:
            Refused: validation_failed, payload_too_large, malformed_payload, token_expired,
                not_found, conflict, stale_version, rate_limited,
                dependency_unavailable, timeout, internal.
        """
        answer: BatchState = await self._ask("wallet:batch_cancel", {"batch_id": batch_id})
        return answer

    async def wallet_withdraw(self, *, amount: int, address: str, key: str) -> WithdrawalState:
        """Send coins to an outside ledger: they are held now, and settled later.

        Raises:
            Refused: validation_failed, payload_too_large, malformed_payload, token_expired,
                not_found, conflict, stale_version, idempotency_mismatch,
                insufficient_funds, rate_limited, dependency_unavailable, timeout,
                internal.
        """
        answer: WithdrawalState = await self._ask(
            "wallet:withdraw", {"amount": amount, "address": address, "key": key}
        )
        return answer

    async def shop_list(self) -> ShopReply:
        """What is for sale now.

        Raises:
            Refused: validation_failed, payload_too_large, malformed_payload, token_expired,
                rate_limited, dependency_unavailable, timeout, internal.
        """
        answer: ShopReply = await self._ask("shop:list", {})
        return answer

    async def shop_buy(self, *, item: str, key: str, count: int | None = None) -> TradeReply:
        """Buy some of an item.

        Raises:
            Refused: validation_failed, payload_too_large, malformed_payload, token_expired,
                not_found, conflict, idempotency_mismatch, insufficient_funds,
                rate_limited, dependency_unavailable, timeout, internal.
        """
        answer: TradeReply = await self._ask(
            "shop:buy", {"item": item, "key": key, **_given({"count": count})}
        )
        return answer

    async def inventory_list(self) -> InventoryReply:
        """What the caller owns, and what works for him.

        Raises:
            Refused: validation_failed, payload_too_large, malformed_payload, token_expired,
                rate_limited, dependency_unavailable, timeout, internal.
        """
        answer: InventoryReply = await self._ask("inventory:list", {})
        return answer

    async def inventory_use(self, *, item: str, key: str) -> UseReply:
        """Use one of an item.

        Raises:
            Refused: validation_failed, payload_too_large, malformed_payload, token_expired,
                not_found, conflict, idempotency_mismatch, rate_limited,
                dependency_unavailable, timeout, internal.
        """
        answer: UseReply = await self._ask("inventory:use", {"item": item, "key": key})
        return answer

    async def inventory_sell(self, *, item: str, key: str, count: int | None = None) -> TradeReply:
        """Give some of an item back to the shop.

        Raises:
            Refused: validation_failed, payload_too_large, malformed_payload, token_expired,
                not_found, conflict, idempotency_mismatch, rate_limited,
                dependency_unavailable, timeout, internal.
        """
        answer: TradeReply = await self._ask(
            "inventory:sell", {"item": item, "key": key, **_given({"count": count})}
        )
        return answer

    async def rob_attempt(self, *, victim_id: str, key: str) -> AttemptReply:
        """Rob another player.

        Raises:
            Refused: validation_failed, payload_too_large, malformed_payload, token_expired,
                not_found, conflict, idempotency_mismatch, insufficient_funds,
                rate_limited, dependency_unavailable, timeout, internal.
        """
        answer: AttemptReply = await self._ask("rob:attempt", {"victim_id": victim_id, "key": key})
        return answer

    async def purchase_packs(self) -> PacksReply:
        """What can be bought.

        Raises:
            Refused: validation_failed, payload_too_large, malformed_payload, token_expired,
                not_found, rate_limited, dependency_unavailable, timeout, internal.
        """
        answer: PacksReply = await self._ask("purchase:packs", {})
        return answer

    async def purchase_create(self, *, pack: str, key: str) -> OrderReply:
        """Order a pack of coins; the answer says where to pay.

        Raises:
            Refused: validation_failed, payload_too_large, malformed_payload, token_expired,
                not_found, idempotency_mismatch, rate_limited,
                dependency_unavailable, timeout, internal.
        """
        answer: OrderReply = await self._ask("purchase:create", {"pack": pack, "key": key})
        return answer

    async def purchase_get(self, *, order_id: str) -> OrderReply:
        """An order of the caller's as it stands.

        Raises:
            Refused: validation_failed, payload_too_large, malformed_payload, token_expired,
                not_found, rate_limited, dependency_unavailable, timeout, internal.
        """
        answer: OrderReply = await self._ask("purchase:get", {"order_id": order_id})
        return answer

    async def blackjack_start(self, *, bet: int, key: str) -> GameReply:
        """Bet, and be dealt two cards.

        Raises:
            Refused: validation_failed, payload_too_large, malformed_payload, token_expired,
                conflict, idempotency_mismatch, insufficient_funds, rate_limited,
                dependency_unavailable, timeout, internal.
        """
        answer: GameReply = await self._ask("blackjack:start", {"bet": bet, "key": key})
        return answer

    async def blackjack_hit(
        self, *, game_id: str | None = None, key: str | None = None
    ) -> GameReply:
        """Take a card.

        Raises:
            Refused: validation_failed, payload_too_large, malformed_payload, token_expired,
                not_found, conflict, idempotency_mismatch, rate_limited,
                dependency_unavailable, timeout, internal.
        """
        answer: GameReply = await self._ask(
            "blackjack:hit", {**_given({"game_id": game_id, "key": key})}
        )
        return answer

    async def blackjack_stand(
        self, *, game_id: str | None = None, key: str | None = None
    ) -> GameReply:
        """Take no more cards for this hand.

        Raises:
            Refused: validation_failed, payload_too_large, malformed_payload, token_expired,
                not_found, conflict, idempotency_mismatch, rate_limited,
                dependency_unavailable, timeout, internal.
        """
        answer: GameReply = await self._ask(
            "blackjack:stand", {**_given({"game_id": game_id, "key": key})}
        )
        return answer

    async def blackjack_double(
        self, *, game_id: str | None = None, key: str | None = None
    ) -> GameReply:
        """Double the bet of this hand, and take one last card.

        Raises:
            Refused: validation_failed, payload_too_large, malformed_payload, token_expired,
                not_found, conflict, idempotency_mismatch, insufficient_funds,
                rate_limited, dependency_unavailable, timeout, internal.
        """
        answer: GameReply = await self._ask(
            "blackjack:double", {**_given({"game_id": game_id, "key": key})}
        )
        return answer

    async def blackjack_split(
        self, *, game_id: str | None = None, key: str | None = None
    ) -> GameReply:
        """Make two hands of a pair, with a bet on each.

        Raises:
            Refused: validation_failed, payload_too_large, malformed_payload, token_expired,
                not_found, conflict, idempotency_mismatch, insufficient_funds,
                rate_limited, dependency_unavailable, timeout, internal.
        """
        answer: GameReply = await self._ask(
            "blackjack:split", {**_given({"game_id": game_id, "key": key})}
        )
        return answer

    async def blackjack_insure(
        self, *, take: bool, game_id: str | None = None, key: str | None = None
    ) -> GameReply:
        """Insure the bet against the dealer's blackjack, or decline it.

        Raises:
            Refused: validation_failed, payload_too_large, malformed_payload, token_expired,
                not_found, conflict, idempotency_mismatch, insufficient_funds,
                rate_limited, dependency_unavailable, timeout, internal.
        """
        answer: GameReply = await self._ask(
            "blackjack:insure", {"take": take, **_given({"game_id": game_id, "key": key})}
        )
        return answer

    async def blackjack_state(self, *, game_id: str | None = None) -> MaybeGameReply:
        """A game of the caller's as it stands.

        Raises:
            Refused: validation_failed, payload_too_large, malformed_payload, token_expired,
                not_found, rate_limited, dependency_unavailable, timeout, internal.
        """
        answer: MaybeGameReply = await self._ask(
            "blackjack:state", {**_given({"game_id": game_id})}
        )
        return answer

    async def notifications_list(
        self, *, before: str | None = None, limit: int | None = None
    ) -> NotificationsReply:
        """What the player should see, and what he has seen.

        Raises:
            Refused: validation_failed, payload_too_large, malformed_payload, token_expired,
                rate_limited, dependency_unavailable, timeout, internal.
        """
        answer: NotificationsReply = await self._ask(
            "notifications:list", {**_given({"before": before, "limit": limit})}
        )
        return answer

    async def notifications_read(self, *, ids: list[str] | None = None) -> UnreadReply:
        """Mark some as seen; those that are not there are none.

        Raises:
            Refused: validation_failed, payload_too_large, malformed_payload, token_expired,
                rate_limited, dependency_unavailable, timeout, internal.
        """
        answer: UnreadReply = await self._ask("notifications:read", {**_given({"ids": ids})})
        return answer

    async def notifications_settings(self, *, choices: list[Choice] | None = None) -> SettingsReply:
        """By which ways the account is told of what when it is away.

        Raises:
            Refused: validation_failed, payload_too_large, malformed_payload, token_expired,
                rate_limited, dependency_unavailable, timeout, internal.
        """
        answer: SettingsReply = await self._ask(
            "notifications:settings", {**_given({"choices": choices})}
        )
        return answer

    async def account_email(self, *, email: str | None) -> EmailReply:
        """Be told of things by e-mail at this address; a link that is sent there must be followed.

        Raises:
            Refused: validation_failed, payload_too_large, malformed_payload, token_expired,
                not_found, rate_limited, dependency_unavailable, timeout, internal.
        """
        answer: EmailReply = await self._ask("account:email", {"email": email})
        return answer

    async def push_subscribe(self, *, endpoint: str, keys: Keys) -> Empty:
        """Tell this device of things, too, when the player is away.

        Raises:
            Refused: validation_failed, payload_too_large, malformed_payload, token_expired,
                rate_limited, dependency_unavailable, timeout, internal.
        """
        answer: Empty = await self._ask("push:subscribe", {"endpoint": endpoint, "keys": keys})
        return answer

    async def push_unsubscribe(self, *, endpoint: str) -> Empty:
        """Tell this device of nothing more.

        Raises:
            Refused: validation_failed, payload_too_large, malformed_payload, token_expired,
                rate_limited, dependency_unavailable, timeout, internal.
        """
        answer: Empty = await self._ask("push:unsubscribe", {"endpoint": endpoint})
        return answer

    @overload
    def on(
        self, event: Literal["session:ready"], handler: Callable[[SessionReady], object]
    ) -> None: ...

    @overload
    def on(
        self, event: Literal["session:renamed"], handler: Callable[[Renamed], object]
    ) -> None: ...

    @overload
    def on(
        self, event: Literal["server:error"], handler: Callable[[ErrorObject], object]
    ) -> None: ...

    @overload
    def on(
        self, event: Literal["server:disconnect"], handler: Callable[[Farewell], object]
    ) -> None: ...

    @overload
    def on(
        self, event: Literal["server:notice"], handler: Callable[[ServerNotice], object]
    ) -> None: ...

    @overload
    def on(
        self, event: Literal["webhook:disabled"], handler: Callable[[WebhookDisabled], object]
    ) -> None: ...

    @overload
    def on(
        self, event: Literal["jobs:dead_letter"], handler: Callable[[DeadLetter], object]
    ) -> None: ...

    @overload
    def on(
        self, event: Literal["chat:message"], handler: Callable[[ChatMessage], object]
    ) -> None: ...

    @overload
    def on(
        self, event: Literal["chat:edited"], handler: Callable[[ChatMessage], object]
    ) -> None: ...

    @overload
    def on(
        self, event: Literal["chat:deleted"], handler: Callable[[ChatMessage], object]
    ) -> None: ...

    @overload
    def on(
        self, event: Literal["chat:typing"], handler: Callable[[TypingEvent], object]
    ) -> None: ...

    @overload
    def on(self, event: Literal["chat:muted"], handler: Callable[[MutedEvent], object]) -> None: ...

    @overload
    def on(
        self, event: Literal["presence:changed"], handler: Callable[[PresenceReply], object]
    ) -> None: ...

    @overload
    def on(
        self, event: Literal["friends:changed"], handler: Callable[[FriendsChanged], object]
    ) -> None: ...

    @overload
    def on(
        self, event: Literal["duel:challenged"], handler: Callable[[DuelView], object]
    ) -> None: ...

    @overload
    def on(self, event: Literal["duel:round"], handler: Callable[[RoundNews], object]) -> None: ...

    @overload
    def on(
        self, event: Literal["duel:opponent"], handler: Callable[[OpponentView], object]
    ) -> None: ...

    @overload
    def on(self, event: Literal["duel:state"], handler: Callable[[DuelView], object]) -> None: ...

    @overload
    def on(self, event: Literal["duel:ended"], handler: Callable[[DuelView], object]) -> None: ...

    @overload
    def on(
        self, event: Literal["match:found"], handler: Callable[[MatchFound], object]
    ) -> None: ...

    @overload
    def on(self, event: Literal["match:left"], handler: Callable[[MatchLeft], object]) -> None: ...

    @overload
    def on(
        self, event: Literal["rating:changed"], handler: Callable[[RatingChanged], object]
    ) -> None: ...

    @overload
    def on(
        self, event: Literal["wallet:changed"], handler: Callable[[WalletChanged], object]
    ) -> None: ...

    @overload
    def on(
        self, event: Literal["notification"], handler: Callable[[Notification], object]
    ) -> None: ...

    @overload
    def on(
        self, event: Literal["purchase:changed"], handler: Callable[[OrderNews], object]
    ) -> None: ...

    @overload
    def on(
        self, event: Literal["wallet:batch_changed"], handler: Callable[[BatchState], object]
    ) -> None: ...

    @overload
    def on(
        self, event: Literal["withdrawal:changed"], handler: Callable[[WithdrawalState], object]
    ) -> None: ...

    @overload
    def on(
        self, event: Literal["blackjack:ended"], handler: Callable[[EndedGame], object]
    ) -> None: ...

    def on(self, event: str, handler: Callable[[Any], object]) -> None:
        """Call a function with the data of each event of that name."""
        # An event that may be recovered has its offset after its data.
        self.socket.on(event, lambda data, *_: handler(data))
