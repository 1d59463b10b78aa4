"""E-mails: of a notification, and to find out whether an address is the account's."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from string import Template

from game import links
from game.links import Link
from game.notifications import Notification
from handlers.telling import SendEmail
from handlers.ways import Mail
from jobs.base import COMMUNICATION, GiveUpError, JobContext, task
from state.contacts import Contact

TEMPLATES = Path(__file__).parents[2] / "config" / "emails"
HOUR_SECONDS = 3_600


@task(
    SendEmail,
    profile=COMMUNICATION,
    timeout=60,
    delays=(5.0, 60.0, 600.0, 3_600.0),
    needs="email.host",
)
async def send(job: SendEmail, ctx: JobContext) -> bool:
    """Send one, unless the player wants it no more; whether it was sent."""
    contacts, mailer = ctx.world.outbound.contacts, ctx.world.ways.mail
    contact = await contacts.get(job.account_id)
    if mailer is None:
        raise GiveUpError("this process sends no e-mail: its settings are not those of the others")
    mail = await _mail(job, contact, ctx)
    if mail is None:
        return False
    if await mailer.send(mail):
        return True
    # The relay knows no such address: nothing more goes there until it is verified again.
    await contacts.change(job.account_id, lambda one: replace(one, verified=False))
    return False


async def _mail(job: SendEmail, contact: Contact, ctx: JobContext) -> Mail | None:
    if contact.email is None:
        return None
    if job.about == "address":
        return None if contact.verified else await _verification(job, contact, ctx)
    news = await ctx.world.outbound.mailboxes.get(job.player_id, job.notification_id)
    if news is None or not contact.wants(news["kind"], "email"):
        return None
    most = ctx.world.settings.email.per_day
    first = ctx.attempt == 1
    if first and not await ctx.world.outbound.contacts.count_email(job.account_id, most):
        return None
    return await _notification(job, contact.email, news, ctx)


async def _verification(job: SendEmail, contact: Contact, ctx: JobContext) -> Mail:
    life = ctx.world.settings.email.link_seconds
    link = Link("verify", job.account_id, contact.proof, ctx.world.now() + life * 1000)
    subject, text = _filled(
        "verify",
        name=await _name(ctx, job.account_id),
        hours=max(1, life // HOUR_SECONDS),
        verify_url=_url(link, ctx),
    )
    return Mail(id=contact.proof, to=contact.email or "", subject=subject, text=text)


async def _notification(job: SendEmail, to: str, news: Notification, ctx: JobContext) -> Mail:
    stop_url = _url(Link("stop", job.account_id, news["kind"]), ctx)
    player = await ctx.world.accounts.player(job.player_id)
    subject, text = _filled(
        "notification",
        subject=news["text"],
        name=player.name,
        text=news["text"],
        game_url=ctx.world.settings.notifications.public_url,
        stop_url=stop_url,
    )
    return Mail(id=news["id"], to=to, subject=subject, text=text, stop_url=stop_url)


async def _name(ctx: JobContext, account_id: str) -> str:
    account = await ctx.world.accounts.account(account_id)
    return (await ctx.world.accounts.first_character(account)).name


def _url(link: Link, ctx: JobContext) -> str:
    base = ctx.world.settings.notifications.public_url.rstrip("/")
    return f"{base}/api/v1/email/{links.token(link, ctx.world.ways.secret)}"


def _filled(template: str, /, **words: object) -> tuple[str, str]:
    """An e-mail's subject, its template's first line, and its text."""
    subject, _, text = _template(template).substitute(words).partition("\n")
    return subject, text


@cache
def _template(name: str) -> Template:
    return Template((TEMPLATES / f"{name}.txt").read_text("utf-8"))
