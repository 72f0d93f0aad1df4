"""Profiles: those that are shipped, and what is said about one that is wrong."""

import math
import os
from pathlib import Path

import pytest

from adapters.modbus.codec import Decoder
from adapters.modbus.examples import check_examples
from adapters.modbus.plan import Limits, plan
from adapters.modbus.point import Forbidden, Point, Table
from adapters.modbus.points import PointConfig, PointDefaults
from adapters.modbus.profile import Profile, load_profile
from adapters.modbus.resolve import resolve
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
    return resolve("p", PointConfig.model_validate({"address": 0, "type": "uint16", "table": "holding"} | said), NONE)[
        0
    ]


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


def words_of(profile: Profile, number: int) -> dict[tuple[Table, int], int]:
    """The words and bits of an example."""
    words: dict[tuple[Table, int], int] = {}
    for table, runs in profile.examples[number].image.items():
        for first, run in runs.items():
            words |= {(table, first + i): word for i, word in enumerate(run if isinstance(run, list) else [run])}
    return words


@pytest.mark.parametrize("name", SHIPPED.names("profiles"))
def test_a_whole_device_is_decoded_from_the_reads_that_fetch_it(name: str) -> None:
    profile = load_profile(name, SHIPPED)
    points = tuple(profile.resolved.values())
    blocks = plan(points, Limits(max_registers=profile.options.max_registers or 125))
    for number, example in enumerate(profile.examples):
        words = words_of(profile, number)  # a register that the example leaves out holds what no point must show
        image = b"".join(
            words.get((block.table, address), 0xA5A5).to_bytes(2, "big")
            for block in blocks
            for address in range(block.address, block.address + block.count)
        )
        column = Decoder(points, blocks).decode(image)
        for row, point in enumerate(points):
            if point.name in example.values:
                expected, value = example.values[point.name], column.value.item(row)
                found = column.texts[int(value)] if point.tag_type is TagType.TEXT else value
                assert found == pytest.approx(expected) if expected is not None else math.isnan(value), point.name


def test_a_word_and_its_bits_are_points_of_one_register() -> None:
    drive = load_profile("danfoss/fc51", SHIPPED)
    word, bit = drive.point("drive_status_word"), drive.point("drive_running")
    assert (bit.address, bit.bit, bit.type, bit.group) == (word.address, 11, "bool", "fast")


@pytest.mark.parametrize(("order", "addresses"), [("big", [8, 7]), ("little", [7, 8])])
def test_bits_of_a_wide_word_count_from_its_least_significant_one(order: str, addresses: list[int]) -> None:
    config = {"address": 7, "type": "uint32", "table": "input", "word_order": order, "bits": {"low": 3, "high": 20}}
    word, low, high = resolve("w", PointConfig.model_validate(config), NONE)
    assert ([low.address, high.address], [low.bit, high.bit], word.size) == (addresses, [3, 4], 2)


def test_a_bool_with_bits_is_only_its_bits() -> None:
    config = {"address": 7, "type": "bool", "table": "input", "bits": {"on": 3, "off": 4}}
    assert [point.name for point in resolve("w", PointConfig.model_validate(config), NONE)] == ["on", "off"]


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
        ("a: {table: input, address: 1, type: int16, bits: {x: 0}}", "`bits` belong to a bool, uint16, uint32"),
        ("a: {table: input, address: 1, type: uint16, bits: {x: 16}}", "bits.x: uint16 has the bits 0 to 15, not 16"),
        (
            "a: {table: input, address: 1, type: uint16, bits: {a: 1}}",
            "x.yaml:5: points.a: the name 'a' is given to two",
        ),
        ("a: {table: input, address: 1, type: bool, bit: 1, bits: {x: 0}}", "`bit` belongs to a bool"),
        ("a: {table: input, address: 1, type: string}", "a string needs its length in bytes"),
        ("a: {table: input, address: 1, type: uint16, length: 4}", "`length` belongs to a string"),
        ("a: {table: input, address: 1, type: string, length: 4, scale: 2}", "a string has neither scale nor offset"),
        ("a: {table: input, address: 1, type: string, length: 4, encoding: klingon}", "is not a text encoding"),
        ("a: {table: input, address: 1, type: string, length: 4, encoding: rot13}", "is not a text encoding"),
        ("a: {table: input, address: 1, type: uint16, byte: high}", "`byte` belongs to an int8 or uint8"),
        ("a: {table: input, address: 1, type: uint16, min: 3, max: 2}", "min 3 is above max 2"),
        ("a: {table: input, address: 1, type: uint16, enum: {0: A}, max: 2}", "has neither min nor max"),
        ("a: {table: input, address: 1, type: uint16, max_step: 2}", "`max_step` belongs to a counter"),
        ("a: {table: input, address: 1, type: bcd16, not_a_value: 10000}", "is not a decimal number below 10000"),
        ("a: {table: input, address: 1, type: uint8, not_a_value: 256}", "is not a number of 8 bits"),
        ("a: {table: input, address: 1, type: int16, scale_register: b}", "its scale_register 'b' is not a point"),
        ("a: {table: input, address: 1, type: int16, scale_register: a}", "its scale_register 'a' must be an integer"),
        ("a: {table: input, address: 1, type: int16, scale_register: b, offset: 1}", "has no offset"),
        ("'a b': {table: input, address: 1, type: int16}", "x.yaml:5: points.a b: "),
    ],
)
def test_what_is_wrong_in_a_profile_is_told_with_file_line_and_point(tmp_path: Path, points: str, told: str) -> None:
    assert told in problem(tmp_path, f"{HEAD}points:\n  {points}\n")


FORBIDDEN = "points: {a: {table: input, address: 1, type: int16}}\nforbidden: {holding: [%s]}\n"


@pytest.mark.parametrize("text", ['"9-3"', '"a-b"', "70000", '"1-70000"', "-3"])
def test_a_forbidden_range_that_is_none_is_told(tmp_path: Path, text: str) -> None:
    assert "is not a range of addresses: write 100-119 or 200" in problem(tmp_path, HEAD + FORBIDDEN % text)


def test_forbidden_ranges_are_read_in_order(tmp_path: Path) -> None:
    profile = load_profile("acme/x", written(tmp_path, HEAD + FORBIDDEN % '200, "100-119"'))
    assert profile.forbidden_ranges == (Forbidden(Table.HOLDING, 100, 119), Forbidden(Table.HOLDING, 200, 200))


PARENT = """
points:
  a: {table: input, address: 1, type: uint16, unit: V}
  b: {table: input, address: 2, type: uint16}
  w: {table: input, address: 3, type: uint16, bits: {on: 0, hot: 1}}
options: {timeout: 2s, max_registers: 20}
forbidden: {input: ["10-19"]}
caveats: [{text: first}]
examples:
  - {image: {input: {1: [5, 6, 1]}}, values: {a: 5, b: 6, w: 1, on: 1, hot: 0}}
"""


def child(tmp_path: Path, text: str) -> Library:
    library = written(tmp_path, HEAD + PARENT)
    (tmp_path / "profiles/acme/y.yaml").write_text("name: Y\nextends: acme/x\n" + text)
    return library


def test_a_profile_takes_over_what_it_extends_and_changes_it_key_by_key(tmp_path: Path) -> None:
    text = (
        "remove: [b]\npoints: {a: {scale: 0.1}, c: {table: input, address: 9, type: int16}}\noptions: {timeout: 3s}\n"
    )
    profile = load_profile("acme/y", child(tmp_path, text + "forbidden: {holding: [7]}\ncaveats: [{text: second}]\n"))
    assert (profile.name, profile.vendor) == ("Y", "Y")
    assert list(profile.resolved) == ["a", "w", "on", "hot", "c"]
    found = profile.point("a")
    assert (found.address, found.unit, found.scale) == (1, "V", 0.1)
    assert (profile.options.timeout, profile.options.max_registers) == (3.0, 20)
    assert len(profile.forbidden_ranges) == 2
    assert [note.text for note in profile.caveats] == ["first", "second"]


def test_examples_are_taken_over_for_points_that_stay_as_they_are(tmp_path: Path) -> None:
    profile = load_profile("acme/y", child(tmp_path, "remove: [b]\npoints: {a: {scale: 0.1}}\n"))
    assert [example.values for example in profile.examples] == [{"w": 1, "on": 1, "hot": 0}]
    assert load_profile("acme/y", child(tmp_path, "defaults: {byte_order: little}\n")).examples == []


def test_the_defaults_of_a_child_hold_for_the_points_that_it_takes_over(tmp_path: Path) -> None:
    profile = load_profile("acme/y", child(tmp_path, "defaults: {byte_order: little}\n"))
    assert {point.byte_order for point in profile.resolved.values()} == {"little"}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("remove: [bb]\n", "y.yaml:3: remove: 'bb' is not a point of acme/x"),
        ("points: {a: {scale: 0}}\n", "y.yaml:3: points.a.scale: a scale of 0"),
        ("points: {b: {bits: {on: 0}}}\n", "y.yaml:3: points.w: the name 'on' is given to two"),
        ("points: {c: {table: input, type: int16}}\n", "y.yaml:3: points.c.address: is missing"),
        ("points: 5\n", "points: "),
        ("remove: 5\n", "remove: "),
        ("remove: [{a: 1}]\n", "y.yaml:3: remove.0: "),
    ],
)
def test_what_is_wrong_in_a_child_is_told_with_its_own_line(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(ValueError, match=r"y\.yaml") as caught:
        load_profile("acme/y", child(tmp_path, text))
    assert told in str(caught.value)


def test_a_name_that_is_given_twice_is_told_every_time(tmp_path: Path) -> None:
    point = "  a: {table: input, address: 1, type: int16}\n"
    library = written(tmp_path, HEAD + "points:\n" + point + point)
    for _ in range(2):
        with pytest.raises(ValueError, match=r"x\.yaml:6: points\.a: is already given in line 5"):
            load_profile("acme/x", library)


def test_a_profile_that_extends_nothing_known_is_told(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"x\.yaml:4: extends: no profile 'acme/z'"):
        load_profile("acme/x", written(tmp_path, HEAD + "extends: acme/z\n"))


def test_profiles_that_extend_one_another_in_a_circle_are_told(tmp_path: Path) -> None:
    library = child(tmp_path, "")
    (tmp_path / "profiles/acme/x.yaml").write_text(HEAD + "extends: acme/y\n")
    with pytest.raises(ValueError, match="extends this profile in turn"):
        load_profile("acme/y", library)


def test_an_edited_parent_is_read_again(tmp_path: Path) -> None:
    library = child(tmp_path, "")
    first = load_profile("acme/y", library).point("a")
    path = tmp_path / "profiles/acme/x.yaml"
    path.write_text(path.read_text().replace("address: 1,", "address: 21,"))
    os.utime(path, ns=(0, path.stat().st_mtime_ns + 1_000_000))
    assert (first.address, load_profile("acme/y", library).point("a").address) == (1, 21)


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
        ({"counter": True, "type": "uint8"}, 256),
        ({"counter": True, "type": "bcd32"}, 10**8),
        ({"counter": True, "scale_register": "sf"}, 0),
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
        ({"type": "string", "length": 4}, TagType.TEXT),
        ({"type": "bcd16"}, TagType.INT),
        ({"scale_register": "sf"}, TagType.FLOAT),
    ],
)
def test_the_type_of_a_tag_follows_from_its_point(said: dict[str, object], kind: TagType) -> None:
    assert point(**said).tag_type is kind
