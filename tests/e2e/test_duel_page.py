"""Two people play in the browser."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from tests.e2e.browser import NARROW, Guest, Room, play_out
from tests.fixtures import Stores, on
from tests.harness import Server, Table

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


async def test_two_play_a_whole_duel_verify_the_deal_and_play_again(
    web: Server, room: Room
) -> None:
    bob, ann = await room.guest(web.url, "Bob", NARROW), await room.guest(web.url, "Ann")
    await ann.challenge(bob)
    hidden = ann.page.locator("#seat-top .card[data-card=back]")
    await expect(hidden).to_have_count(5)
    await ann.page.locator("#seat-bottom .card").nth(2).click()
    held = ann.page.locator("#seat-bottom .card[aria-pressed=true]")
    await expect(held).to_have_count(1)
    kept = await held.get_attribute("data-card")
    await ann.page.click("#draw")
    third = ann.page.locator("#seat-bottom .card").nth(2)
    await expect(third).to_have_attribute("data-card", str(kept))
    await expect(bob.page.locator("#seat-top .doing")).to_have_text("has drawn")
    await bob.play()
    await expect(hidden).to_have_count(0)  # the showdown
    await play_out(ann, bob)
    for one in (ann, bob):
        await expect(one.page.locator(".proof .verdict")).to_have_text(
            "Verified: the cards were dealt as committed"
        )
        await expect(one.page.locator(".findings .no, .findings .unknown")).to_have_count(0)
        assert await one.page.locator("#rounds > li").count() >= 3
    await ann.page.click("#rematch")
    await bob.page.get_by_role("button", name="Accept").click()
    for one in (ann, bob):
        await expect(one.page.locator("#draw")).to_be_visible()
        await expect(one.page.locator("#rounds > li")).to_have_count(0)


async def test_a_cheating_server_is_found_out(web: Server, room: Room) -> None:
    bob, ann = await room.guest(web.url, "Bob"), await room.guest(web.url, "Ann")
    await ann.challenge(bob)
    await ann.play(1)
    await bob.play(5)
    await ann.turn()
    await bob.page.click("#resign")
    await bob.page.get_by_role("dialog").get_by_role("button", name="Resign").click()
    await expect(ann.page.locator("#headline")).to_have_text("You win the duel")
    verdicts = await ann.page.evaluate(
        """async () => {
            const { deck, verify } = await import("/static/js/verify.js");
            const seed = "0123456789abcdef".repeat(4);
            const bytes = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(seed));
            const digits = [...new Uint8Array(bytes)].map((b) => b.toString(16).padStart(2, "0"));
            const commitment = digits.join("");
            const cards = await deck(seed, 1);
            const players = [{ id: "a" }, { id: "b" }];
            const a = [cards[0], cards[10], cards[2], cards[11], cards[4]];
            const b = [...cards.slice(15, 20)];
            const rounds = [{ round: 1, hands: { a, b } }];
            const duel = { seed, commitment, players, rounds };
            const seen = { commitment, early: true, dealt: new Map([[1, cards.slice(0, 5)]]) };
            const ok = async (change, witness = seen) =>
              (await verify({ ...duel, ...change }, witness, "a")).ok;
            const swapped = { a: [a[1], a[0], ...a.slice(2)], b };
            return [
              await ok({}),
              await ok({ commitment: "0".repeat(64) }),
              await ok({ rounds: [{ round: 1, hands: swapped }] }),
              await ok({}, { ...seen, commitment: "f".repeat(64) }),
              await ok({}, { ...seen, dealt: new Map([[1, cards.slice(5, 10)]]) }),
            ];
        }"""
    )
    assert verdicts == [True, False, False, False, False]


async def hand(guest: Guest) -> list[str | None]:
    """The cards at the bottom of the table."""
    cards = await guest.page.locator("#seat-bottom .card").all()
    return [await card.get_attribute("data-card") for card in cards]


async def test_a_rated_duel_from_the_search_to_the_rating_though_the_server_was_killed(
    stores: Stores, room: Room
) -> None:
    lease = {"NODES__LEASE_SECONDS": 4.5, "NODES__HEARTBEAT_SECONDS": 0.5}
    server = Server(**on(stores, DUELS__ROUND_SECONDS=60, **lease))
    await server.start()
    bob, ann = await room.guest(server.url, "Bob"), await room.guest(server.url, "Ann")
    await ann.find_match()
    await expect(ann.page.locator("#waited")).to_have_text("0:01")
    await bob.find_match()
    for one in (ann, bob):
        await one.told("Your opponent is")
        await expect(one.page.locator("#draw")).to_be_visible()
    await ann.play(1)
    await ann.say("before the crash")
    await bob.shown("before the crash")
    cards = await hand(ann)
    await server.kill()
    await expect(ann.page.locator("#banner")).to_be_visible()
    await ann.say("into the void")
    await expect(ann.page.locator(".message.failed")).to_have_count(1)
    again = Server(**{**server.settings, "PORT": server.url.rpartition(":")[2]})
    await again.start()
    try:
        for one in (ann, bob):
            await one.ready("recovered")
            await expect(one.page.locator("#banner")).to_be_hidden()
            said = one.page.locator(".toast.good", has_text="in the same session")
            await expect(said).to_be_visible()
        await bob.shown("into the void")  # sent again, once
        await expect(ann.page.locator(".message .text", has_text="into the void")).to_have_count(1)
        await expect(bob.page.locator("#headline")).to_have_text("Choose the cards to hold")
        assert await hand(ann) == cards
        await bob.play(2)
        await play_out(ann, bob)
        await expect(bob.page.locator(".proof.ok")).to_be_visible()
        won = await ann.page.locator("#headline").inner_text() == "You win the duel"
        winner, loser = (ann, bob) if won else (bob, ann)
        await expect(winner.page.locator("#rated")).to_contain_text("up 1")
        await expect(loser.page.locator("#rated")).to_contain_text("down 1")
        await winner.panel("ranks")
        first = winner.page.locator("#places .place.me-too")
        await expect(first.locator("b")).not_to_have_text("0")
        await winner.page.get_by_role("tab", name="Wins").click()
        await expect(first.locator("b")).to_have_text("1")
    finally:
        await again.stop()


async def test_a_third_one_watches_by_a_link_and_sees_no_hand(web: Server, room: Room) -> None:
    bob, ann = await room.guest(web.url, "Bob"), await room.guest(web.url, "Ann")
    eve = await room.guest(web.url, "Eve")
    await ann.challenge(bob)
    talk = ann.page.locator(".tab.selected", has_text="Table talk").get_by_role("tab")
    duel = str(await talk.get_attribute("id"))
    link = f"{web.url}/#duel={duel.removeprefix('tab-duel:')}"
    await ann.page.get_by_role("tab", name="Global").click()
    await ann.say(f"Come and see: {link}")
    await eve.page.get_by_role("link", name="Watch the duel").click()
    await expect(eve.page.locator(".hand .card[data-card=back]")).to_have_count(10)
    await expect(eve.page.locator("#headline")).to_have_text("Both are choosing")
    await expect(eve.page.get_by_role("tab", name="Table talk")).to_be_visible()
    await ann.play(1, 2, 3, 4, 5)
    await bob.play(1, 2, 3, 4, 5)
    await expect(eve.page.locator("#rounds > li")).to_have_count(1)
    await bob.page.close()
    await expect(ann.page.locator("#subline")).to_contain_text("Bob lost the connection and has")
    await expect(eve.page.locator("#headline")).to_have_text("The clock stands still")
    await eve.page.get_by_role("button", name="Leave the table").click()
    await expect(eve.page.locator("#lobby")).to_be_visible()


async def test_challenges_are_declined_and_taken_back(web: Server, room: Room) -> None:
    bob, ann = await room.guest(web.url, "Bob"), await room.guest(web.url, "Ann")
    challenge = ann.page.get_by_label("Challenge Bob to a duel")
    await challenge.click()
    await bob.page.get_by_role("button", name="Decline").click()
    await expect(ann.page.locator(".toast", has_text="declined your challenge")).to_be_visible()
    await expect(ann.page.locator(".offer")).to_have_count(0)
    await challenge.click()
    await expect(bob.page.locator(".offer .left")).to_have_text("1:00")
    await bob.page.reload()  # what is open is still there
    await expect(bob.page.locator(".offer", has_text="Ann challenges you")).to_be_visible()
    await challenge.click()
    refused = ann.page.locator(".toast.bad", has_text="in a duel already, or has offered")
    await expect(refused).to_be_visible()
    await ann.page.get_by_role("button", name="Take back").click()
    await expect(bob.page.locator(".offer")).to_have_count(0)


async def test_a_stake_is_told_before_it_is_accepted(web: Server, room: Room, table: Table) -> None:
    bob = await table.seat(web.url, "Bob")
    ann = await room.guest(web.url, "Ann")
    stored = await ann.page.evaluate("JSON.parse(localStorage.getItem('showdown.session'))")
    await bob.do("duel:challenge", opponent_id=stored["character"]["id"], stake=25, key="k")
    await expect(ann.page.locator(".offer .words")).to_have_text("Bob challenges you for 25 coins")
    await ann.page.get_by_role("button", name="Accept").click()
    await expect(ann.page.locator("#round-number")).to_have_text("Round 1, for 25 coins each")
