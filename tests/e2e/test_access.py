"""For everybody: by keyboard alone, on a narrow screen, with a screen reader."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from playwright.async_api import expect

from game.errors import table as error_table
from server.pages import WEB
from tests.e2e.browser import NARROW, WIDE, Guest, Room, axe, play_out
from tests.harness import Server

FOCUSED = """(() => {
    const at = document.activeElement;
    return at === document.body ? "" : at.getAttribute("aria-label") || at.textContent;
})()"""

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


SETTLED = "Promise.allSettled(document.getAnimations().filter(a => a.effect.getComputedTiming().endTime !== Infinity).map(a => a.finished)).then(() => null)"  # noqa: E501


async def violations(guest: Guest, part: str = "body") -> list[Any]:
    """What axe-core finds wrong with the page as it is, or with a part of it."""
    await guest.page.evaluate(axe())
    # Colours of what is just fading in are nobody's last word.
    await guest.page.evaluate(SETTLED)
    found = await guest.page.evaluate(
        "axe.run(part, {resultTypes: ['violations']})".replace("part", repr(part))
    )
    return [
        (one["id"], one["impact"], *(node["html"][:160] for node in one["nodes"][:3]))
        for one in found["violations"]
        if one["impact"] in {"serious", "critical", "moderate"}
    ]


@pytest.mark.parametrize(("scheme", "size"), [("light", WIDE), ("dark", NARROW)])
async def test_axe_finds_nothing_wrong(
    web: Server, room: Room, scheme: str, size: tuple[int, int]
) -> None:
    page = await (await room.context(size, color_scheme=scheme)).new_page()
    ann = Guest(page, "Ann")
    await page.goto(web.url)
    await expect(page.locator("#sign-in")).to_be_visible()
    assert await violations(ann) == []
    bob = await room.guest(web.url, "Bob")
    await ann.enter(web.url)
    for panel in ("chat", "people", "blackjack", "shop", "wallet", "ranks", "account", "table"):
        await ann.panel(panel)
        if panel == "chat":
            await ann.say("hello")
            await ann.shown("hello")
        part = "body" if panel in {"chat", "people", "table"} else f"#{panel}"
        assert await violations(ann, part) == [], panel
    await ann.card("Bob")
    assert await violations(ann, "dialog") == [], "card"
    await page.keyboard.press("Escape")
    for menu, part in (("#bell", "#news"), ("#me-button", "#menu")):
        await page.click(menu)
        assert await violations(ann, part) == [], menu
        await page.keyboard.press("Escape")
    await ann.challenge(bob)
    await page.keyboard.press("2")
    assert await violations(ann) == []
    await ann.play()
    await bob.play()
    await play_out(ann, bob)
    await page.locator(".proof summary").click()
    assert await violations(ann) == []


async def test_a_duel_is_played_by_keyboard_alone(web: Server, room: Room) -> None:
    bob = await room.guest(web.url, "Bob")
    ann = await room.guest(web.url, "Ann")  # entered by Enter in the name's field
    page = ann.page
    await page.locator("body").focus()

    async def tab_to(what: str) -> None:
        for _ in range(60):
            if what in str(await page.evaluate(FOCUSED)):
                return
            await page.keyboard.press("Tab")
        raise AssertionError(what)

    await tab_to("Challenge Bob to a duel")
    await page.keyboard.press("Enter")
    await bob.page.get_by_role("button", name="Accept").click()
    await expect(page.locator("#draw")).to_be_visible()
    await page.locator("body").press("2")
    await page.keyboard.press("5")
    held = page.locator("#seat-bottom .card[aria-pressed=true]")
    await expect(held).to_have_count(2)
    await page.keyboard.press("5")
    await expect(held).to_have_count(1)
    await expect(page.locator("#draw")).to_have_text("Draw 4 cards")
    await tab_to("1: ")
    await page.keyboard.press("Space")  # a card is a switch
    await expect(held).to_have_count(2)
    await page.keyboard.press("Enter")
    await expect(page.locator("#headline")).to_have_text("Waiting for the showdown")
    await expect(page.locator("#spoken")).to_contain_text("You drew. Your hand:")
    await bob.play(1)
    await expect(page.locator("#spoken")).to_contain_text("Showdown of round 1.")
    await expect(page.locator("#spoken")).to_contain_text("Round 2. Your cards: 1 ")
    await tab_to("Resign")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("dialog")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("dialog")).to_have_count(0)
    await tab_to("Table talk")
    await page.keyboard.press("ArrowLeft")
    await expect(page.get_by_role("tab", name="Trade")).to_be_focused()
    await expect(page.get_by_role("tab", name="Trade")).to_have_attribute("aria-selected", "true")


async def settled(guest: Guest, what: str) -> None:
    """Wait until something is true of the page, which lets no test evaluate texts by itself."""
    async with asyncio.timeout(10):
        while not await guest.page.evaluate(what):  # noqa: ASYNC110 - a page tells no event
            await asyncio.sleep(0.05)


async def test_nothing_is_cut_off_on_a_narrow_screen(web: Server, room: Room) -> None:
    bob = await room.guest(web.url, "Bob")
    ann = await room.guest(web.url, "A rather long name here", NARROW, has_touch=True)
    fits = "document.documentElement.scrollWidth <= innerWidth"
    for panel in (
        "table",
        "chat",
        "people",
        "blackjack",
        "shop",
        "wallet",
        "ranks",
        "account",
        "table",
    ):
        await ann.panel(panel)
        await settled(ann, fits)
        shown = ann.page.locator("#main > .panel").locator("visible=true")
        await expect(shown).to_have_count(1)
    await ann.challenge(bob)
    await settled(ann, fits)
    for name in ("#draw", "#seat-bottom .card >> nth=0", "#seat-top .card >> nth=4", "#clock"):
        await expect(ann.page.locator(name)).to_be_in_viewport(ratio=1)
    for card in await ann.page.locator("#seat-bottom .card").all():
        box = await card.bounding_box()
        assert box
        assert box["width"] >= 44  # a thumb's width


async def test_the_look_is_switched_and_kept(web: Server, room: Room) -> None:
    ann = await room.guest(web.url, "Ann")
    ground = "getComputedStyle(document.body).backgroundColor"
    light = await ann.page.evaluate(ground)
    await ann.page.click("#me-button")
    await ann.page.select_option("#theme", "dark")
    assert await ann.page.evaluate(ground) != light
    await ann.page.reload()
    await expect(ann.page.locator("#theme")).to_have_value("dark")
    assert await ann.page.evaluate(ground) != light


def test_every_code_has_a_sentence() -> None:
    text = (WEB / "js" / "errors.js").read_text("utf-8")
    assert [one["code"] for one in error_table() if f"  {one['code']}: " not in text] == []
