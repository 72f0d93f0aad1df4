"""Windows of kpi.db as KPIs: calendar windows from their tiers, products and orders from the slices of days."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from gateway.kpi.answer import Kpis, Rules
from gateway.kpi.buckets import quantities
from gateway.kpi.catalogue import Catalogue, Status
from gateway.kpi.factors import Factors
from gateway.kpi.runs import RUNS, leaves, run_rows
from gateway.kpi.settings import catalogue_of

Read = Callable[..., list[Any]]
"""SQL and its bindings → rows."""
CALENDAR: Final = ("minute", "hour", "shift", "day", "week", "month")
WINDOWS: Final = (*CALENDAR, *RUNS)
_LONG: Final = {"week": ("monday", "date({}, '-6 days', 'weekday 1')"), "month": ("month", "substr({}, 1, 7)")}
_LONGEST_MS: Final = 32 * 86_400_000


@dataclass(frozen=True, slots=True)
class WindowKpis:
    """KPIs of one window, ratios of its sums; name: of the shift, product or order, else "".

    methods, flags, status  see `Kpis`
    """

    start_ms: int
    end_ms: int
    name: str
    values: dict[str, float | None]
    reasons: dict[str, str]
    coverage: float | None
    factors: dict[str, str]
    methods: dict[str, str]
    flags: dict[str, tuple[str, ...]]
    status: Status
    final: bool
    revision: int | None
    sums: dict[str, int]


@dataclass(frozen=True, slots=True)
class Sums:
    """The sums of one window."""

    start_ms: int
    end_ms: int
    name: str
    revision: int | None
    sums: dict[str, int]

    @staticmethod
    def of(start_ms: int, end_ms: int, name: str, revision: int | None, *row: int) -> "Sums":
        """From a row of a tier."""
        return Sums(start_ms, end_ms, name, revision, dict(zip(quantities, row, strict=True)))


@dataclass(frozen=True, slots=True)
class Context:
    """What turns an owner's sums into KPIs, as the engine left it in kpi.db.

    groups  line, area or site → its `members`, and `constraint` and `last` of a serial line
    """

    rules: Rules
    groups: Mapping[str, Mapping[str, Any]]
    timezone: ZoneInfo
    final_ms: int

    @staticmethod
    def of(meta: Mapping[str, str], final_ms: int, catalogue: Catalogue | None = None) -> "Context":
        """From the values of the table `meta`; catalogue: instead of the one that they name."""
        needs = json.loads(meta["needs"] or "{}")
        rules = Rules(Factors.parse(meta["factors"]), needs, catalogue or catalogue_of(meta["catalogue"]))
        return Context(rules, json.loads(meta["groups"] or "{}"), ZoneInfo(meta["timezone"] or "UTC"), final_ms)

    def answers(self, read: Read, owner: str, window: str, from_ms: int, to_ms: int) -> list[WindowKpis]:
        """KPIs of each window that begins in the range; of products and orders those that ran in it.

        ValueError: there is no such window.
        """
        if window not in WINDOWS:
            raise ValueError(f"no window {window!r}: {', '.join(WINDOWS)}")
        rows = self.sums(read, owner, window, from_ms, to_ms)
        steps = self._steps(read, owner, window, from_ms, to_ms)
        return [self._answer(owner, window, row, steps.get(row.start_ms, ())) for row in rows]

    def sums(self, read: Read, owner: str, window: str, from_ms: int, to_ms: int) -> list[Sums]:
        """The sums behind `answers`."""
        if window in RUNS:
            return [Sums.of(*row) for row in run_rows(read, leaves(self.groups, owner), window, from_ms, to_ms)]
        return list(calendar_sums(read, owner, window, from_ms, to_ms))

    def day_of(self, time_ms: int) -> date:
        """The local date of a moment, by which factors are looked up."""
        return datetime.fromtimestamp(time_ms / 1000, UTC).astimezone(self.timezone).date()

    def _steps(
        self, read: Read, owner: str, window: str, from_ms: int, to_ms: int
    ) -> dict[int, list[Mapping[str, int]]]:
        """start → sums of each asset of a serial line, for KPIs that are products over them."""
        group = self.groups.get(owner, {})
        if not group.get("constraint") or window in RUNS or self.rules.needs.get(owner, {}).get("first_pass_yield"):
            return {}
        found: dict[int, list[Mapping[str, int]]] = {}
        for member in group["members"]:
            for row in calendar_sums(read, member, window, from_ms, to_ms):
                found.setdefault(row.start_ms, []).append(row.sums)
        return found

    def _answer(self, owner: str, window: str, row: Sums, steps: Sequence[Mapping[str, int]]) -> WindowKpis:
        shown = "" if window in RUNS else window
        found: Kpis = self.rules.kpis(owner, row.sums, self.day_of(row.start_ms), shown, steps)
        return WindowKpis(
            row.start_ms,
            row.end_ms,
            row.name,
            found.values,
            found.reasons,
            found.values.get("coverage"),
            found.factors,
            found.methods,
            found.flags,
            found.status,
            row.end_ms <= self.final_ms,
            row.revision,
            row.sums,
        )


def calendar_sums(read: Read, owner: str, window: str, from_ms: int, to_ms: int) -> Iterator[Sums]:
    """The windows of a tier that begin in a range."""
    return (Sums.of(*row) for _, *row in calendar_rows(read, (owner,), window, from_ms, to_ms, quantities))


def calendar_rows(
    read: Read, owners: Sequence[str], window: str, from_ms: int, to_ms: int, columns: Sequence[str]
) -> list[Any]:
    """Rows owner, start, end, name, revision, columns … of the windows of a tier that begin in a range, in order."""
    marks = ", ".join("?" * len(owners))
    if window in _LONG:
        bindings = (*owners, from_ms - _LONGEST_MS, to_ms + _LONGEST_MS, from_ms, to_ms)
        return read(_sum_of_days(window, marks, columns), *bindings)
    head, at, step_ms = "from_ms, to_ms, ''", "from_ms", 1
    if window == "minute":
        head, at, step_ms = "minute * 60000, minute * 60000 + 60000, ''", "minute", 60_000
    elif window == "hour":
        at, step_ms = "hour", 3_600_000  # its primary key
    elif window == "shift":
        head = "from_ms, to_ms, shift"
    sql = (
        f"SELECT asset, {', '.join((head, 'revision', *columns))} FROM {window}"
        f" WHERE asset IN ({marks}) AND {at} >= ? AND {at} < ? ORDER BY asset, {at}"
    )
    return read(sql, *owners, -(-from_ms // step_ms), -(-to_ms // step_ms))


def _sum_of_days(window: str, marks: str, columns: Sequence[str]) -> str:
    """Weeks or months from their days, so that the one which is still open is there as well."""
    key, of_date = _LONG[window]
    sums = "".join(f", sum({name}) AS {name}" for name in columns)
    names = "".join(f", d.{name}" for name in columns)
    return (
        f"SELECT d.asset, coalesce(w.from_ms, d.from_ms) AS start, coalesce(w.to_ms, d.to_ms), '', w.revision{names}"
        f" FROM (SELECT asset, {of_date.format('business_date')} AS name, min(from_ms) AS from_ms, max(to_ms) AS to_ms"
        f"{sums} FROM day WHERE asset IN ({marks}) AND from_ms >= ? AND from_ms < ? GROUP BY asset, name"
        f") d LEFT JOIN {window} w ON w.asset = d.asset AND w.{key} = d.name"
        " WHERE start >= ? AND start < ? ORDER BY d.asset, start"
    )
