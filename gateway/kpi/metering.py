"""The meter tree: what stands above what, so that no kilowatt hour is counted twice. Pure."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import Final, TypeVar

from gateway.kpi.asset import TimeClass

Sums = Mapping[str, int]
N = TypeVar("N", int, float)
_CLASSES: Final = (*(f"energy_{one.label}" for one in TimeClass), "energy_unplanned")
_REST: Final = f"energy_{TimeClass.UNKNOWN.label}"


@dataclass(frozen=True, slots=True)
class MeterTree:
    """Assets whose meter measures others too. below: asset → the assets directly below its meter."""

    below: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def within(self, assets: Iterable[str]) -> "MeterTree":
        """The tree of some assets only; what stood below one that is not among them stands below the next one above."""
        some = set(assets)
        found = {name: tuple(self._nearest(name, some)) for name in self.below if name in some}
        return MeterTree({name: children for name, children in found.items() if children})

    def _nearest(self, asset: str, some: set[str]) -> Iterable[str]:
        for child in self.below.get(asset, ()):
            yield from [child] if child in some else self._nearest(child, some)

    def inner(self) -> frozenset[str]:
        """The assets that stand below another one."""
        return frozenset(chain.from_iterable(self.below.values()))

    def total(self, assets: Iterable[str], own: Callable[[str], N | None]) -> N | int:
        """What the meters of some assets measured together: the uppermost ones, where they say something.

        own: what an asset's meter says, None where it said nothing: what is below it counts then.
        """
        return sum(self._of(asset, own) for asset in {*assets, *self.below} - self.inner())

    def _of(self, asset: str, own: Callable[[str], N | None]) -> N | int:
        said = own(asset)
        if said is not None:
            return said
        return sum(self._of(child, own) for child in self.below.get(asset, ()))

    def problems(self, assets: Iterable[str], with_meter: Iterable[str]) -> Iterable[tuple[str, str]]:
        """(asset, what is wrong): names that are none, no meter, an asset below two meters, a meter below itself."""
        known, metering, seen = set(assets), set(with_meter), dict[str, str]()
        for meter, children in self.below.items():
            if meter in known - metering:
                yield meter, "measures nothing: give this asset `energy: {electricity: …}`"
            for name in (meter, *children):
                if name not in known:
                    yield meter, f"no asset {name!r}"
            for child in children:
                if child in seen:
                    yield meter, f"{child!r} is already below {seen[child]!r}: a machine is fed through one meter"
                seen[child] = meter
            if meter in set(self._all(meter, frozenset())):
                yield meter, "a meter cannot stand below itself"

    def _all(self, asset: str, passed: frozenset[str]) -> Iterable[str]:
        for child in self.below.get(asset, ()):
            yield child
            if child not in passed:
                yield from self._all(child, passed | {child})


def metered(sums: Sums, parts: Mapping[str, Sums], tree: MeterTree) -> dict[str, int]:
    """A group's sums with energies by the meter tree.

    The total is that of the uppermost meters. Classes of time are those of the machines below; what no machine's meter
    explains (light, losses, machines without a meter) is energy in unknown state, so that the classes add up.

    Args:
        sums: the group's sums so far.
        parts: asset → its sums, of every asset of the group that has any.
        tree: of these assets, see `MeterTree.within`.
    """
    total = tree.total(parts, lambda name: parts[name]["energy"] if name in parts else None)
    leaves = [part for name, part in parts.items() if name not in tree.below]
    found = {name: sum(part.get(name, 0) for part in leaves) for name in _CLASSES}
    found[_REST] += total - sum(part.get("energy", 0) for part in leaves)
    return dict(sums) | found | {"energy": total}
