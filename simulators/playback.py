"""A recording as a plant: what was recorded happens again, on MQTT, from now on."""

import asyncio
import csv
import gzip
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import yaml
from aiomqtt import Client, MqttError

from simulators.clock import ScaledClock
from simulators.endpoints import Tcp

ENDINGS: Final = (".csv", ".csv.gz", ".parquet")
_TAG: Final = "# tag "
_TYPES: Final = {"bool": "bool", "int": "int64", "float": "float64", "text": "string"}
_ROLES: Final = {"total_count": "total", "good_count": "good", "scrap_count": "scrap", "rework_count": "rework"}
_RETRY_S: Final = 0.3
_NAP_S: Final = 0.1

Value = float | str | bool | None


@dataclass(slots=True)
class Reel:
    """A recording in memory: rows of (epoch ms, tag, value) in the order of time; value None: nothing could be read."""

    tags: dict[str, dict[str, Any]] = field(default_factory=dict)
    rows: list[tuple[int, str, Value]] = field(default_factory=list)


def is_recording(name: str) -> bool:
    """Whether a file's name is that of a recording."""
    return name.endswith(ENDINGS)


def load_reel(file: Path) -> Reel:
    """A recording's measurements: times need an offset, or are epoch ms. ValueError: says what is wrong with it."""
    reel = _parquet(file) if file.suffix == ".parquet" else _csv(file)
    reel.rows = [row for row in reel.rows if not row[1].startswith(("source/", "gateway/"))]
    if not reel.rows:
        raise ValueError(f"{file}: has no reading of a machine")
    reel.rows.sort(key=lambda row: row[0])
    kinds: dict[str, set[type]] = {}
    for _, tag, value in reel.rows:
        kinds.setdefault(tag, set()).add(type(value))
    reel.tags = {tag: {"type": _type(kinds[tag])} | reel.tags.get(tag, {}) for tag in sorted(kinds)}
    return reel


def _csv(file: Path) -> Reel:
    reel = Reel()
    with (
        gzip.open(file, "rt", encoding="utf-8-sig", newline="")
        if file.suffix == ".gz"
        else file.open(encoding="utf-8-sig", newline="") as text
    ):
        lines = _described(text, reel)
        for number, row in enumerate(csv.DictReader(lines), start=1):
            try:
                bad = (row.get("quality") or "").strip().lower().startswith("bad")
                reel.rows.append((_ms(row["time"]), row["tag"], None if bad else _value(row["value"])))
            except (KeyError, ValueError, TypeError) as exc:
                raise ValueError(f"{file}: reading {number}: needs time,tag,value: {exc}") from exc
    return reel


def _described(lines: Iterator[str], reel: Reel) -> Iterator[str]:
    """The lines without the dictionary, which goes into the reel."""
    for line in lines:
        if line.startswith(_TAG):
            said = json.loads(line.removeprefix(_TAG))
            reel.tags[said.pop("name")] = said
        elif not line.startswith("#"):
            yield line


def _parquet(file: Path) -> Reel:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as exc:
        raise ImportError("Parquet needs pyarrow: pip install 'lineside[parquet]'") from exc
    table = pq.read_table(file)
    reel = Reel()
    body = (table.schema.metadata or {}).get(b"lineside", b"").decode()
    for line in body.splitlines()[1:]:
        said = json.loads(line)
        reel.tags[said.pop("name")] = said
    times = table.column("time").cast(pa.timestamp("ms", "UTC")).cast(pa.int64()).to_pylist()
    texts = table.column("text").to_pylist() if "text" in table.column_names else [None] * len(times)
    columns = (times, table.column("tag").to_pylist(), table.column("value").to_pylist(), texts)
    reel.rows = [(at, tag, value if text is None else text) for at, tag, value, text in zip(*columns, strict=True)]
    return reel


def _ms(text: str) -> int:
    if text.isdigit():
        return int(text)
    moment = datetime.fromisoformat(text)
    return round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)


def _value(cell: str) -> Value:
    try:
        return float(cell)
    except ValueError:
        return {"true": True, "false": False, "": None}.get(cell.strip().lower(), cell)


def _type(kinds: set[type]) -> str:
    return "text" if str in kinds else "bool" if kinds - {type(None)} == {bool} else "float"


def site_of(reel: Reel, broker: Tcp, prefix: str, site: str) -> str:
    """Lineside's config that reads the playback: every tag, and the roles whose names leave no doubt."""
    tags: dict[str, Any] = {}
    assets: dict[str, dict[str, Any]] = {}
    for name, said in reel.tags.items():
        asset, _, point = name.partition("/")
        tags[name] = {"topic": f"{prefix}/{name}", "path": "$.value", "type": _TYPES[said["type"]]}
        tags[name] |= {key: said[key] for key in ("unit", "counter") if said.get(key)}
        told = assets.setdefault(asset, {})
        if point in _ROLES:
            told[_ROLES[point]] = point
        elif said.get("unit") in {"Wh", "kWh", "MWh"} and said.get("counter"):
            told["energy"] = {"electricity": point}
    source = {"kind": "mqtt", "broker": f"mqtt://{broker.host}:{broker.port}", "time": "$.ts", "tags": tags}
    config = {"site": site, "sources": {"playback": source}, "assets": assets}
    head = "# Made from a recording: say of each asset with states which of them mean what (state: { tag: … })\n"
    return head + yaml.safe_dump(config, sort_keys=False, allow_unicode=True, default_flow_style=None, width=120)


async def play(reel: Reel, clock: ScaledClock, broker: Tcp, prefix: str) -> int:
    """Publish every reading as `{"value": …, "ts": …}` under `<prefix>/<tag>` when its time has come.

    QoS 1, retained, in order; while the broker is away, it waits. Returns how many there were.
    """
    shift_ms = clock() - reel.rows[0][0]
    done = 0
    while done < len(reel.rows):
        try:
            async with Client(broker.host, broker.port, identifier="plant-playback", timeout=3.0) as client:
                while done < len(reel.rows):
                    at_ms, tag, value = reel.rows[done]
                    if wait_s := clock.real_s(max(0, at_ms + shift_ms - clock())):
                        await asyncio.sleep(min(wait_s, _NAP_S))
                        continue
                    await client.publish(f"{prefix}/{tag}", _payload(value, at_ms + shift_ms), qos=1, retain=True)
                    done += 1
        except MqttError:
            await asyncio.sleep(_RETRY_S)
    return done


def _payload(value: Value, at_ms: int) -> str:
    shown = int(value) if isinstance(value, float) and value.is_integer() else value
    return json.dumps({"value": shown, "ts": at_ms}, ensure_ascii=False, separators=(",", ":"))


def told(reel: Reel, clock: ScaledClock, broker: Tcp, prefix: str) -> Sequence[str]:
    """What a user is told at the beginning."""
    minutes = clock.real_s(reel.rows[-1][0] - reel.rows[0][0]) / 60
    return [
        f"{len(reel.rows):,} readings of {len(reel.tags)} tags in {minutes:.1f} min",
        f"mqtt://{broker.host}:{broker.port} {prefix}/<asset>/<point>   clock {clock}",
    ]
