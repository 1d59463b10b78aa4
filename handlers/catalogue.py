"""Everything that clients can ask for and that the server does by itself, in one list."""

from __future__ import annotations

from handlers import accounts, chat, duels, moderation, presence, reactions, session, wallet
from handlers.base import Catalogue

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
        wallet.get,
        wallet.ledger,
        wallet.transfer,
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
    connected=(session.came, duels.came),
    left=(session.went, chat.leave_rooms, duels.went),
    tasks=(chat.archive_chat, duels.serve_deadlines, reactions.tell_the_untold),
)
