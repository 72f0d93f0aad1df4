"""The board as a process of its own: started, fed, killed and started again."""

import json
import re
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apsw
import orjson
import pytest

from gateway.kpi.buckets import quantities
from gateway.kpi.store import connect
from tests.browser.demo_data import NOW_MS, SHIFT_MS, snapshot, spans

DEADLINE_S = 20
HOUR_MS = 3_600_000


class Process:
    """`python -m gateway.board`, and what it says."""

    def __init__(self, folder: Path, *more: str, port: int = 0) -> None:
        files = ["--kpi", str(folder / "kpi.db"), "--history", str(folder / "history.db")]
        command = [sys.executable, "-m", "gateway.board", "--listen", f"127.0.0.1:{port}", "--title", "bac-ninh-1"]
        self.process = subprocess.Popen(
            [*command, "--timezone", "Asia/Ho_Chi_Minh", *files, *more], stdin=subprocess.PIPE, stderr=subprocess.PIPE
        )
        assert self.process.stderr
        self.said = self.process.stderr.readline().decode()
        self.url = self.said.rpartition(" at ")[2].strip()

    @property
    def port(self) -> int:
        return int(self.url.rstrip("/").rpartition(":")[2])

    def send(self, snapshot: dict[str, Any]) -> None:
        assert self.process.stdin
        self.process.stdin.write(orjson.dumps(snapshot) + b"\n")
        self.process.stdin.flush()

    def events(self) -> Iterator[dict[str, Any]]:
        """Snapshots of the live stream."""
        with urllib.request.urlopen(f"{self.url}api/v1/live", timeout=DEADLINE_S) as stream:
            for line in stream:
                if line.startswith(b"data: "):
                    yield json.loads(line.removeprefix(b"data: "))

    def get(self, path: str) -> Any:
        with urllib.request.urlopen(f"{self.url}api/v1/{path}", timeout=DEADLINE_S) as answer:
            return json.loads(answer.read())

    def close(self) -> int:
        """Closes the pipe, as the end of the parent does."""
        assert self.process.stdin
        assert self.process.stderr
        self.process.stdin.close()
        code = self.process.wait(DEADLINE_S)
        self.process.stderr.close()
        return code


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Process]:
    board = Process(tmp_path)
    yield board
    if board.process.poll() is None:
        board.process.kill()
    board.close()


def said_of(error: urllib.error.HTTPError) -> str:
    """The words of a failed request."""
    return str(json.loads(error.read())["detail"])


def stored_plant(path: Path) -> None:
    """A kpi.db with one machine's shift, 30 minutes of it as energy and counts of one hour, shift and day."""
    with connect(path) as db:
        rows = [("press-01", a, b, c, "EXECUTE" if c == "producing" else "") for a, b, c in spans(1, "fault")]
        db.executemany("INSERT INTO segment VALUES (?, ?, ?, ?, ?, '')", rows)
        sums = {"planned": 10_000_000, "time_producing": 8_000_000, "ideal_total": 7_200_000, "ideal_good": 7_000_000}
        sums |= {"time_fault": 2_000_000, "total": 72, "good": 70, "scrap": 2, "energy": 5_000_000}
        sums |= {"energy_producing": 4_500_000, "energy_fault": 500_000}
        numbers = {name: sums.get(name, 0) for name in quantities}
        _insert(
            db,
            "hour",
            asset="press-01",
            hour=SHIFT_MS // HOUR_MS,
            from_ms=SHIFT_MS,
            to_ms=SHIFT_MS + HOUR_MS,
            **numbers,
        )
        for owner in ("press-01", "line/stamping"):
            span = {"from_ms": SHIFT_MS, "to_ms": SHIFT_MS + 8 * HOUR_MS}
            _insert(db, "shift", asset=owner, business_date="2026-06-03", shift="day", **span, **numbers)
            times = {"first_ms": SHIFT_MS, "newest_ms": NOW_MS, "horizon_ms": NOW_MS, "closed_ms": NOW_MS}
            _insert(db, "progress", owner=owner, **times, final_ms=NOW_MS - 900_000, sealed_ms=0)


def _insert(db: apsw.Connection, table: str, **values: str | int) -> None:
    marks = ", ".join("?" * len(values))
    db.execute(f"INSERT INTO {table} ({', '.join(values)}) VALUES ({marks})", list(values.values()))


def test_its_log_lines_look_like_the_gateways(started: Process) -> None:
    stamp = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}"
    assert re.fullmatch(rf"{stamp} INFO    lineside\.board: at http://127\.0\.0\.1:\d+/\n", started.said)


def test_lines_on_its_pipe_reach_the_viewers(started: Process) -> None:
    started.send(snapshot(4))
    events = started.events()
    assert next(events)["site"] == "bac-ninh-1"
    started.send(snapshot(4) | {"time_ms": 1})
    assert next(event for event in events if event["time_ms"] == 1)


def test_it_ends_at_once_when_its_pipe_closes_though_someone_watches(started: Process) -> None:
    started.send(snapshot(4))
    events = started.events()
    next(events)
    assert started.close() == 0


def test_ctrl_c_is_left_to_the_parent_and_sigterm_ends_it(started: Process) -> None:
    started.process.send_signal(signal.SIGINT)
    started.send(snapshot(4))
    assert next(started.events())["site"] == "bac-ninh-1"
    started.process.send_signal(signal.SIGTERM)
    assert started.process.wait(DEADLINE_S) == 0


def test_killed_with_open_connections_it_gets_the_same_port_again(started: Process, tmp_path: Path) -> None:
    started.send(snapshot(4))
    with socket.create_connection(("127.0.0.1", started.port)) as connection:
        connection.sendall(b"GET /api/v1/live HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert connection.recv(100)
        started.process.kill()
        started.process.wait(DEADLINE_S)
        again = Process(tmp_path, port=started.port)
    again.send(snapshot(4))
    assert next(again.events())["site"] == "bac-ninh-1"
    assert again.close() == 0


def test_a_port_in_use_is_said_and_ends_with_code_3(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        board = Process(tmp_path, port=other.getsockname()[1])
        assert "is in use" in board.said
        assert "board.listen" in board.said
        assert board.process.wait(DEADLINE_S) == 3
        board.close()


def test_with_a_parent_missing_files_are_answers_not_ends(started: Process) -> None:
    started.send(snapshot(4))
    next(started.events())
    for path in ("tags", "figures/energy", "figures/timeline", "assets/press-01/kpis"):
        with pytest.raises(urllib.error.HTTPError) as caught:
            started.get(path)
        assert caught.value.code == 503
        assert ".db" in said_of(caught.value)
        caught.value.close()


def test_alone_it_shows_what_is_stored(tmp_path: Path) -> None:
    stored_plant(tmp_path / "kpi.db")
    board = Process(tmp_path, "--standalone")
    shown = next(board.events())
    assert shown["time_ms"] == NOW_MS
    (press,) = shown["assets"]
    assert (press["asset"], press["class"], press["window"], press["good"]) == ("press-01", "fault", "shift day", 70)
    assert press["kpis"]["oee"] == pytest.approx(0.7)
    assert press["reasons"]["kw"] == "shown only while a gateway runs"
    assert shown["lines"][0]["line"] == "stamping"
    assert board.get("site")["standalone"] is True
    assert board.get("figures/timeline")["rows"][0]["segments"][-1][1:] == [NOW_MS, "fault"]
    energy = board.get(f"assets/press-01/energy?from={SHIFT_MS}&to={NOW_MS}")
    assert energy["hours"] == [{"hour_ms": SHIFT_MS, "kwh": {"producing": 4.5, "fault": 0.5}}]
    rows = board.get(f"assets/press-01/kpis?window=shift&from={SHIFT_MS}&to={NOW_MS}")["rows"]
    assert rows[0]["values"]["quality_rate"] == pytest.approx(70 / 72)
    board.process.send_signal(signal.SIGINT)
    assert board.process.wait(DEADLINE_S) == 0
    board.close()


def test_a_damaged_kpi_file_is_said_in_words(tmp_path: Path) -> None:
    (tmp_path / "kpi.db").write_bytes(b"no database " * 1000)
    board = Process(tmp_path)
    board.send(snapshot(4))
    next(board.events())
    with pytest.raises(urllib.error.HTTPError) as caught:
        board.get("figures/energy")
    assert "kpi.db" in said_of(caught.value)
    caught.value.close()
    assert board.close() == 0
