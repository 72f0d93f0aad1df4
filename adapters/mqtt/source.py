"""MQTT as a Source: topics → deliveries, acknowledged to the broker after their commit."""

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Final

from adapters.mqtt.config import MqttConfig, TagPath
from adapters.mqtt.connection import Connection
from adapters.mqtt.inbox import Arrived
from adapters.mqtt.payload import Point, extract, shown
from adapters.mqtt.topics import TopicMap, fewest
from gateway.library import Library
from gateway.model import BatchBuilder, Reason, TagTable, TagType, bad
from gateway.ports import Clock, Delivery, NotConnected, Polled, Reject

log = logging.getLogger("lineside.mqtt")

COALESCE_S: Final = 0.05
COALESCE_MESSAGES: Final = 512
LISTEN_S: Final = 5.0
KEPT_OF_TOO_LARGE: Final = 65_536  # bytes of a payload over the limit that go to the dead letters
QUICK_S: Final = 5.0  # a connection that does not last longer may have been taken over
TAKEOVERS: Final = 3


@dataclass(slots=True)
class MqttHealth:
    """Counters since the start, for health tags.

    unwanted  messages of topics that no tag names, left over from an older config
    dropped   messages of QoS 0 that came faster than they were taken
    gaps      times that the broker had lost our session, and what it held for us
    """

    messages: int = 0
    rejected: int = 0
    unwanted: int = 0
    dropped: int = 0
    gaps: int = 0


@dataclass(frozen=True, slots=True)
class _Entry:
    """A tag's config beside its compiled point."""

    name: str
    path: TagPath
    point: Point


class MqttSource:
    """Implements `ports.Source` and `ports.Pollable` for one broker."""

    def __init__(self, name: str, config: MqttConfig, tags: TagTable, clock: Clock) -> None:
        self.name = name
        self.health = MqttHealth()
        self._config = config
        self._tags = tags
        self._clock = clock
        self._entries = [
            _Entry(tag, path, path.point(tags.id_of(tag), config.default_time)) for tag, path in config.tags_.items()
        ]
        self._topics = TopicMap((entry.path.topic, entry.point) for entry in self._entries)
        self._filters = fewest(entry.path.topic for entry in self._entries)
        self._connection = Connection(config.login(name), clock)
        self._had_session = False
        self._connected_at = 0.0
        self._quick_losses = 0

    async def connect(self) -> None:
        """See `ports.Source`."""
        await self._connection.open(self._filters)
        self._connected_at = self._clock.monotonic()
        present = self._connection.session_present
        if self._had_session and not present:
            self.health.gaps += 1
            log.warning("%s: gap: the broker has lost our session, and with it what was published meanwhile", self.name)
        else:
            log.info("%s: connected to %s, %s", self.name, self._connection.login.url, _session_words(present))
        self._had_session = True

    @property
    def resumed(self) -> bool:
        """See `flow.ingest.Resuming`: the broker had kept our session, with what was published meanwhile."""
        return self._connection.session_present

    async def deliveries(self) -> AsyncIterator[Delivery]:
        """See `ports.Source`."""
        connection, epoch = self._connection, self._connection.epoch
        # Half a window must be enough to be delivered at once: the broker sends no more before it is acknowledged.
        limit = max(1, min(connection.window // 2, COALESCE_MESSAGES))
        while True:
            try:
                messages = await connection.receive(limit, COALESCE_S)
            except NotConnected:
                self._note_loss()
                raise
            delivery = self._delivery(messages, epoch)
            if len(delivery.batch) or delivery.rejects or delivery.ack:
                yield delivery

    async def close(self) -> None:
        """See `ports.Source`."""
        await self._connection.close()

    def counters(self) -> Mapping[str, float]:
        """See `ports.Source`."""
        return asdict(self.health)

    async def poll(self) -> list[Polled]:
        """See `ports.Pollable`; listens in a short session of its own, so that a running gateway keeps its messages."""
        login = replace(self._connection.login, client_id=f"{self._connection.login.client_id}-poll")
        beside = Connection(login, self._clock)
        latest: dict[str, Polled] = {}
        try:
            await beside.open(self._filters, clean=True)
            async with asyncio.timeout(LISTEN_S):
                while len(latest) < len(self._entries):
                    for message in await beside.receive(COALESCE_MESSAGES, COALESCE_S):
                        beside.ack(beside.epoch, [message.mid] if message.qos else [])
                        self._show(message, latest)
        except TimeoutError:
            pass  # some tags were silent: they are shown as such
        finally:
            await beside.close()
        return [latest.get(entry.name) or self._silent(entry) for entry in self._entries]

    def _delivery(self, messages: Sequence[Arrived], epoch: int) -> Delivery:
        builder, rejects = BatchBuilder(), []
        for message in messages:
            reason = self._decode(message, builder)
            if reason:
                rejects.append(Reject(message.payload[:KEPT_OF_TOO_LARGE], message.topic, reason, message.time_ns))
        self.health.messages += len(messages)
        self.health.rejected += len(rejects)
        self._note_drops()
        mids = [message.mid for message in messages if message.qos]
        connection = self._connection
        return Delivery(
            builder.build(),
            tuple(rejects),
            (lambda: connection.ack(epoch, mids)) if mids else None,
            len(mids) / connection.window,
        )

    def _decode(self, message: Arrived, builder: BatchBuilder) -> str:
        points = self._topics.find(message.topic)
        if not points:
            self.health.unwanted += 1
            return ""
        if len(message.payload) > self._config.max_payload:
            return f"payload of {len(message.payload)} bytes, over max_payload ({self._config.max_payload})"
        max_ahead_ns = round(self._config.max_ahead * 1e9)
        return extract(points, message.payload, message.time_ns, max_ahead_ns, builder)

    def _note_drops(self) -> None:
        dropped = self._connection.inbox.dropped
        if dropped and not self.health.dropped:
            log.warning(
                "%s: messages of QoS 0 come faster than they are taken: dropping; publish with QoS 1", self.name
            )
        self.health.dropped = dropped

    def _note_loss(self) -> None:
        quick = self._clock.monotonic() - self._connected_at < QUICK_S
        self._quick_losses = self._quick_losses + 1 if quick else 0
        if self._quick_losses == TAKEOVERS:
            log.warning(
                "%s: lost %d connections right away: does another client use the id %r? Give each its own `client_id`",
                self.name,
                TAKEOVERS,
                self._connection.login.client_id,
            )

    def _show(self, message: Arrived, latest: dict[str, Polled]) -> None:
        for entry in self._entries:
            if entry.point not in self._topics.find(message.topic):
                continue
            builder = BatchBuilder()
            extract([entry.point], message.payload, message.time_ns, round(self._config.max_ahead * 1e9), builder)
            batch = builder.build()
            for reading in batch:
                text = self._tags[reading.tag].type is TagType.TEXT
                latest[entry.name] = Polled(
                    self._tags[reading.tag],
                    f"{message.topic} {entry.path.path}",
                    shown(message.payload, entry.point.path),
                    batch.text(reading.value) if text else reading.value,
                    reading.quality,
                    reading.time_ns,
                )

    def _silent(self, entry: _Entry) -> Polled:
        address = f"{entry.path.topic} {entry.path.path}"
        return Polled(self._tags[entry.point.tag], address, "", None, bad(Reason.MISSING), 0)


def build(name: str, config: MqttConfig, tags: TagTable, library: Library, clock: Clock) -> MqttSource:
    """The Source for a config section; `tags` holds every tag of `config.tags(name, library)`."""
    return MqttSource(name, config, tags, clock)


def _session_words(present: bool) -> str:
    return "with the session that it kept for us" if present else "with a new session"
