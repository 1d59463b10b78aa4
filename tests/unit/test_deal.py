"""The deal: fair, repeatable, and replayable by anybody."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from game import deal

SEED = "0123456789abcdef" * 4
SEEDS = st.binary(min_size=32, max_size=32).map(bytes.hex)
ROUNDS = st.integers(1, 9)
HOLDS = st.sets(st.integers(0, 4))

# The test vector for other implementations; checked against one in JavaScript.
COMMITMENT = "a8ae6e6ee929abea3afcfc5258c8ccd6f85273e0d4626d26c7279f3250f77c8e"
ROUND_1 = (
    "8H 2S TD 3H QD AS 8C JD 7D TC 4S 3S 9D TH 5D 6S 2D 7S 7C QC 2H 9S KS 8S 9H JS "
    "9C KH QH 6D 4D JC 7H AD 5S 5H 4H 4C KD KC TS 8D 3C 3D 5C 6H AC QS AH 2C 6C JH"
)
ROUND_9 = (
    "6D TC QH 9H 7H 6C KS KC QS TH 7D QC 8D 7S KD 8H TD JH 6S QD 5D AD 7C 2D 4H 2H "
    "2S AC 3D 4S AH 3S 9D 5S 8C JC KH 9C AS 2C 3C JS 3H 8S TS 6H JD 4D 5C 9S 5H 4C"
)


def test_the_deal_can_be_replayed_from_its_description() -> None:
    assert deal.commitment(SEED) == COMMITMENT
    assert deal.deck(SEED, 1) == tuple(ROUND_1.split())
    assert deal.deck(SEED, 9) == tuple(ROUND_9.split())


def test_the_unshuffled_deck_is_sorted_by_suit_then_rank() -> None:
    assert " ".join(deal.SORTED[:14]) == "2C 3C 4C 5C 6C 7C 8C 9C TC JC QC KC AC 2D"
    assert deal.SORTED[-1] == "AS"


@given(SEEDS, ROUNDS)
def test_a_deck_is_every_card_once_and_the_same_again(seed: str, round: int) -> None:
    deck = deal.deck(seed, round)
    assert sorted(deck) == sorted(deal.SORTED)
    assert deck == deal.deck(seed, round)


@given(SEEDS)
def test_every_round_has_a_deck_of_its_own(seed: str) -> None:
    assert len({deal.deck(seed, n) for n in range(1, 10)}) == 9


@given(SEEDS, SEEDS)
def test_another_seed_has_another_commitment_and_another_deck(one: str, other: str) -> None:
    same = one == other
    assert (deal.commitment(one) == deal.commitment(other)) is same
    assert (deal.deck(one, 1) == deal.deck(other, 1)) is same


@given(SEEDS, ROUNDS, HOLDS, HOLDS)
def test_no_card_is_dealt_twice_in_a_round(
    seed: str, round: int, first: set[int], second: set[int]
) -> None:
    deck = deal.deck(seed, round)
    touched = [set(deal.dealt(deck, s)) | set(deal.drawn(deck, s, ())) for s in (0, 1)]
    assert not touched[0] & touched[1]
    assert len({*deal.drawn(deck, 0, first), *deal.drawn(deck, 1, second)}) == 10


@given(SEEDS, HOLDS, st.sampled_from([0, 1]))
def test_held_cards_stay_in_place_and_the_rest_are_replaced_in_order(
    seed: str, hold: set[int], seat: int
) -> None:
    deck = deal.deck(seed, 1)
    before, after = deal.dealt(deck, seat), deal.drawn(deck, seat, hold)
    fresh = [card for i, card in enumerate(after) if i not in hold]
    assert [after[i] for i in hold] == [before[i] for i in hold]
    assert fresh == list(deck[10 + 5 * seat :][: 5 - len(hold)])


def test_holding_nothing_draws_the_five_cards_set_aside_for_that_player() -> None:
    deck = deal.deck(SEED, 1)
    assert deal.dealt(deck, 0) + deal.dealt(deck, 1) == deck[:10]
    assert deal.drawn(deck, 0, ()) + deal.drawn(deck, 1, ()) == deck[10:20]


def test_every_card_is_about_as_often_in_every_place() -> None:
    decks = [deal.deck(f"{n:064x}", n % 9 + 1) for n in range(5_200)]
    seen = Counter((card, i) for deck in decks for i, card in enumerate(deck))
    expected = len(decks) / 52
    chi_square = sum(
        (seen[c, i] - expected) ** 2 / expected for c in deal.SORTED for i in range(52)
    )
    # 51 * 51 degrees of freedom: mean 2,601, standard deviation 72. The seeds are fixed.
    assert abs(chi_square - 2_601) < 4 * 72
