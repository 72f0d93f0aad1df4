"""The ledger as tables: CSV for people, Parquet for notebooks, rows for programs."""

import csv
from bisect import bisect_right
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import numpy as np

from simulators.ledger import WATT_MS_PER_WH, Ledger, MachineLedger
from simulators.steps import Steps
from simulators.truth import ML_MS_PER_M3

Columns = dict[str, list[Any]]
"""Columns of equal length, by name; `…_ms` are moments in epoch ms."""

_METER_EVERY_MS = 15 * 60_000


def rows(ledger: Ledger, table: str) -> tuple[tuple[str, ...], Iterator[tuple[Any, ...]]]:
    """A table's header and its rows. KeyError: there is no such table."""
    header, blocks = TABLES[table]
    return header, (row for block in blocks(ledger) for row in zip(*(block[name] for name in header), strict=True))


def save_csv(ledger: Ledger, folder: Path) -> list[Path]:
    """Write every table as `<table>.csv`, moments as local time of the plant; returns the files."""
    folder.mkdir(parents=True, exist_ok=True)
    zone = ZoneInfo(ledger.timezone)
    written = []
    for table in TABLES:
        header, lines = rows(ledger, table)
        moments = [index for index, name in enumerate(header) if name.endswith("_ms")]
        path = folder / f"{table}.csv"
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(name.removesuffix("_ms") for name in header)
            writer.writerows(_local(line, moments, zone) for line in lines)
        written.append(path)
    return written


def save_parquet(ledger: Ledger, folder: Path) -> list[Path]:
    """Write every table as `<table>.parquet`, one row group a machine; returns the files.

    Raises:
        ImportError: the extra `parquet` is not installed.
    """
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as exc:
        raise ImportError("Parquet needs pyarrow: pip install 'lineside[parquet]'") from exc
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for table, (header, blocks) in TABLES.items():
        kinds = {"_ms": pa.timestamp("ms", ledger.timezone), "": pa.string(), **_arrow_types(pa)}
        fields = [(name, kinds.get(name, kinds["_ms" if name.endswith("_ms") else ""])) for name in header]
        schema = pa.schema([(name.removesuffix("_ms"), kind) for name, kind in fields])
        path = folder / f"{table}.parquet"
        with pq.ParquetWriter(path, schema, compression="zstd") as writer:
            for block in blocks(ledger):
                arrays = [pa.array(block[name], kind) for name, kind in fields]
                writer.write_table(pa.Table.from_arrays(arrays, schema=schema))
        written.append(path)
    return written


def _arrow_types(pa: Any) -> dict[str, Any]:
    """The columns that are neither moments nor names."""
    return {
        **dict.fromkeys(("good", "rework", "planned"), pa.bool_()),
        **dict.fromkeys(("watts", "ml_per_min", "quantity"), pa.int64()),
        **dict.fromkeys(("total", "reactive_kvarh"), pa.float64()),
    }


def _local(line: tuple[Any, ...], moments: list[int], zone: ZoneInfo) -> list[Any]:
    """A row with its moments as text."""
    cells = list(line)
    for index in moments:
        if cells[index] is not None:
            cells[index] = datetime.fromtimestamp(cells[index] / 1000, zone).isoformat(timespec="milliseconds")
    return cells


# ---- the tables, in blocks: one a machine, meter, or the whole


def _states(ledger: Ledger) -> Iterator[Columns]:
    for name, book in ledger.machines.items():
        names = [state.name for state in book.states]
        planned = _labels(book.planned_ms, [bool(planned) for planned in book.planned], book.state_ms, otherwise=True)
        yield {"machine": [name] * len(names), "time_ms": book.state_ms, "state": names, "planned": planned}


def _parts(ledger: Ledger) -> Iterator[Columns]:
    for name, book in ledger.machines.items():
        yield {
            "machine": [name] * len(book.part_ms),
            "time_ms": book.part_ms.tolist(),
            "good": np.array(book.part_good, np.bool_).tolist(),
            "rework": np.array(book.part_rework, np.bool_).tolist(),
            "product": _labels(book.product_ms, book.products, book.part_ms, otherwise=""),
            "order": _labels(book.order_ms, book.orders, book.part_ms, otherwise=""),
        }


def _power(ledger: Ledger) -> Iterator[Columns]:
    for name, book in ledger.machines.items():
        times, watts = _steps(ledger, book.power)
        yield {"machine": [name] * len(times), "time_ms": times, "watts": watts}


def _flows(ledger: Ledger) -> Iterator[Columns]:
    for name, carrier, steps in _all_flows(ledger.machines):
        times, rates = _steps(ledger, steps)
        size = len(times)
        yield {"machine": [name] * size, "carrier": [carrier] * size, "time_ms": times, "ml_per_min": rates}


def _steps(ledger: Ledger, steps: Steps) -> tuple[list[int], list[int]]:
    """Moments and rates, without what is only foreseen."""
    known = bisect_right(steps.at_ms, ledger.until_ms)
    return steps.at_ms[:known].tolist(), steps.rate[:known].tolist()


def _all_flows(machines: dict[str, MachineLedger]) -> Iterator[tuple[str, str, Steps]]:
    return ((name, carrier, steps) for name, book in machines.items() for carrier, steps in book.flows.items())


def _meters(ledger: Ledger) -> Iterator[Columns]:
    """What the meters show at both ends and each quarter of an hour: kWh, or m3 of another carrier."""
    first = (ledger.start_ms // _METER_EVERY_MS + 1) * _METER_EVERY_MS
    times = sorted({ledger.start_ms, *range(first, ledger.until_ms, _METER_EVERY_MS), ledger.until_ms})
    for name, meter in ledger.meters.items():
        is_power = meter.carrier == "electricity"
        unit = 1000 * WATT_MS_PER_WH if is_power else ML_MS_PER_M3
        yield {
            "meter": [name] * len(times),
            "carrier": [meter.carrier] * len(times),
            "time_ms": times,
            "total": [ledger.meter_sum(name, at_ms) / unit for at_ms in times],
            "reactive_kvarh": [ledger.meter_var_ms(name, at_ms) / unit if is_power else 0.0 for at_ms in times],
        }


def _orders(ledger: Ledger) -> Iterator[Columns]:
    names = ("order", "line", "product", "quantity", "from_ms", "to_ms")
    yield {name: [getattr(row, name) for row in ledger.orders] for name in names}


def _faults(ledger: Ledger) -> Iterator[Columns]:
    names = ("kind", "on", "from_ms", "to_ms", "effect")
    yield {name: [getattr(row, name) for row in ledger.faults] for name in names}


def _labels(times: list[int], labels: list[Any], at_ms: Any, *, otherwise: Any) -> list[Any]:
    """The label that holds at each moment."""
    found = np.searchsorted(np.array(times, np.int64), np.array(at_ms, np.int64), side="right")
    table = [otherwise, *labels]
    return [table[index] for index in found.tolist()]


TABLES: Final[dict[str, tuple[tuple[str, ...], Callable[[Ledger], Iterator[Columns]]]]] = {
    "states": (("machine", "time_ms", "state", "planned"), _states),
    "parts": (("machine", "time_ms", "good", "rework", "product", "order"), _parts),
    "power": (("machine", "time_ms", "watts"), _power),
    "flows": (("machine", "carrier", "time_ms", "ml_per_min"), _flows),
    "meters": (("meter", "carrier", "time_ms", "total", "reactive_kvarh"), _meters),
    "orders": (("order", "line", "product", "quantity", "from_ms", "to_ms"), _orders),
    "faults": (("kind", "on", "from_ms", "to_ms", "effect"), _faults),
}
"""Each table's header and how its blocks are made."""
