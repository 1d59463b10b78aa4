"""Contacts: the e-mail address and the devices by which an account is reached when away."""

from __future__ import annotations

from dataclasses import replace
from html import escape
from typing import Annotated

from pydantic import StringConstraints
from typing_extensions import TypedDict

from game import links
from game import webhooks as rules
from game.errors import NotFound, RateLimited, ValidationFailed
from game.links import Link
from game.notifications import KINDS
from handlers.base import Context
from handlers.payloads import Empty, Payload
from handlers.registry import command, route
from handlers.telling import SendEmail
from state.contacts import Contact, Device

# HTML's own (html.spec.whatwg.org, "valid e-mail address"), within RFC 5321's bounds.
ADDRESS = r"^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,180}[A-Za-z0-9])?$"
BASE64URL = r"^[A-Za-z0-9_-]+=*$"
PAGE = "text/html; charset=utf-8"

Address = Annotated[str, StringConstraints(pattern=ADDRESS, max_length=254)]
Url = Annotated[str, StringConstraints(max_length=1_000)]


class SetEmail(Payload):
    """An address, or null for none."""

    email: Address | None


class Keys(Payload):
    """A subscription's keys, as a browser gives them."""

    p256dh: Annotated[str, StringConstraints(pattern=BASE64URL, max_length=100)]
    auth: Annotated[str, StringConstraints(pattern=BASE64URL, max_length=40)]


class Subscribe(Payload):
    """A browser's `PushSubscription`."""

    endpoint: Url
    keys: Keys


class Unsubscribe(Payload):
    """Which one."""

    endpoint: Url


class Followed(Payload):
    """A link of an e-mail."""

    link: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]+$", max_length=400)]


class EmailReply(TypedDict):
    """The address, and whether it is the account's beyond doubt; until then nothing goes there."""

    email: str | None
    verified: bool


@command("account:email", SetEmail)
async def set_email(cmd: SetEmail, ctx: Context) -> EmailReply:
    """Be told of things by e-mail at this address; a link that is sent there must be followed.

    Raises:
        NotFound: this server sends no e-mail.
        RateLimited: too many e-mails for one day.
    """
    if ctx.world.ways.mail is None:
        raise NotFound("This server sends no e-mail.")
    contacts, account = ctx.world.outbound.contacts, ctx.caller.account_id
    most = ctx.world.settings.email.per_day
    if cmd.email and not await contacts.count_email(account, most):
        raise RateLimited("Too many e-mails for one day.")
    contact = await contacts.set_email(account, cmd.email)
    if cmd.email and not contact.verified:
        await ctx.world.jobs.enqueue(SendEmail(account_id=account, about="address"))
    return EmailReply(email=contact.email, verified=contact.verified)


@command("push:subscribe", Subscribe)
async def subscribe(cmd: Subscribe, ctx: Context) -> Empty:
    """Tell this device of things, too, when the player is away.

    Raises:
        ValidationFailed: the address or the keys are none.
    """
    device = Device(cmd.endpoint, cmd.keys.p256dh, cmd.keys.auth)
    knobs = ctx.world.settings.push
    rules.check_url(device.endpoint, private=knobs.private)
    if not ctx.world.ways.push.good(device):
        raise ValidationFailed.of("keys", "They are no keys.", "keys")

    def rule(contact: Contact) -> Contact:
        others = _without(contact, device.endpoint)
        return replace(contact, devices=(*others, device)[-knobs.devices :])

    await ctx.world.outbound.contacts.change(ctx.caller.account_id, rule)
    return Empty()


@command("push:unsubscribe", Unsubscribe)
async def unsubscribe(cmd: Unsubscribe, ctx: Context) -> Empty:
    """Tell this device of nothing more."""

    def rule(contact: Contact) -> Contact:
        return replace(contact, devices=_without(contact, cmd.endpoint))

    await ctx.world.outbound.contacts.change(ctx.caller.account_id, rule)
    return Empty()


# Links. Programs that look through e-mails follow them, too, so that following one only asks.


@route("GET", "/email/{link}", Followed, signed_in=False, media=PAGE)
async def ask(cmd: Followed, ctx: Context) -> str:
    """A page that asks whether to do what a link of an e-mail is for.

    Raises:
        NotFound: the link is not whole, or past its time.
    """
    link = links.read(cmd.link, ctx.world.ways.secret, ctx.now())
    verify = link.does == "verify"
    question = "Is this your address?" if verify else f"No more e-mails like “{_kind(link)}”?"
    return _page(question, '<form method="post"><button>Yes</button></form>')


@route("POST", "/email/{link}", Followed, signed_in=False, media=PAGE)
async def follow(cmd: Followed, ctx: Context) -> str:
    """Do what a link of an e-mail is for; mail programs do so by themselves (RFC 8058).

    Raises:
        NotFound: the link is not whole, past its time, or of an address given up since.
    """
    link = links.read(cmd.link, ctx.world.ways.secret, ctx.now())
    contacts = ctx.world.outbound.contacts
    if link.does == "stop":
        await contacts.change(link.account, lambda one: one.choose(link.what, "email", on=False))
        return _page("You get no more e-mails like this one.")
    if not await contacts.verify(link.account, link.what):
        raise NotFound("The address was given up since.")
    return _page("Thank you: the address is yours.")


def _without(contact: Contact, endpoint: str) -> tuple[Device, ...]:
    return tuple(one for one in contact.devices if one.endpoint != endpoint)


def _kind(link: Link) -> str:
    return KINDS[link.what].text.format(name="Somebody", amount="some")


def _page(text: str, form: str = "") -> str:
    head = '<!doctype html><html lang="en"><meta charset="utf-8"><title>Showdown</title>'
    look = '<meta name="viewport" content="width=device-width">'
    return f"{head}{look}<main><h1>{escape(text)}</h1>{form}</main></html>"
