"""The shop's items, read from a file and checked before anything is served."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, model_validator

from config.settings import SettingsError
from game.economy import INT64_MAX, PERMILLE
from game.shop import BoostKind, Effect, Item

BUNDLED = Path(__file__).parents[1] / "config" / "shop.json"

Count = Annotated[int, Field(ge=1, le=1_000_000_000)]


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Effect(_File):
    kind: BoostKind
    seconds: Count
    percent: Annotated[int, Field(ge=0, le=100)] = 0


class _Item(_File):
    id: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,31}$")]
    name: Annotated[str, Field(min_length=1, max_length=40)]
    description: Annotated[str, Field(max_length=200)]
    price: Annotated[int, Field(ge=1, le=INT64_MAX // 1_000_000)]
    stock: Count | None = None
    limit: Count | None = None
    opens: AwareDatetime | None = None
    closes: AwareDatetime | None = None
    keeps_seconds: Count | None = None
    # Above the price the shop would be a mint.
    resale_permille: Annotated[int, Field(ge=0, le=PERMILLE)] = 0
    effect: _Effect | None = None

    @model_validator(mode="after")
    def _check_window(self) -> Self:
        if self.opens and self.closes and self.opens >= self.closes:
            raise ValueError("it closes before it opens")
        return self


class _Shop(_File):
    items: tuple[_Item, ...]

    @model_validator(mode="after")
    def _check_ids(self) -> Self:
        if len({item.id for item in self.items}) != len(self.items):
            raise ValueError("two items have the same id")
        return self


def load(path: Path | None) -> dict[str, Item]:
    """The items of a file, or of the one that comes with the server, by id.

    Raises:
        SettingsError: there is no such file, or something in it is wrong.
    """
    try:
        shop = _Shop.model_validate_json((path or BUNDLED).read_bytes())
    except (OSError, ValidationError) as error:
        raise SettingsError(f"SHOWDOWN_ECONOMY__SHOP_FILE: {error}") from None
    return {one.id: _item(one) for one in shop.items}


def _item(one: _Item) -> Item:
    fields: dict[str, Any] = one.model_dump(exclude={"opens", "closes", "keeps_seconds", "effect"})
    return Item(
        **fields,
        opens=_ms(one.opens.timestamp()) if one.opens else None,
        closes=_ms(one.closes.timestamp()) if one.closes else None,
        keeps_ms=_ms(one.keeps_seconds) if one.keeps_seconds else None,
        effect=_effect(one.effect) if one.effect else None,
    )


def _effect(one: _Effect) -> Effect:
    return Effect(one.kind, _ms(one.seconds), one.percent)


def _ms(seconds: float) -> int:
    return int(seconds * 1000)
