"""Coins in the browser: the wallet, the shop, blackjack, robberies, stakes."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from tests.e2e.browser import NARROW, Room, apart
from tests.harness import Server

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

HOSTILE = "<img src=x onerror=h=1>"


async def test_coins_are_given_once_though_the_connection_was_lost(web: Server, room: Room) -> None:
    bob, ann = await room.guest(web.url, HOSTILE), await room.guest(web.url, "Ann", NARROW)
    page = ann.page
    await ann.has(1_000)
    await ann.card(HOSTILE)
    await page.fill("#card-amount", "5000")
    await page.get_by_role("button", name="Give", exact=True).click()
    await ann.told("There are not enough coins for this.")
    await page.fill("#card-amount", "25")
    await page.fill("#card-note", "<b>for</b> the taxi")
    await page.get_by_role("button", name="Give", exact=True).click()
    await ann.told(f"You gave 25 coins to {apart(HOSTILE)}.")
    await ann.has(975)
    await bob.has(1_025)
    await bob.told(f"You were given 25 coins: {apart('<b>for</b> the taxi')}")
    await ann.panel("wallet")
    await page.select_option("#give-to", label=HOSTILE)
    await page.fill("#give-amount", "100")
    # Sent, and the answer lost: it is sent again with its key, and done once.
    await page.evaluate(
        "document.querySelector('#give').requestSubmit(); dispatchEvent(new Event('offline'))"
    )
    await ann.told(f"You gave 100 coins to {apart(HOSTILE)}.")
    await ann.has(875)
    await bob.has(1_125)
    entries = page.locator("#ledger .entry")
    await expect(entries).to_have_count(3)
    await expect(entries.first.locator(".what")).to_have_text(f"You gave coins to {HOSTILE}")
    await expect(entries.first.locator(".amount")).to_have_text("−100")  # noqa: RUF001
    await expect(entries.nth(1).locator(".note")).to_have_text("<b>for</b> the taxi")
    for one in (ann, bob):
        assert await one.page.evaluate("window.h") is None
        assert await one.page.locator("#ledger img, .toast img, dialog img").count() == 0


async def test_things_are_bought_used_and_sold(web: Server, room: Room) -> None:
    ann = await room.guest(web.url, "Ann")
    page = ann.page
    await ann.panel("shop")
    lockpick = page.locator("[data-item=lockpick]")
    await lockpick.get_by_label("One more").click()
    await lockpick.get_by_role("button", name="Buy 2 Lockpick for 300 coins").click()
    await ann.told("2 × Lockpick: bought for 300 coins.")  # noqa: RUF001
    await ann.has(700)
    await expect(lockpick.locator(".have")).to_contain_text("You have 2, the first until")
    await lockpick.get_by_role("button", name="Use Lockpick").click()
    await expect(page.locator(".boost")).to_contain_text("Luckier at robberies: +15 %")
    await lockpick.get_by_role("button", name="Sell one Lockpick for 37 coins").click()
    await ann.has(737)
    await expect(lockpick.locator(".mine")).to_have_count(0)
    dear = page.locator("[data-item=golden-deck]")
    await expect(dear.get_by_role("button", name="Buy 1 Golden deck")).to_be_disabled()
    await page.get_by_role("button", name="A purse of coins: 6,000 coins for €9.99").click()
    await ann.has(6_737)
    await dear.get_by_role("button", name="Buy 1 Golden deck").click()
    await expect(dear.locator(".sold")).to_contain_text("all that one player may have")
    await page.reload()  # the view stays
    await expect(dear.locator(".have")).to_have_text("You have 1")


async def test_a_game_of_blackjack_goes_on_after_a_reload_and_is_verified(
    web: Server, room: Room
) -> None:
    ann = await room.guest(web.url, "Ann", NARROW)
    page = ann.page
    await ann.panel("blackjack")
    for _ in range(6):  # a natural blackjack leaves nothing to decide
        if await ann.deal():
            break
    cards = "[...document.querySelectorAll('#blackjack .card')].map(c => c.dataset.card)"
    before = await page.evaluate(cards)
    await page.reload()
    await ann.ready("first")
    await expect(page.locator("#jack-hands .plate")).to_be_visible()
    assert await page.evaluate(cards) == before
    await page.locator("body").press("n")  # no insurance, if it is offered
    await expect(page.locator("#jack-decline")).to_be_hidden()
    while await page.locator("#jack-stand").is_visible():
        await page.keyboard.press("s")
        await expect(page.locator("#jack-actions .waiting")).to_have_count(0)
    await expect(page.locator("#bet")).to_be_visible()
    verdict = page.locator("#jack-proof .verdict")
    await expect(verdict).to_have_text("Verified: the cards came from the committed shoe")
    await page.locator("#jack-proof summary").click()
    await expect(page.locator("#jack-proof :is(.no, .unknown)")).to_have_count(0)
    assert 2 <= await page.locator("#dealer-hand .card:not([data-card=back])").count() <= 12


async def test_any_split_is_verified_and_a_swapped_card_is_found(web: Server, room: Room) -> None:
    ann = await room.guest(web.url, "Ann")
    verdicts = await ann.page.evaluate(
        """async () => {
            const { shoe, verifyJack } = await import("/static/js/jack_verify.js");
            const { hex, sha256 } = await import("/static/js/verify.js");
            const value = (card) => "TJQK".includes(card[0]) ? "10" : card[0];
            for (let number = 0; ; number++) {
              const seed = String(number).padStart(64, "0");
              const s = await shoe(seed);
              if (value(s[0]) !== value(s[2])) continue;
              const commitment = hex(await sha256(seed));
              const hands = [{ cards: [s[0], s[4], s[6]] }, { cards: [s[2], s[5], s[7], s[8]] }];
              const dealer = { cards: [s[1], s[3], s[9]] };
              const game = { seed, commitment, hands, dealer };
              const ok = async (change, seen = commitment) =>
                (await verifyJack({ ...game, ...change }, seen)).ok;
              const [one, two] = hands;
              const swapped = { cards: [...two.cards.slice(0, 3), s[9]] };
              return [
                await ok({}),
                await ok({ hands: [one, swapped] }),
                await ok({ dealer: { cards: [s[3], s[1], s[9]] } }),
                await ok({ commitment: "0".repeat(64) }),
                await ok({}, "f".repeat(64)),
              ];
            }
        }"""
    )
    assert verdicts == [True, False, False, False, False]


async def test_a_staked_duel_moves_the_pot_and_a_robbery_is_told_to_both(
    web: Server, room: Room
) -> None:
    bob, ann = await room.guest(web.url, "Bob", NARROW), await room.guest(web.url, "Ann")
    await ann.card("Bob")
    await ann.page.get_by_role("button", name="Stake 100 coins").click()
    await ann.page.get_by_role("button", name="Challenge", exact=True).click()
    await expect(bob.page.locator(".offer .words")).to_have_text("Ann challenges you for 100 coins")
    await bob.page.get_by_role("button", name="Accept").click()
    for one in (ann, bob):
        await expect(one.page.locator("#pot-sum")).to_have_text("200")
        await one.has(900)
    await bob.page.click("#resign")
    await bob.page.get_by_role("dialog").get_by_role("button", name="Resign").click()
    await expect(ann.page.locator("#subline")).to_contain_text("The pot of 200 coins is yours.")
    await expect(bob.page.locator("#subline")).to_contain_text(
        f"The pot of 200 coins goes to {apart('Ann')}."
    )
    await ann.has(1_100)
    await ann.told("The pot is yours: 200 coins.")
    await bob.card("Ann")
    await bob.page.get_by_role("button", name="Try to rob").click()
    await bob.page.get_by_role("button", name="Try it").click()
    await bob.told("The odds were 40 in 100")
    await expect(ann.page.locator("#bell")).to_have_attribute("aria-label", "Notifications, 1 new")
    await ann.page.click("#bell")
    await expect(ann.page.locator("#news-list li")).to_contain_text("Bob")
    await bob.card("Ann")
    await bob.page.get_by_role("button", name="Try to rob").click()
    await bob.page.get_by_role("button", name="Try it").click()
    await bob.told("You have to lie low for 60 minutes.")
    await ann.page.keyboard.press("Escape")
    await ann.panel("wallet")
    duel = ann.page.locator("#ledger .entry", has_text="You won the pot of a duel")
    await expect(duel.locator(".amount")).to_have_text("+200")
