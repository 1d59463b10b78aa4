"""A Stripe of our own, for tests: real HTTP, checks what we send, signs what it says."""

from __future__ import annotations

import hmac
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from aiohttp import web

KEY, SECRET = "sk_test_of_tests", "whsec_of_tests"


class Stripe:
    """Sessions by idempotency key; `refuse` answers so many requests with an error."""

    def __init__(self) -> None:
        self.url = ""
        self.sessions: dict[str, dict[str, str]] = {}
        self.refuse = 0

    async def create(self, request: web.Request) -> web.Response:
        """POST /v1/checkout/sessions."""
        if request.headers.get("Authorization") != f"Bearer {KEY}":
            return web.json_response({"error": {"type": "invalid_request_error"}}, status=401)
        if self.refuse:
            self.refuse -= 1
            return web.json_response({"error": {"type": "api_error"}}, status=500)
        form = {name: str(value) for name, value in (await request.post()).items()}
        key = request.headers["Idempotency-Key"]
        known = self.sessions.setdefault(key, form)
        if known != form:
            return web.json_response({"error": {"type": "idempotency_error"}}, status=400)
        return web.json_response({"id": f"cs_{key}", "url": f"{self.url}/pay/cs_{key}"})

    def paid(self, order_id: str) -> dict[str, Any]:
        """The event of a session that was paid."""
        form = self.sessions[order_id]
        thing = {
            "metadata": {"order_id": form["metadata[order_id]"]},
            "payment_status": "paid",
            "amount_total": int(form["line_items[0][price_data][unit_amount]"]),
            "currency": form["line_items[0][price_data][currency]"],
        }
        return {"type": "checkout.session.completed", "data": {"object": thing}}

    def refunded(self, order_id: str) -> dict[str, Any]:
        """The event of a charge whose money went back."""
        paid = self.paid(order_id)["data"]["object"]
        thing = {
            "metadata": {
                "order_id": self.sessions[order_id]["payment_intent_data[metadata][order_id]"]
            },
            "refunded": True,
            "amount_refunded": paid["amount_total"],
            "currency": paid["currency"],
        }
        return {"type": "charge.refunded", "data": {"object": thing}}

    async def tell(self, url: str, event: dict[str, Any], secret: str = SECRET) -> int:
        """Send a webhook to a server; the status of its answer."""
        async with (
            aiohttp.ClientSession() as http,
            http.post(f"{url}/api/v1/purchases/stripe", **self.said(event, secret)) as answer,
        ):
            await answer.read()
            return answer.status

    @staticmethod
    def said(event: dict[str, Any], secret: str = SECRET) -> dict[str, Any]:
        """A webhook's body and headers."""
        text, at = json.dumps(event), int(time.time())
        digest = hmac.new(secret.encode(), f"{at}.{text}".encode(), "sha256").hexdigest()
        headers = {"Stripe-Signature": f"t={at},v1={digest}", "Content-Type": "application/json"}
        return {"data": text, "headers": headers}


@asynccontextmanager
async def stripe() -> AsyncIterator[Stripe]:
    """One that listens."""
    one = Stripe()
    app = web.Application()
    app.router.add_post("/v1/checkout/sessions", one.create)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        one.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield one
    finally:
        await runner.cleanup()
