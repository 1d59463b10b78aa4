"""Everything that the server sends by itself, in one list: what it is made of, who gets it.

What is not in this list must not be sent: every player of the integration tests holds what
he is sent to the documents, which are made from it.
"""

from __future__ import annotations

from game.chat import ChatMessage, MutedEvent
from game.disconnects import Farewell
from game.duel_views import DuelView
from game.errors import ErrorObject
from game.notifications import Notification
from handlers.accounts import Renamed
from handlers.blackjack import EndedGame
from handlers.chat import TypingEvent
from handlers.fights import MatchLeft, OpponentView, RoundNews
from handlers.friends import FriendsChanged
from handlers.matchmaking import MatchFound
from handlers.ports import DeadLetter
from handlers.presence import PresenceReply
from handlers.purchases import OrderNews
from handlers.reactions import RatingChanged, WalletChanged
from handlers.registry import ServerEvent
from handlers.session import ServerNotice, SessionReady
from handlers.transfers import BatchState
from handlers.webhooks import WebhookDisabled
from handlers.withdrawals import WithdrawalState

THE_ROOM = "everybody in the room, the sender too; of a whisper, all connections of the two"
ALL_OF_THEM = "the two fighters and the spectators, each with his own view"

EVENTS = (
    ServerEvent(
        "session:ready",
        SessionReady,
        "The sign-in is complete; nothing comes before this but what was missed.",
        "the connection",
        recovered=False,
    ),
    ServerEvent(
        "session:renamed",
        Renamed,
        "The player has another name.",
        "all connections of the player",
    ),
    ServerEvent(
        "server:error",
        ErrorObject,
        "Something that was sent without asking for an acknowledgement was refused.",
        "the connection",
        recovered=False,
    ),
    ServerEvent(
        "server:disconnect",
        Farewell,
        "The server ends the connection, and says why. An error never does.",
        "the connection",
        recovered=False,
    ),
    ServerEvent(
        "server:notice",
        ServerNotice,
        "The audit of the books found something.",
        "administrators",
    ),
    ServerEvent(
        "webhook:disabled",
        WebhookDisabled,
        "A webhook is sent nothing more; `PATCH …/webhooks/{id}` enables it again.",
        "administrators",
    ),
    ServerEvent(
        "jobs:dead_letter",
        DeadLetter,
        "A job failed for good.",
        "administrators",
    ),
    ServerEvent("chat:message", ChatMessage, "Somebody said something.", THE_ROOM),
    ServerEvent("chat:edited", ChatMessage, "A message says something else now.", THE_ROOM),
    ServerEvent("chat:deleted", ChatMessage, "A message's text was taken away.", THE_ROOM),
    ServerEvent(
        "chat:typing",
        TypingEvent,
        "Somebody writes at this moment.",
        "everybody in the room but the connection that types",
        recovered=False,
    ),
    ServerEvent("chat:muted", MutedEvent, "The player may not speak, or may again.", "the player"),
    ServerEvent(
        "presence:changed",
        PresenceReply,
        "Watched players show themselves in another way now.",
        "whoever watches them, all that changed within PRESENCE__BATCH_SECONDS in one event",
        recovered=False,
    ),
    ServerEvent(
        "friends:changed",
        FriendsChanged,
        "Another player is a friend now, has asked, or is nothing any more.",
        "all connections of the two, each with his own view",
    ),
    ServerEvent("duel:challenged", DuelView, "The player is challenged.", "the opponent"),
    ServerEvent("duel:round", RoundNews, "A round came to its showdown.", ALL_OF_THEM),
    ServerEvent(
        "duel:opponent", OpponentView, "The other fighter is gone, or back.", "the other fighter"
    ),
    ServerEvent("duel:state", DuelView, "The duel went a step on.", ALL_OF_THEM),
    ServerEvent(
        "duel:ended", DuelView, "The duel is over; a last `duel:state` came before.", ALL_OF_THEM
    ),
    ServerEvent(
        "match:found",
        MatchFound,
        "An opponent was found, and the duel has begun.",
        "all connections of both",
    ),
    ServerEvent(
        "match:left",
        MatchLeft,
        "The player waits for no opponent any more, without one.",
        "all connections of the player",
    ),
    ServerEvent(
        "rating:changed",
        RatingChanged,
        "A duel was rated, some moments after its end.",
        "all connections of each fighter",
    ),
    ServerEvent(
        "wallet:changed",
        WalletChanged,
        "A wallet has another balance.",
        "all connections of its player",
    ),
    ServerEvent(
        "notification",
        Notification,
        "There is a notification for the player; it is kept, too.",
        "all connections of that player",
    ),
    ServerEvent(
        "purchase:changed", OrderNews, "Coins were granted or taken back.", "whoever ordered"
    ),
    ServerEvent(
        "wallet:batch_changed",
        BatchState,
        "A batch of transfers has come further, or is over.",
        "all connections of its payer; of the house's, administrators",
    ),
    ServerEvent(
        "withdrawal:changed",
        WithdrawalState,
        "A withdrawal was taken by the outside ledger, confirmed, or given back.",
        "all connections of its player",
    ),
    ServerEvent(
        "blackjack:ended",
        EndedGame,
        "A game was given back after BLACKJACK__IDLE_SECONDS without a move.",
        "its player",
    ),
)
