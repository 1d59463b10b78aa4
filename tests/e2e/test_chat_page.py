"""Chat, people and the sign-in, as they are seen."""

from __future__ import annotations

import asyncio
from secrets import token_hex

import pytest
from playwright.async_api import expect

from tests.e2e.browser import NARROW, Guest, Room
from tests.fixtures import Stores, on
from tests.harness import Server, Table, serving

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

HOSTILE_NAME = "<img src=x onerror=1>"
HOSTILE = (
    "<script>window.hit=1</script><img src=x onerror='window.hit=1'>"
    " \u200f\u05d0\u05d1\u05d2 abc \u200e"
)
EMOJI = "\U0001f600" * 500


async def test_hostile_names_and_messages_are_shown_as_text(web: Server, room: Room) -> None:
    mallory, ann = await room.guest(web.url, HOSTILE_NAME), await room.guest(web.url, "Ann")
    await mallory.say(HOSTILE)
    await mallory.say(EMOJI)
    await ann.shown("<script>window.hit=1</script>")
    await ann.shown(EMOJI)
    for one in (mallory, ann):
        assert await one.page.evaluate("window.hit") is None
        assert await one.page.locator(".message img, .message script, .person img").count() == 0
        fits = "box => box.scrollWidth <= box.clientWidth"
        assert await one.page.locator("#messages").evaluate(fits)
    await ann.page.get_by_label(f"Challenge {HOSTILE_NAME} to a duel").click()
    await expect(mallory.page.locator(".offer", has_text="Ann challenges you")).to_be_visible()
    await expect(ann.page.locator(".offer .name")).to_have_text(HOSTILE_NAME)
    await ann.page.get_by_role("button", name="Take back").click()


async def acts(guest: Guest, text: str, act: str) -> None:
    """Do something with a message."""
    message = guest.page.locator("#message-list .message", has_text=text)
    await message.hover()
    await message.locator(".more").click()
    await message.get_by_role("button", name=act).click()


async def test_messages_are_edited_deleted_reported_and_whispered(web: Server, room: Room) -> None:
    mark = token_hex(4)
    bob, ann = await room.guest(web.url, "Bob"), await room.guest(web.url, "Ann")
    await bob.page.locator("#text").press_sequentially(f"first {mark}")
    await expect(ann.page.locator("#typing")).to_contain_text("Bob")
    await bob.page.press("#text", "Enter")
    await ann.shown(f"first {mark}")
    await acts(bob, f"first {mark}", "Edit")
    await bob.page.get_by_label("The message's text").fill(f"second {mark}")
    await bob.page.keyboard.press("Enter")
    await ann.shown(f"second {mark}")
    edited = ann.page.locator(".message", has_text=f"second {mark}").locator(".edited")
    await expect(edited).to_be_visible()
    await acts(ann, f"second {mark}", "Report")
    await ann.page.get_by_label("What is wrong with it?").fill("spam")
    await ann.page.keyboard.press("Enter")
    thanks = ann.page.locator(".toast", has_text="The moderators have your report")
    await expect(thanks).to_be_visible()
    await acts(ann, f"second {mark}", "Whisper")
    await ann.say(f"between us {mark}")
    await bob.page.get_by_role("tab", name="Ann").click()
    await bob.shown(f"between us {mark}")
    await bob.page.get_by_role("tab", name="Global").click()
    await acts(bob, f"second {mark}", "Delete")
    await bob.page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    await ann.page.get_by_role("tab", name="Global").click()
    await expect(ann.page.locator(".message.deleted").last).to_contain_text("was deleted")
    await expect(ann.page.locator(".message", has_text=f"second {mark}")).to_have_count(0)


async def test_old_messages_come_by_scrolling_and_the_page_stays_small(
    web: Server, table: Table, room: Room
) -> None:
    name = f"room:{token_hex(4)}"
    talker = await table.seat(web.url, "talker")
    await talker.do("chat:join", room=name)
    for number in range(420):
        await talker.do("chat:send", room=name, text=f"line {number}.")
    ann = await room.guest(web.url, "Ann")
    page = ann.page
    await page.click("#join-room")
    await page.get_by_label("Name: a to z").fill(name.removeprefix("room:"))
    await page.keyboard.press("Enter")
    await ann.shown("line 419.")
    messages = page.locator("#message-list .message")
    await expect(messages).to_have_count(50)
    first = page.locator("#message-list .message .text").first
    for oldest in (320, 270, 220, 170, 120, 70, 20, 0):
        await page.locator("#messages").evaluate("box => { box.scrollTop = 0; }")
        await expect(first).to_have_text(f"line {oldest}.")
    assert await messages.count() == 300
    await expect(page.locator(".edge", has_text="This is the beginning")).to_be_visible()
    await talker.do("chat:send", room=name, text="news")
    await page.get_by_role("button", name="1 new").click()
    await ann.shown("news")
    await expect(messages).to_have_count(50)
    for number in range(320):
        await talker.do("chat:send", room=name, text=f"flood {number}.")
    await ann.shown("flood 319.")
    assert await messages.count() <= 300
    kept = await page.evaluate("document.querySelectorAll('*').length")
    for number in range(200):
        await talker.do("chat:send", room=name, text=f"more {number}.")
    await ann.shown("more 199.")
    assert await page.evaluate("document.querySelectorAll('*').length") <= kept + 50


async def test_what_was_missed_is_marked_when_the_session_is_recovered_and_when_it_is_not(
    stores: Stores, table: Table, room: Room
) -> None:
    async with serving(**on(stores, RECOVERY__SECONDS=2, LIMITS__CHAT_MESSAGES=100)) as server:
        bob = await table.seat(server.url, "Bob")
        await bob.do("chat:join", room="trade")
        ann = await room.guest(server.url, "Ann")
        await ann.page.get_by_role("tab", name="Trade").click()
        await bob.do("chat:send", room="trade", text="seen")
        await ann.shown("seen")
        same, new = "in the same session", "in a new session"
        for how, seconds, said in (("recovered", 0.0, same), ("fresh", 3.0, new)):
            await ann.page.context.set_offline(offline=True)
            # An open WebSocket survives that: what the network does to it is done by the server.
            await ann.page.evaluate("window.dispatchEvent(new Event('offline'))")
            await expect(ann.page.locator("#banner")).to_be_visible()
            await bob.do("chat:send", room="trade", text=f"missed, {how}")
            await asyncio.sleep(seconds)  # the window of recovery
            await ann.page.context.set_offline(offline=False)
            await ann.ready(how)
            await ann.shown(f"missed, {how}")
            await expect(ann.page.locator(".edge.missed")).to_be_visible()
            toast = ann.page.locator(".toast", has_text=said)
            await expect(toast).to_contain_text("1 message")


async def test_a_muted_player_sees_for_how_long(stores: Stores, room: Room) -> None:
    async with serving(**on(stores, LIMITS__CHAT_MESSAGES=1, CHAT__MUTE_SECONDS="4")) as server:
        ann = await room.guest(server.url, "Ann")
        for number in range(4):
            await ann.say(f"quick {number}")
        await expect(ann.page.locator("#muted")).to_contain_text("You may write again in 0:0")
        assert await ann.page.locator("#text").is_disabled()
        await ann.page.reload()
        await ann.ready("first")
        await expect(ann.page.locator("#muted")).to_be_visible()
        await expect(ann.page.locator("#muted")).to_be_hidden()
        await expect(ann.page.locator("#text")).to_be_enabled()


async def test_a_sign_in_outlives_its_tokens_without_a_dropped_socket(
    stores: Stores, room: Room
) -> None:
    async with serving(**on(stores, AUTH__ACCESS_SECONDS=6)) as server:
        context = await room.context()
        page = await context.new_page()
        ann = Guest(page, "Ann")
        sockets: list[str] = []
        page.on("websocket", lambda socket: sockets.append(socket.url))
        await page.goto(server.url)
        await page.fill("#username", f"ann{token_hex(4)}")
        await page.fill("#password", "correct horse")
        await page.get_by_role("button", name="Make an account").click()
        await ann.ready("first")
        other = await context.new_page()  # a second tab of the same player
        await other.goto(server.url)
        await Guest(other, "Ann").ready("first")
        before = await page.evaluate("localStorage.getItem('showdown.session')")
        await asyncio.sleep(8)  # more than a token's life
        assert await page.evaluate("localStorage.getItem('showdown.session')") != before
        await ann.say("still here")
        await ann.shown("still here")
        await expect(other.locator(".message .text", has_text="still here")).to_be_visible()
        assert len(sockets) == 1
        await page.click("#me-button")
        await page.click("#sign-out")
        await page.get_by_role("dialog").get_by_role("button", name="Sign out").click()
        for tab in (page, other):
            await expect(tab.locator("#sign-in")).to_be_visible()
        assert ann.problems == []


async def test_a_wrong_password_is_told_in_a_sentence(web: Server, room: Room) -> None:
    page = await (await room.context(NARROW)).new_page()
    await page.goto(web.url)
    await page.fill("#username", "nobody")
    await page.fill("#password", "wrong horse")
    await page.get_by_role("button", name="Sign in").click()
    said = "That did not sign you in. Check the name and the password."
    await expect(page.locator("#sign-in-problem")).to_have_text(said)


async def test_others_see_the_status_that_was_chosen(web: Server, room: Room) -> None:
    bob, ann = await room.guest(web.url, "Bob"), await room.guest(web.url, "Ann")
    await bob.page.click("#me-button")
    await bob.page.select_option("#status", "busy")
    row = ann.page.locator(".person", has_text="Bob")
    await expect(row.locator(".state")).to_have_text("busy")
    await bob.page.reload()
    await expect(bob.page.locator("#status")).to_have_value("online")  # the last page was gone
    await bob.page.close()
    await expect(row).to_have_count(0)
