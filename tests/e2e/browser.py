"""A Chromium to drive, and players who sit in front of it."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Self

from playwright.async_api import Browser, BrowserContext, Page, async_playwright, expect

from tests.harness import ROOT

BUNDLED = Path(sys.prefix) / "chromium"  # unpacked by scripts/_setup.py
PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
WIDE, NARROW = (1280, 800), (390, 844)
SECONDS = 20
ROUNDS = 9
LISTEN = """
    window.told = [];
    addEventListener("DOMContentLoaded", () => {
        const hear = ({ addedNodes }) => addedNodes.forEach((one) => told.push(one.textContent));
        for (const id of ["toasts", "alerts"])
            new MutationObserver((all) => all.forEach(hear))
                .observe(document.getElementById(id), { childList: true });
    });
"""

expect.set_options(timeout=SECONDS * 1000)


def program() -> tuple[str, dict[str, str]]:
    """The Chromium of the machine, else the bundled one, and what the latter needs around it.

    Raises:
        FileNotFoundError: there is none.
    """
    for name in PROGRAMS:
        if found := shutil.which(name):
            return found, {}
    bundled = BUNDLED / "chromium"
    if not bundled.exists():
        raise FileNotFoundError("no Chromium on the PATH, and scripts/test has not unpacked one")
    libraries = [str(BUNDLED / "lib"), *filter(None, [os.environ.get("LD_LIBRARY_PATH")])]
    return str(bundled), {
        "LD_LIBRARY_PATH": ":".join(libraries),
        "FONTCONFIG_FILE": str(BUNDLED / "fonts.conf"),
    }


@asynccontextmanager
async def browsing() -> AsyncIterator[Browser]:
    """A Chromium with a new, empty profile."""
    path, environment = program()
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=path, args=FLAGS, env={**os.environ, **environment}
        )
        yield browser
        await browser.close()


class Guest:
    """A guest and his page; `problems` is what the page's console complained about."""

    def __init__(self, page: Page, name: str) -> None:
        self.page = page
        self.name = name
        self.problems: list[str] = []
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        page.on("console", lambda said: self._heard(said.type, said.text))

    def _heard(self, kind: str, text: str) -> None:
        # That a server which is being restarted cannot be reached is no fault of the page.
        if kind == "error" and "net::ERR_" not in text and "WebSocket" not in text:
            self.problems.append(text)

    async def enter(self, url: str) -> Self:
        """Open the page and play as a guest."""
        await self.page.add_init_script(LISTEN)
        await self.page.goto(url)
        await self.page.fill("#guest-name", self.name)
        await self.page.press("#guest-name", "Enter")
        await self.ready("first")
        return self

    async def ready(self, how: str) -> None:
        """Wait until the page is connected, for the `first` time, `recovered` or `fresh`."""
        await expect(self.page.locator("html")).to_have_attribute("data-ready", how)
        await expect(self.page.locator("html")).to_have_attribute("data-state", "online")

    async def say(self, text: str) -> None:
        """Write into the room that is shown."""
        await self.page.fill("#text", text)
        await self.page.press("#text", "Enter")

    async def panel(self, name: str) -> None:
        """Bring a view to the stage, or the chat or the people to the front."""
        switch = self.page.locator(f"#go-{name}")
        if name == "account":
            await self.page.click("#me-button")
        elif not await switch.is_visible() and await self.page.locator("#more").is_visible():
            await self.page.click("#more")
        if await switch.is_visible():
            await switch.click()

    async def has(self, coins: int) -> None:
        """Wait until the purse at the top says so."""
        await expect(self.page.locator("#balance")).to_have_text(f"{coins:,}")

    async def told(self, text: str) -> None:
        """Wait until a toast has said this, which it does for some seconds only."""
        async with asyncio.timeout(SECONDS):
            while text not in await self.page.evaluate("window.told.join('\\n')"):  # noqa: ASYNC110 - a page tells no event
                await asyncio.sleep(0.05)

    async def card(self, name: str) -> None:
        """Open another player's card."""
        await self.panel("people")
        await self.page.locator("#people-list button.who", has_text=name).click()
        await expect(self.page.locator(".player-card")).to_be_visible()

    async def challenge(self, other: Guest) -> None:
        """Challenge somebody from the list of people; he accepts."""
        await self.panel("people")
        await self.page.get_by_label(f"Challenge {other.name} to a duel").click()
        await other.page.get_by_role("button", name="Accept").click()
        for one in (self, other):
            await expect(one.page.locator("#draw")).to_be_visible()

    async def find_match(self) -> None:
        """Wait for an opponent of about the same strength."""
        await self.panel("table")
        await self.page.click("#find-button")

    async def deal(self) -> bool:
        """Bet at blackjack; whether there is something to decide."""
        dealt = "document.querySelector('#jack-hands [data-game]')?.dataset.game ?? ''"
        before = await self.page.evaluate(dealt)
        await self.page.get_by_role("button", name="Deal", exact=True).click()
        fresh = self.page.locator(f"#jack-hands [data-game]:not([data-game='{before}'])")
        await expect(fresh.first).to_be_visible()
        return not await self.page.locator("#bet").is_visible()

    async def turn(self) -> bool:
        """Wait for the next cards, past a showdown; false when the duel is over instead."""
        page = self.page
        # Not by a click of the mouse: the showdown may end by itself at that moment.
        await page.evaluate("document.querySelector('#next:not([hidden])')?.click()")
        done = page.locator("#draw, #rematch").locator("visible=true")
        await expect(done).to_have_count(1)
        return await page.locator("#draw").is_visible()

    async def play(self, *hold: int) -> None:
        """Hold these positions (1 to 5), draw."""
        for position in hold:
            await self.page.locator("#seat-bottom .card").nth(position - 1).click()
        await self.page.click("#draw")
        await expect(self.page.locator("#draw")).to_be_hidden()

    async def shown(self, text: str) -> None:
        """Wait until some message says this."""
        await expect(self.page.locator(".message .text", has_text=text).first).to_be_visible()


def apart(text: str) -> str:
    """Somebody's words inside a sentence, kept from turning it."""
    return f"\u2068{text}\u2069"


async def play_out(ann: Guest, bob: Guest) -> None:
    """Play a duel to its end."""
    for _ in range(ROUNDS):
        if not await ann.turn():
            break
        await ann.play(1, 3)
        await bob.turn()
        await bob.play(2)
        await expect(ann.page.locator("#next, #rematch").locator("visible=true")).to_have_count(1)
    await expect(ann.page.locator("#rematch")).to_be_visible()


class Room:
    """Makes guests in one browser, each with a profile of his own."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self.guests: list[Guest] = []

    async def context(self, size: tuple[int, int] = WIDE, **options: Any) -> BrowserContext:
        """A profile of its own."""
        viewport: Any = {"width": size[0], "height": size[1]}
        return await self._browser.new_context(viewport=viewport, locale="en-GB", **options)

    async def guest(
        self, url: str, name: str, size: tuple[int, int] = WIDE, **options: Any
    ) -> Guest:
        """A guest who is in."""
        page = await (await self.context(size, **options)).new_page()
        guest = Guest(page, name)
        self.guests.append(guest)
        return await guest.enter(url)


def axe() -> str:
    """The source of axe-core."""
    return (ROOT / "node_modules" / "axe-core" / "axe.min.js").read_text("utf-8")


def pictures() -> Path:
    """Where the README's pictures are."""
    return ROOT / "docs" / "images"
