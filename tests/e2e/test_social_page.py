"""Friends, blocks, the search for an opponent and the ranks, as they are seen."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from tests.e2e.browser import NARROW, Room, apart
from tests.harness import Server

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

HOSTILE = "<img src=x onerror=h=1>"


async def test_two_become_friends_and_part_by_a_block(web: Server, room: Room) -> None:
    eve, ann = await room.guest(web.url, HOSTILE, NARROW), await room.guest(web.url, "Ann")
    await ann.card(HOSTILE)
    await ann.page.get_by_role("button", name="Add as friend").click()
    await ann.told(f"You asked {apart(HOSTILE)} to be friends.")
    await eve.told(f"{apart('Ann')} wants to be your friend.")
    await expect(eve.page.locator("#people-badge")).to_have_text("1")
    await eve.panel("people")
    await eve.page.click("#tab-friends")
    await eve.page.get_by_role("button", name="Accept: Ann").click()
    await ann.told(f"{apart(HOSTILE)} is your friend now.")
    await ann.page.click("#tab-friends")
    row = ann.page.locator("#friend-list .person", has_text=HOSTILE)
    await expect(row.locator(".state")).to_have_text("online")
    await eve.panel("chat")
    await eve.say("the last you hear of me")
    await ann.shown("the last you hear of me")
    await eve.page.close()
    await expect(row.locator(".state")).to_contain_text("offline, last here")
    await row.locator("button.who").click()
    await ann.page.get_by_role("button", name="Block").click()
    await expect(ann.page.locator(".message", has_text="You have blocked this")).to_be_visible()
    await expect(ann.page.locator(".message", has_text="the last you hear")).to_have_count(0)
    await expect(ann.page.locator("#friend-list .group")).to_have_text("Blocked")
    await ann.page.get_by_role("button", name=f"Unblock: {HOSTILE}").click()
    await ann.shown("the last you hear of me")
    assert await ann.page.evaluate("window.h") is None
    assert await ann.page.locator(".people img, .toast img, dialog img").count() == 0


async def test_a_search_is_seen_everywhere_taken_back_and_ends_in_the_ranks(
    web: Server, room: Room
) -> None:
    eve, ann = await room.guest(web.url, HOSTILE, NARROW), await room.guest(web.url, "Ann")
    await eve.find_match()
    await eve.panel("wallet")
    strip = eve.page.locator("#waiting-strip")
    await expect(strip).to_contain_text("Looking for an opponent 0:0")
    await eve.page.reload()  # the place in the queue is kept
    await eve.ready("first")
    await strip.click()
    await eve.page.get_by_role("button", name="Cancel").click()
    await expect(eve.page.locator("#find")).to_be_visible()
    await eve.page.fill("#find-stake", "2000")
    await eve.page.click("#find-button")
    await eve.told("There are not enough coins for this.")
    await ann.find_match()
    await eve.page.fill("#find-stake", "0")
    await eve.page.click("#find-button")
    for one in (ann, eve):
        await expect(one.page.locator("#draw")).to_be_visible()
    await ann.page.click("#resign")
    await ann.page.get_by_role("dialog").get_by_role("button", name="Resign").click()
    await expect(eve.page.locator("#rated")).to_contain_text("up 1")
    await eve.panel("ranks")
    await eve.page.get_by_role("tab", name="Wins").click()
    mine = eve.page.locator("#places .me-too")
    await expect(mine.locator(".name")).to_have_text(HOSTILE)
    await eve.page.select_option("#season", index=1)
    await expect(eve.page.locator("#standing")).not_to_contain_text("You are number")
    await eve.page.get_by_role("tab", name="Wealth").click()
    await expect(mine.locator("b")).to_have_text("1,000")
    assert await eve.page.evaluate("window.h") is None
    assert await eve.page.locator("#ranks img").count() == 0
