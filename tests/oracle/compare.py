"""How the engine's numbers are held against the oracle's: bit by bit, but for ties of rounding."""

from collections import Counter
from collections.abc import Mapping
from typing import TypeVar

from tests.oracle.ledger import Minutes, Slices

Key = TypeVar("Key", int, tuple[int, str, str])
ELSEWHERE = ("dq_", "counter_anomalies", "metered")
"""Quantities that have tests of their own."""


def differences(
    expected: Mapping[Key, Counter[str]], found: Mapping[Key, Counter[str]]
) -> dict[Key, dict[str, tuple[int, int]]]:
    """(oracle, engine) of all that differs.

    Energy is interpolated by the oracle in fractions and by the engine in floats: where a cumulated value lies within
    a thousandth of a half mWh, both ways of rounding are right. Each such edge (`ties`) moves 1 mWh to the neighbour.
    """
    wrong: dict[Key, dict[str, tuple[int, int]]] = {}
    for key in sorted(expected.keys() | found.keys()):
        ours, theirs = expected.get(key, Counter()), found.get(key, Counter())
        for name in sorted((ours.keys() | theirs.keys()) - {"ties"}):
            if name.startswith(ELSEWHERE):
                continue
            if abs(ours[name] - theirs[name]) > (ours["ties"] if name.startswith("energy") else 0):
                wrong.setdefault(key, {})[name] = (ours[name], theirs[name])
    return wrong


def by_minute(slices: Slices, first: int, last: int) -> Minutes:
    """The sums over products and orders."""
    found: Minutes = {minute: Counter() for minute in range(first, last)}
    for (minute, _), row in slices.items():
        found[minute].update(row)
    return found


def by_label(slices: Slices) -> dict[tuple[int, str, str], Counter[str]]:
    """The same keys as the engine's slices."""
    return {(minute, *label): row for (minute, label), row in slices.items() if any(row.values())}


def energy_drift(expected: Minutes, found: Minutes) -> int:
    """The largest difference of the energy since the start, in mWh."""
    drift = worst = 0
    for minute in sorted(expected):
        drift += expected[minute]["energy"] - found[minute]["energy"]
        worst = max(worst, abs(drift))
    return worst
