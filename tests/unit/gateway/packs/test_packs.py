"""Packs: the schema, which record applies, and what the shipped pack of Vietnam may claim."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway.library import Library
from gateway.packs import (
    FactorRecord,
    HoursRecord,
    NormRecord,
    PackError,
    Packs,
    ReactiveRecord,
    TariffRecord,
    ThresholdRecord,
    read,
)

DAY = date(2026, 6, 1)


def factor(key: str = "grid_electricity", value: float = 0.6592, **changes: Any) -> dict[str, Any]:
    record = {
        "key": key,
        "value": value,
        "unit": "tCO2/MWh",
        "valid_from": date(2023, 1, 1),
        "valid_to": date(2023, 12, 31),
        "issued_by": "somebody",
        "document": "a letter",
        "verified": "secondary",
    }
    return {name: entry for name, entry in (record | changes).items() if entry is not None}


def library(folder: Path, **packs: dict[str, Any]) -> Library:
    (folder / "packs").mkdir(exist_ok=True)
    for name, content in packs.items():
        (folder / "packs" / f"{name}.yaml").write_text(yaml.safe_dump(content))
    return Library((folder,))


@pytest.fixture(scope="module")
def vietnam() -> Packs:
    return Packs.load(["vietnam"], Library.beside(Path("lineside.yaml")))


def test_tv16_the_reactive_charge_by_power_factor(vietnam: Packs) -> None:
    found = vietnam.at(ReactiveRecord, "reactive_charge", DAY)
    assert found is not None
    charged = [round(found.record.percent(factor), 2) for factor in (0.95, 0.9, 0.89, 0.85, 0.80, 0.75, 0.60, 0.59)]
    assert charged == [0.0, 0.0, 1.12, 5.88, 12.5, 20.0, 50.0, 52.54]


def test_the_two_schedules_of_peak_hours_are_kept_and_a_site_chooses(vietnam: Packs) -> None:
    found = vietnam.at(HoursRecord, "tou_hours", DAY)
    assert found is not None
    assert (found.record.variant, found.contradicted) == ("hours_2014", ("tou_hours hours_2026 2026",))
    assert "contradicted by tou_hours hours_2026 2026" in found.label
    chosen = Packs(vietnam.packs, {"tou_hours": "hours_2026"}).at(HoursRecord, "tou_hours", DAY)
    assert chosen is not None
    assert (chosen.record.variant, chosen.contradicted) == ("hours_2026", ())


@pytest.mark.parametrize(("variant", "peak_h", "off_peak_h"), [("hours_2014", 30, 42), ("hours_2026", 30, 42)])
def test_both_schedules_have_thirty_peak_hours_a_week(
    vietnam: Packs, variant: str, peak_h: int, off_peak_h: int
) -> None:
    found = Packs(vietnam.packs, {"tou_hours": variant}).at(HoursRecord, "tou_hours", DAY)
    assert found is not None
    hours = dict.fromkeys(("peak", "off_peak"), 0.0)
    for (start, end), band in found.record.week():
        hours[band] += (end - start) / 60
    assert hours == {"peak": peak_h, "off_peak": off_peak_h}


def test_a_night_that_runs_over_sunday_goes_on_on_monday(vietnam: Packs) -> None:
    found = vietnam.at(HoursRecord, "tou_hours", DAY)
    assert found is not None
    week = found.record.week()
    assert week[0] == ((0, 240), "off_peak")
    assert week[-1] == ((6 * 1440 + 1320, 7 * 1440), "off_peak")


def test_prices_are_those_of_the_voltage(vietnam: Packs) -> None:
    found = vietnam.at(TariffRecord, "tariff.production.below_6kv", DAY)
    assert found is not None
    assert found.record.prices == {"normal": 1987, "off_peak": 1300, "peak": 3640}
    assert 1000 * found.record.prices["normal"] * (1 + found.record.vat_percent / 100) == pytest.approx(2_145_960)


def test_nothing_that_could_not_be_confirmed_appears_as_verified(vietnam: Packs) -> None:
    doubtful = [record for record in vietnam.of(FactorRecord) if record.key == "toe.coal_5_6"]
    doubtful += [r for r in vietnam.of(FactorRecord) if r.key == "grid_electricity" and r.data_year == 2020]
    doubtful += [record for record in vietnam.of(FactorRecord) if record.key.startswith("gwp.")]
    others = [r for r in vietnam.of(ThresholdRecord) if "building" in r.key]
    others += [record for record in vietnam.of(HoursRecord) if record.variant == "hours_2026"]
    assert {record.verified for record in (*doubtful, *others)} == {"unverified"}
    assert not [
        r for r in vietnam.of(FactorRecord) if r.key == "grid_electricity" and r.data_year and r.data_year > 2023
    ]


def test_norms_that_ended_say_so(vietnam: Packs) -> None:
    found = vietnam.at(NormRecord, "norm.steel.eaf", DAY)
    assert found is not None
    assert found.latest_available
    assert vietnam.at(NormRecord, "norm.steel.eaf", date(2025, 12, 31)) is not None


def test_a_strict_site_has_no_factor_for_a_day_that_no_record_covers(tmp_path: Path) -> None:
    shelf = library(tmp_path, here={"factors": [factor()]})
    assert Packs.load(["here"], shelf).at(FactorRecord, "grid_electricity", DAY) is not None
    assert Packs.load(["here"], shelf, strict=True).at(FactorRecord, "grid_electricity", DAY) is None


def test_a_later_pack_overrides_single_records_on_the_days_that_it_covers(tmp_path: Path) -> None:
    base = {"factors": [factor(), factor("grid_electricity", 0.7, valid_from=date(2024, 1, 1), valid_to=None)]}
    own = {"factors": [factor("grid_electricity", 0.5, valid_from=date(2024, 7, 1), valid_to=date(2024, 7, 31))]}
    packs = Packs.load(["base", "own"], library(tmp_path, base=base, own=own))
    days = [date(2023, 5, 1), date(2024, 6, 30), date(2024, 7, 15), date(2024, 8, 1)]
    found = [packs.at(FactorRecord, "grid_electricity", day) for day in days]
    assert [one.record.value for one in found if one] == [0.6592, 0.7, 0.5, 0.7]


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"unit": "kWh"}, "unit 'kWh': grid_electricity has one of"),
        ({"valid_to": date(2022, 1, 1)}, "valid_to is before valid_from"),
        ({"variant": "mine"}, "a variant needs a `note`"),
        ({"verified": "surely"}, "Input should be 'official', 'secondary' or 'unverified'"),
        ({"document": None}, r"factors\[0\]\.document: Field required"),
        ({"value": float("inf")}, "finite number"),
    ],
)
def test_a_record_that_cannot_be_is_named_with_what_to_change(
    tmp_path: Path, changes: dict[str, Any], problem: str
) -> None:
    with pytest.raises(PackError, match=problem):
        Packs.load(["here"], library(tmp_path, here={"factors": [factor(**changes)]}))


def test_two_records_of_one_day_must_be_variants(tmp_path: Path) -> None:
    with pytest.raises(PackError, match="cover the same days: end one of them, or make them variants"):
        Packs.load(["here"], library(tmp_path, here={"factors": [factor(), factor(value=0.5)]}))
    variants = [factor(variant="a", note="b says 0.5"), factor(value=0.5, variant="b", note="a says 0.6592")]
    shelf = library(tmp_path, here={"factors": variants})
    found = Packs.load(["here"], shelf, {"grid_electricity": "a"}).at(
        FactorRecord, "grid_electricity", date(2023, 2, 1)
    )
    assert found is not None
    assert found.record.value == 0.6592
    with pytest.raises(PackError, match="grid_electricity has no variant 'c'; known are a, b"):
        Packs.load(["here"], shelf, {"grid_electricity": "c"})


def test_two_preferred_variants_are_an_error(tmp_path: Path) -> None:
    both = [factor(variant=name, note="?", preferred=True) for name in ("a", "b")]
    with pytest.raises(PackError, match="are both `preferred`"):
        Packs.load(["here"], library(tmp_path, here={"factors": both}))


def test_peak_and_off_peak_must_not_overlap(tmp_path: Path) -> None:
    record = factor("tou_hours", unit=None) | {
        "peak": [{"spans": ["06:00-10:00"]}],
        "off_peak": [{"spans": ["22:00-07:00"]}],
    }
    del record["value"]
    with pytest.raises(PackError, match="peak and off-peak hours overlap"):
        Packs.load(["here"], library(tmp_path, here={"hours": [record]}))


def test_the_shipped_pack_is_well_formed() -> None:
    assert len(read(Path("configs/packs/vietnam.yaml")).records) > 70
