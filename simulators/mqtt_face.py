"""An MQTT face of a plant: all that its machines and meters show, retained, at least once and in order."""

import asyncio
import logging
import os
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import count
from typing import Final

from aiomqtt import Client, MqttError

from simulators.endpoints import Tcp
from simulators.events import Event, OrderChange, Part, ProductChange, StateChange
from simulators.fault_board import FaultBoard
from simulators.live import Live, MeterReport
from simulators.meanings import ENERGY_START_WH, Sight
from simulators.payloads import Fields, Message, Style

log = logging.getLogger("simulators.mqtt")

UNSENT_LIMIT: Final = 100_000
IN_FLIGHT: Final = 40
RETRY_S: Final = 0.3
TIMEOUT_S: Final = 3.0


@dataclass(frozen=True, slots=True)
class Publication:
    """What a face says and where.

    every_ms  how often meters report
    """

    name: str
    style: Style
    prefix: str
    machines: tuple[str, ...]
    meters: tuple[str, ...]
    every_ms: int = 1000


class MqttFace:
    """Publishes under `<prefix>/<machine or meter>/…` as MQTT client `plant-<name>`.

    Messages wait in memory while the broker is away (the newest 100,000) and are sent until acknowledged; where the
    style has room for it each carries the exact time of its event.
    """

    def __init__(self, live: Live, says: Publication, broker: Tcp, board: FaultBoard) -> None:
        self.says = says
        self.broker = broker
        self.connected = asyncio.Event()
        self.dropped = 0
        self.sent = 0
        self._live = live
        self._board = board
        self._machines = frozenset(says.machines)
        self._unsent: deque[Message] = deque()
        self._held: list[tuple[int, int, Message]] = []
        self._order = count()
        self._waiting = asyncio.Event()
        self._flushed = asyncio.Event()
        self._say_everything(live.plant.now_ms)
        live.listen(self._on_event)

    async def run(self) -> None:
        """Publish for ever, connecting again whenever the broker goes away."""
        while True:
            try:
                await self._publish_while_connected()
            except* MqttError as lost:
                if self.connected.is_set():
                    log.warning("%s: broker lost: %s", self.says.name, lost.exceptions[0])
                self.connected.clear()
            if (task := asyncio.current_task()) and task.cancelling():
                raise asyncio.CancelledError  # it came together with the loss, and a task group tells of one only
            await asyncio.sleep(RETRY_S)

    async def flush(self, timeout_s: float) -> int:
        """Wait until the broker has acknowledged everything; returns how many messages it has not after the timeout."""
        self._let_go(None)
        try:
            async with asyncio.timeout(timeout_s):
                await self._flushed.wait()
        except TimeoutError:
            return len(self._unsent) + 1
        return 0

    async def _publish_while_connected(self) -> None:
        async with (
            Client(
                self.broker.host,
                self.broker.port,
                identifier=f"plant-{self.says.name}-{os.getpid()}",  # another plant on this broker is not thrown out
                timeout=TIMEOUT_S,
                max_inflight_messages=IN_FLIGHT,
            ) as client,
            asyncio.TaskGroup() as tasks,
        ):
            client.pending_calls_threshold = IN_FLIGHT  # where it begins to warn
            tasks.create_task(_until_lost(client), name=f"link[{self.says.name}]")
            self.connected.set()
            while True:
                await self._waiting.wait()
                await self._publish_all(client)

    async def _publish_all(self, client: Client) -> None:
        while self._unsent:
            batch = [self._unsent.popleft() for _ in range(min(IN_FLIGHT, len(self._unsent)))]
            done = 0
            try:
                sending = (client.publish(topic, payload, qos=1, retain=True) for topic, payload in batch)
                answers = await asyncio.gather(*sending, return_exceptions=True)
                failed = [index for index, answer in enumerate(answers) if answer is not None]
                done = failed[0] if failed else len(batch)
                if failed and isinstance(problem := answers[done], BaseException):
                    raise problem
            finally:  # from the first that failed on, all are sent again
                self._unsent.extendleft(reversed(batch[done:]))
                self.sent += done
        self._waiting.clear()
        if not self._held:
            self._flushed.set()

    # ---- what is said

    def _on_event(self, event: Event | MeterReport) -> None:
        self._let_go(event.at_ms)
        if isinstance(event, MeterReport):
            if event.at_ms % self.says.every_ms == 0 or self._live.plant.ledger.frozen:
                self._say_meters(event.at_ms)
        elif event.machine in self._machines:
            self._say_event(event)

    def _say_event(self, event: Event) -> None:
        target = f"machine/{event.machine}"
        match event:
            case StateChange():
                self._say(target, "state", {"state": event.state.name}, event.at_ms)
                self._say_energy(target, event.at_ms)
            case Part():
                self._say(target, "counts", self._counts(event.machine, event.at_ms), event.at_ms)
            case ProductChange() | OrderChange():
                self._say_job(event.machine, event.at_ms)

    def _say_everything(self, at_ms: int) -> None:
        for machine in self.says.machines:
            target = f"machine/{machine}"
            self._say(target, "state", {"state": self._live.panels[machine].state.name}, at_ms)
            self._say(target, "counts", self._counts(machine, at_ms), at_ms)
            self._say_job(machine, at_ms)
        self._say_meters(at_ms)

    def _say_meters(self, at_ms: int) -> None:
        for machine in self.says.machines:
            self._say_energy(f"machine/{machine}", at_ms)
        for meter in self.says.meters:
            self._say_energy(f"meter/{meter}", at_ms)

    def _say_job(self, machine: str, at_ms: int) -> None:
        panel = self._live.panels[machine]
        if panel.product or panel.order:
            self._say(f"machine/{machine}", "job", {"product": panel.product, "order": panel.order}, at_ms)

    def _say_energy(self, target: str, at_ms: int) -> None:
        sight = self._live.sight(target)
        self._live.measure_at(target, at_ms, sight)
        kind, _, name = target.partition("/")
        carrier = self._live.plant.ledger.meters[name].carrier if kind == "meter" else "electricity"
        if carrier != "electricity":
            self._say(target, "flow", self._flow(target, sight, at_ms), at_ms)
        elif kind == "meter" or name not in self.says.meters:  # one topic is not for two meters
            self._say(target, "energy", self._electricity(target, sight, at_ms), at_ms)
        if sight.panel and sight.panel.flows:
            used = {f"{carrier}_m3": round(flow.m3, 9) for carrier, flow in sight.panel.flows.items()}
            self._say(target, "uses", used, at_ms)

    def _counts(self, machine: str, at_ms: int) -> Fields:
        panel, target = self._live.panels[machine], f"machine/{machine}"

        def shown(what: str) -> int:
            def true(at: int) -> float:
                seen = self._live.sight_at(target, at).panel
                return float(getattr(seen, what))

            return round(self._board.shown(target, at_ms, getattr(panel, what), true))

        return {
            **{what: shown(what) for what in ("total", "good", "scrap", "rework")},
            "cycle_s": round(panel.cycle_s, 3),
        }

    def _electricity(self, target: str, sight: Sight, at_ms: int) -> Fields:
        def true(at: int) -> float:
            return ENERGY_START_WH + self._live.sight_at(target, at).electric.energy_wh

        used_wh = self._board.shown(target, at_ms, ENERGY_START_WH + sight.electric.energy_wh, true)
        return {
            "energy_kwh": round(used_wh / 1000, 9),
            "power_kw": sight.electric.watts / 1000,
            "reactive_kvar": round(sight.electric.var / 1000, 6),
            "cos_phi": round(sight.electric.cos_phi, 4),
        }

    def _flow(self, target: str, sight: Sight, at_ms: int) -> Fields:
        assert sight.flow is not None

        def true(at: int) -> float:
            flow = self._live.sight_at(target, at).flow
            return flow.m3 if flow else 0.0

        volume = self._board.shown(target, at_ms, sight.flow.m3, true)
        return {"volume_m3": round(volume, 9), "flow_m3_per_min": round(sight.flow.m3_per_min, 9)}

    # ---- how it is said

    def _say(self, target: str, group: str, fields: Fields, at_ms: int) -> None:
        if self._board.silent(target, at_ms):
            return
        stamp = at_ms + self._board.clock_offset_ms(target, at_ms)
        late_ms = self._board.lateness_ms(target, at_ms)
        name = target.partition("/")[2]
        for message in self.says.style(self.says.prefix, name, group, fields, stamp):
            for _ in range(self._board.copies(target, at_ms)):
                if late_ms:
                    heappush(self._held, (at_ms + late_ms, next(self._order), message))
                else:
                    self._queue(message)
        self._flushed.clear()

    def _let_go(self, now_ms: int | None) -> None:
        """Queue the late messages whose time has come; None: all of them."""
        for message in self._due(now_ms):
            self._queue(message)

    def _due(self, now_ms: int | None) -> Iterator[Message]:
        while self._held and (now_ms is None or self._held[0][0] <= now_ms):
            yield heappop(self._held)[2]

    def _queue(self, message: Message) -> None:
        if len(self._unsent) >= UNSENT_LIMIT:
            self._unsent.popleft()
            self.dropped += 1
            if self.dropped == 1:
                log.warning(
                    "%s: %d messages wait for the broker, the oldest are now dropped", self.says.name, UNSENT_LIMIT
                )
        self._unsent.append(message)
        self._waiting.set()


async def _until_lost(client: Client) -> None:
    """Raise MqttError when the connection is lost; nothing is subscribed, so no message ever comes."""
    async for _ in client.messages:
        pass
