"""Our server with two events more, which publish the same thing with and without recovery.

usage: python -m bench.publishing serve
"""

from __future__ import annotations

import sys
from dataclasses import replace

from game import rooms
from handlers import catalogue
from handlers.base import Context
from handlers.chat import InRoom
from handlers.registry import command
from server.__main__ import main


async def _publish(cmd: InRoom, ctx: Context, *, volatile: bool) -> None:
    data = {"room": cmd.room, "from": {"id": ctx.player_id, "name": ctx.caller.name}}
    publisher = ctx.world.publisher
    await publisher.emit("chat:typing", data, rooms.chat(cmd.room), volatile=volatile)


@command("bench:kept", InRoom)
async def kept(cmd: InRoom, ctx: Context) -> None:
    """Tell a room what a recovery brings back."""
    await _publish(cmd, ctx, volatile=False)


@command("bench:volatile", InRoom)
async def dropped(cmd: InRoom, ctx: Context) -> None:
    """Tell a room what may be missed."""
    await _publish(cmd, ctx, volatile=True)


if __name__ == "__main__":
    known = catalogue.CATALOGUE
    catalogue.CATALOGUE = replace(known, commands=(*known.commands, kept, dropped))
    sys.exit(main())
