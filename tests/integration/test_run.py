"""`lineside run` as a user meets it: what is missing or broken is said, and nothing of it stops the rest."""

import asyncio
import json
import signal
import subprocess
import sys
import urllib.request
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Coroutine
from pathlib import Path

import aiomqtt
import pytest

from gateway.journal import NoJournal, open_readonly, read_ledger
from tests.plant import Hand, demo_live, modbus_plant
from tests.process import lineside
from tests.servers import Server, eventually, free_port

SITE = """\
site: test
sources:
{sources}
assets: {{}}
board: {{ enabled: false }}
"""
METER = """\
  meter: {{ kind: modbus, endpoint: "tcp://127.0.0.1:{port}", profile: eastron/sdm630, asset: main, timeout: 200ms }}
"""
CELL = """\
  cell:
    kind: mqtt
    broker: {broker}
    client_id: {client}
    tags:
      cell/count: {{ topic: {client}/counts, path: $.n, type: uint32, counter: true }}
      cell/state: {{ topic: {client}/counts, path: $.state, type: string }}
"""


async def ended(process: Process, within_s: float = 10) -> tuple[int, str]:
    """Exit code and everything that it said."""
    async with asyncio.timeout(within_s):
        out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, (out + err).decode()


def site(folder: Path, sources: str, **extra: str) -> Path:
    file = folder / "site.yaml"
    file.write_text(SITE.format(sources=sources) + "".join(f"{key}: {value}\n" for key, value in extra.items()))
    return file


def ingested(folder: Path, producer: str) -> int:
    try:
        db = open_readonly(folder / "data/journal.db")
    except NoJournal:
        return 0
    found = {p.name: p.ingested for p in read_ledger(db).producers}
    db.close()
    return found.get(producer, 0)


def letters(folder: Path) -> list[tuple[str, str]]:
    db = open_readonly(folder / "data/journal.db")
    found = db.execute("SELECT origin, reason FROM dead_letter ORDER BY id").fetchall()
    db.close()
    return [(str(origin), str(reason)) for origin, reason in found]


async def test_a_plc_and_a_broker_that_are_not_there_are_said_once_and_tried_again(tmp_path: Path) -> None:
    sources = METER.format(port=free_port()) + CELL.format(broker=f"mqtt://127.0.0.1:{free_port()}", client="nobody")
    async with lineside("run", str(site(tmp_path, sources))) as process:
        await eventually(lambda: ingested(tmp_path, "gateway") > 0)
        await asyncio.sleep(2.5)  # several tries
        process.send_signal(signal.SIGTERM)
        code, said = await ended(process)
    assert code == 0
    assert said.count("lineside.meter: not connected") == 1
    assert said.count("lineside.cell: not connected") == 1
    assert "Traceback" not in said


@pytest.mark.server
async def test_bad_payloads_become_dead_letters_are_acknowledged_and_harm_nobody(
    tmp_path: Path, mosquitto_server: Server
) -> None:
    config = site(tmp_path, CELL.format(broker=mosquitto_server.url, client="bad-payloads"))
    async with lineside("run", str(config)) as process:
        await eventually(lambda: ingested(tmp_path, "cell") > 0)
        async with aiomqtt.Client(mosquitto_server.host, mosquitto_server.port) as client:
            payloads = [b"garbage", b"\xff\xfe", b"{", b"[" * 100_000, b" " * 2_000_000, b'{"n": NaN}', b'{"n": "x"}']
            for payload in [*payloads, b'{"n": 7, "state": "RUN"}']:
                await client.publish("bad-payloads/counts", payload, qos=1)
        await eventually(lambda: ingested(tmp_path, "cell") >= 1 + 6)
        process.send_signal(signal.SIGTERM)
        code, said = await ended(process)
    assert code == 0, said
    found = letters(tmp_path)
    assert len(found) == 5
    assert {origin for origin, _ in found} == {"bad-payloads/counts"}
    assert all(reason for _, reason in found)
    async with aiomqtt.Client(
        mosquitto_server.host, mosquitto_server.port, identifier="bad-payloads", clean_session=False
    ) as client:
        with pytest.raises(TimeoutError):  # everything was acknowledged: the session holds nothing any more
            async with asyncio.timeout(0.5):
                await anext(aiter(client.messages))


async def test_a_second_instance_is_refused(tmp_path: Path) -> None:
    config = site(tmp_path, METER.format(port=free_port()))
    async with lineside("run", str(config)):
        await eventually(lambda: ingested(tmp_path, "gateway") > 0)
        async with lineside("run", str(config)) as second:
            code, said = await ended(second)
    assert code == 1
    assert "another gateway runs on" in said
    assert "Traceback" not in said


async def test_a_folder_that_cannot_be_written_is_refused_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file where the folder should be")
    async with lineside("run", str(site(tmp_path, METER.format(port=free_port())))) as process:
        code, said = await ended(process)
    assert code == 1
    assert "set journal.path" in said
    assert "Traceback" not in said


Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[None, None, None]]


async def ends_in_time_beside(store: Answer, folder: Path) -> None:
    """A gateway with a sink to this store ends within 5 s of SIGTERM."""
    server = await asyncio.start_server(store, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    sink = f'{{ vm: {{ kind: victoriametrics, url: "http://127.0.0.1:{port}" }} }}'
    async with lineside("run", str(site(folder, METER.format(port=free_port()), sinks=sink))) as process:
        await eventually(lambda: ingested(folder, "gateway") > 0)
        process.send_signal(signal.SIGTERM)
        code, _ = await ended(process, within_s=5)
    server.close()
    assert code == 0


async def test_a_hanging_sink_does_not_hold_up_the_end(tmp_path: Path) -> None:
    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    await ends_in_time_beside(hang, tmp_path)


async def test_status_tells_the_books_of_a_stopped_gateway(tmp_path: Path) -> None:
    config = site(tmp_path, METER.format(port=free_port()))
    async with lineside("status", str(config)) as process:
        code, said = await ended(process)
    assert code == 1
    assert "has not run with this config yet" in said
    async with lineside("run", str(config)) as process:
        await eventually(lambda: ingested(tmp_path, "gateway") > 0)
        process.send_signal(signal.SIGINT)
        assert (await ended(process))[0] == 0
    async with lineside("status", str(config), "--json") as process:
        code, said = await ended(process)
    accounts = {account["consumer"]: account for account in json.loads(said)["accounts"]}
    assert code == 0
    assert accounts["history"]["ingested"] == accounts["history"]["delivered"] > 0


@pytest.mark.parametrize("command", ["", "run", "check", "poll", "status", "board", "demo", "schema"])
async def test_every_command_has_help(command: str) -> None:
    async with lineside(*[command] if command else [], "--help") as process:
        code, said = await ended(process)
    assert code == 0
    assert "Usage" in said
    assert len(said.splitlines()) > 5


async def test_check_names_every_problem_and_ends_with_1(tmp_path: Path) -> None:
    config = site(tmp_path, METER.format(port=1).replace("profile:", "profil:"))
    async with lineside("check", str(config)) as process:
        code, said = await ended(process)
    assert code == 1
    assert "site.yaml:3: sources.meter.profil: unknown key; did you mean 'profile'?" in said


async def test_stores_that_belong_to_another_journal_are_refused(tmp_path: Path) -> None:
    config = site(tmp_path, METER.format(port=free_port()))
    async with lineside("run", str(config)) as process:
        await eventually(lambda: ingested(tmp_path, "gateway") > 0)
        process.send_signal(signal.SIGTERM)
        assert (await ended(process))[0] == 0
    for name in ("journal.db", "journal.db-wal", "journal.db-shm"):
        (tmp_path / "data" / name).unlink(missing_ok=True)
    async with lineside("run", str(config)) as process:
        code, said = await ended(process)
    assert code == 1
    assert "put the journal back that belongs to it" in said


@pytest.mark.parametrize("name", ["journal", "kpi", "history"])
async def test_a_damaged_file_is_refused_with_what_to_do_and_left_alone(tmp_path: Path, name: str) -> None:
    config = site(tmp_path, METER.format(port=free_port()))
    file = tmp_path / f"data/{name}.db"
    file.parent.mkdir()
    file.write_bytes(b"this is no database, whatever its name says " * 50)
    async with lineside("run", str(config)) as process:
        code, said = await ended(process)
    assert code == 1
    assert "move it away" in said
    assert "Traceback" not in said
    assert file.read_bytes().startswith(b"this is no database")


async def test_the_board_dies_with_a_killed_gateway_and_comes_back_at_the_same_port(tmp_path: Path) -> None:
    address = f"127.0.0.1:{free_port()}"
    config = site(tmp_path, METER.format(port=free_port()))
    config.write_text(config.read_text().replace("{ enabled: false }", f"{{ listen: {address} }}"))

    def answers() -> bool:
        try:
            with urllib.request.urlopen(f"http://{address}/api/v1/healthz", timeout=1) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    for _ in range(2):
        async with lineside("run", str(config)) as process:
            await eventually(lambda: asyncio.to_thread(answers), 15)
            process.kill()
            await process.wait()
        assert await eventually(lambda: asyncio.to_thread(lambda: not answers()), 5)


async def test_a_store_that_takes_connections_but_no_writes_does_not_hold_up_the_end(tmp_path: Path) -> None:
    async def half_alive(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        if b"GET" in request:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nOK")
        else:
            await reader.read()
        writer.close()

    await ends_in_time_beside(half_alive, tmp_path)


async def test_a_disk_that_is_full_at_the_start_is_one_sentence(tmp_path: Path) -> None:
    config = site(tmp_path, METER.format(port=free_port()))
    command = ["prlimit", "--fsize=20000", sys.executable, "-m", "gateway", "run", str(config)]
    process = await asyncio.create_subprocess_exec(*command, stdout=PIPE, stderr=PIPE)
    code, said = await ended(process)
    assert code == 1
    assert "Traceback" not in said
    assert "free space" in said


async def test_a_disk_that_fills_up_keeps_the_gateway_running_and_lets_it_end(tmp_path: Path) -> None:
    config = site(tmp_path, METER.format(port=free_port()))
    async with lineside("run", str(config)) as process:
        await eventually(lambda: ingested(tmp_path, "gateway") > 0)
        limit = ["prlimit", f"--pid={process.pid}", "--fsize=1000:1000"]
        await asyncio.to_thread(subprocess.run, limit, check=True)
        await asyncio.sleep(12)  # the next proof of life cannot be written
        assert process.returncode is None
        process.send_signal(signal.SIGTERM)
        code, said = await ended(process)
    assert "cannot write the journal" in said
    assert "Traceback" not in said
    assert code == 0


async def test_status_shows_dead_letters_with_their_reason(tmp_path: Path, mosquitto_server: Server) -> None:
    config = site(tmp_path, CELL.format(broker=mosquitto_server.url, client="letters"))
    async with lineside("run", str(config)) as process:
        await eventually(lambda: ingested(tmp_path, "cell") > 0)
        async with aiomqtt.Client(mosquitto_server.host, mosquitto_server.port) as client:
            await client.publish("letters/counts", b"[b]no json[/b]", qos=1)
        await eventually(lambda: letters(tmp_path))
        process.send_signal(signal.SIGTERM)
        await ended(process)
    async with lineside("status", str(config)) as process:
        code, said = await ended(process)
    assert code == 0
    assert "[b]no json[/b]" in said
    assert "letters/counts" in said


async def test_poll_shows_raw_registers_beside_values_and_fails_where_nobody_answers(tmp_path: Path) -> None:
    async with modbus_plant(demo_live(Hand()), {1: ("machine/press-01", "lineside/machine")}) as port:
        machine = METER.format(port=port).replace("eastron/sdm630", "lineside/machine")
        dead = METER.format(port=free_port()).replace("meter:", "dead:").replace("asset: main", "asset: dead")
        config = site(tmp_path, machine + dead)
        async with lineside("poll", str(config), "meter") as process:
            code, said = await ended(process)
        assert code == 0, said
        row = next(line for line in said.splitlines() if "main/total_count" in line)
        assert "0000 FFDC" in row
        assert "65500" in row
        assert "good" in row
        async with lineside("poll", str(config)) as process:
            code, said = await ended(process)
    assert code == 1
    assert "dead: not connected" in said
    assert "main/total_count" in said


async def test_the_version_and_the_log_level_are_what_was_asked_for(tmp_path: Path) -> None:
    async with lineside("--version") as process:
        code, said = await ended(process)
    assert (code, said.split()[0]) == (0, "lineside")
    config = site(tmp_path, METER.format(port=free_port()))
    async with lineside("--log-level", "error", "run", str(config)) as process:
        await eventually(lambda: ingested(tmp_path, "gateway") > 0)
        process.send_signal(signal.SIGTERM)
        code, said = await ended(process)
    assert (code, said) == (0, "")
    async with lineside("--log-level", "loud", "check", str(config)) as process:
        code, said = await ended(process)
    assert code == 2
    assert "write debug, info, warning or error" in said
