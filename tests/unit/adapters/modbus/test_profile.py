"""Profiles: those that are shipped, and what is said about one that is wrong."""

import os
from pathlib import Path

import pytest

from adapters.modbus.examples import check_examples
from adapters.modbus.point import Point, Table
from adapters.modbus.points import PointConfig, PointDefaults
from adapters.modbus.resolve import resolve
from adapters.modbus.profile import Profile, load_profile
from gateway.library import Library, UnknownName
from gateway.model import TagType

SHIPPED = Library.beside(Path("nowhere.yaml"))
HEAD = "name: X\nvendor: Y\ndocument: Z\n"


def written(tmp_path: Path, text: str) -> Library:
    (tmp_path / "profiles/acme").mkdir(parents=True, exist_ok=True)
    (tmp_path / "profiles/acme/x.yaml").write_text(text)
    return Library((tmp_path,))


def problem(tmp_path: Path, text: str) -> str:
    with pytest.raises(ValueError, match=r"x\.yaml:") as caught:
        load_profile("acme/x", written(tmp_path, text))
    return str(caught.value).removeprefix(f"{tmp_path}/profiles/acme/")


def point(**said: object) -> Point:
    return resolve("p", PointConfig.model_validate({"address": 0, "type": "uint16", "table": "holding"} | said), NONE)[0]


NONE = PointDefaults()


@pytest.mark.parametrize("name", SHIPPED.names("profiles"))
def test_the_examples_of_a_shipped_profile_hold(name: str) -> None:
    assert check_examples(load_profile(name, SHIPPED)) == []


@pytest.mark.parametrize("name", SHIPPED.names("profiles"))
def test_every_point_of_a_shipped_profile_has_an_example(name: str) -> None:
    profile = load_profile(name, SHIPPED)
    assert profile.resolved.keys() == {point for example in profile.examples for point in example.values}


@pytest.mark.parametrize("name", SHIPPED.names("profiles"))
def test_a_shipped_profile_says_where_its_registers_come_from(name: str) -> None:
    profile = load_profile(name, SHIPPED)
    assert profile.document
    assert profile.vendor == "Lineside" or all(source.link.startswith("https://") for source in profile.sources)
    assert profile.vendor == "Lineside" or profile.sources


def test_the_meters_give_power_in_w_and_energy_in_kwh_fast() -> None:
    for name in ("eastron/sdm630", "schneider/iem3000"):
        profile = load_profile(name, SHIPPED)
        power, energy = profile.point("active_power"), profile.point("import_energy")
        assert (power.unit, power.group) == ("W", "fast")
        assert (energy.unit, energy.group, energy.counter, energy.modulus) == ("kWh", "fast", True, 0)


def test_a_machine_shows_its_state_as_a_text_and_its_counters_with_their_width() -> None:
    wide, narrow = (load_profile(f"lineside/{name}", SHIPPED) for name in ("machine", "machine-16bit"))
    assert wide.point("state").tag_type is TagType.TEXT
    assert (wide.point("total_count").modulus, narrow.point("total_count").modulus) == (2**32, 2**16)
    assert narrow.point("good_count").tag_type is TagType.INT


def test_an_example_that_does_not_hold_is_told_with_both_values() -> None:
    profile = Profile.model_validate(
        {
            "name": "X",
            "vendor": "Y",
            "document": "Z",
            "points": {"p": {"table": "holding", "address": 1, "type": "int16", "not_a_value": 0x8000}},
            "examples": [
                {"image": {"holding": {1: 7}}, "values": {"p": 8, "q": 1}},
                {"image": {"holding": {2: [7]}}, "values": {"p": 7}},
                {"image": {"holding": {0: [7, 0x8000]}}, "values": {"p": None}},
                {"image": {"holding": {1: 5}}, "values": {"p": None}},
            ],
        }
    )
    assert check_examples(profile) == [
        "example 1: p: is 7.0, should be 8.0",
        "example 1: q: there is no such point",
        "example 2: p: the image has no holding 1",
        "example 4: p: is 5.0, should be bad",
    ]


def test_an_unknown_profile_is_met_with_a_close_name() -> None:
    with pytest.raises(UnknownName, match=r"did you mean 'eastron/sdm630'\?"):
        load_profile("eastron/sdm360", SHIPPED)


def test_an_edited_profile_is_read_again(tmp_path: Path) -> None:
    text = HEAD + "points: {a: {table: input, address: 1, type: int16}}\n"
    first = load_profile("acme/x", written(tmp_path, text))
    path = tmp_path / "profiles/acme/x.yaml"
    library = written(tmp_path, text.replace("address: 1", "address: 2"))
    stat = path.stat()
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns + 1_000_000))
    assert (first.point("a").address, load_profile("acme/x", library).point("a").address) == (1, 2)


@pytest.mark.parametrize(
    ("points", "told"),
    [
        ("a: {table: input, adress: 1, type: int16}", "x.yaml:5: points.a.adress: unknown key"),
        ("a: {table: input, address: 1, type: int17}", "x.yaml:5: points.a.type: input should be 'bool', 'int8'"),
        ("a: {table: input, address: 1}", "x.yaml:5: points.a: has no type: write one of bool, int8"),
        ("a: {address: 1, type: int16}", "x.yaml:5: points.a: has no table: write one of coil, discrete"),
        ("a: {table: input, address: 1, type: bool}", "x.yaml:5: points.a: a bool in a register needs its bit"),
        ("a: {table: coil, address: 1, type: int16}", "x.yaml:5: points.a: the table coil holds bits"),
        ("a: {table: input, address: 65535, type: int32}", "x.yaml:5: points.a: ends at address 65536"),
        ("a: {table: input, address: 1, type: int16, scale: 0}", "a scale of 0 would make every value 0"),
        ("a: {table: input, address: 1, type: int16, bit: 2}", "`bit` belongs to a bool"),
        ("a: {table: input, address: 1, type: int16, modulus: 9}", "add counter: true"),
        ("a: {table: input, address: 1, type: int16, not_a_value: 65536}", "is not a number of 16 bits"),
        ("a: {table: input, address: 1, type: uint16, not_a_value: -1}", "is not a number of 16 bits"),
        ("a: {table: input, address: 1, type: int16, not_a_value: 0.5}", "is not a number of 16 bits"),
        ("a: {table: input, address: 1, type: int16, enum: {0: A}, scale: 2}", "has neither scale nor offset"),
        ("a: {table: coil, address: 1, type: bool, counter: true}", "cannot be a counter"),
        ("'a b': {table: input, address: 1, type: int16}", "x.yaml:5: points.a b: "),
    ],
)
def test_what_is_wrong_in_a_profile_is_told_with_file_line_and_point(tmp_path: Path, points: str, told: str) -> None:
    assert told in problem(tmp_path, f"{HEAD}points:\n  {points}\n")


def test_a_profile_without_points_is_wrong(tmp_path: Path) -> None:
    assert "points: is missing" in problem(tmp_path, HEAD)


def test_defaults_fill_what_a_point_leaves_unsaid() -> None:
    defaults = PointDefaults(table=Table.INPUT, type="float32", word_order="little", group="fast")
    found = resolve("p", PointConfig(address=3, group="rare"), defaults)[0]
    assert (found.table, found.type, found.word_order, found.group) == (Table.INPUT, "float32", "little", "rare")
    assert (found.byte_order, found.where) == ("big", "input 3")


@pytest.mark.parametrize(
    ("number", "table", "address"),
    [
        (40001, Table.HOLDING, 0),
        (400001, Table.HOLDING, 0),
        (465536, Table.HOLDING, 65535),
        (30053, Table.INPUT, 52),
        (300053, Table.INPUT, 52),
        (10007, Table.DISCRETE, 6),
        (100007, Table.DISCRETE, 6),
        (7, Table.COIL, 6),
    ],
)
def test_a_manuals_reference_gives_table_and_address(number: int, table: Table, address: int) -> None:
    kind = "bool" if table.is_bits else "uint16"
    found = point(address=number, table=None, type=kind, addressing="reference")
    assert (found.table, found.address) == (table, address)
    assert point(address=number, table=table, type=kind, addressing="reference") == found


@pytest.mark.parametrize(
    ("number", "table"), [(0, "coil"), (40000, "holding"), (40001, "input"), (20001, None), (53, "input")]
)
def test_a_number_that_is_no_reference_is_refused(number: int, table: str | None) -> None:
    with pytest.raises(ValueError, match=r"reference|number of the table"):
        point(address=number, table=table, addressing="reference")


@pytest.mark.parametrize(
    ("said", "modulus"),
    [
        ({"counter": True}, 65536),
        ({"counter": True, "type": "uint32"}, 2**32),
        ({"counter": True, "type": "uint32", "scale": 10}, 10 * 2**32),
        ({"counter": True, "modulus": 1_000_000}, 1_000_000),
        ({"counter": True, "type": "uint64"}, 0),
        ({"counter": True, "type": "float32"}, 0),
        ({}, 0),
    ],
)
def test_a_counter_rolls_over_where_its_width_ends_unless_it_says_otherwise(
    said: dict[str, object], modulus: int
) -> None:
    assert point(**said).modulus == modulus


def test_a_sentinel_of_a_signed_point_may_be_written_as_its_bit_pattern() -> None:
    assert point(type="int16", not_a_value=0x8000).not_a_value == (-32768,)
    assert point(type="int64", not_a_value=[0x8000000000000000, -1]).not_a_value == (-(2**63), -1)
    assert point(type="uint64", not_a_value=0xFFFFFFFFFFFFFFFF).not_a_value == (2**64 - 1,)


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ({}, TagType.INT),
        ({"scale": 10}, TagType.INT),
        ({"scale": 0.1}, TagType.FLOAT),
        ({"type": "float32"}, TagType.FLOAT),
        ({"type": "bool", "bit": 3}, TagType.BOOL),
        ({"enum": {0: "OFF"}}, TagType.TEXT),
    ],
)
def test_the_type_of_a_tag_follows_from_its_point(said: dict[str, object], kind: TagType) -> None:
    assert point(**said).tag_type is kind
