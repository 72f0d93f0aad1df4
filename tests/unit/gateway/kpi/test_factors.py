from datetime import date
from pathlib import Path

import pytest

from gateway.kpi.factors import Factors
from gateway.library import Library, UnknownName
from gateway.packs import PackError, Packs

RECORD = """
  - key: grid_electricity
    value: {value}
    unit: {unit}
    scope: scope 2, location-based
    valid_from: {year}-01-01
    valid_to: {year}-12-31
    data_year: {year}
    issued_by: somebody
    document: letter {year}
    verified: secondary
"""


def library(folder: Path, *records: str, name: str = "here") -> Library:
    (folder / "packs").mkdir(exist_ok=True)
    (folder / "packs" / f"{name}.yaml").write_text("factors:" + "".join(records))
    return Library((folder,))


def record(year: int = 2023, value: object = 0.6592, unit: str = "tCO2/MWh") -> str:
    return RECORD.format(year=year, value=value, unit=unit)


@pytest.fixture
def vietnam() -> Factors:
    return Factors(Packs.load(["vietnam"], Library.beside(Path("lineside.yaml"))))


def test_the_shipped_pack_knows_the_grid_factor_of_a_year(vietnam: Factors) -> None:
    found = vietnam.grid(date(2022, 6, 30))
    assert found is not None
    assert (found.kg_per_kwh, found.latest_available) == (0.6766, False)
    assert found.label == "grid_electricity 2022: 0.6766 tCO2/MWh (letter 327/BĐKH-PTCBT, secondary)"


def test_tv22_a_hundred_megawatt_hours_of_2021(vietnam: Factors) -> None:
    found = vietnam.grid(date(2021, 1, 1))
    assert found is not None
    assert 100_000 * found.kg_per_kwh == pytest.approx(72_210)


def test_a_date_after_the_last_record_takes_that_record_and_says_so(vietnam: Factors) -> None:
    found = vietnam.grid(date(2026, 1, 1))
    assert found is not None
    assert (found.kg_per_kwh, found.latest_available) == (0.6592, True)
    assert found.label.endswith(", latest available")


def test_a_date_before_the_first_record_has_no_factor(vietnam: Factors) -> None:
    assert vietnam.grid(date(2012, 1, 1)) is None


def test_every_shipped_record_says_where_it_comes_from_and_how_well_it_is_verified(vietnam: Factors) -> None:
    for one in vietnam.records:
        assert one.issued_by
        assert one.document
        assert one.verified != "official" or one.source_url.startswith("https://")
        assert one.verified == "official" or one.note


def test_without_packs_there_is_no_factor() -> None:
    assert Factors().grid(date(2023, 1, 1)) is None


def test_units_are_converted_to_kilograms_per_kilowatt_hour(tmp_path: Path) -> None:
    found = Factors(Packs.load(["here"], library(tmp_path, record(value=659.2, unit="gCO2e/kWh")))).grid(
        date(2023, 1, 1)
    )
    assert found is not None
    assert found.kg_per_kwh == pytest.approx(0.6592)


@pytest.mark.parametrize(
    ("records", "problem"),
    [
        ((record(), record(2024, -1)), r"here\.yaml: factors\[1\]\.value: Input should be greater than 0"),
        ((record(unit="kg"),), r"here\.yaml: factors\[0\]: .*unit 'kg': grid_electricity has one of gCO2e/kWh"),
        ((record() + "    colour: red\n",), r"here\.yaml: factors\[0\]\.colour: Extra inputs"),
        ((record(), record()), "grid_electricity 2023 and grid_electricity 2023 cover the same days"),
        (("\n  - {",), r"here\.yaml: is not YAML"),
    ],
)
def test_a_pack_that_cannot_be_used_names_file_and_record(
    tmp_path: Path, records: tuple[str, ...], problem: str
) -> None:
    with pytest.raises(PackError, match=problem):
        Factors(Packs.load(["here"], library(tmp_path, *records)))


def test_an_unknown_pack_is_named_with_the_one_that_was_meant() -> None:
    with pytest.raises(UnknownName, match="did you mean 'vietnam'"):
        Factors(Packs.load(["vietnm"], Library.beside(Path("lineside.yaml"))))
