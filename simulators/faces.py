"""Puts the faces of a scenario in front of its running plant."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from math import ceil
from pathlib import Path

from simulators.broker import Broker, accepts, running_broker
from simulators.device import Correction, Device
from simulators.endpoints import Pty, Serial, Tcp, parse_broker, parse_listen, pty_line
from simulators.face_models import ModbusFace, MqttFace, UnitSpec
from simulators.fault_board import FaultBoard
from simulators.live import Live
from simulators.meanings import Value
from simulators.modbus_face import Unit, Units, serial_face, tcp_face
from simulators.mqtt_face import MqttFace as Publisher
from simulators.mqtt_face import Publication
from simulators.payloads import STYLES
from simulators.profiles import ProfileError, load_profile, profile_folders
from simulators.scenario import Scenario
from simulators.wire_faults import modbus_proxy, network_proxy, restarting

Work = Callable[[], Coroutine[None, None, None]]
Go = Callable[[Work, str], None]
"""Starts a task of a name."""
REPORTS_PER_S = 10
LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(slots=True)
class Faces:
    """All faces of a plant while they are up; `listens` says where each Modbus face is."""

    listens: dict[str, str] = field(default_factory=dict)
    modbus: dict[str, Units] = field(default_factory=dict)
    publishers: list[Publisher] = field(default_factory=list)
    brokers: dict[str, str] = field(default_factory=dict)

    async def flush(self, timeout_s: float) -> int:
        """Wait until brokers have everything; returns how many messages they have not."""
        return sum(await asyncio.gather(*(publisher.flush(timeout_s) for publisher in self.publishers)))


@dataclass(frozen=True, slots=True)
class Stage:
    """What faces stand in front of.

    folder      of the scenario: its own profiles are beside it
    own_broker  where the broker of our own keeps its data; None: never start one
    speed       of the plant's time
    """

    scenario: Scenario
    live: Live
    board: FaultBoard
    folder: Path
    own_broker: Path | None
    speed: float = 1.0


@asynccontextmanager
async def faces_up(stage: Stage) -> AsyncIterator[Faces]:
    """All faces are there while the context is open.

    Raises:
        OSError: an address cannot be listened on. ProfileError: a unit's profile does not fit.
    """
    up = Faces()
    work: list[tuple[Work, str]] = []
    async with AsyncExitStack() as stack:
        for face in stage.scenario.faces:
            if isinstance(face, ModbusFace):
                up.modbus[face.name] = _units(stage, face)
                up.listens[face.name] = await _listen(stack, stage, face, up.modbus[face.name])
                continue
            reached, own = await _reach(stack, stage, face, up)
            publisher = Publisher(stage.live, _publication(face, stage.speed), reached, stage.board)
            up.publishers.append(publisher)
            work.append((publisher.run, f"face[{face.name}]"))
            if own and stage.scenario.faults:
                work.append((partial(restarting, stage.board, stage.live.look, own), "restarts[broker]"))
        go = await stack.enter_async_context(workers())  # last in, first out: publishers end before their broker
        for task in work:
            go(*task)
        yield up


@asynccontextmanager
async def workers() -> AsyncIterator[Go]:
    """A way to start tasks that end with the context."""
    started: list[asyncio.Task[None]] = []
    async with asyncio.TaskGroup() as tasks:
        try:
            yield lambda work, name: started.append(tasks.create_task(work(), name=name))
        finally:
            for task in started:
                task.cancel()


def _units(stage: Stage, face: ModbusFace) -> Units:
    folders = profile_folders(stage.folder)
    units = {}
    for unit_id, spec in face.units.items():
        target = _target(spec)
        try:
            device = Device(load_profile(spec.profile, folders), stage.live.sight(target))
        except ProfileError as exc:
            raise ProfileError(f"faces: unit {unit_id} of {face.name}: {exc}") from exc
        correct = _correct(stage, target) if stage.scenario.faults else None
        units[unit_id] = Unit(target, device, correct)
    is_line = not isinstance(parse_listen(face.listen), Tcp)
    return Units(stage.live, units, max(1, round(1000 * face.scan)), answers_for_nobody=not is_line)


def _target(spec: UnitSpec) -> str:
    return f"machine/{spec.machine}" if spec.machine else f"meter/{spec.meter}"


def _correct(stage: Stage, target: str) -> Callable[[int], Correction]:
    """What the counters of a target show while faults change them."""

    def at(now_ms: int) -> Correction:
        def shown(value: Value, true: float) -> float:
            def value_at(at_ms: int) -> float:
                past = value(stage.live.sight_at(target, at_ms))
                return past if isinstance(past, (int, float)) else 0.0

            return stage.board.shown(target, now_ms, true, value_at)

        return shown

    return at


async def _listen(stack: AsyncExitStack, stage: Stage, face: ModbusFace, units: Units) -> str:
    """Serve a Modbus face; returns where it is."""
    place = parse_listen(face.listen)
    if isinstance(place, Tcp):
        return f"tcp://{place.host}:{await _listen_tcp(stack, stage, face, units, place)}"
    line = stack.enter_context(pty_line(place)) if isinstance(place, Pty) else place
    await stack.enter_async_context(serial_face(units, line))
    return f"rtu://{place.link}" if isinstance(place, Pty) else _as_text(line)


def _as_text(line: Serial) -> str:
    return f"rtu://{line.path}?baud={line.baud}&parity={line.parity}"


async def _listen_tcp(stack: AsyncExitStack, stage: Stage, face: ModbusFace, units: Units, place: Tcp) -> int:
    if not stage.scenario.faults:
        return await stack.enter_async_context(tcp_face(units, place))
    behind = await stack.enter_async_context(tcp_face(units, Tcp("127.0.0.1", 0)))
    targets = {unit_id: (unit.target,) for unit_id, unit in units.units.items()}
    listen = (place.host, place.port)
    proxy = modbus_proxy(stage.board, stage.live.look, listen, ("127.0.0.1", behind), targets, face=f"face/{face.name}")
    return await stack.enter_async_context(proxy)


async def _reach(stack: AsyncExitStack, stage: Stage, face: MqttFace, up: Faces) -> tuple[Tcp, Broker | None]:
    """Where the face finds its broker, and the one of our own that was started because none was there."""
    broker, own = parse_broker(face.broker), None
    key = f"{broker.host}:{broker.port}"
    if key not in up.brokers:
        up.brokers[key] = "found"
        if stage.own_broker and broker.host in LOOPBACK and not await accepts(broker.host, broker.port):
            folder = stage.own_broker / str(broker.port)
            own = await stack.enter_async_context(running_broker(folder, broker.port, broker.host))
            up.brokers[key] = "started"
    if not stage.scenario.faults:
        return broker, own
    proxy = network_proxy(
        stage.board, stage.live.look, ("127.0.0.1", 0), (broker.host, broker.port), face=f"face/{face.name}"
    )
    return Tcp("127.0.0.1", await stack.enter_async_context(proxy)), own


def _publication(face: MqttFace, speed: float) -> Publication:
    """Meters of a fast plant report at most ten times in a second of real time."""
    every_s = max(round(face.every), ceil(speed / REPORTS_PER_S))
    return Publication(
        face.name, STYLES[face.style], face.prefix, tuple(face.machines), tuple(face.meters), 1000 * every_s
    )
