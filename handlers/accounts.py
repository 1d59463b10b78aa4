"""Accounts: sign in, stay signed in, sign out, and the characters to play as."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints
from typing_extensions import TypedDict

from game import names, rooms
from game.disconnects import Disconnect
from game.errors import Conflict, Forbidden, NotFound, TokenRevoked, Unauthenticated
from handlers.base import Context
from handlers.payloads import Id, Nothing, Payload
from handlers.registry import route
from state.accounts import Account, Character, SignIn, Spent

REFRESH_CHARS = 128  # ours have 64


# What game/names.py refuses, as far as a schema can say it, for the documents.
DisplayName = Annotated[
    str,
    Field(
        description=f"1 to {names.DISPLAY_CHARS} characters in NFC, spaces around not counted; "
        "none of control or format, and something that can be seen",
        json_schema_extra={"minLength": 1, "maxLength": names.DISPLAY_RAW_CHARS},
    ),
]


class Guest(Payload):
    """An account without a password; without a name it gets a number."""

    name: DisplayName | None = None


class Credentials(Payload):
    """Longer ones are none: what is hashed is bounded."""

    username: Annotated[str, StringConstraints(max_length=names.USERNAME_CHARS)]
    password: Annotated[str, StringConstraints(max_length=names.PASSWORD_CHARS)]


class NewAccount(Credentials):
    """A user name, unique whatever its case, and a password."""

    username: Annotated[
        str,
        StringConstraints(max_length=names.USERNAME_CHARS),
        Field(json_schema_extra={"pattern": f"^{names.USERNAME.pattern}$"}),
    ]
    password: Annotated[
        str,
        StringConstraints(max_length=names.PASSWORD_CHARS),
        Field(json_schema_extra={"minLength": names.PASSWORD_MIN_CHARS}),
    ]


class NewPassword(Payload):
    """The password until now, and the one from now on."""

    password: Annotated[str, StringConstraints(max_length=names.PASSWORD_CHARS)]
    new_password: Annotated[
        str,
        StringConstraints(max_length=names.PASSWORD_CHARS),
        Field(json_schema_extra={"minLength": names.PASSWORD_MIN_CHARS}),
    ]


class Refresh(Payload):
    """The newest refresh token of a sign-in."""

    refresh_token: Annotated[str, StringConstraints(max_length=REFRESH_CHARS)]


class NewCharacter(Payload):
    """A character's name, as others will see it."""

    name: DisplayName


class NewName(Payload):
    """Which character, and its name from now on."""

    id: Id
    name: DisplayName


class AccountView(TypedDict):
    """Who signs in; `username` is null for guests."""

    id: str
    username: str | None
    role: str


class CharacterView(TypedDict):
    """Who plays."""

    id: str
    name: str


class Renamed(TypedDict):
    """The name that a player has from now on."""

    player_id: str
    name: str


class TokenAnswer(TypedDict):
    """Signed in; `expires_in` is in seconds, of the access token."""

    account: AccountView
    character: CharacterView
    access_token: str
    refresh_token: str
    token_type: str
    expires_in: int


class MeAnswer(AccountView):
    """The caller's account, which stands in `account` as well, and all its characters."""

    account: AccountView
    characters: list[CharacterView]


class CharactersAnswer(TypedDict):
    """All characters of the account, the oldest first."""

    characters: list[CharacterView]


class CharacterAnswer(CharacterView):
    """The character as it is now, which stands in `character` as well."""

    character: CharacterView


class AccountAnswer(TypedDict):
    """The account as it is now."""

    account: AccountView


@route("POST", "/auth/guest", Guest, status=201, signed_in=False)
async def guest(cmd: Guest, ctx: Context) -> TokenAnswer:
    """Make an account without a password and sign it in.

    Raises:
        ValidationFailed: the name is not one to be seen.
        RateLimited: too many sign-ins and new accounts from the address.
    """
    name = None if cmd.name is None else names.display_name(cmd.name)
    await ctx.world.rates.sign_in(ctx.address)
    account, character = await ctx.world.accounts.create_guest(name)
    await _open_wallet(ctx, character)
    await ctx.world.entrance.expect(account, character)
    return await _signed_in(ctx, account, character)


@route("POST", "/auth/register", NewAccount, status=201, signed_in=False)
async def register(cmd: NewAccount, ctx: Context) -> TokenAnswer:
    """Make an account with a password and sign it in.

    Raises:
        ValidationFailed: the user name or the password is none.
        RateLimited: too many sign-ins and new accounts from the address.
        Conflict: the user name is taken.
    """
    username, password = names.username(cmd.username), names.password(cmd.password)
    await ctx.world.rates.sign_in(ctx.address)
    account, character = await ctx.world.accounts.register(username, password)
    await _open_wallet(ctx, character)
    await ctx.world.entrance.expect(account, character)
    return await _signed_in(ctx, account, character)


@route("POST", "/auth/login", Credentials, signed_in=False)
async def login(cmd: Credentials, ctx: Context) -> TokenAnswer:
    """Sign in by password.

    Raises:
        RateLimited: too many sign-ins from the address, or the pair of account and
            address is locked after too many wrong passwords.
        Unauthenticated: no such user name, or another password; which, is not told.
        Banned: the account is.
    """
    rates, accounts = ctx.world.rates, ctx.world.accounts
    await rates.sign_in(ctx.address)
    await rates.attempt_login(cmd.username, ctx.address)
    account = await accounts.verify_login(cmd.username, cmd.password)
    await rates.login_succeeded(cmd.username, ctx.address)
    account.refuse_banned(ctx.now())
    return _answer(ctx, *await ctx.world.entrance.sign_in(account))


@route("POST", "/auth/refresh", Refresh, signed_in=False)
async def refresh(cmd: Refresh, ctx: Context) -> TokenAnswer:
    """Take a new pair of tokens for a refresh token, which is spent.

    Raises:
        RateLimited: too many refreshes of the sign-in.
        Unauthenticated: no such sign-in, or past its time.
        TokenRevoked: signed out, or the token was spent before: then its sign-in ends.
        Banned: the account is, which ended this sign-in as all others.
    """
    family = cmd.refresh_token.partition(".")[0]
    await ctx.world.rates.refresh(family)
    renewed = await ctx.world.entrance.refresh(cmd.refresh_token)
    if isinstance(renewed, Spent):
        await _cut_off(ctx, renewed.family)
        raise TokenRevoked
    return _answer(ctx, *renewed)


@route("POST", "/auth/logout", Nothing, status=204)
async def logout(_: Nothing, ctx: Context) -> None:
    """End the caller's sign-in: its tokens and its live connections."""
    family = ctx.caller.family
    await ctx.world.accounts.revoke(family)
    await _cut_off(ctx, family)


@route("GET", "/me", Nothing)
async def me(_: Nothing, ctx: Context) -> MeAnswer:
    """Tell the caller who he is."""
    account = _account(await _own(ctx))
    return MeAnswer(**account, account=account, characters=await _characters(ctx))


@route("GET", "/characters", Nothing)
async def characters(_: Nothing, ctx: Context) -> CharactersAnswer:
    """List the characters of the caller's account."""
    return CharactersAnswer(characters=await _characters(ctx))


@route("POST", "/characters", NewCharacter, status=201)
async def create_character(cmd: NewCharacter, ctx: Context) -> CharacterAnswer:
    """Add a character to the caller's account.

    Raises:
        ValidationFailed: the name is not one to be seen.
        Conflict: the account has as many characters as it may have.
    """
    name = names.display_name(cmd.name)
    added = await ctx.world.accounts.add_character(ctx.caller.account_id, name)
    await _open_wallet(ctx, added)
    character = _character(added)
    return CharacterAnswer(**character, character=character)


@route("PATCH", "/characters/{id}", NewName)
async def rename_character(cmd: NewName, ctx: Context) -> CharacterAnswer:
    """Give a character of the caller's another name; its live connections are told.

    What was said and fought under the former name keeps it.

    Raises:
        ValidationFailed: the name is not one to be seen.
        NotFound: the character is not the caller's.
        RateLimited: it was renamed less than AUTH__RENAME_SECONDS ago.
        StaleVersion: others were faster every time.
    """
    name = names.display_name(cmd.name)
    character = await ctx.world.profiles.rename(ctx.caller.account_id, cmd.id, name)
    # Again when it has the name already: the first time may have died before it was told.
    await ctx.world.live.rename(character.id, character.name)
    await ctx.world.publisher.rename(character.id, character.name)
    news = Renamed(player_id=character.id, name=character.name)
    await ctx.world.publisher.emit("session:renamed", news, rooms.player(character.id))
    view = _character(character)
    return CharacterAnswer(**view, character=view)


@route("POST", "/me/register", NewAccount)
async def register_guest(cmd: NewAccount, ctx: Context) -> AccountAnswer:
    """Give a guest's account a user name and a password; all that it has stays.

    Raises:
        ValidationFailed: the user name or the password is none.
        RateLimited: too many sign-ins and new accounts from the address.
        Conflict: the account has a user name, or the name is taken.
        Unauthenticated: the account was deleted.
        StaleVersion: others were faster every time.
    """
    username, password = names.username(cmd.username), names.password(cmd.password)
    await ctx.world.rates.sign_in(ctx.address)
    account_id = ctx.caller.account_id
    account = await ctx.world.profiles.register(account_id, username, password)
    return AccountAnswer(account=_account(account))


@route("POST", "/me/password", NewPassword, status=204)
async def change_password(cmd: NewPassword, ctx: Context) -> None:
    """Take another password; all sign-ins of the account but the caller's end.

    Raises:
        ValidationFailed: the new password is none.
        RateLimited: too many wrong passwords.
        Forbidden: the password until now is another one.
        Conflict: a guest has none.
        Unauthenticated: the account was deleted.
        StaleVersion: others were faster every time.
    """
    password = names.password(cmd.new_password, "new_password")
    account = await _check_password(cmd.password, ctx)
    keep = ctx.caller.family
    for family in await ctx.world.profiles.set_password(account.id, password, keep):
        await _cut_off(ctx, family)


async def _check_password(password: str, ctx: Context) -> Account:
    """The caller's account, whose password is counted as at a sign-in."""
    rates, accounts = ctx.world.rates, ctx.world.accounts
    username = (await _own(ctx)).username
    if username is None:
        raise Conflict("A guest has no password; register first.")
    await rates.attempt_login(username, ctx.address)
    try:
        account = await accounts.verify_login(username, password)
    except Unauthenticated:  # 401 is for the token, which is good
        raise Forbidden("The password is wrong.") from None
    await rates.login_succeeded(username, ctx.address)
    return account


async def _own(ctx: Context) -> Account:
    try:
        return await ctx.world.accounts.account(ctx.caller.account_id)
    except NotFound:  # deleted just now
        raise Unauthenticated from None


async def _open_wallet(ctx: Context, character: Character) -> None:
    opened = await ctx.world.economy.ledger.open(character.id)
    # Told now, to nobody who is there yet: later it would come after what he has by then.
    await ctx.world.react(opened.postings)


async def _signed_in(ctx: Context, account: Account, character: Character) -> TokenAnswer:
    return _answer(ctx, await ctx.world.accounts.sign_in(account), character)


def _answer(ctx: Context, sign_in: SignIn, character: Character) -> TokenAnswer:
    access_token, expires_in = ctx.world.tokens.issue(sign_in.account, sign_in.family)
    return TokenAnswer(
        account=_account(sign_in.account),
        character=_character(character),
        access_token=access_token,
        refresh_token=sign_in.refresh_token,
        token_type="Bearer",  # noqa: S106 - its kind, not a secret
        expires_in=expires_in,
    )


async def _cut_off(ctx: Context, family: str) -> None:
    # After MongoDB, so that no refresh can follow; a client that was answered with
    # `dependency_unavailable` here asks again, and both steps are safe to repeat.
    await ctx.world.tokens.revoke(family)
    await ctx.world.publisher.close(rooms.family(family), Disconnect.TOKEN_REVOKED)


async def _characters(ctx: Context) -> list[CharacterView]:
    return [_character(one) for one in await ctx.world.accounts.characters(ctx.caller.account_id)]


def _account(account: Account) -> AccountView:
    return AccountView(id=account.id, username=account.username, role=account.role)


def _character(character: Character) -> CharacterView:
    return CharacterView(id=character.id, name=character.name)
