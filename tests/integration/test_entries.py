"""Booking, correcting and importing with the command line, beside a running gateway and without one."""

import asyncio
import json
import signal
import stat
import time
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import apsw
import pytest

from gateway.app import headless
from gateway.config import load
from gateway.control import Caller, NobodyThere, Refused
from gateway.model import BatchBuilder
from gateway.ports import Delivery
from tests.process import lineside
from tests.servers import eventually, free_port

SITE = """\
site: plant
timezone: Asia/Ho_Chi_Minh
sources:
  cell:
    kind: mqtt
    broker: mqtt://127.0.0.1:{port}
    tags:
      press/state: {{ topic: a, path: $.state, type: string }}
      press/total: {{ topic: a, path: $.total, type: uint32, counter: true }}
      press/good:  {{ topic: a, path: $.good, type: uint32, counter: true }}
assets:
  press:
    state: {{ tag: state, producing: [RUN], idle: [STOP] }}
    total: total
    good: good
    ideal_cycle_time: 1s
board: {{ enabled: false }}
"""


async def said(*arguments: str) -> tuple[int, str]:
    """Exit code and output of a command."""
    async with lineside(*arguments) as process, asyncio.timeout(30):
        out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, (out + err).decode()


@pytest.fixture
def site(tmp_path: Path) -> Path:
    file = tmp_path / "site.yaml"
    file.write_text(SITE.format(port=free_port()))
    return file


def entries(site: Path) -> list[dict[str, object]]:
    """What kpi.db keeps of entries, every revision."""
    db = apsw.Connection(str(site.parent / "data/kpi.db"), flags=apsw.SQLITE_OPEN_READONLY)
    found = db.execute("SELECT text FROM entry ORDER BY from_ms, id, revision").fetchall()
    db.close()
    return [json.loads(str(text)) for (text,) in found]


async def answers(site: Path) -> bool:
    """Whether somebody listens."""
    try:
        caller = await Caller.to(site.parent / "data/control.sock")
    except NobodyThere:
        return False
    await caller.close()
    return True


@asynccontextmanager
async def running(site: Path) -> AsyncIterator[Process]:
    """A gateway that answers on its control socket."""
    async with lineside("run", str(site)) as process:
        await eventually(lambda: answers(site))
        yield process
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(10):
            _, err = await process.communicate()
        assert process.returncode == 0, err.decode()


async def test_an_entry_is_booked_corrected_and_taken_back_beside_a_running_gateway(site: Path) -> None:
    async with running(site):
        code, out = await said(
            "fact", "add", str(site), "press", "scrap", "5", "--at", "now", "--id", "box", "--by", "Lan"
        )
        assert (code, out) == (0, "box: booked\n")
        assert (await said("fact", "correct", str(site), "box", "--value", "4"))[1] == "box: corrected, revision 1\n"
        assert (await said("fact", "correct", str(site), "box", "--value", "4"))[0] == 1
        code, out = await said("fact", "list", str(site))
        assert code == 0
        row = next(line for line in out.splitlines() if "box" in line)
        assert [cell.strip() for cell in row.split("│")][1:4] == ["press", "scrap", "4"]
        assert (await said("fact", "withdraw", str(site), "box"))[1] == "box: withdrawn, revision 2\n"
        code, out = await said("fact", "withdraw", str(site), "box")
        assert (code, "withdrawn already" in out) == (1, True)
    first, second, third = entries(site)
    assert (first["value"], first["by"], "withdrawn" in first) == (5.0, "Lan", False)
    assert (second["value"], second["revision"]) == (4.0, 1)
    assert third["withdrawn"] is True
    assert not (site.parent / "data/control.sock").exists()


async def test_parts_are_taken_back_with_a_minus(site: Path) -> None:
    code, out = await said("fact", "add", str(site), "press", "scrap", "-15", "--at", "now", "--id", "box")
    assert (code, out) == (0, "box: booked\n")
    code, out = await said("fact", "add", str(site), "press", "scrap", "5", "--att", "now")
    assert code == 2
    assert [entry["value"] for entry in entries(site)] == [-15.0]


async def test_an_entry_is_booked_while_no_gateway_runs(site: Path) -> None:
    code, out = await said("fact", "add", str(site), "press", "order", "A-4711", "--from", "06:00")
    assert code == 0, out
    assert [entry["value"] for entry in entries(site)] == ["A-4711"]
    code, out = await said("fact", "list", str(site), "--asset", "press")
    assert "A-4711" in out
    assert "goes on" in out
    assert "06:00:00+07:00" in out


async def test_a_file_is_booked_whole_or_not_at_all_and_once(site: Path) -> None:
    file = site.parent / "night.csv"
    head = "kind;asset;at;to;value;note"
    start, end = ((datetime.now(UTC) - timedelta(minutes=ago)).isoformat() for ago in (60, 50))
    good = [f"scrap;press;{start};;2;box 7"] * 2 + [f"stop;press;{start};{end};jam;"]
    file.write_text(
        "\n".join([head, good[0], f"scrap;pres;{start};;2;", "scrap;press;25:00;;2;", f"stop;press;{end};{start};jam;"])
    )
    code, out = await said("fact", "import", str(site), str(file))
    assert code == 1
    assert f"{file}:3: asset: no 'pres'; did you mean 'press'?" in out
    assert f"{file}:4: from: '25:00' is no time" in out
    assert f"{file}:5: ends before it begins" in out  # what only the desk knows is said in the same go
    assert entries(site) == []
    file.write_text("\n".join([head, *good]))
    assert (await said("fact", "import", str(site), str(file)))[1] == f"{file}: 3 booked, 0 were booked before\n"
    async with running(site):
        assert (await said("fact", "import", str(site), str(file)))[1] == f"{file}: 0 booked, 3 were booked before\n"
    assert sorted(str(entry["value"]) for entry in entries(site)) == ["2.0", "2.0", "jam"]


async def test_the_control_socket_belongs_to_its_user_and_refuses_what_it_does_not_know(site: Path) -> None:
    socket = site.parent / "data/control.sock"
    async with running(site):
        assert stat.S_IMODE(socket.stat().st_mode) == 0o600
        caller = await Caller.to(socket)
        assert (await caller.ask({"op": "ping"}))["assets"] == ["press"]
        for request, reason in (
            ({"op": "reboot"}, "no op 'reboot': there are ping"),
            ({"op": "ping", "loud": 1}, "loud: Extra inputs"),
            ({"op": "book", "drafts": [{"asset": "press"}]}, "drafts.0.kind: Field required"),
            ({}, "no op None"),
        ):
            with pytest.raises(Refused, match=reason):
                await caller.ask(request)
        await caller.close()
        reader, writer = await asyncio.open_unix_connection(str(socket))
        writer.write(b"hello\n")
        assert json.loads(await reader.readline())["error"] == "a request is one JSON object on one line"
        writer.write(b"x" * 9 * 2**20 + b"\n")
        assert "at most" in json.loads(await reader.readline())["error"]
        writer.close()


async def test_a_gateway_in_a_folder_with_a_long_name_can_be_asked(tmp_path: Path) -> None:
    folder = tmp_path / ("long-" * 20) / ("longer-" * 15)
    folder.mkdir(parents=True)
    site = folder / "site.yaml"
    site.write_text(SITE.format(port=free_port()))
    async with running(site):
        code, out = await said("fact", "add", str(site), "press", "rework", "1", "--at", "now")
    assert code == 0, out
    assert [entry["role"] for entry in entries(site)] == ["rework"]


async def test_what_was_booked_survives_a_kill_and_the_socket_that_it_left_stops_nobody(site: Path) -> None:
    async with lineside("run", str(site)) as process:
        await eventually(lambda: answers(site))
        for number in range(3):
            assert (await said("fact", "add", str(site), "press", "scrap", "1", "--at", "now", "--id", f"k{number}"))[
                0
            ] == 0
        process.kill()
        await process.communicate()
    assert (site.parent / "data/control.sock").exists()
    assert (await said("fact", "add", str(site), "press", "scrap", "1", "--at", "now", "--id", "k3"))[0] == 0
    async with running(site):
        code, out = await said("fact", "list", str(site))
    assert code == 0
    assert all(f"k{number}" in out for number in range(4))
    assert len(entries(site)) == 4


async def test_numbers_are_computed_again_and_compared_and_a_difference_is_exit_code_1(site: Path) -> None:
    code, out = await said("kpi", "replay", str(site), "2026-01-01", "now")
    assert (code, "does not exist yet" in out) == (1, True)
    minute = (time.time_ns() // 60_000_000_000 - 60) * 60_000
    async with headless(load(site)) as gateway:
        builder, tags = BatchBuilder(), gateway.journal.tags
        for second in range(0, 600, 10):
            builder.add(tags.id_of("press/total"), (minute + 1000 * second) * 1_000_000, second)
            builder.add(tags.id_of("source/cell/session"), (minute + 1000 * second) * 1_000_000, 1.0)
        await gateway.journal.append(Delivery(builder.build()), "cell")
    span = (str(site), "2026-01-01", "now")
    code, out = await said("kpi", "recompute", *span, "--model", "current", "--by", "Lan")
    assert (code, out) == (0, "9 minutes computed again, 0 of them changed\n")
    code, out = await said("kpi", "replay", *span, "--asset", "press")
    assert (code, out.splitlines()[-1]) == (0, "9 minutes compared, 0 numbers differ")
    db = apsw.Connection(str(site.parent / "data/kpi.db"))
    db.execute("UPDATE minute SET total = 99 WHERE minute = ?", (minute // 60_000 + 3,))
    db.close()
    code, out = await said("kpi", "replay", *span)
    assert code == 1
    row = next(line for line in out.splitlines() if "total" in line)
    assert [cell.strip() for cell in row.split("│")][-3:-1] == ["99", "60"]
    assert out.splitlines()[-1] == "9 minutes compared, 1 numbers differ"
    code, out = await said("kpi", "recompute", *span, "--model", "recorded", "--asset", "press")
    assert (code, out) == (0, "9 minutes computed again, 1 of them changed\n")
    assert (await said("kpi", "replay", *span))[0] == 0
    code, out = await said("kpi", "audit", str(site), "--json")
    assert [(one["kind"], one["by"]) for one in json.loads(out)][-1] == ("recompute", "Lan")
    assert "recompute" in (await said("kpi", "audit", str(site), "--owner", "press"))[1]
    code, out = await said("kpi", "replay", str(site), "2026-01-01", "2026-01-03")
    assert (code, "nothing was compared" in out) == (1, True)  # no proof of anything
    code, out = await said("kpi", "recompute", str(site), "2026-01-01", "2026-01-03", "--model", "current")
    assert (code, "no minutes are stored from 2026-01-01 to 2026-01-03" in out) == (1, True)
    for wrong, reason in ((("2026-02-01", "2026-01-01"), "is not after"), (("soon", "now"), "'soon' is no time")):
        code, out = await said("kpi", "replay", str(site), *wrong)
        assert (code, reason in out) == (1, True), out
    assert "no asset 'pres' in kpi.db; did you mean" in (await said("kpi", "replay", *span, "--asset", "pres"))[1]
