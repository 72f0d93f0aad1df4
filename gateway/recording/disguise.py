"""Makes a recording that can be given away: other names, other scales, another week; what it teaches stays. Pure."""

import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gateway.model import Batch, Tag, TagType, is_usable

_ROLE_POINTS: Final = {"total": "total_count", "good": "good_count", "scrap": "scrap_count", "rework": "rework_count"}
_SCALED: Final = frozenset(
    {
        *("Wh", "kWh", "MWh", "GWh", "J", "kJ", "MJ", "GJ", "W", "kW", "MW", "A", "mA", "kA", "var", "kvar", "Mvar"),
        *("varh", "kvarh", "Mvarh", "VA", "kVA", "MVA", "VAh", "kVAh", "L", "l", "m³", "m3", "g", "kg", "t"),
        *("L/min", "l/min", "m³/h", "m³/min", "kg/h", "t/h"),
    }
)
_WEEK_NS: Final = 7 * 86_400 * 10**9
_YEAR: Final = 52
_SHORT: Final = 1 << 16  # such a counter tells nothing of a machine's life


@dataclass(slots=True)
class Disguise:
    """What becomes of each tag, the same for the same key.

    An asset's electricity keeps its proportions (energy is still the integral of power), counts and times of states are
    kept, so that every ratio of times and parts is; weekdays and hours of the day stay.

    key    whoever has it can make the same names again, so keep it
    roles  tag name → the role that it has in the site's config, such as `state` or `total`
    """

    key: str
    tags: Mapping[str, Tag]
    roles: Mapping[str, str]
    names: dict[str, str] = field(init=False)
    shift_ns: int = field(init=False)
    _last: dict[str, float] = field(init=False, default_factory=dict)
    _base: dict[str, float] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.shift_ns = -_WEEK_NS * (1 + int(self._secret("week") * _YEAR))
        self.names = self._renamed()

    def dictionary(self) -> dict[str, Tag]:
        """The recording's tags as they are called from now on."""
        sources = self._sources()
        return {
            self.names[name]: replace(tag, name=self.names[name], source=sources.get(tag.source, ""))
            for name, tag in self.tags.items()
        }

    def of(self, name: str, batch: Batch) -> Batch:
        """The readings of one tag in disguise; called with one page after the other."""
        tag, texts, value = self.tags[name], batch.texts, batch.value
        if tag.type is TagType.TEXT:
            texts = tuple(self._text(name, text) for text in texts)
        elif tag.counter:
            value = self._counted(tag, batch)
        if tag.type is TagType.FLOAT and tag.unit in _SCALED:
            value = value * (0.5 + 1.5 * self._secret(f"scale/{name.partition('/')[0]}"))
        return Batch(batch.tag, batch.time_ns + self.shift_ns, value, batch.quality, texts)

    def _renamed(self) -> dict[str, str]:
        owners = {name.partition("/")[0] for name in self.tags} - {"source", "gateway", "line", "site"}
        machines = self._numbered("machine", owners)
        sources = self._sources()
        found: dict[str, str] = {}
        counts: dict[str, int] = {}
        for name in sorted(self.tags, key=lambda name: self._secret(f"order/{name}")):
            owner, _, point = name.partition("/")
            if owner == "source":
                source, _, rest = point.partition("/")
                found[name] = f"source/{sources[source]}/{rest}"
            elif owner in machines:
                counts[owner] = counts.get(owner, 0) + 1
                role = self.roles.get(name)
                said = _ROLE_POINTS.get(role, role.replace(".", "_")) if role else ""
                new = f"{machines[owner]}/{said}"
                found[name] = new if said and new not in found.values() else f"{machines[owner]}/value-{counts[owner]}"
            else:
                found[name] = name
        return found

    def _sources(self) -> dict[str, str]:
        said = {name.split("/")[1] for name in self.tags if name.startswith("source/")}
        return self._numbered("source", said | {tag.source for tag in self.tags.values() if tag.source})

    def _numbered(self, what: str, names: Iterable[str]) -> dict[str, str]:
        """Names as numbers, in an order that only the key tells."""
        ordered = sorted(names, key=lambda name: self._secret(f"{what}/{name}"))
        return {name: f"{what}-{number}" for number, name in enumerate(ordered, start=1)}

    def _text(self, name: str, text: str) -> str:
        """The words of states stay, they are in the state map; all others get a name of their own."""
        role = self.roles.get(name, "text")
        if not text or role.partition(".")[0] == "state":
            return text
        return f"{role}-{round(self._secret(f'{role}/{text}') * 16**6):06x}"

    def _counted(self, tag: Tag, batch: Batch) -> NDArray[np.float64]:
        """A counter that begins at 0; where it falls, it was set back, or it rolled over as its modulus says."""
        usable = np.flatnonzero(is_usable(batch.quality))
        shown = batch.value.copy()
        if (tag.modulus and tag.modulus <= _SHORT) or not len(usable):
            return shown
        seen = batch.value[usable]
        before = np.append(self._last.get(tag.name, seen[0]), seen[:-1])
        base = self._base.setdefault(tag.name, float(seen[0]))
        bases = np.full(len(seen), base)
        for fall in np.flatnonzero(seen < before).tolist():
            rolled = tag.modulus and before[fall] - seen[fall] > tag.modulus / 2
            base = base - tag.modulus if rolled else 0.0
            bases[fall:] = base
        self._base[tag.name], self._last[tag.name] = base, float(seen[-1])
        shown[usable] = seen - bases
        return shown

    def _secret(self, what: str) -> float:
        """A number from 0 to 1 that only the key tells."""
        digest = hmac.new(self.key.encode(), what.encode(), sha256).digest()
        return int.from_bytes(digest[:6], "big") / 2**48
