"""Everything that clients can ask for and that the server does by itself, in one list."""

from __future__ import annotations

from handlers import accounts, chat, duels, moderation, presence, session
from handlers.base import Catalogue
from handlers.events import EVENTS

CATALOGUE = Catalogue(
    commands=(
        session.refresh,
        chat.join,
        chat.leave,
        chat.send,
        chat.history,
        chat.whisper,
        chat.edit,
        chat.delete,
        chat.report,
        moderation.mute,
        moderation.unmute,
        chat.typing,
        presence.show,
        presence.query,
        presence.watch,
        presence.unwatch,
        duels.challenge,
        duels.accept,
        duels.decline,
        duels.cancel,
        duels.forfeit,
        duels.play,
        duels.get,
        duels.active,
        duels.spectate,
        duels.unspectate,
    ),
    routes=(
        accounts.guest,
        accounts.register,
        accounts.login,
        accounts.refresh,
        accounts.logout,
        accounts.me,
        accounts.characters,
        accounts.create_character,
    ),
    events=EVENTS,
    connected=(session.came, duels.came),
    leaving=(chat.leave_rooms,),
    left=(session.went, duels.went),
    tasks=(chat.archive_chat, duels.serve_deadlines),
)
