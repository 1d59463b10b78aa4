"""An order's life, and whose word counts."""

from __future__ import annotations

import hmac
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from game import purchases as rules
from game.errors import Conflict, Unauthenticated
from game.purchases import Order, Pack, Word

PACK = Pack("purse", "A purse", 500, 999, "eur")
ORDER = Order("o1", "ann", PACK, 0)
PAID = Word("o1", "paid", 999, "eur")
NOW = 1_900_000_000_000
SECRET = "whsec_of_tests"


def signed(text: str, at: int = NOW, secret: str = SECRET) -> str:
    digest = hmac.new(secret.encode(), f"{at // 1000}.{text}".encode(), "sha256").hexdigest()
    return f"t={at // 1000},v1={digest}"


@given(st.lists(st.sampled_from(["pay", "grant", "refund"])), st.integers(0, 1_000))
def test_whatever_is_said_in_whatever_order_each_step_is_taken_once(
    said: list[str], spent: int
) -> None:
    order, wallet, given_coins = ORDER, 0, 0
    for word in said:
        before = order
        if word == "pay":
            order = rules.pay(order, PAID)
        elif word == "grant":
            order = rules.grant(order)
        else:
            order = rules.refund(order, max(0, wallet - spent))
        if (before.status, order.status) == ("paid", "granted"):
            wallet, given_coins = wallet + PACK.coins, given_coins + 1
        assert order.taken <= wallet
    assert given_coins <= 1


def test_another_amount_or_currency_pays_nothing() -> None:
    for wrong in (Word("o1", "paid", 998, "eur"), Word("o1", "paid", 999, "usd")):
        with pytest.raises(Conflict):
            rules.pay(ORDER, wrong)


def test_a_refund_that_comes_before_the_payment_ends_the_order() -> None:
    gone = rules.refund(ORDER, 0)
    assert (gone.status, gone.taken) == ("refunded", 0)
    assert rules.pay(gone, PAID) is gone


def test_only_a_fresh_signature_of_the_provider_counts() -> None:
    rules.check_signature("{}", signed("{}"), SECRET, NOW)
    rules.check_signature("{}", "v1=00," + signed("{}"), SECRET, NOW + 300_000)
    for header, at in (
        ("", NOW),
        ("t=1", NOW),
        (signed("{ }"), NOW),
        (signed("{}", secret="another"), NOW),
        (signed("{}"), NOW + 301_000),
        (signed("{}").replace("v1", "v0"), NOW),
        ("t=é,v1=é", NOW),
    ):
        with pytest.raises(Unauthenticated):
            rules.check_signature("{}", header, SECRET, at)


def event(type: str, **thing: Any) -> dict[str, Any]:
    return {"type": type, "data": {"object": {"metadata": {"order_id": "o1"}, **thing}}}


def test_what_the_provider_says_of_other_things_is_nothing_to_us() -> None:
    paid = {"payment_status": "paid", "amount_total": 999, "currency": "eur"}
    completed = "checkout.session.completed"
    assert rules.stripe_word(event(completed, **paid)) == PAID
    assert rules.stripe_word(event(completed, **{**paid, "payment_status": "unpaid"})) is None
    assert rules.stripe_word(event(completed, **paid, metadata={})) is None
    assert rules.stripe_word(event("customer.created")) is None
    part = {"refunded": False, "amount_refunded": 5, "currency": "eur"}
    assert rules.stripe_word(event("charge.refunded", **part)) is None
