"""Payment providers (handlers.ports.Provider): Stripe over HTTP, and one that moves no money."""

from __future__ import annotations

from typing import Any

import aiohttp
import orjson

from config.logging import get_logger
from config.sections import Purchases
from config.settings import Settings, SettingsError
from game.errors import DependencyUnavailable, MalformedPayload, NotFound
from game.purchases import Order, Word, check_signature, stripe_word
from handlers.ports import Checkout, Provider

SECONDS = 8.0  # below a handler's time-out
AWAY = (aiohttp.ClientError, TimeoutError)

log = get_logger(__name__)


def provider(settings: Settings) -> Provider | None:
    """The provider of the settings; without one, the sandbox on embedded stores, else none.

    Raises:
        SettingsError: a secret is missing.
    """
    chosen = settings.purchases.provider or ("sandbox" if settings.embedded else "off")
    if chosen == "stripe":
        return Stripe(settings.purchases)
    return Sandbox() if chosen == "sandbox" else None


class Sandbox:
    """Pays every order by itself."""

    name = "sandbox"
    notice = "This is a sandbox: no money moves, and every order counts as paid."

    async def open(self, order: Order) -> Checkout:
        """Nothing to pay."""
        word = Word(order.id, "paid", order.pack.price, order.pack.currency)
        return Checkout(url=None, word=word)

    def read(self, text: str, signature: str, at: int) -> Word | None:
        """Nobody speaks for the sandbox.

        Raises:
            NotFound: always.
        """
        del text, signature, at
        raise NotFound


class Stripe:
    """Stripe's Checkout (docs.stripe.com/api/checkout/sessions/create), without its library.

    An order is one session: its id is the idempotency key, so that asking again after a
    crash gives the same one, and its metadata goes with the session and with the charge.
    """

    name = "stripe"
    notice = ""

    def __init__(self, settings: Purchases) -> None:
        if settings.stripe_key is None or settings.stripe_webhook_secret is None:
            missing = "STRIPE_KEY" if settings.stripe_key is None else "STRIPE_WEBHOOK_SECRET"
            raise SettingsError(f"SHOWDOWN_PURCHASES__{missing} is not set")
        self._url = settings.stripe_url.rstrip("/")
        self._key = settings.stripe_key.get_secret_value()
        self._webhook_secret = settings.stripe_webhook_secret.get_secret_value()
        self._return_url = settings.return_url

    async def open(self, order: Order) -> Checkout:
        """Make the session in which the player pays.

        Raises:
            DependencyUnavailable: Stripe does not answer, or not with a session.
        """
        headers = {"Authorization": f"Bearer {self._key}", "Idempotency-Key": order.id}
        limit = aiohttp.ClientTimeout(total=SECONDS)
        try:
            # Orders are rare: a connection kept open would be closed by the time of the next.
            async with (
                aiohttp.ClientSession(timeout=limit, headers=headers) as http,
                http.post(f"{self._url}/v1/checkout/sessions", data=self._form(order)) as answer,
            ):
                body = orjson.loads(await answer.read())
        except (*AWAY, orjson.JSONDecodeError) as error:
            raise DependencyUnavailable(retry_after=1.0) from error
        if answer.status != 200:
            log.error("stripe_refused", status=answer.status, error=body.get("error"))
            raise DependencyUnavailable(retry_after=1.0)
        return Checkout(url=body["url"], word=None)

    def _form(self, order: Order) -> dict[str, str]:
        item = "line_items[0]"
        return {
            "mode": "payment",
            "success_url": self._return_url,
            "cancel_url": self._return_url,
            "client_reference_id": order.id,
            "metadata[order_id]": order.id,
            "payment_intent_data[metadata][order_id]": order.id,
            f"{item}[quantity]": "1",
            f"{item}[price_data][currency]": order.pack.currency,
            f"{item}[price_data][unit_amount]": str(order.pack.price),
            f"{item}[price_data][product_data][name]": order.pack.name,
        }

    def read(self, text: str, signature: str, at: int) -> Word | None:
        """What a webhook says of an order, None for anything else.

        Raises:
            Unauthenticated: Stripe did not sign it, or long ago.
            MalformedPayload: it is not one of Stripe's events.
        """
        check_signature(text, signature, self._webhook_secret, at)
        try:
            event: Any = orjson.loads(text)
            return stripe_word(event)
        except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
            raise MalformedPayload from None
