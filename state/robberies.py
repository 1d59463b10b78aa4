"""Robberies: both wallets, both clocks and what works for the two, in one transaction.

| collection | document | indexes |
| --- | --- | --- |
| `robberies` | `{_id: player, tried_at?, safe_until?}` | none |
"""

from __future__ import annotations

from typing import Any

from config.sections import Rob
from game import economy
from game import rob as rules
from game.rob import Outcome, Side
from state.ledger import Books, Done, Ledger
from state.shop import read_boost


class Robberies:
    """Who robbed whom, and who may not."""

    def __init__(self, ledger: Ledger, settings: Rob) -> None:
        self._ledger = ledger
        self._rules = rules.Rules(
            odds_percent=settings.odds_percent,
            most_odds_percent=settings.most_odds_percent,
            least_loot_permille=settings.least_loot_permille,
            most_loot_permille=settings.most_loot_permille,
            fine_permille=settings.fine_permille,
            least_balance=settings.least_balance,
            cooldown_ms=settings.cooldown_seconds * 1000,
            shield_ms=settings.shield_seconds * 1000,
        )

    async def attempt(
        self, robber_id: str, victim_id: str, key: str, rolls: tuple[int, int]
    ) -> Done:
        """Rob a player; the answer tells the outcome, the robber's balance and when he may again.

        Raises:
            RateLimited: the robber must wait.
            InsufficientFunds: the robber could not pay the fine.
            Conflict: the victim is safe for now, or has too little.
            IdempotencyMismatch: the key was used for something else.
        """

        async def work(books: Books) -> Any:
            at = self._ledger.now()
            robber, victim = await self._side(books, robber_id), await self._side(books, victim_id)
            luck = await read_boost(books.tx, robber_id, "luck")
            percent = luck.percent if luck.until > at else 0
            outcome = rules.attempt(robber, victim, percent, rolls, at, self._rules)
            await self._note(books, robber_id, {"tried_at": at})
            if outcome.success:
                await self._note(books, victim_id, {"safe_until": at + self._rules.shield_ms})
            balance = await self._settle(books, robber_id, victim_id, outcome, at)
            return {
                "success": outcome.success,
                "amount": outcome.amount,
                "odds": outcome.odds_percent,
                "balance": robber.balance if balance is None else balance,
                "again_at": at + self._rules.cooldown_ms,
            }

        return await self._ledger.once(robber_id, key, ["rob:attempt", victim_id], work)

    async def _side(self, books: Books, player_id: str) -> Side:
        balance = await books.balance(player_id)
        found = await books.tx.call("robberies", "find_one", {"_id": player_id}) or {}
        shield = await read_boost(books.tx, player_id, "shield")
        safe_until = max(found.get("safe_until", 0), shield.until)
        return Side(balance, found.get("tried_at"), safe_until)

    async def _note(self, books: Books, player_id: str, fields: dict[str, int]) -> None:
        which, update = {"_id": player_id}, {"$set": fields}
        await books.tx.call("robberies", "update_one", which, update, upsert=True, hint="_id_")

    async def _settle(
        self, books: Books, robber_id: str, victim_id: str, outcome: Outcome, at: int
    ) -> int | None:
        """The robber's balance after it; None if no coin moved."""
        gain = outcome.amount if outcome.success else -outcome.amount
        if not gain:
            return None
        robber = economy.player(robber_id)
        entries = [(robber, gain), (economy.player(victim_id), -gain)]
        posting = await books.post(economy.movement("rob", victim_id, entries), at)
        return posting.balance(robber)
