"""A machine's MQTT face: states, counts and energy as retained JSON, at least once and in order."""

import asyncio
import json
import logging
from collections import deque

from aiomqtt import Client, MqttError

from simulators.live import Live, MeterReport
from simulators.plant import Event, StateChange

log = logging.getLogger("simulators.cell")

UNSENT_LIMIT = 100_000
RETRY_S = 0.3
TIMEOUT_S = 3.0
ENERGY_START_KWH = 12.0


class Cell:
    """Publishes one machine under `demo/<machine>/…` as MQTT client `plant-<machine>`.

    Messages wait in memory while the broker is away (the newest 100,000) and are sent until acknowledged; each carries
    the exact time of its event in `ts` (epoch ms).
    """

    def __init__(self, live: Live, machine: str, host: str, port: int) -> None:
        self.machine = machine
        self.connected = asyncio.Event()
        self.dropped = 0
        self._live = live
        self._broker = host, port
        self._unsent: deque[tuple[str, str]] = deque(maxlen=UNSENT_LIMIT)
        self._waiting = asyncio.Event()
        self._flushed = asyncio.Event()
        at_ms = live.plant.now_ms
        self._say("state", {"state": live.panels[machine].state.name, "ts": at_ms})
        self._say_counts(at_ms)
        self._say_energy(at_ms)
        live.listen(self._on_event)

    async def run(self) -> None:
        """Publish for ever, connecting again whenever the broker goes away."""
        while True:
            try:
                await self._publish_while_connected()
            except* MqttError as lost:
                if self.connected.is_set():
                    log.warning("%s: broker lost: %s", self.machine, lost.exceptions[0])
                self.connected.clear()
            await asyncio.sleep(RETRY_S)

    async def flush(self, timeout_s: float) -> int:
        """Wait until the broker has acknowledged everything; returns how many messages it has not after the timeout."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._flushed.wait()
        except TimeoutError:
            return len(self._unsent) + 1
        return 0

    async def _publish_while_connected(self) -> None:
        host, port = self._broker
        async with (
            Client(host, port, identifier=f"plant-{self.machine}", timeout=TIMEOUT_S) as client,
            asyncio.TaskGroup() as tasks,
        ):
            tasks.create_task(_until_lost(client), name=f"link[{self.machine}]")
            self.connected.set()
            while True:
                await self._waiting.wait()
                await self._publish_all(client)

    async def _publish_all(self, client: Client) -> None:
        while self._unsent:
            topic, payload = self._unsent.popleft()
            try:
                await client.publish(topic, payload, qos=1, retain=True)
            except (MqttError, asyncio.CancelledError):
                self._unsent.appendleft((topic, payload))
                raise
        self._waiting.clear()
        self._flushed.set()

    def _on_event(self, event: Event | MeterReport) -> None:
        if isinstance(event, MeterReport):
            self._say_energy(event.at_ms)
        elif event.machine != self.machine:
            return
        elif isinstance(event, StateChange):
            self._say("state", {"state": event.state.name, "ts": event.at_ms})
            self._say_energy(event.at_ms)
        else:
            self._say_counts(event.at_ms)

    def _say_counts(self, at_ms: int) -> None:
        panel = self._live.panels[self.machine]
        self._say("counts", {"total": panel.total, "good": panel.good, "scrap": panel.scrap, "ts": at_ms})

    def _say_energy(self, at_ms: int) -> None:
        energy_kwh = ENERGY_START_KWH + self._live.energy_wh(self.machine, at_ms) / 1000
        power_kw = self._live.watts(self.machine, at_ms) / 1000
        self._say("energy", {"energy_kwh": round(energy_kwh, 9), "power_kw": power_kw, "ts": at_ms})

    def _say(self, what: str, payload: dict[str, object]) -> None:
        if len(self._unsent) == UNSENT_LIMIT:
            self.dropped += 1
            if self.dropped == 1:
                log.warning(
                    "%s: %d messages wait for the broker, the oldest are now dropped", self.machine, UNSENT_LIMIT
                )
        self._unsent.append((f"demo/{self.machine}/{what}", json.dumps(payload, separators=(",", ":"))))
        self._flushed.clear()
        self._waiting.set()


async def _until_lost(client: Client) -> None:
    """Raise MqttError when the connection is lost; nothing is subscribed, so no message ever comes."""
    async for _ in client.messages:
        pass
