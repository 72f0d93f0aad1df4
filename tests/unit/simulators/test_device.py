"""The registers of simulated devices, against samples of real ones and against every shipped profile's own examples."""

import struct
from collections.abc import Iterator
from math import sqrt
from pathlib import Path
from typing import Any

import pytest
import yaml

from simulators.device import ILLEGAL_ADDRESS, ILLEGAL_FUNCTION, ILLEGAL_VALUE, Device, Refused
from simulators.encoding import encoder
from simulators.meanings import Sight
from simulators.panel import Electric, Flow, Panel
from simulators.profiles import Point, ProfileError, Table, load_profile, profile_folders
from simulators.states import State
from tests.unit.simulators.device_samples import SAMPLES

SHELF = Path(__file__).parents[3] / "configs" / "profiles"
PROFILES = sorted(path.relative_to(SHELF).with_suffix("").as_posix() for path in SHELF.rglob("*.yaml"))
FOLDERS = profile_folders()
WATTS, COS, USED_WH = 23_456.7, 0.87, 7_654_321.0
KWH = (12_000 + USED_WH) / 1000
TRUTH = {
    "W": WATTS, "W of L2": WATTS * 0.33, "VA": WATTS / COS, "var": WATTS * sqrt(1 - COS**2) / COS, "cos": COS, "Hz": 50,
    "kWh": KWH, "kWh of L2": KWH * 0.33, "MWh": KWH / 1000, "nothing": 0, "V of L1": 230.4, "V of L3": 230.9,
    "A of L2": WATTS / COS * 0.33 / 229.7,
}  # fmt: skip


def sight() -> Sight:
    air = {"air": Flow(6.5, 120.0)}
    panel = Panel(
        state=State.EXECUTE, total=40, good=37, scrap=3, cycle_s=0.85, product="BRK-7", order="WO-1", flows=air
    )
    return Sight(Electric(WATTS, WATTS * sqrt(1 - COS**2) / COS, USED_WH, USED_WH / 2), panel)


def device(profile: str) -> Device:
    return Device(load_profile(profile, FOLDERS), sight())


def packed(words: list[int] | Refused) -> bytes:
    assert isinstance(words, list), words
    return struct.pack(f">{len(words)}H", *words)


@pytest.mark.parametrize("profile", SAMPLES)
def test_a_real_devices_registers_are_where_and_how_its_document_says(profile: str) -> None:
    shown = device(profile)
    for function, address, layout, factor, what in SAMPLES[profile]:
        words = shown.read("holding" if function == 3 else "input", address, struct.calcsize(layout) // 2)
        assert isinstance(words, list)
        if layout[0] == "<":
            words = words[::-1]
        (raw,) = struct.unpack(f">{layout[1]}", packed(words))
        if what.startswith("running in bit "):
            assert raw >> int(what.removeprefix("running in bit ")) & 1 == 1
        else:
            step = factor if layout[1] not in "fd" else 0
            assert raw * factor == pytest.approx(TRUTH[what], abs=step, rel=1e-6), what


def examples() -> Iterator[Any]:
    for name in PROFILES:
        for index, example in enumerate(yaml.safe_load((SHELF / f"{name}.yaml").read_text())["examples"]):
            yield pytest.param(name, example, id=f"{name}-{index}")


@pytest.mark.parametrize(("name", "example"), list(examples()))
def test_the_examples_of_a_profile_are_what_its_values_become(name: str, example: dict[str, Any]) -> None:
    points = {point.name: point for point in load_profile(name, FOLDERS).points}
    image = {(table, address): word for table, told in example["image"].items() for address, word in _each(told)}
    checked = 0
    for point in points.values():
        value = example["values"].get(point.name)
        if value is None or point.bits or point.scale_register or point.type == "uint8":
            continue
        words = [image[point.table, point.address + index] for index in range(point.width)]
        made = encoder(point)(value)
        # a decimal text of a float may be one step off; a text may be padded with spaces or zeros
        assert _close(words, made, point), point.name
        checked += 1
    assert checked or all(value is None for value in example["values"].values()) or name.startswith(("sunspec", "apc"))


def _each(told: dict[int, int | list[int]]) -> Iterator[tuple[int, int]]:
    for begin, words in told.items():
        yield from enumerate(words if isinstance(words, list) else [words], begin)


def _close(words: list[int], made: list[int], point: Point) -> bool:
    if point.type == "string":
        return packed(words).rstrip(b"\0 ") == packed(made).rstrip(b"\0 ")
    ordered = [(w[::-1] if point.word_order == "little" else w) for w in (words, made)]
    one, other = (int.from_bytes(packed(w), "big") for w in ordered)
    return abs(one - other) <= (200_000 if point.type == "float64" else 2 if point.type.startswith("float") else 0)


@pytest.mark.parametrize("profile", PROFILES)
def test_every_register_of_every_shipped_profile_can_be_read(profile: str) -> None:
    shown = device(profile)
    shown.refresh()
    for point in shown.profile.points:
        if point.width <= shown.profile.max_registers:
            assert isinstance(shown.read(point.table, point.address, point.width), list), point.name


def test_a_profile_that_extends_another_has_its_points_and_its_own() -> None:
    points = {point.name: point for point in load_profile("eastron/sdm230", FOLDERS).points}
    assert points["phase_angle"].address == 36
    assert points["voltage_l1"].address == 0
    assert "voltage_l2" not in points


def test_a_profile_beside_the_scenario_wins_and_a_missing_one_is_named(tmp_path: Path) -> None:
    (tmp_path / "profiles/acme").mkdir(parents=True)
    (tmp_path / "profiles/acme/m1.yaml").write_text(
        "{defaults: {addressing: reference}, points: {voltage: {address: 40053, unit: V, scale: 0.1}}}"
    )
    (point,) = load_profile("acme/m1", profile_folders(tmp_path)).points
    assert (point.table, point.address) == ("holding", 52)
    with pytest.raises(ProfileError, match="no profile 'acme/m2'"):
        load_profile("acme/m2", profile_folders(tmp_path))


def test_profiles_that_extend_one_another_in_a_circle_are_refused(tmp_path: Path) -> None:
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles/a.yaml").write_text("{extends: b, points: {}}")
    (tmp_path / "profiles/b.yaml").write_text("{extends: a, points: {}}")
    with pytest.raises(ProfileError, match="circle"):
        load_profile("a", (tmp_path,))


def test_a_meter_cannot_show_what_a_controller_shows() -> None:
    with pytest.raises(ProfileError, match="write `machine:` instead of `meter:`"):
        Device(load_profile("lineside/machine", FOLDERS), Sight(Electric()))


def point(kind: str, **told: Any) -> Point:
    return Point("x", told.pop("table", "holding"), 0, kind, **told)


@pytest.mark.parametrize(
    ("made", "value", "words"),
    [
        (point("uint16", counter=True), 65_537, [1]),
        (point("uint32", counter=True, scale=0.01), 42_949_672.96 + 1.5, [0, 150]),
        (point("uint16", counter=True, modulus=10_000), 10_007, [7]),
        (point("bcd32"), 20_260_417, [0x2026, 0x0417]),
        (point("bcd16", counter=True), 10_003, [0x0003]),
        (point("int16", scale=0.1), -2.5, [0xFFE7]),
        (point("int16"), 99_999, [0x7FFF]),
        (point("uint16"), -5, [0]),
        (point("float32", word_order="little"), 100.0, [0x0000, 0x42C8]),
        (point("float32", byte_order="little"), 100.0, [0xC842, 0x0000]),
        (point("uint32", word_order="little", byte_order="little"), 0x01020304, [0x0403, 0x0201]),
        (point("float16"), 1.5, [0x3E00]),
        (point("int16", sentinel=0x8000), None, [0x8000]),
        (point("uint32", sentinel=0xFFFFFFFF, word_order="little"), None, [0xFFFF, 0xFFFF]),
        (point("float32"), None, [0x7FC0, 0x0000]),
        (point("float32", sentinel=0x7F7FFFFF), None, [0x7F7F, 0xFFFF]),
        (point("uint8", high_byte=True), 2, [0x0200]),
        (point("uint16", enum={0: "IDLE", 3: "ABORTED"}), "ABORTED", [3]),
        (point("string", length=5, padding=32), "XL 2.13", [0x584C, 0x2032, 0x2E20]),
        (point("string", length=4, encoding="utf-16-be"), "XL", [0x0058, 0x004C]),
        (point("bool", table="coil"), 1, [1]),
        (point("bool", bit=5), True, [0x0020]),
    ],
)
def test_values_become_words(made: Point, value: float | str | None, words: list[int]) -> None:
    assert encoder(made)(value) == words


def test_points_that_share_a_register_leave_each_other_alone(tmp_path: Path) -> None:
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles/m.yaml").write_text("""
defaults: { table: holding }
points:
  state:       { address: 0, enum: { 1: EXECUTE } }
  cycle_time:  { address: 1, type: uint8 }
  good_count:  { address: 1, type: uint8, byte: high, counter: true }
  running:     { table: coil, address: 7 }
  status_word: { address: 9, bits: { running: 3, fault: 4 } }
""")
    shown = Device(load_profile("m", (tmp_path,)), sight())
    assert shown.read("holding", 1, 1) == [((65470 + 37) % 256) << 8 | 1]
    assert shown.read("coil", 7, 1) == [1]
    assert shown.read("holding", 9, 1) == [0b01000]


def test_the_power_of_ten_stands_in_its_own_register() -> None:
    shown = device("sunspec/inverter-three-phase")
    (watts,), (power,) = shown.read("holding", 40083, 1), shown.read("holding", 40084, 1)
    exponent = struct.unpack(">h", struct.pack(">H", power))[0]
    assert watts * 10**exponent == pytest.approx(min(WATTS, 32767 * 10**exponent), abs=10**exponent)


READS: list[tuple[str, Table, int, int, Refused]] = [
    ("eastron/sdm630", "holding", 0, 2, ILLEGAL_FUNCTION),
    ("eastron/sdm630", "input", 36, 1, ILLEGAL_ADDRESS),
    ("eastron/sdm630", "input", 52, 8, ILLEGAL_ADDRESS),
    ("eastron/sdm630", "input", 382, 1, ILLEGAL_ADDRESS),
    ("lineside/machine", "coil", 0, 1, ILLEGAL_FUNCTION),
    ("vacon/vacon10", "input", 0, 2, ILLEGAL_VALUE),
]


@pytest.mark.parametrize(("profile", "table", "address", "count", "why"), READS)
def test_what_a_device_has_not_is_refused(profile: str, table: Table, address: int, count: int, why: Refused) -> None:
    assert device(profile).read(table, address, count) == why


def test_what_changes_in_the_plant_shows_after_a_refresh() -> None:
    shown = device("lineside/machine")
    assert shown.sight.panel is not None
    before = shown.read("holding", 0, 8)
    shown.sight.panel.state, shown.sight.panel.total = State.HELD, 41
    assert shown.read("holding", 0, 8) == before
    shown.refresh()
    state, _, total = struct.unpack(">HHI", packed(shown.read("holding", 0, 4)))
    assert (state, total) == (6, 65541)


def test_a_corrected_counter_begins_anew_and_a_gauge_does_not() -> None:
    shown = device("eastron/sdm630")
    shown.refresh(lambda value, true: true - 7_000.0)
    assert struct.unpack(">f", packed(shown.read("input", 72, 2)))[0] == pytest.approx(KWH - 7000, rel=1e-6)
    assert struct.unpack(">f", packed(shown.read("input", 52, 2)))[0] == pytest.approx(WATTS)
