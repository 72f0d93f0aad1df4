"""What the gateway sends to the board, and what the API answers: typed, so that OpenAPI describes it."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, computed_field

Milliseconds = Annotated[int, Field(description="UTC, ms since 1970")]
Values = Annotated[dict[str, float | None], Field(description="KPI id → value; null: unknown, see `reasons`")]
Reasons = Annotated[dict[str, str], Field(description="KPI id → why it has no value")]

DataStatus = Annotated[str, Field(description="how good the data is: good, uncertain, bad; empty: nothing was scored")]
Scores = Annotated[dict[str, float], Field(description="data-quality KPI → value; the least one makes the status")]


class Answer(BaseModel):
    """A part of an answer: built from dicts or from objects; keys that are newer than this board are left out."""

    model_config = ConfigDict(extra="ignore", frozen=True, from_attributes=True, ser_json_inf_nan="null")


class Segment(Answer):
    """A stretch of time in one class."""

    from_ms: Milliseconds
    to_ms: Milliseconds
    time_class: str = Field(alias="class")
    state: str = ""

    model_config = ConfigDict(populate_by_name=True)


class EnergyHour(Answer):
    """The electricity of one hour, split by what the machine did meanwhile."""

    hour_ms: Milliseconds
    kwh: dict[str, float] = Field(description="time class → kWh")


class OpenEnergy(Answer):
    """Electricity since the last stored minute."""

    from_ms: Milliseconds
    energy: list[EnergyHour]


class AssetNow(Answer):
    """A machine as it stands now, with the totals of its current window (shift or day)."""

    asset: str
    line: str = ""
    area: str = ""
    state: str | None = None
    time_class: str = Field("unknown", alias="class")
    since_ms: Milliseconds | None = None
    window: str = ""
    window_from_ms: Milliseconds | None = None
    total: float | None = None
    good: float | None = None
    scrap: float | None = None
    target: float | None = Field(None, description="parts that should be good by now")
    kw: float | None = None
    kw_ms: Milliseconds | None = Field(None, description="when the power was measured last")
    kpis: Values = {}
    reasons: Reasons = {}
    status: DataStatus = ""
    scores: Scores = {}
    segments: list[tuple[int, int, str]] = Field(
        [], description="[from_ms, to_ms, class] that are newer than the stored ones"
    )
    open: OpenEnergy | None = Field(None, description="electricity that the stored hours do not hold yet")

    @computed_field(description="parts of the tile that this asset's roles allow: state, parts, good, OEE, its factors")  # type: ignore[prop-decorator]
    @property
    def shows(self) -> list[str]:
        """What the asset's config lets it have; the reason for what it lacks begins with "needs"."""
        counts = self._lack("quality_rate")
        possible = {
            "state": not self._lack("availability"),
            "parts": not ("`total`," in counts and "`good`," in counts),
            "good": "`good`," not in self._lack("sec"),
        }
        ratios = {kpi: not self._lack(kpi) for kpi in ("oee", "availability", "effectiveness", "quality_rate")}
        return [part for part, there in (possible | ratios).items() if there]

    def _lack(self, kpi: str) -> str:
        reason = self.reasons.get(kpi, "")
        return reason if reason.startswith("needs") else ""


class LineNow(Answer):
    """A line's KPIs over the current window."""

    line: str
    kpis: Values = {}
    reasons: Reasons = {}
    status: DataStatus = ""
    scores: Scores = {}


class JournalHealth(Answer):
    """How full the journal is, what it could not keep, and whether it takes anything now."""

    bytes: int | None = None
    max_bytes: int | None = None
    batches: int | None = None
    ingested: int | None = None
    lost: int = 0
    dead_letters: int = 0
    lag_readings: int | None = Field(None, description="readings that the slowest consumer has not taken yet")
    blocked: str = Field("", description="why nothing can be written now; empty: it can")


class SourceHealth(Answer):
    """A source: up, or down with the reason."""

    name: str
    state: str
    reason: str = ""
    since_ms: Milliseconds | None = None


class SinkHealth(Answer):
    """A sink: up or down, what waits for it and what it did not take."""

    name: str
    state: str
    reason: str = ""
    since_ms: Milliseconds | None = None
    lag_readings: int = 0
    delivered: int = 0
    dead: int = 0
    dropped: dict[str, int] = {}


class Health(Answer):
    """The gateway's own health."""

    journal: JournalHealth = JournalHealth()
    sources: list[SourceHealth] = []
    sinks: list[SinkHealth] = []


class Snapshot(Answer):
    """Everything that the page shows live; the gateway sends one about every second."""

    time_ms: Milliseconds
    site: str = ""
    assets: list[AssetNow] = []
    lines: list[LineNow] = []
    health: Health = Health()


class SiteAnswer(Answer):
    """What the page needs before the first snapshot."""

    site: str
    timezone: str
    version: str
    standalone: bool = Field(description="true: no gateway feeds this board, it shows stored data only")
    words: dict[str, str] = Field(description="time class → the word to show")


class AssetAnswer(Answer):
    """A machine and its place in the plant."""

    asset: str
    line: str
    area: str


class KpiRow(Answer):
    """KPIs of one window: ratios of the window's sums."""

    start_ms: Milliseconds
    end_ms: Milliseconds
    name: str = Field("", description="of the shift, product or order")
    values: Values
    reasons: Reasons = {}
    coverage: float | None = Field(None, description="share of planned time that is not unknown")
    final: bool | None = None
    revision: int | None = None
    factors: dict[str, str] = Field({}, description="KPI id → the factor record that was applied")
    methods: dict[str, str] = Field({}, description="KPI id → which way it was computed: iso, classic, …")
    flags: dict[str, tuple[str, ...]] = Field({}, description="KPI id → what makes its value suspect")
    status: DataStatus = ""
    sums: dict[str, int] = Field({}, description="additive quantities: time µs, energy mWh, counts")


class KpisAnswer(Answer):
    """An asset's KPIs over every window that begins in the range."""

    asset: str
    window: str
    rows: list[KpiRow]


class LineKpisAnswer(Answer):
    """A line's KPIs over every window that begins in the range."""

    line: str
    window: str
    rows: list[KpiRow]


class AreaKpisAnswer(Answer):
    """An area's KPIs over every window that begins in the range."""

    area: str
    window: str
    rows: list[KpiRow]


class SiteKpisAnswer(Answer):
    """The site's KPIs over every window that begins in the range."""

    site: str
    window: str
    rows: list[KpiRow]


class ComparisonAnswer(Answer):
    """Some KPIs of some owners over every window that begins in the range, as columns of one length."""

    window: str
    owners: list[str] = Field(description="whose window each is: an asset, `line/<line>`, `area/<area>`, `site/<site>`")
    start_ms: list[int]
    end_ms: list[int]
    names: list[str] = Field(description="of shifts")
    values: dict[str, list[float | None]] = Field(description="KPI id → values; null: none")


class StatesAnswer(Answer):
    """An asset's states in the range, in order, without gaps that are known."""

    asset: str
    segments: list[Segment]


class EnergyAnswer(Answer):
    """An asset's electricity per hour."""

    asset: str
    hours: list[EnergyHour]


class TimelineRow(Answer):
    """One machine's row in the timeline, at most as fine as a screen can show."""

    asset: str
    segments: list[tuple[int, int, str]] = Field(description="[from_ms, to_ms, class]")


class TimelineAnswer(Answer):
    """The state timeline of all machines."""

    from_ms: Milliseconds
    to_ms: Milliseconds
    rows: list[TimelineRow]


class Figure(Answer):
    """A figure for plotly.js."""

    data: list[dict[str, Any]]
    layout: dict[str, Any]


class TagAnswer(Answer):
    """A tag that the history holds."""

    name: str
    type: str = ""
    unit: str = ""


class TagsAnswer(Answer):
    """The tags that the history holds."""

    tags: list[TagAnswer]


class HistoryPoint(Answer):
    """One step of a tag's history. Equal min, mean and max: a single reading."""

    time_ms: Milliseconds
    min: float | None
    mean: float | None
    max: float | None


class HistoryAnswer(Answer):
    """A tag's history, thinned to the wanted number of points without losing its peaks."""

    tag: str
    unit: str = ""
    points: list[HistoryPoint]


class HealthAnswer(Health):
    """The gateway's health, and how old this knowledge is."""

    age_s: float = Field(description="seconds since the gateway's last word")


class Alive(Answer):
    """The gateway feeds this board."""

    status: str = "ok"


class Problem(Answer):
    """Why a request failed, in words."""

    detail: str
