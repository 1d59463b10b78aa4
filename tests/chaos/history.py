"""A history checker: what was said and acknowledged against what everybody heard."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise


def check(
    acknowledged: Mapping[str, Sequence[str]], heard: Mapping[str, Sequence[str]]
) -> Sequence[str]:
    """All heard the same in the same order, each thing once: all that was acknowledged, of
    each speaker in his order. What was said and not acknowledged all heard, or nobody.

    Args:
        acknowledged: texts by speaker, in the order he said them; each text is said once.
        heard: texts by listener, in the order they came.

    Returns:
        What all heard.
    """
    by_listener = iter(heard.items())
    first, reference = next(by_listener)
    for listener, texts in heard.items():
        doubled = [text for text, times in Counter(texts).items() if times > 1]
        assert not doubled, f"{listener} heard twice: {doubled[:10]}"
        present = set(texts)
        for speaker, said in acknowledged.items():
            missing = [text for text in said if text not in present]
            assert not missing, f"{listener} missed {len(missing)} of {speaker}: {missing[:10]}"
            _in_order(f"{listener} on {speaker}", texts, said)
    for listener, texts in by_listener:
        assert texts == reference, f"{listener} and {first} part at {_parting(texts, reference)}"
    return reference


def check_pieces(
    acknowledged: Mapping[str, Sequence[str]], heard: Mapping[str, Sequence[Sequence[str]]]
) -> None:
    """Listeners were told that they missed something between their pieces. Nothing is missing
    within one, nothing comes twice at all, and any two heard what they share in one order.
    """
    for listener, pieces in heard.items():
        everything = [text for piece in pieces for text in piece]
        doubled = [text for text, times in Counter(everything).items() if times > 1]
        assert not doubled, f"{listener} heard twice: {doubled[:10]}"
        for speaker, said in acknowledged.items():
            for piece in pieces:
                _without_gap(f"{listener} on {speaker}", piece, said)
    orders = [[text for piece in pieces for text in piece] for pieces in heard.values()]
    for order in orders[1:]:
        shared = set(order) & set(orders[0])
        one, other = ([text for text in texts if text in shared] for texts in (orders[0], order))
        assert one == other, f"order differs at {_parting(one, other)}"


def _without_gap(what: str, piece: Sequence[str], said: Sequence[str]) -> None:
    places = {text: n for n, text in enumerate(said)}
    found = [places[text] for text in piece if text in places]
    gaps = [(a, b) for a, b in pairwise(found) if b != a + 1]
    assert not gaps, f"{what}: {[(said[a], said[b]) for a, b in gaps[:5]]}"


def _in_order(what: str, heard: Sequence[str], said: Sequence[str]) -> None:
    wanted = set(said)
    order = [text for text in heard if text in wanted]
    assert order == list(said), f"{what}: order differs at {_parting(order, said)}"


def _parting(one: Sequence[str], other: Sequence[str]) -> str:
    pairs = zip(one, other, strict=False)
    place = next((n for n, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))
    return f"{place}: {one[place : place + 3]} against {other[place : place + 3]}"
