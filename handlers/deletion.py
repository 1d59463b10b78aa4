"""An account's end: everything that belongs to it as a file, and its deletion."""

from __future__ import annotations

from typing import Any

from typing_extensions import TypedDict

from game import rooms
from game.disconnects import Disconnect
from handlers.base import Context, World
from handlers.payloads import Nothing
from handlers.registry import periodic, route
from state.deletions import Deletion

LOOK_SECONDS = 0.5  # a name is gone about so long after its owner wished it


class CharacterExport(TypedDict):
    """A character, and all records of it as the server keeps them, the newest first."""

    id: str
    name: str
    records: dict[str, list[dict[str, Any]]]


class Export(TypedDict):
    """An account; times in milliseconds, `username` is null for guests."""

    exported_at: int
    account: dict[str, Any]
    characters: list[CharacterExport]


@route("GET", "/me/export", Nothing, file="showdown-account.json")
async def export(_: Nothing, ctx: Context) -> Export:
    """Everything that belongs to the caller's account, as a file.

    Of each character: messages, ledger, inventory, orders, games, friends and blocks, at
    most the newest 20,000 of each.

    Raises:
        NotFound: the account was deleted.
    """
    world, account_id = ctx.world, ctx.caller.account_id
    account = await world.accounts.account(account_id)
    characters = [
        CharacterExport(id=one.id, name=one.name, records=await _records(world, one.id))
        for one in await world.accounts.characters(account_id)
    ]
    shown = {"id": account.id, "username": account.username, "role": account.role}
    return Export(exported_at=ctx.now(), account=shown, characters=characters)


async def _records(world: World, player_id: str) -> dict[str, list[dict[str, Any]]]:
    found = [await hook(world, player_id) for hook in world.exporting]
    return {kind: records for one in found for kind, records in one.items()}


async def belongings(world: World, player_id: str) -> dict[str, list[dict[str, Any]]]:
    """What MongoDB has of a player."""
    return await world.belongings.all_of(player_id)


@route("DELETE", "/me", Nothing, status=204)
async def delete(_: Nothing, ctx: Context) -> None:
    """Delete the caller's account, for good.

    A password's owner has to sign in anew for it, at most AUTH__FRESH_SECONDS before. From
    the answer on nobody signs in to it, and its connections are closed; what it left is
    taken away within seconds, whatever happens to this process.

    Raises:
        Forbidden: the caller's sign-in is not a new one, or he is an administrator.
        StaleVersion: others were faster every time.
    """
    account_id = ctx.caller.account_id
    await ctx.world.deletions.begin(account_id, ctx.caller.family)
    await _cut_off(ctx.world, account_id)


@periodic("deletions", lambda _: LOOK_SECONDS)
async def delete_the_rest(world: World) -> None:
    """Do what deletions have left to do, whichever node they were asked of."""
    for deletion in await world.deletions.due():
        await _pass(world, deletion)


async def _pass(world: World, deletion: Deletion) -> None:
    await _cut_off(world, deletion.account_id)
    for player_id in deletion.players:
        for hook in world.erasing:
            await hook(world, player_id)
    await world.deletions.passed(deletion)


async def _cut_off(world: World, account_id: str) -> None:
    families = await world.deletions.families(account_id)
    await world.tokens.revoke(*families)
    await world.publisher.close(rooms.account(account_id), Disconnect.TOKEN_REVOKED)


# Hooks: what is done for each of its players, again if a pass was cut short


async def unsign(world: World, player_id: str) -> None:
    """His name goes from what he said, also from what is not archived yet."""
    await world.archive.archive_once()
    await world.belongings.unsign(player_id)


async def give_up(world: World, player_id: str) -> None:
    """His coins are burnt, what he owned is gone, and nobody sees when he was here."""
    await world.react((await world.belongings.burn(player_id)).postings)
    await world.belongings.drop(player_id)
    await world.live.rename(player_id, "")
