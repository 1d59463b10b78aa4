"""Takes the pictures of the README from what is really played: scripts/screenshots."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from itertools import pairwise

from playwright.async_api import expect

from game.poker import RANKS
from tests.e2e.browser import NARROW, WIDE, Guest, Room, browsing, pictures
from tests.harness import Table, serving

TALK = (
    (0, "Good luck!"),
    (1, "Thank you, you will need it more than I do."),
    (0, "Bold words for somebody who threw a pair of kings away last time."),
    (1, "I was after the flush. One day it will come."),
    (0, "And until then I take the rounds."),
)
OTHERS = ("Cleopatra", "Wild Bill", "Doc Holliday", "Calamity Jane", "Poker Alice")
STILL = "document.getAnimations().map(one => one.finish())"
STAKE = 50
GAMES = 12


async def main() -> None:
    """Play, and look."""
    with tempfile.TemporaryDirectory() as folder:
        settings = {"DATA_DIR": folder, "DUELS__ROUND_SECONDS": 60, "SHUTDOWN__GRACE_SECONDS": 0}
        async with serving(**settings) as server, browsing() as browser:
            table = Table()
            await rank(table, server.url)
            room = Room(browser)
            bob = await room.guest(server.url, "Bob", NARROW, color_scheme="dark")
            ann = await room.guest(server.url, "Ann")
            await play(ann, bob)
            await shop(bob)
            cy = await room.guest(server.url, "Cy", WIDE, color_scheme="dark")
            await blackjack(cy)
            await ranks(cy, bob)
            await table.close()


async def rank(table: Table, url: str) -> None:
    """A board of players whose duels are over."""
    players = [await table.seat(url, name) for name in OTHERS]
    for number, (winner, loser) in enumerate(
        [*pairwise(players), (players[4], players[1]), (players[2], players[3])]
    ):
        duel = await table.duel(winner, loser, key=f"k{number}")
        await loser.do("duel:forfeit", duel_id=duel["id"])


async def play(ann: Guest, bob: Guest) -> None:
    """One round to its showdown, and a look at the next one."""
    await ann.card("Bob")
    await ann.page.fill("#card-stake", str(STAKE))
    await ann.page.get_by_role("button", name="Challenge", exact=True).click()
    await bob.page.get_by_role("button", name="Accept").click()
    for one in (ann, bob):
        await expect(one.page.locator("#draw")).to_be_visible()
    await bob.panel("chat")
    for one in (ann, bob):
        selected = one.page.locator(".tab.selected")
        await expect(selected).to_contain_text("Table talk")
    for speaker, text in TALK:
        await (ann, bob)[speaker].say(text)
        await ann.shown(text)
    await bob.panel("table")
    await ann.play(1, 2)
    await bob.play(4, 5)
    await expect(bob.page.locator("#next")).to_be_visible()
    await take(bob, "showdown")
    await ann.turn()
    await bob.turn()
    await bob.play(3)
    for position in await worth_holding(ann):
        await ann.page.keyboard.press(str(position))
    await expect(ann.page.locator("#seat-top .doing")).to_have_text("has drawn")
    await take(ann, "duel")


async def worth_holding(guest: Guest) -> list[int]:
    """The positions of pairs and better; without any, of the highest card."""
    cards = await guest.page.locator("#seat-bottom .card").all()
    held = [RANKS.index(str(await card.get_attribute("data-card"))[0]) for card in cards]
    pairs = [place for place, one in enumerate(held, 1) if held.count(one) > 1]
    return pairs or [held.index(max(held)) + 1]


async def shop(guest: Guest) -> None:
    """Something is bought and something is used."""
    page = guest.page
    await guest.panel("shop")
    await page.get_by_role("button", name="Buy 1 Padlock").click()
    await page.get_by_role("button", name="Use Padlock").click()
    await expect(page.locator(".boost")).to_be_visible()
    await page.get_by_role("button", name="Buy 1 Lockpick").click()
    await expect(page.locator("[data-item=lockpick] .have")).to_be_visible()
    await take(guest, "shop")


async def blackjack(guest: Guest) -> None:
    """A game that is won, or the last of several."""
    page = guest.page
    await guest.panel("blackjack")
    for _ in range(GAMES):
        await guest.deal()
        while not await page.locator("#bet").is_visible():
            total = await page.locator("#jack-hands .plate b").last.inner_text()
            low = int(total.split()[-1]) < 17
            for name in ("decline", "hit" if low else "stand"):
                if await page.locator(f"#jack-{name}").is_visible():
                    await page.keyboard.press({"decline": "n", "hit": "h", "stand": "s"}[name])
            await expect(page.locator("#jack-actions .waiting")).to_have_count(0)
        won = await page.locator("#jack-hands .win").count()
        if won and await page.locator("#jack-hands .card").count() > 2:
            break
    await expect(page.locator("#jack-proof .verdict")).to_contain_text("Verified")
    await take(guest, "blackjack")


async def ranks(cy: Guest, bob: Guest) -> None:
    """The board, and a friend who asks."""
    await cy.card("Bob")
    await cy.page.get_by_role("button", name="Add as friend").click()
    await bob.panel("ranks")
    await expect(bob.page.locator("#places .place").first).to_be_visible()
    await take(bob, "ranks")


async def take(guest: Guest, name: str) -> None:
    """A picture of what a player sees."""
    await guest.page.evaluate("document.querySelectorAll('.toast').forEach(one => one.remove())")
    await guest.page.mouse.move(0, 0)
    await guest.page.evaluate(STILL)
    await guest.page.evaluate("document.activeElement.blur()")
    path = pictures() / f"{name}.png"
    await guest.page.screenshot(path=path)
    sys.stdout.write(f"{path.name}: {path.stat().st_size // 1000} kB\n")


if __name__ == "__main__":
    asyncio.run(main())
