"""All that has to do with coins, put together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

from config.settings import Settings
from state import goods
from state.batches import Batches
from state.blackjack import Blackjack
from state.documents import DocumentStore
from state.duels import Duels
from state.ledger import Ledger
from state.orders import Orders, load_packs
from state.robberies import Robberies
from state.shop import Shop
from state.stakes import Stakes
from state.withdrawals import Withdrawals


@dataclass(frozen=True, slots=True)
class Economy:
    """What the handlers of the economy work with."""

    ledger: Ledger
    shop: Shop
    robberies: Robberies
    blackjack: Blackjack
    stakes: Stakes
    orders: Orders
    batches: Batches
    withdrawals: Withdrawals

    @classmethod
    def build(
        cls, documents: DocumentStore, duels: Duels, settings: Settings, now: Callable[[], int]
    ) -> Self:
        """Put it together; `now` is in milliseconds, the same on every node."""
        ledger = Ledger(documents, settings, now)
        items = goods.load(settings.economy.shop_file)
        return cls(
            ledger=ledger,
            shop=Shop(documents, ledger, items),
            robberies=Robberies(ledger, settings.rob),
            blackjack=Blackjack(documents, ledger, settings.blackjack),
            stakes=Stakes(documents, ledger, duels),
            orders=Orders(documents, ledger, load_packs(settings.purchases.packs_file)),
            batches=Batches(documents, ledger, settings.economy),
            withdrawals=Withdrawals(documents, ledger, settings.economy),
        )
