"""A history checker: what was said and acknowledged against what everybody heard."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence


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


def _in_order(what: str, heard: Sequence[str], said: Sequence[str]) -> None:
    wanted = set(said)
    order = [text for text in heard if text in wanted]
    assert order == list(said), f"{what}: order differs at {_parting(order, said)}"


def _parting(one: Sequence[str], other: Sequence[str]) -> str:
    pairs = zip(one, other, strict=False)
    place = next((n for n, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))
    return f"{place}: {one[place : place + 3]} against {other[place : place + 3]}"
