"""The simulated plant's MQTT faces, heard by subscribers that are not ours: aiomqtt and mosquitto_sub."""

import asyncio
import json
import re
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from aiomqtt import Client

from simulators.broker import free_port, mqtt_broker
from simulators.endpoints import Tcp
from simulators.fault_board import FaultBoard
from simulators.faults import FaultRule, Targets
from simulators.live import Live
from simulators.mqtt_face import MqttFace, Publication
from simulators.payloads import STYLES, line_messages, plain_messages
from tests.plant import HOST, START_MS, Hand, demo_live


@pytest.fixture
def hand() -> Hand:
    return Hand()


@pytest.fixture
def live(hand: Hand) -> Live:
    return demo_live(hand)


class Ear:
    """Everything that a plain MQTT subscriber hears, by topic."""

    def __init__(self) -> None:
        self.heard: dict[str, list[dict[str, object]]] = {}
        self.retained: set[str] = set()
        self._news = asyncio.Event()

    async def listen(self, client: Client) -> None:
        async for message in client.messages:
            assert isinstance(message.payload, bytes)
            self.heard.setdefault(message.topic.value, []).append(json.loads(message.payload))
            if message.retain:
                self.retained.add(message.topic.value)
            self._news.set()

    async def quiet(self) -> None:
        """Returns when nothing has come for a while."""
        with suppress(TimeoutError):
            while True:
                self._news.clear()
                await asyncio.wait_for(self._news.wait(), 0.3)

    async def until(self, topic: str, count: int) -> list[dict[str, object]]:
        async with asyncio.timeout(20):
            while len(self.heard.get(topic, [])) < count:
                self._news.clear()
                await self._news.wait()
        return self.heard[topic]


@asynccontextmanager
async def ear_on(port: int, *, comes_back: bool = False) -> AsyncIterator[Ear]:
    """A subscriber; one that comes back hears what was said while it was away."""
    ear = Ear()
    async with Client(HOST, port, identifier="ear", clean_session=not comes_back) as client:
        await client.subscribe("demo/#", qos=1)
        task = asyncio.create_task(ear.listen(client))
        try:
            yield ear
        finally:
            await ended(task)


@asynccontextmanager
async def face_on(
    live: Live, machine: str, port: int, style: str = "json", board: FaultBoard | None = None
) -> AsyncIterator[MqttFace]:
    says = Publication("mqtt-1", STYLES[style], "demo", (machine,), ("press-01",))
    face = MqttFace(live, says, Tcp(HOST, port), board or FaultBoard())
    task = asyncio.create_task(face.run())
    try:
        yield face
    finally:
        await ended(task)


async def ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


def expected_counts(live: Live, machine: str) -> list[dict[str, object]]:
    book = live.plant.ledger.machines[machine]
    rows: list[dict[str, object]] = [{"total": 0, "good": 0, "scrap": 0, "rework": 0, "ts": START_MS}]
    for total, at_ms in enumerate(book.part_ms, start=1):
        good = sum(book.part_good[:total])
        rows.append({"total": total, "good": good, "scrap": total - good, "rework": 0, "ts": at_ms})
    return rows


def without_cycles(rows: list[dict[str, object]]) -> list[dict[str, object]]:
    return [{key: value for key, value in row.items() if key != "cycle_s"} for row in rows]


async def test_every_part_state_and_second_is_published_with_its_exact_time(
    live: Live, hand: Hand, tmp_path: Path
) -> None:
    async with mqtt_broker(tmp_path) as port, ear_on(port) as ear, face_on(live, "weld-03", port):
        live.start()
        hand.now_ms += 30_000
        live.look()
        counts = expected_counts(live, "weld-03")
        assert without_cycles(await ear.until("demo/weld-03/counts", len(counts))) == counts
        book = live.plant.ledger.machines["weld-03"]
        states = [{"state": s.name, "ts": at_ms} for at_ms, s in zip(book.state_ms, book.states, strict=True)]
        assert await ear.until("demo/weld-03/state", len(states)) == states
        energy = await ear.until("demo/weld-03/energy", 30 + len(states))
    for row in energy:
        at_ms = row["ts"]
        assert isinstance(at_ms, int)
        assert row["energy_kwh"] == pytest.approx(12 + book.watt_ms_at(at_ms) / 3.6e9, abs=1e-9)
        assert row["power_kw"] == book.watts_at(at_ms) / 1000
    assert set(range(START_MS + 1000, hand.now_ms + 1, 1000)) <= {row["ts"] for row in energy}


async def test_a_late_subscriber_gets_the_last_values(live: Live, hand: Hand, tmp_path: Path) -> None:
    async with mqtt_broker(tmp_path) as port, face_on(live, "pack-04", port) as face:
        live.start()
        hand.now_ms += 5_000
        live.look()
        assert await face.flush(10) == 0
        async with ear_on(port) as ear:
            counts = await ear.until("demo/pack-04/counts", 1)
            await ear.until("demo/pack-04/state", 1)
            await ear.until("demo/pack-04/energy", 1)
    assert without_cycles(counts) == expected_counts(live, "pack-04")[-1:]
    assert ear.retained >= {f"demo/pack-04/{what}" for what in ("state", "counts", "energy")}


async def test_nothing_is_skipped_while_the_broker_is_away(live: Live, hand: Hand, tmp_path: Path) -> None:
    port = free_port()
    async with face_on(live, "weld-03", port) as face:
        live.start()
        async with mqtt_broker(tmp_path, port), ear_on(port, comes_back=True):
            hand.now_ms += 3_000
            live.look()
            assert await face.flush(10) == 0
        published = len(live.plant.ledger.machines["weld-03"].part_ms)
        hand.now_ms += 10_000
        live.look()
        async with mqtt_broker(tmp_path, port), ear_on(port, comes_back=True) as ear:
            missed = expected_counts(live, "weld-03")[published + 1 :]
            assert len(missed) > 5
            await ear.until("demo/weld-03/counts", len(missed))
            assert await face.flush(10) == 0
    # a message whose acknowledgement was cut off may come twice, and the retained one comes first
    heard = list({json.dumps(row): row for row in ear.heard["demo/weld-03/counts"]}.values())
    assert without_cycles(heard)[-len(missed) :] == missed


async def test_a_meter_speaks_for_itself(live: Live, hand: Hand, tmp_path: Path) -> None:
    async with mqtt_broker(tmp_path) as port, ear_on(port) as ear, face_on(live, "weld-03", port):
        live.start()
        hand.now_ms += 5_000
        live.look()
        rows = await ear.until("demo/press-01/energy", 6)
    book = live.plant.ledger.machines["press-01"]
    for row in rows:
        at_ms = row["ts"]
        assert isinstance(at_ms, int)
        assert row["energy_kwh"] == pytest.approx(12 + book.watt_ms_at(at_ms) / 3.6e9, abs=1e-9)
        assert row["reactive_kvar"] == book.reactive.rate_at(at_ms) / 1000
    assert "demo/press-01/counts" not in ear.heard


@pytest.mark.server
@pytest.mark.skipif(shutil.which("mosquitto_sub") is None, reason="mosquitto-clients is not installed")
async def test_a_plain_subscriber_gets_one_bare_value_per_topic(live: Live, hand: Hand, tmp_path: Path) -> None:
    async with mqtt_broker(tmp_path) as port, face_on(live, "weld-03", port, "plain") as face:
        live.start()
        hand.now_ms += 30_000
        live.look()
        assert await face.flush(10) == 0
        found = {}
        for what in ("state", "total", "good", "energy_kwh", "power_kw", "air_m3"):
            command = ["mosquitto_sub", "-h", HOST, "-p", str(port), "-t", f"demo/weld-03/{what}", "-C", "1", "-W", "5"]
            process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
            found[what] = (await process.communicate())[0].decode().strip()
    book = live.plant.ledger.machines["weld-03"]
    assert found["state"] == book.state_at(hand.now_ms).name
    assert (int(found["total"]), int(found["good"])) == (len(book.part_ms), sum(book.part_good))
    assert float(found["energy_kwh"]) == pytest.approx(12 + book.watt_ms_at(hand.now_ms) / 3.6e9, abs=1e-9)
    assert float(found["power_kw"]) == book.watts_at(hand.now_ms) / 1000
    assert float(found["air_m3"]) > 0


async def test_line_protocol_says_name_values_and_nanoseconds(live: Live, hand: Hand, tmp_path: Path) -> None:
    async with (
        mqtt_broker(tmp_path) as port,
        face_on(live, "weld-03", port, "line"),
        Client(HOST, port, identifier="lines") as client,
    ):
        await client.subscribe("demo/weld-03", qos=1)
        live.start()
        hand.now_ms += 20_000
        live.look()
        last = len(live.plant.ledger.machines["weld-03"].part_ms)
        async with asyncio.timeout(20):
            async for message in client.messages:
                assert isinstance(message.payload, bytes)
                found = re.fullmatch(r"counts,name=weld-03 total=(\d+)i,good=.* (\d{19})", message.payload.decode())
                if found and int(found[1]) == last:
                    break
    assert found
    assert int(found[2]) == live.plant.ledger.machines["weld-03"].part_ms[-1] * 1_000_000


def test_what_is_special_in_line_protocol_is_escaped() -> None:
    ((topic, line),) = line_messages("p", "press 1,a", "job", {"product": 'a"b\\c', "n": 1, "kw": 2.5}, 1)
    assert topic == "p/press 1,a"
    assert line == rb'job,name=press\ 1\,a product="a\"b\\c",n=1i,kw=2.5 1000000'


def test_plain_values_keep_every_digit() -> None:
    assert plain_messages("p", "m", "energy", {"kwh": 0.1, "n": 3}, 1) == [("p/m/kwh", b"0.1"), ("p/m/n", b"3")]


# ---- faults


def board_of(live: Live, *rules: dict[str, object]) -> FaultBoard:
    targets = Targets({"mqtt-1": "mqtt"}, {"machine/weld-03": "mqtt-1", "meter/press-01": "mqtt-1"})
    told = [FaultRule.model_validate(rule) for rule in rules]
    return FaultBoard(told, targets, 7, live.plant.now_ms, lambda fault: None)


async def heard_under(
    live: Live, hand: Hand, folder: Path, topic: str, *rules: dict[str, object]
) -> list[dict[str, object]]:
    """What is published on a topic in 60 s of the plant."""
    async with (
        mqtt_broker(folder) as port,
        ear_on(port) as ear,
        face_on(live, "weld-03", port, board=board_of(live, *rules)) as face,
    ):
        live.start()
        hand.now_ms += 60_000
        live.look()
        assert await face.flush(20) == 0
        await ear.until(topic, 30)
        await ear.quiet()
    return ear.heard[topic]


async def test_a_silent_machine_loses_what_it_would_have_said(live: Live, hand: Hand, tmp_path: Path) -> None:
    rule: dict[str, object] = {"kind": "silence", "on": "weld-03", "at": "20s", "for": "10s"}
    counts = await heard_under(live, hand, tmp_path, "demo/weld-03/counts", rule)
    stamps = [row["ts"] for row in counts]
    expected = [at for at in live.plant.ledger.machines["weld-03"].part_ms if not 20_000 <= at - START_MS < 30_000]
    assert stamps[1:] == expected


async def test_after_a_reboot_the_counters_begin_at_zero(live: Live, hand: Hand, tmp_path: Path) -> None:
    rule: dict[str, object] = {"kind": "reboot", "on": "weld-03", "at": "20s", "for": "5s"}
    counts = await heard_under(live, hand, tmp_path, "demo/weld-03/counts", rule)
    book = live.plant.ledger.machines["weld-03"]
    before = book.counts_at(START_MS + 25_000)[0]
    after = [row for row in counts if int(str(row["ts"])) >= START_MS + 25_000]
    assert before > 10
    assert [row["total"] for row in after] == list(range(1, len(book.part_ms) - before + 1))


async def test_messages_come_twice_and_with_a_wrong_clock(live: Live, hand: Hand, tmp_path: Path) -> None:
    twice: dict[str, object] = {"kind": "duplicate", "on": "weld-03", "at": "0s", "for": "10s"}
    jump: dict[str, object] = {"kind": "clock-jump", "on": "weld-03", "at": "30s", "for": "60s", "jump": "-1h"}
    counts = await heard_under(live, hand, tmp_path, "demo/weld-03/counts", twice, jump)
    times = live.plant.ledger.machines["weld-03"].part_ms
    early = [at for at in times if at - START_MS < 10_000]
    late = [at - 3_600_000 for at in times if at - START_MS >= 30_000]
    stamps = [row["ts"] for row in counts]
    assert [stamps.count(at) for at in early] == [2] * len(early)
    assert stamps[-len(late) :] == late


async def test_a_late_message_is_overtaken_but_not_lost(live: Live, hand: Hand, tmp_path: Path) -> None:
    rule: dict[str, object] = {"kind": "late", "on": "weld-03", "at": "10s", "for": "5s", "delay": "20s"}
    counts = await heard_under(live, hand, tmp_path, "demo/weld-03/counts", rule)
    stamps = [int(str(row["ts"])) for row in counts]
    assert stamps != sorted(stamps)
    assert sorted(stamps)[1:] == list(live.plant.ledger.machines["weld-03"].part_ms)


async def test_a_broker_says_which_port_is_taken(tmp_path: Path) -> None:
    async with mqtt_broker(tmp_path / "one") as port:
        with pytest.raises(OSError, match=f"cannot listen on 127.0.0.1:{port} for MQTT: Address already in use"):
            async with mqtt_broker(tmp_path / "two", port):
                pass
