"""The account in the browser: characters, names, password, export and the end."""

from __future__ import annotations

import json
from pathlib import Path
from secrets import token_hex

import pytest
from playwright.async_api import Page, expect

from tests.e2e.browser import NARROW, Guest, Room
from tests.harness import Server

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

HOSTILE = "<img src=x onerror=h=1>"
PASSWORD, NEXT = "correct horse", "battery staple"


async def account_of(guest: Guest) -> Page:
    """Open the account's view."""
    await guest.panel("account")
    await expect(guest.page.locator("#characters > li")).not_to_have_count(0)
    return guest.page


async def test_a_guest_plays_as_another_character_and_under_another_name(
    web: Server, room: Room
) -> None:
    bob, ann = await room.guest(web.url, "Bob"), await room.guest(web.url, "Ann", NARROW)
    page = await account_of(ann)
    await page.fill("#character-name", HOSTILE)
    await page.keyboard.press("Enter")
    await page.get_by_role("button", name=f"Play {HOSTILE}").click()
    await ann.ready("first")
    await expect(page.locator("#me")).to_have_text(HOSTILE)
    await expect(bob.page.locator(".person", has_text=HOSTILE)).to_be_visible()
    await page.reload()
    await ann.ready("first")
    await expect(page.locator(".playing .name")).to_have_text(HOSTILE)  # chosen, and kept
    await page.get_by_role("button", name=f"Rename {HOSTILE}").click()
    await page.get_by_label("Name", exact=True).fill("Cleopatra")
    await page.keyboard.press("Enter")
    await expect(page.locator("#me")).to_have_text("Cleopatra")
    await expect(bob.page.locator(".person", has_text="Cleopatra")).to_be_visible()
    assert await page.evaluate("window.h") is None


async def test_a_guest_keeps_the_account_exports_it_and_deletes_it(
    web: Server, room: Room, tmp_path: Path
) -> None:
    ann = await room.guest(web.url, "Ann")
    page = await account_of(ann)
    username = f"ann{token_hex(4)}"
    await page.fill("#keep-name", username)
    await page.fill("#keep-password", PASSWORD)
    await page.get_by_role("button", name="Keep my account").click()
    await expect(page.locator("#account-name")).to_have_text(username)
    await page.fill("#old-password", "not this one")
    await page.fill("#new-password", NEXT)
    await page.get_by_role("button", name="Change the password").click()
    await ann.told("The password is wrong.")
    await page.fill("#old-password", PASSWORD)
    await page.get_by_role("button", name="Change the password").click()
    await ann.told("Your password is changed.")
    async with page.expect_download() as saved:
        await page.click("#export")
    path = tmp_path / "export.json"
    await (await saved.value).save_as(path)
    exported = json.loads(path.read_text("utf-8"))
    assert exported["account"]["username"] == username
    await page.click("#delete-account")
    await page.get_by_label("Your password").fill(PASSWORD)
    await page.get_by_role("button", name="Delete for good").click()
    await ann.told("The password is wrong.")
    await page.click("#delete-account")
    await page.get_by_label("Your password").fill(NEXT)
    await page.get_by_role("button", name="Delete for good").click()
    await expect(page.locator("#sign-in-problem")).to_have_text("Your account is deleted.")
    await page.fill("#username", username)
    await page.fill("#password", NEXT)
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.locator("#sign-in-problem")).to_contain_text("did not sign you in")
    # The browser itself writes down every request that was refused.
    refusals = ("status of 401", "status of 403")
    assert [said for said in ann.problems if not any(one in said for one in refusals)] == []
    ann.problems.clear()
