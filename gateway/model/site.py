"""The plant's tree, ISA-95: asset (work unit) → line → area → site."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Site:
    """Who belongs where; every store label comes from here.

    lines   asset name → line name ("" where the asset stands alone)
    areas   line name → area name ("" where none is named)
    """

    name: str
    timezone: str = "UTC"
    lines: Mapping[str, str] = field(default_factory=dict)
    areas: Mapping[str, str] = field(default_factory=dict)

    def labels(self, owner: str) -> dict[str, str]:
        """Labels of an owner's readings: `site`, and where they exist `area`, `line`, `asset`, `source`.

        owner: an asset, `line/<line>`, `area/<area>`, `site/<site>`, `source/<source>` or `gateway`, as in a tag's
        name.
        """
        kind, _, rest = owner.partition("/")
        labels = {"site": self.name}
        if kind == "source":
            return labels | {"source": rest}
        if kind in {"site", "gateway"}:
            return labels
        if kind == "area":
            return labels | {"area": rest}
        line = rest if kind == "line" else self.lines.get(owner, "")
        area = self.areas.get(line, "")
        found = {"area": area, "line": line, "asset": "" if kind == "line" else owner}
        return labels | {key: value for key, value in found.items() if value}
