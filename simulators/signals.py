"""What the tags of a plant's site config show over any span of time, in columns straight from the ledger."""

from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import yaml
from numpy.typing import NDArray

from simulators.ledger import WATT_MS_PER_WH, Ledger, MachineLedger
from simulators.recording import RecordedTag
from simulators.scenario import Scenario
from simulators.site_config import site_config
from simulators.states import State
from simulators.steps import Steps

_MINUTE_MS: Final = 60_000
_W_MS_PER_KWH: Final = 1000 * WATT_MS_PER_WH
_WHOLE: Final = 1_000_000

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Readings = Callable[[int, int], tuple[Ints, Floats]]
"""What a tag shows in (from, to]: epoch ms and values. Asked for one span after the other."""


@dataclass(frozen=True, slots=True)
class Signal:
    """A tag, and what it shows."""

    tag: RecordedTag
    readings: Readings


@dataclass(slots=True)
class Texts:
    """Every text that a recording has, by number."""

    numbers: dict[str, int] = field(default_factory=dict)

    def coded(self, words: Sequence[str]) -> Floats:
        """The numbers of some texts."""
        return np.array([self.numbers.setdefault(word, len(self.numbers)) for word in words], np.float64)


def signals_of(scenario: Scenario, folder: Path, ledger: Ledger, texts: Texts) -> list[Signal]:
    """The tags that the scenario's site config makes roles of, as far as the ledger knows what they show.

    Raises:
        ValueError: one of the faces cannot be read by Lineside. ProfileError: a unit's profile does not fit.
    """
    assets: Mapping[str, Mapping[str, Any]] = yaml.safe_load(site_config(scenario, {}, folder))["assets"]
    meters = _metered(scenario)
    found: list[Signal] = []
    for asset, told in assets.items():
        if asset in ledger.machines:
            found += _of_machine(asset, told, ledger.machines[asset], ledger.start_ms, texts)
        electricity = _electricity(ledger, asset, meters.get(asset))
        if electricity:
            found += electricity.signals(asset, told)
    return found


def _shown_meters(scenario: Scenario) -> Iterator[str]:
    for face in scenario.faces:
        names = face.meters if face.kind == "mqtt" else [unit.meter for unit in face.units.values()]
        yield from (name for name in names if name)


def _metered(scenario: Scenario) -> dict[str, str]:
    """Asset → the meter behind its electricity: a machine has the meter that it is alone with."""
    found = {}
    for name in _shown_meters(scenario):
        spec = scenario.meters[name]
        is_alone = len(spec.of) == 1 and spec.of[0] in scenario.machines and not spec.base
        asset = spec.of[0] if is_alone else f"{name}-meter" if name in scenario.machines else name
        if spec.carrier == "electricity":
            found[asset] = name
    return found


def _of_machine(
    asset: str, told: Mapping[str, Any], book: MachineLedger, start_ms: int, texts: Texts
) -> Iterator[Signal]:
    if "state" in told:
        tag = RecordedTag(f"{asset}/{told['state']['tag']}", "text")
        yield Signal(tag, _Labels(book.state_ms, book.states, texts))
    for role, flags in (("total", None), ("good", book.part_good), ("rework", book.part_rework)):
        if role in told:
            tag = RecordedTag(f"{asset}/{told[role]}", "int", counter=True)
            yield Signal(tag, _Counter(book.part_ms, flags, start_ms))
    for role, times, labels in (("product", book.product_ms, book.products), ("order", book.order_ms, book.orders)):
        if role in told:
            yield Signal(RecordedTag(f"{asset}/{told[role]}", "text"), _Labels(times, labels, texts))


@dataclass(frozen=True, slots=True)
class _Labels:
    """A word from each of its changes on."""

    times: Sequence[int]
    labels: Sequence[State] | Sequence[str]
    texts: Texts

    def __call__(self, from_ms: int, to_ms: int) -> tuple[Ints, Floats]:
        first, last = bisect_right(self.times, from_ms), bisect_right(self.times, to_ms)
        words = [label.name if isinstance(label, State) else label for label in self.labels[first:last]]
        return np.array(self.times[first:last], np.int64), self.texts.coded(words)


@dataclass(slots=True)
class _Counter:
    """Parts so far: 0 at the start, then one reading with each part that counts (`flags`; None: all)."""

    part_ms: "array[int]"
    flags: "array[int] | None"
    start_ms: int
    count: int = 0

    def __call__(self, from_ms: int, to_ms: int) -> tuple[Ints, Floats]:
        first, last = bisect_right(self.part_ms, from_ms), bisect_right(self.part_ms, to_ms)
        times = np.array(self.part_ms[first:last], np.int64)
        if self.flags is not None:
            times = times[np.array(self.flags[first:last], np.bool_)]
        values = np.arange(self.count + 1, self.count + len(times) + 1, dtype=np.float64)
        self.count += len(times)
        if from_ms < self.start_ms:
            return np.append(np.int64(self.start_ms), times), np.append(0.0, values)
        return times, values


@dataclass(frozen=True, slots=True)
class _Electricity:
    """Power and energy of a machine, or of a meter above machines: read each minute, a machine's at each step too."""

    parts: Sequence[Steps]
    start_ms: int
    base_w: int = 0
    gain_ppm: int = 0

    def signals(self, asset: str, told: Mapping[str, Any]) -> Iterator[Signal]:
        """The asset's energy and power, where it has them."""
        if energy := told.get("energy", {}).get("electricity"):
            yield Signal(RecordedTag(_full(asset, energy), unit="kWh", counter=True), self._energy)
        if power := told.get("power"):
            yield Signal(RecordedTag(_full(asset, power), unit="kW"), self._power)

    def _energy(self, from_ms: int, to_ms: int) -> tuple[Ints, Floats]:
        at_ms = self._moments(from_ms, to_ms)
        true = self.base_w * (at_ms - self.start_ms)
        for steps in self.parts:
            true = true + _sums(steps, at_ms)
        return at_ms, self._wrong(true) / _W_MS_PER_KWH

    def _power(self, from_ms: int, to_ms: int) -> tuple[Ints, Floats]:
        at_ms = self._moments(from_ms, to_ms)
        true = np.full(len(at_ms), self.base_w, np.int64)
        for steps in self.parts:
            true += _rates(steps, at_ms)
        return at_ms, self._wrong(true) / 1000

    def _wrong(self, true: Ints) -> Ints:
        """What a meter with its error shows; in two parts, so that no product outgrows 64 bits."""
        whole, rest = np.divmod(true, _WHOLE)
        shown: Ints = whole * (_WHOLE + self.gain_ppm) + rest * (_WHOLE + self.gain_ppm) // _WHOLE
        return shown

    def _moments(self, from_ms: int, to_ms: int) -> Ints:
        first = max(from_ms // _MINUTE_MS + 1, -(-self.start_ms // _MINUTE_MS)) * _MINUTE_MS
        minutes = np.arange(first, to_ms + 1, _MINUTE_MS, dtype=np.int64)
        if len(self.parts) != 1 or self.base_w:
            return minutes
        times = self.parts[0].at_ms
        steps = np.array(times[bisect_right(times, from_ms) : bisect_right(times, to_ms)], np.int64)
        return np.union1d(minutes, steps)


def _electricity(ledger: Ledger, asset: str, meter: str | None) -> _Electricity | None:
    """What counts the electricity of an asset: its meter, or its own controller; None: neither does."""
    if meter is None:
        book = ledger.machines.get(asset)
        return _Electricity([book.power], ledger.start_ms) if book else None
    seen = ledger.meters[meter]
    if seen.carrier != "electricity":
        return None
    parts = [ledger.machines[name].power for name in seen.machines]
    return _Electricity(parts, ledger.start_ms, seen.base, seen.gain_ppm)


def _full(asset: str, point: str) -> str:
    """The tag that a role names: a point of the asset's own, or another's in full."""
    return point if "/" in point else f"{asset}/{point}"


def _tail(steps: Steps, from_ms: int) -> tuple[Ints, Ints, Ints]:
    """The columns from the step on that holds at `from_ms`, with one before all that is 0."""
    first = max(0, bisect_right(steps.at_ms, from_ms) - 1)
    columns = (steps.at_ms[first:], steps.rate[first:], steps.sums[first:])
    at_ms, rate, sums = (np.array(column, np.int64) for column in columns)
    return at_ms, np.append(0, rate), np.append(0, sums)


def _rates(steps: Steps, at_ms: Ints) -> Ints:
    times, rate, _ = _tail(steps, int(at_ms[0]) if len(at_ms) else 0)
    return rate[np.searchsorted(times, at_ms, "right")]


def _sums(steps: Steps, at_ms: Ints) -> Ints:
    times, rate, sums = _tail(steps, int(at_ms[0]) if len(at_ms) else 0)
    step = np.searchsorted(times, at_ms, "right")
    begun = np.append(0, times)[step]
    total: Ints = sums[step] + rate[step] * (at_ms - begun)
    return total
