"""Many owners and windows at once give what each of them gives alone."""

import asyncio
from collections.abc import Iterator
from math import isnan
from pathlib import Path

import apsw
import pytest

from gateway.kpi.catalogue import STANDARD
from gateway.kpi.query import KpiReader
from gateway.kpi.settings import KpiSettings
from tests.unit.gateway.kpi.kit import START, Kit, fed

DAY = 86_400_000
SPAN = (START - 40 * DAY, START + DAY)
OWN = KpiSettings.model_validate({"kpis": {"parts_per_kwh": {"formula": "good / energy_kwh"}}}).catalogue()
KPIS = [row.kpi.id for row in OWN.rows]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    kit, path = Kit(), tmp_path_factory.mktemp("plant") / "kpi.db"
    asyncio.run(fed(kit, path, kit.records(kit.run(4000))))
    return path


@pytest.fixture
def reader(path: Path) -> Iterator[KpiReader]:
    found = KpiReader(path, OWN)
    yield found
    found.close()


@pytest.mark.parametrize("window", ["minute", "hour", "day", "week", "month"])
def test_a_comparison_gives_what_each_window_gives_alone(reader: KpiReader, window: str) -> None:
    owners = reader.owners()
    found = reader.compare(owners, window, *SPAN, KPIS)
    place = 0
    for owner in sorted(owners):
        for row in reader.kpis(owner, window, *SPAN):
            assert (found.owners[place], found.start_ms[place], found.end_ms[place]) == (
                owner,
                row.start_ms,
                row.end_ms,
            )
            for kpi, value in ((kpi, row.values[kpi]) for kpi in KPIS if kpi in row.values):
                column = found.values[kpi][place]
                if value is None:
                    assert isnan(column), (owner, kpi)
                else:
                    assert column == pytest.approx(value, rel=1e-15), (owner, kpi)
            place += 1
    assert place == len(found.owners) > len(owners) - 1


def test_what_cannot_be_has_no_value_here_either(path: Path, tmp_path: Path) -> None:
    changed = tmp_path / "kpi.db"
    db = apsw.Connection(str(path))
    db.execute("VACUUM INTO ?", (str(changed),))
    db.close()
    db = apsw.Connection(str(changed))
    db.execute("UPDATE hour SET good = -5, ideal_good = -9, scrap = total + 5 WHERE asset = 'press'")
    db.close()
    reader = KpiReader(changed, OWN)
    found = reader.compare(["press"], "hour", *SPAN, KPIS)
    rows = reader.kpis("press", "hour", *SPAN)
    reader.close()
    assert rows
    for place, row in enumerate(rows):
        assert "oee" in row.reasons
        for kpi in KPIS:
            assert isnan(found.values[kpi][place]) == (row.values[kpi] is None), kpi


def test_only_the_asked_kpis_of_the_asked_owners_come_back(reader: KpiReader) -> None:
    found = reader.compare(["weld"], "hour", *SPAN, ["quality_rate", "oee"])
    assert set(found.owners) == {"weld"}
    assert list(found.values) == ["quality_rate", "oee"]
    nobody = reader.compare(["nobody"], "hour", *SPAN, ["oee"])
    assert (nobody.owners, len(nobody.values["oee"])) == ((), 0)


def test_what_cannot_be_compared_is_said(reader: KpiReader) -> None:
    with pytest.raises(ValueError, match="no window 'order' to compare"):
        reader.compare(["press"], "order", *SPAN, ["oee"])
    with pytest.raises(ValueError, match="no KPI 'oeee'"):
        reader.compare(["press"], "hour", *SPAN, ["oeee"])
    assert STANDARD.row("parts_per_kwh") is None
