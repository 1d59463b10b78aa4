"""A session that ended is nowhere, whatever was still under way for it."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

from config.settings import Settings
from handlers.base import Caller
from server.broadcast import Hub
from server.session import Places, Session

CALLER = Caller("account", "player", "family", "token", 1, "player", "Ann")


class Nothing:
    """Stands for what is asked for nothing here."""

    def __getattr__(self, _: str) -> Any:
        return lambda *_: None


async def test_what_comes_after_the_end_does_not_bring_it_back() -> None:
    hub, nothing = Hub(), cast("Any", Nothing())
    world = cast("Any", SimpleNamespace(settings=Settings()))
    session = Session("sid", "pid", nothing, CALLER, world, Places(hub, nothing, nothing, nothing))
    assert session.context.socket is session
    session.enter_own()
    assert len(hub.rooms) == 2
    session.vanish()
    assert hub.rooms == []
    assert session.context.connection is None, "or only the collector would free it"
    session.enter_own()  # its seat was answered late
    session.renew(replace(CALLER, family="other"))
    await session.enter("room:a")
    session.see(["player"])
    assert hub.rooms == []
