"""Basic strategy for four to eight decks, dealer stands on soft 17, no surrender.

The table that Wikipedia's "Blackjack" shows; columns are the dealer's 2 to ten and ace.
"""

from __future__ import annotations

from game import blackjack as rules
from game.blackjack import Action, Game

HARD = {
    9: "HDDDDHHHHH",
    10: "DDDDDDDDHH",
    11: "DDDDDDDDDH",
    12: "HHSSSHHHHH",
    **dict.fromkeys((13, 14, 15, 16), "SSSSSHHHHH"),
}
SOFT = {  # s: double, else stand
    **dict.fromkeys((13, 14), "HHHDDHHHHH"),
    **dict.fromkeys((15, 16), "HHDDDHHHHH"),
    17: "HDDDDHHHHH",
    18: "SssssSSHHH",
}
PAIRS = {  # by one card's value, an ace is 1
    1: "PPPPPPPPPP",
    2: "PPPPPPHHHH",
    3: "PPPPPPHHHH",
    4: "HHHPPHHHHH",
    6: "PPPPPHHHHH",
    7: "PPPPPPHHHH",
    8: "PPPPPPPPPP",
    9: "PPPPPSPPSS",
}


def advise(game: Game) -> Action:
    """What the table says about the hand whose turn it is; insurance is never taken."""
    can = rules.actions(game)
    cards = game.hands[game.turn].cards
    up = rules.total(game.dealer[:1])[0]  # an ace alone is 11
    if "split" in can:
        row = PAIRS.get(rules.total(cards)[0] // 2 if cards[0][0] != "A" else 1)
        if row and row[up - 2] == "P":
            return "split"
    value, soft = rules.total(cards)
    row = SOFT.get(value) if soft else HARD.get(value)
    said = row[up - 2] if row else ("S" if value >= 17 else "H")
    if said in "Ds":
        fallback: Action = "hit" if said == "D" else "stand"
        return "double" if "double" in can else fallback
    return "hit" if said == "H" else "stand"
