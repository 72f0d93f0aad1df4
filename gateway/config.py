"""The config model: one YAML file for the site. Each part keeps its own section beside its code."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, field_validator, model_validator

from adapters import SINKS, SOURCES, Kind
from gateway.board.config import BoardConfig
from gateway.document import ConfigError, Document, Problem
from gateway.energy.config import ElectricityConfig
from gateway.fields import ByteSize, Duration, Name, Section
from gateway.kpi.calendar_config import CalendarConfig
from gateway.kpi.catalogue import Catalogue
from gateway.kpi.config import AssetConfig, LineConfig
from gateway.kpi.entries import POINT
from gateway.kpi.factors import Factors
from gateway.kpi.metering import MeterTree
from gateway.kpi.products import ProductConfig, ProductName, read_products
from gateway.kpi.reasons import ReasonConfig
from gateway.kpi.roles import AssetModel, build_models, check_models
from gateway.kpi.settings import Divisor, Element, GateConfig, KpiSettings, MovableClass, OwnKpiConfig, OwnName
from gateway.library import Library, UnknownName
from gateway.model import Site, Tag, TagTable, session
from gateway.packs import PackError, Packs
from gateway.sheet import SHEET_SCHEMA, expand
from gateway.spelling import closest

__all__ = ["Config", "ConfigError", "Problem", "load", "schema"]

_RESERVED = {
    "assets": {"line", "site", "source", "gateway"},
    "sources": {"gateway", "kpi", "control"},
    "sinks": {"gateway", "kpi", "history"},
}


class SourceConfig(Protocol):
    """What every source's config section offers besides its own keys."""

    kind: str

    def tags(self, name: str, library: Library) -> list[Tag]:
        """The tags that the source named `name` delivers. ValueError, UnknownName: says what to change."""
        ...

    def check(self, library: Library) -> list[str]:
        """What is wrong with the shared knowledge that it uses, such as a profile's examples; for `lineside check`."""
        ...


class SinkConfig(Protocol):
    """What every sink's config section offers besides its own keys."""

    kind: str
    from_: Literal["now", "oldest"]


class JournalConfig(Section):
    """The spine's file and its limits."""

    path: Path = Path("data/journal.db")
    max_size: ByteSize = 2 * 2**30
    when_full: Literal["drop_oldest"] = "drop_oldest"
    commit_every: Duration = 1.0


class RetentionConfig(Section):
    """How long what is kept stays."""

    readings: Duration = 35 * 86400.0
    facts: Duration = 35 * 86400.0
    minutes: Duration = 90 * 86400.0

    @model_validator(mode="after")
    def _minutes_outlive_facts(self) -> "RetentionConfig":
        if self.minutes < self.facts:
            raise ValueError(
                "minutes must stay at least as long as facts: a late fact changes the minutes it belongs to"
            )
        return self


class RootConfig(Section):
    """The top level of the file; sources and sinks are checked by their own kind."""

    site: Name
    timezone: str = "UTC"
    packs: list[str] = []
    pack_choices: dict[str, str] = {}
    factor_policy: Literal["latest_available", "strict"] = "latest_available"
    calendars: dict[Name, CalendarConfig] = {}
    lines: dict[Name, LineConfig] = {}
    sources: dict[Name, dict[str, Any]] = Field(repr=False)
    assets: dict[Name, AssetConfig] = {}
    meter_tree: dict[Name, tuple[Name, ...]] = {}
    products: dict[ProductName, ProductConfig] = {}
    products_file: Path | None = None
    reasons: dict[Name, ReasonConfig] = {}
    journal: JournalConfig = JournalConfig()
    retention: RetentionConfig = RetentionConfig()
    lateness: Duration = 15 * 60.0
    sinks: dict[Name, dict[str, Any]] = Field({}, repr=False)
    board: BoardConfig = BoardConfig()
    electricity: ElectricityConfig = ElectricityConfig()
    time_elements: dict[MovableClass, Element] = {}
    mtbf_divisor: Divisor = "FE"
    kpis: dict[OwnName, OwnKpiConfig] = {}
    data_quality: GateConfig = GateConfig()

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, zone: str) -> str:
        try:
            ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError) as exc:
            raise ValueError(f"{zone!r} is not a time zone: write one like Asia/Ho_Chi_Minh") from exc
        return zone


@dataclass(frozen=True, slots=True)
class Config:
    """A checked config: everything in it exists and fits together."""

    file: Path
    root: RootConfig
    library: Library
    sources: Mapping[str, SourceConfig]
    sinks: Mapping[str, SinkConfig]
    tags: tuple[Tag, ...]
    factors: Factors

    @property
    def catalogue(self) -> Catalogue:
        """The site's KPIs."""
        root = self.root
        return KpiSettings(
            time_elements=root.time_elements,
            mtbf_divisor=root.mtbf_divisor,
            kpis=root.kpis,
            data_quality=root.data_quality,
        ).catalogue()

    @property
    def site(self) -> Site:
        """The plant's tree."""
        return site_of(self.root)

    def data_file(self, name: str) -> Path:
        """A database beside the journal; relative paths count from the config's folder."""
        return self.journal_path.with_name(name)

    @property
    def journal_path(self) -> Path:
        """The journal's file."""
        return self.file.resolve().parent / self.root.journal.path


def load(file: Path) -> Config:
    """Reads and checks a config. ConfigError: with every problem as file:line: path: problem."""
    document = Document.load(file)
    sheets = expand(document)
    root = document.validate(RootConfig, document.data, ())
    library = Library.beside(file)
    raw_sources, raw_sinks = (document.data.get(part) for part in ("sources", "sinks"))
    sources = _sections(document, SOURCES, raw_sources, "sources", sheets)
    sinks = _sections(document, SINKS, raw_sinks, "sinks", {})
    sessions = [session(name) for name in sources]
    tags = [
        tag for name, source in sources.items() for tag in _tags(sheets.get(name, document), name, source, library)
    ] + sessions
    factors = Factors()
    if root is not None:
        root = _with_products(document, root)
        _check_names(document, root, tags)
        factors = _factors(document, root, library)
        for key, problem in root.electricity.problems(factors.packs):
            document.report(("electricity", key), problem)
    document.check()
    return Config(file, root, library, sources, sinks, tuple(tags), factors)


def models(root: RootConfig, tags: TagTable) -> dict[str, AssetModel]:
    """The KPI model of every asset of a checked config, bound to the ids of its tags."""
    return build_models(
        root.assets, root.lines, root.calendars, tags, site_of(root), products=root.products, reasons=root.reasons
    )


def site_of(root: RootConfig) -> Site:
    """The plant's tree."""
    lines = {name: asset.line or "" for name, asset in root.assets.items()}
    return Site(root.site, root.timezone, lines, {name: line.area for name, line in root.lines.items()})


def schema() -> dict[str, Any]:
    """The JSON Schema of the config file, for editors."""
    found = RootConfig.model_json_schema(by_alias=True)
    found["title"] = "Lineside configuration"
    for part, kinds in (("sources", SOURCES), ("sinks", SINKS)):
        models = [_attribute(kind.config).model_json_schema(by_alias=True) for kind in kinds.values()]
        for model in models:
            found.setdefault("$defs", {}).update(model.pop("$defs", {}))
        found["properties"][part]["additionalProperties"] = {"anyOf": models}
    found["properties"]["sources"]["additionalProperties"]["anyOf"].append(SHEET_SCHEMA)
    return found


def _attribute(place: str) -> Any:
    module, _, name = place.partition(":")
    return getattr(import_module(module), name)


def build(kinds: Mapping[str, Kind], kind: str) -> Any:
    """The function that makes a source or sink of this kind; imports its protocol's library."""
    return _attribute(kinds[kind].build)


def _sections(
    document: Document, kinds: Mapping[str, Kind], raw: object, part: str, sheets: Mapping[str, Document]
) -> dict[str, Any]:
    """Each source or sink as the model of its own kind; what is wrong is noted where it stands."""
    found = {}
    for name, data in raw.items() if isinstance(raw, dict) else ():
        if not isinstance(data, dict):
            continue  # reported by RootConfig
        kind, place = str(data.get("kind", "")), sheets.get(name, document)
        if kind not in kinds:
            text = f"unknown kind {kind!r}" if kind else "is missing"
            place.report((part, name, "kind"), text + closest(kind, kinds))
            continue
        section = place.validate(_attribute(kinds[kind].config), data, (part, name))
        if section is not None:
            found[name] = _with_files(place, section, (part, name))
    return found


def _with_files(document: Document, section: Section, path: tuple[str, str]) -> Section:
    """The section with its files' paths counted from the config's folder; one that is not there is noted."""
    files = {key: document.file.resolve().parent / value for key, value in section if isinstance(value, Path)}
    for key, file in files.items():
        if not file.is_file():
            document.report((*path, key), f"there is no file {file}")
    return section.model_copy(update=files)


def _tags(document: Document, name: str, source: SourceConfig, library: Library) -> list[Tag]:
    try:
        return source.tags(name, library)
    except (ValueError, UnknownName) as exc:
        at = ("sources", name, "profile") if isinstance(exc, UnknownName) else ("sources", name)
        document.report(at, str(exc.args[0] if exc.args else exc))
        return []


def _with_products(document: Document, root: RootConfig) -> RootConfig:
    """With the products of the file among those of the config."""
    if root.products_file is None:
        return root
    found = read_products(document.file.resolve().parent / root.products_file, document, root.assets)
    for name in found.keys() & root.products.keys():
        document.report(("products", name), f"is also in {root.products_file}: give every product once")
    return root.model_copy(update={"products": found | root.products})


def _factors(document: Document, root: RootConfig, library: Library) -> Factors:
    try:
        strict = root.factor_policy == "strict"
        return Factors(Packs.load(root.packs, library, root.pack_choices, strict=strict))
    except (PackError, UnknownName) as exc:
        document.report(("packs",), str(exc.args[0]))
        return Factors()


def _check_names(document: Document, root: RootConfig, tags: list[Tag]) -> None:
    owners: dict[str, str] = {}
    for tag in tags:
        if tag.name in owners:
            document.report(
                ("sources", tag.source), f"tag {tag.name!r} is already delivered by source {owners[tag.name]!r}"
            )
        owners[tag.name] = tag.source
        asset, _, point = tag.name.rpartition("/")
        if point == POINT and asset in root.assets:
            document.report(
                ("sources", tag.source), f"tag {tag.name!r} is Lineside's own, for entries: call the point otherwise"
            )
    for part, given in (("assets", root.assets), ("sources", root.sources), ("sinks", root.sinks)):
        for name in _RESERVED[part] & given.keys():
            document.report((part, name), f"{name!r} is a name of Lineside's own: take another one")
    if any(problem.path[:1] == ("sources",) for problem in document.problems):
        return  # tags of a source that is wrong would be missed as well: say first what is the matter
    table = TagTable(enumerate(tags))
    for error in check_models(
        root.assets, root.lines, root.calendars, table, site_of(root), products=root.products, reasons=root.reasons
    ):
        document.report(error.path, error.problem)
    metered = [name for name, asset in root.assets.items() if asset.energy]
    for meter, problem in MeterTree(root.meter_tree).problems(root.assets, metered):
        document.report(("meter_tree", meter), problem)
