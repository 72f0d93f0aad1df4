"""The tools as a user meets them: plan, scan, decode, poll, against devices that refuse, stay silent and vanish."""

import re
import signal
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.integration.modbus.fault_server import Behaviour, Device, Request, bit, device, silent, word
from tests.integration.test_run import ended, lineside

GENTLE = ("--timeout", "400ms", "--pause", "1ms")
LINE = "rtu:///dev/ttyUSB7?baud=9600&parity=N"


async def say(*arguments: str) -> tuple[int, str]:
    """Exit code and everything that a command said, without the breaks that tables and usage texts have."""
    async with lineside(*arguments) as process:
        code, said = await ended(process, within_s=30)
    assert "Traceback" not in said
    return code, said


def hall(folder: Path, meters: int, fast: str = "1s", endpoint: str = LINE) -> str:
    """A config of energy meters on one line."""
    rows = [
        f"  m{unit}: {{ kind: modbus, endpoint: '{endpoint}', unit_id: {unit}, profile: eastron/sdm630, "
        f"asset: a{unit}, poll: {{ fast: {fast} }} }}"
        for unit in range(1, meters + 1)
    ]
    file = folder / "hall.yaml"
    file.write_text("site: hall\nsources:\n" + "\n".join(rows) + "\n")
    return str(file)


def having(**maps: dict[int, range]) -> Behaviour:
    """A gateway with some units, each with one range per function code; silent for all others."""
    units = {int(name.removeprefix("unit")): ranges for name, ranges in maps.items()}

    def behave(plc: Device, request: Request) -> Sequence[bytes]:
        if request.unit not in units:
            return []
        if request.function not in units[request.unit]:
            return [request.exception(1)]
        there = units[request.unit][request.function]
        inside = request.address in there and request.address + request.count - 1 in there
        return [request.frame() if inside else request.exception(2)]

    return behave


def row(said: str, *cells: str) -> bool:
    """Whether a table has a row that begins with these cells."""
    return re.search(r"│\s*" + r"\s*│\s*".join(map(re.escape, cells)) + r"\s*│", said) is not None


async def test_plan_shows_requests_and_how_busy_a_line_is(tmp_path: Path) -> None:
    code, said = await say("plan", hall(tmp_path, 3))
    assert code == 0
    assert row(said, "m1 and 2 more", "fast", "1s", "input 52…75", "24", "14")
    assert "rtu:///dev/ttyUSB7 (9600 baud, 8N1)" in said
    assert "a device on a line begins to answer after 20ms (--answer)" in said


async def test_plan_refuses_a_rate_that_the_bus_cannot_meet_and_names_one_that_it_can(tmp_path: Path) -> None:
    code, said = await say("plan", hall(tmp_path, 32))
    assert code == 1
    found = re.search(r"rtu:///dev/ttyUSB7: needs (\d+) % of the time; it could read fast every (\S+): write", said)
    assert found is not None
    assert int(found[1]) > 100
    code, said = await say("plan", hall(tmp_path, 32, fast=found[2]))
    assert code == 0
    assert "needs" not in said


async def test_plan_counts_with_the_line_behind_a_gateway(tmp_path: Path) -> None:
    config = hall(tmp_path, 32, fast="5s", endpoint="tcp://10.0.0.1")
    assert (await say("plan", config, "--baud", "38400"))[0] == 0
    code, said = await say("plan", config, "--baud", "1200", "--answer", "50ms")
    assert code == 1
    assert "several units behind one address share a line of 1200 baud" in said


async def test_plan_says_what_it_cannot_read(tmp_path: Path) -> None:
    code, said = await say("plan", hall(tmp_path, 1), "--answer", "soon")
    assert code == 2
    assert "'soon' is not a duration" in said
    code, said = await say("plan", hall(tmp_path, 1, endpoint="serial:///dev/ttyS0"))
    assert code == 1
    assert "hall.yaml:3: sources.m1.endpoint: 'serial:///dev/ttyS0' is not an endpoint" in said


async def test_scan_finds_units_and_the_edges_of_what_they_have() -> None:
    there = having(unit2={3: range(80), 4: range(1000, 1061), 2: range(16)}, unit4={3: range(10, 15)})
    async with device(there) as plc:
        code, said = await say("scan", plc.endpoint, "--units", "1-5", "--addresses", "0-1999", *GENTLE)
    assert code == 0
    assert f"{plc.endpoint}: units 2, 4 answered" in said
    for cells in [("2", "holding", "0…79", "80"), ("2", "input", "1000…1060", "61"), ("2", "discrete", "0…15", "16")]:
        assert row(said, *cells), cells
    assert row(said, "2", "coil", "–", "0", "1", "the device has no such table")
    assert row(said, "4", "holding", "10…14", "5")
    assert f"lineside decode --from {plc.endpoint} --unit 2 --table holding --address 0 --count 10" in said
    assert "\x1b" not in said  # no progress bars in a file


async def test_scan_does_not_take_a_gateway_for_the_devices_behind_it() -> None:
    def gateway(plc: Device, request: Request) -> Sequence[bytes]:
        return [request.frame() if request.unit == 3 else request.exception(11)]

    async with device(gateway) as plc:
        code, said = await say("scan", plc.endpoint, "--units", "1-4", "--tables", "holding", "--reads", "5", *GENTLE)
    assert (code, f"{plc.endpoint}: unit 3 answered" in said) == (0, True)
    assert row(
        said, "3", "holding", "0…499", "500", "5", "ended after 5 reads; 9500 addresses not looked at one by one"
    )


async def test_scan_sees_that_a_device_does_not_look_at_unit_ids() -> None:
    def deaf(plc: Device, request: Request) -> Sequence[bytes]:
        return [request.frame(bytes([request.function, 2 * request.count]) + bytes(2 * request.count))]

    async with device(deaf) as plc:
        code, said = await say("scan", plc.endpoint, "--units", "1-9", "--tables", "holding", "--reads", "2", *GENTLE)
        assert {request.unit for request in plc.requests if request.count > 1} == {1}
    assert (code, "every unit answers alike: one device, which does not look at unit ids" in said) == (0, True)


async def test_scan_that_is_interrupted_shows_what_it_has() -> None:
    async with device(having(unit1={3: range(40)})) as plc:
        arguments = ("scan", plc.endpoint, "--units", "1", "--reads", "60000", "--timeout", "400ms", "--pause", "5ms")
        async with lineside(*arguments) as process:
            while len(plc.requests) < 150:
                plc.asked.clear()
                await plc.asked.wait()
            process.send_signal(signal.SIGINT)
            code, said = await ended(process)
    assert (code, "Traceback" in said, "stopped before the end" in said) == (0, False, True)
    assert row(said, "1", "holding", "0…39", "40")


async def test_scan_shows_what_it_has_when_the_device_vanishes() -> None:
    async with device(having(unit1={3: range(40)})) as plc:
        honest_so_far = plc.behave

        def vanish(plc: Device, request: Request) -> Sequence[bytes]:
            if len(plc.requests) < 120:
                return honest_so_far(plc, request)
            plc.drop()
            return []

        plc.behave = vanish
        code, said = await say("scan", plc.endpoint, "--units", "1", "--tables", "holding", *GENTLE)
    assert code == 0
    assert row(said, "1", "holding", "0…39", "40")


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("tcp://127.0.0.1:1",), 1, "tcp://127.0.0.1:1: Connection refused"),
        (("modbus://plc",), 1, "'modbus://plc' is not an endpoint that can be read: write tcp://host"),
        (("tcp://127.0.0.1:1", "--units", "1-300"), 2, "'1-300' is no range from 0 to 255"),
        (("tcp://127.0.0.1:1", "--tables", "holding,coils"), 2, "'coils' is no table: write coil, discrete"),
    ],
)
async def test_scan_says_in_one_sentence_what_is_wrong(arguments: tuple[str, ...], code: int, told: str) -> None:
    found, said = await say("scan", *arguments)
    assert (found, told in " ".join(said.split())) == (code, True), said


async def test_scan_of_a_silent_address_ends_with_exit_code_1() -> None:
    async with device(silent) as plc:
        code, said = await say("scan", plc.endpoint, "--units", "1-4", *GENTLE)
    assert (code, f"{plc.endpoint}: no unit from 1 to 4 answers" in said) == (1, True)


async def test_decode_ranks_the_meanings_of_registers() -> None:
    code, said = await say("decode", "42C8", "0000")
    assert code == 0
    first = next(line for line in said.splitlines() if line.startswith("│"))
    assert [cell.strip() for cell in first.split("│")[1:7]] == ["0…1", "float32", "big", "big", "1", "100"]
    assert "in a profile: { address: 0, type: float32 }" in said
    assert (await say("decode", "0x42C80000"))[1] == said
    assert (await say("decode", "17096,0", "--decimal"))[1] == said


async def test_decode_finds_the_order_that_gives_the_expected_value() -> None:
    code, said = await say("decode", "0000 42C8", "--expect", "100")
    assert (code, "in a profile: { address: 0, type: float32, word_order: little }" in said) == (0, True)
    code, said = await say("decode", "0000 42C8", "--expect", "777", "--within", "1")
    assert (code, "nothing in these registers means 777 within 1 %" in said) == (1, True)


async def test_decode_reads_a_device() -> None:
    def one_value(plc: Device, request: Request) -> Sequence[bytes]:
        return [request.frame(bytes.fromhex("04040000 4366"))] if request.unit == 7 else [request.exception(2)]

    async with device(one_value) as plc:
        there = ("decode", "--from", plc.endpoint, "--table", "input", "--address", "52")
        code, said = await say(*there, "--unit", "7", "--expect", "230")
        assert (code, "in a profile: { address: 52, type: float32, word_order: little }" in said) == (0, True)
        code, said = await say(*there, "--unit", "8")
        assert (code, "exception 2 (illegal data address) for input 52…53 of unit 8" in said) == (1, True)


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("4XYZ",), 1, "'4XYZ' is not a register: write 42C8 0000"),
        (("70000", "--decimal"), 1, "each from 0 to 65535"),
        ((), 2, "write registers, such as 42C8 0000, or --from ENDPOINT"),
        (("--from", "tcp://127.0.0.1:1"), 1, "tcp://127.0.0.1:1: Connection refused"),
        (("--from", "tcp://127.0.0.1:1", "--table", "coil"), 1, "'coil' holds no registers: write holding or input"),
    ],
)
async def test_decode_says_in_one_sentence_what_is_wrong(arguments: tuple[str, ...], code: int, told: str) -> None:
    found, said = await say("decode", *arguments)
    assert (found, told in " ".join(said.split())) == (code, True), said


async def test_poll_shows_the_raw_registers_of_every_type(tmp_path: Path) -> None:
    file = tmp_path / "plc.yaml"
    async with device() as plc:
        file.write_text(
            f"""
site: hall
sources:
  plc:
    kind: modbus
    endpoint: {plc.endpoint}
    asset: press
    points:
      low:    {{ table: holding, address: 3, type: uint8, byte: low }}
      high:   {{ table: holding, address: 3, type: uint8, byte: high }}
      label:  {{ table: holding, address: 10, type: string, length: 6, encoding: latin-1 }}
      total:  {{ table: input, address: 20, type: uint64, lossy: true }}
      door:   {{ table: discrete, address: 5, type: bool }}
"""
        )
        code, said = await say("poll", str(file))
    assert code == 0
    low = word(1, 3, 3)
    total = " ".join(f"{word(1, 4, 20 + n):04X}" for n in range(4))
    label = " ".join(f"{word(1, 3, 10 + n):04X}" for n in range(3))
    assert row(said, "press/low", "holding 3 low byte", f"{low:04X}", str(low & 0xFF))
    assert row(said, "press/high", "holding 3 high byte", f"{low:04X}", str(low >> 8))
    text = "".join(map(chr, b"".join(word(1, 3, 10 + n).to_bytes(2, "big") for n in range(3))))
    assert row(said, "press/label", "holding 10", label)
    assert text.strip("\0 ") in said
    assert row(said, "press/total", "input 20", total)
    assert row(said, "press/door", "discrete 5", str(bit(1, 2, 5)), str(bit(1, 2, 5)))


async def test_poll_says_which_registers_the_device_refuses(tmp_path: Path) -> None:
    file = tmp_path / "plc.yaml"
    points = "{ a: { table: holding, address: 0, type: uint16 }, b: { table: holding, address: 9, type: uint16 } }"
    async with device(having(unit1={3: range(5)})) as plc:
        source = f"{{ kind: modbus, endpoint: '{plc.endpoint}', asset: press, points: {points} }}"
        file.write_text(f"site: hall\nsources:\n  plc: {source}\n")
        _, said = await say("poll", str(file))
    assert row(said, "press/a", "holding 0", f"{word(1, 3, 0):04X}", str(word(1, 3, 0)), "", "good")
    assert row(said, "press/b", "holding 9", "", "–", "", "bad: refused by the device")


async def test_scan_works_on_a_line_where_silence_is_all_that_a_missing_unit_gives() -> None:
    async with device(having(unit3={3: range(10)}), framing="rtu") as plc:
        arguments = ("--units", "1-4", "--tables", "holding", "--addresses", "0-99", *GENTLE)
        code, said = await say("scan", plc.endpoint, *arguments)
    assert (code, f"{plc.endpoint}: unit 3 answered" in said) == (0, True)
    assert row(said, "3", "holding", "0…9", "10")


MAP = "Name;Address;Data type;Unit\nActive power;40053;FLOAT32;W\nImport energy;40073;UINT32;kWh\n"


async def test_import_csv_writes_a_profile_that_a_source_can_name(tmp_path: Path) -> None:
    (tmp_path / "map.csv").write_text(MAP)
    profile = tmp_path / "profiles/acme/m1.yaml"
    code, said = await say("import-csv", str(tmp_path / "map.csv"), "--out", str(profile), "--vendor", "Acme")
    assert (code, "profile: acme/m1" in said) == (0, True)
    (tmp_path / "site.yaml").write_text(
        "site: hall\nsources:\n  m: { kind: modbus, endpoint: 'tcp://10.0.0.1', profile: acme/m1, asset: press }\n"
    )
    code, said = await say("plan", str(tmp_path / "site.yaml"))
    assert code == 0
    assert row(said, "m", "slow", "30s", "holding 52…53, 72…73") or row(said, "m", "slow", "30s", "holding 52…73")
    code, said = await say("import-csv", str(tmp_path / "map.csv"), "--out", str(profile))
    assert (code, "exists: write --force to overwrite it" in said) == (1, True)


async def test_import_csv_prints_the_profile_where_no_file_is_named_and_every_mistake_with_its_line(
    tmp_path: Path,
) -> None:
    (tmp_path / "map.csv").write_text(MAP)
    code, said = await say("import-csv", str(tmp_path / "map.csv"))
    assert (code, "active_power:" in said) == (0, True)
    (tmp_path / "map.csv").write_text(MAP.replace("UINT32", "UINT33").replace("40053", "forty"))
    code, said = await say("import-csv", str(tmp_path / "map.csv"))
    assert code == 1
    assert "map.csv: line 2: address:" in said
    assert "map.csv: line 3: type:" in said
    code, said = await say("import-csv", str(tmp_path / "none.csv"))
    assert (code, "none.csv: No such file" in said) == (1, True)
