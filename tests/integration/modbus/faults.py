"""What devices, converters and lines do wrong, by name; and a storm of it, seeded, so that it can be had again."""

import asyncio
import random
import struct
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from tests.integration.modbus.fault_server import Behaviour, Device, Framing, Request, Session, honest

_REFUSALS: Final = (2, 3)


@dataclass(slots=True, eq=False)
class Storm:
    """A behaviour: honest, but with the probability `rate` one of the faults `kinds`; `happened` counts them.

    A unit on a bus gives its replies in the order of the requests, however late; a TCP device may not.

    delay_s: how long a reply may tarry and still be in time; `past its time` tarries longer than `timeout_s`
    """

    seed: int
    kinds: Sequence[str]
    rate: float = 0.2
    delay_s: float = 0.002
    timeout_s: float = 0.02
    happened: Counter[str] = field(default_factory=Counter)
    asked: int = 0
    calm: bool = False  # honest from now on
    dice: random.Random = field(init=False)
    _held: list[tuple[Request, int]] = field(default_factory=list)  # late replies, and how many requests they wait for
    _queues: dict[Session | None, list[bytes]] = field(default_factory=dict)  # replies that tarry, by connection
    _deaf: set[Session | None] = field(default_factory=set)  # connections that are half open
    _busy: int = 0

    def __post_init__(self) -> None:
        self.dice = random.Random(self.seed)

    def __call__(self, plc: Device, request: Request) -> Sequence[bytes]:
        """See `Behaviour`."""
        self.asked += 1
        if (queue := self._queues.get(request.via)) is not None:
            queue.append(request.frame())  # a unit answers in order: nothing overtakes what is late
            return []
        if request.via in self._deaf and not self.calm:
            return []
        due = self._due(request)
        if request.framing == "rtu" and (waiting := self._last_wait(request)):
            self.hold(request, waiting)
            return due
        if self._busy:
            self._busy -= 1
            return [*due, request.exception(6)]
        if self.calm or self.dice.random() >= self.rate:
            return [*due, request.frame()]
        kind = self.dice.choice(self.kinds)
        self.happened[kind] += 1
        return [*due, *FAULTS[kind](self, request)]

    def hold(self, request: Request, requests: int) -> None:
        """Keeps an honest reply back until this many other requests have come on its connection."""
        self._held.append((request, requests))

    def tarry(self, request: Request, seconds: float) -> None:
        """Gives an honest reply later; on a bus, those to later requests wait behind it."""
        via = request.via
        assert via is not None
        queue = [request.frame()]
        if request.framing == "rtu":
            self._queues[via] = queue

        def send() -> None:
            self._queues.pop(via, None)
            via.send(b"".join(queue))

        asyncio.get_running_loop().call_later(seconds, send)

    def deafen(self, request: Request) -> None:
        """Nothing is answered on this connection any more, and nobody says so."""
        self._deaf.add(request.via)

    def be_busy(self, times: int) -> None:
        """Says busy to the next requests."""
        self._busy = times

    def _last_wait(self, request: Request) -> int:
        return max((left for held, left in self._held if held.via is request.via), default=0)

    def _due(self, request: Request) -> list[bytes]:
        waiting = [(held, left - 1) for held, left in self._held if held.via is request.via]
        self._held = [(held, left) for held, left in waiting if left > 0]
        return [held.frame() for held, left in waiting if left <= 0]


Fault = Callable[[Storm, Request], Sequence[bytes]]


def _delayed(storm: Storm, request: Request) -> Sequence[bytes]:
    storm.tarry(request, storm.dice.uniform(0, storm.delay_s))
    return []


def _past_its_time(storm: Storm, request: Request) -> Sequence[bytes]:
    storm.tarry(request, storm.timeout_s * storm.dice.uniform(0.9, 2.5))
    return []


def _late(storm: Storm, request: Request, requests: int = 1) -> Sequence[bytes]:
    storm.hold(request, requests)
    return []


def _reset(storm: Storm, request: Request) -> Sequence[bytes]:
    assert request.via is not None
    request.via.reset()
    return []


def _closed(storm: Storm, request: Request) -> Sequence[bytes]:
    assert request.via is not None
    request.via.close()
    return []


def _half_open(storm: Storm, request: Request) -> Sequence[bytes]:
    storm.deafen(request)
    return []


def _busy_twice(storm: Storm, request: Request) -> Sequence[bytes]:
    storm.be_busy(1)
    return [request.exception(6)]


def _wrong_unit(storm: Storm, request: Request) -> Sequence[bytes]:
    other = (request.unit + storm.dice.randint(1, 200)) % 248
    return [_data(request, Request(0, other, request.function, request.address, request.count).data, unit=other)]


def _wrong_function(storm: Storm, request: Request) -> Sequence[bytes]:
    other = request.function % 4 + 1
    data = Request(0, request.unit, other, request.address, request.count).data
    return [request.frame(bytes([other, len(data)]) + data)]


def _too_few(storm: Storm, request: Request) -> Sequence[bytes]:
    return [_data(request, request.data[2:])]


def _too_many(storm: Storm, request: Request) -> Sequence[bytes]:
    return [_data(request, request.data + storm.dice.randbytes(2))]


def _wrong_count(storm: Storm, request: Request) -> Sequence[bytes]:
    said = (len(request.data) + storm.dice.choice([-2, -1, 1, 2])) % 256
    return [request.frame(bytes([request.function, said]) + request.data)]


def _data(request: Request, data: bytes, unit: int | None = None) -> bytes:
    return request.frame(bytes([request.function, len(data) % 256]) + data, unit=unit)


def _each_byte_alone(storm: Storm, request: Request) -> Sequence[bytes]:
    return [bytes([byte]) for byte in request.frame()]


def _cut_somewhere(storm: Storm, request: Request) -> Sequence[bytes]:
    frame = request.frame()
    at = storm.dice.randrange(1, len(frame))
    return [frame[:at], frame[at:]]


def _two_in_one(storm: Storm, request: Request) -> Sequence[bytes]:
    """The reply and one to a question that nobody asked, in a single segment."""
    address = (request.address + 7) % 60_000
    other = Request(request.transaction ^ 0x55, request.unit, request.function, address, request.count, request.framing)
    both = [request.frame(), other.frame()]
    storm.dice.shuffle(both)
    return [b"".join(both)] if request.framing == "tcp" else [request.frame() + other.frame()]


def _half_a_frame(storm: Storm, request: Request) -> Sequence[bytes]:
    frame = request.frame()
    return [frame[: storm.dice.randrange(1, len(frame))]]


def _exception(storm: Storm, request: Request) -> Sequence[bytes]:
    codes = [code for code in range(1, 12) if code not in _REFUSALS]
    return [request.exception(storm.dice.choice(codes))]


def _exception_cut(storm: Storm, request: Request) -> Sequence[bytes]:
    return [request.frame(bytes([request.function | 0x80]))]


def _protocol(storm: Storm, request: Request) -> Sequence[bytes]:
    frame = request.frame()
    return [frame[:2] + storm.dice.randint(1, 65535).to_bytes(2, "big") + frame[4:]]


def _wrong_crc(storm: Storm, request: Request) -> Sequence[bytes]:
    """One bit fell over."""
    frame = bytearray(request.frame())
    at = storm.dice.randrange(8 * len(frame))
    frame[at // 8] ^= 1 << at % 8
    return [bytes(frame)]


def _echo(storm: Storm, request: Request) -> Sequence[bytes]:
    """A two-wire line that hears itself: the request comes back, and nothing else."""
    return [request.frame(struct.pack(">BHH", request.function, request.address, request.count))]


def _noise(storm: Storm) -> bytes:
    return storm.dice.randbytes(storm.dice.randint(1, 40))


_ANYWHERE: Final[Mapping[str, Fault]] = {
    "silence": lambda storm, r: [],
    "delay": _delayed,
    "past its time": _past_its_time,
    "late": _late,
    "very late": lambda storm, r: _late(storm, r, 2),
    "reset": _reset,
    "closed": _closed,
    "half-open": _half_open,
    "wrong unit": _wrong_unit,
    "wrong function": _wrong_function,
    "too few": _too_few,
    "too many": _too_many,
    "wrong count": _wrong_count,
    "no data": lambda storm, r: [r.frame(bytes([r.function, 0]))],
    "bare function": lambda storm, r: [r.frame(bytes([r.function]))],
    "each byte alone": _each_byte_alone,
    "cut somewhere": _cut_somewhere,
    "two frames in one segment": _two_in_one,
    "twice": lambda storm, r: [r.frame() + r.frame()],
    "half a frame": _half_a_frame,
    "garbage": lambda storm, r: [_noise(storm)],
    "noise before": lambda storm, r: [_noise(storm) + r.frame()],
    "noise behind": lambda storm, r: [r.frame() + _noise(storm)],
    "exception": _exception,
    "refusal": lambda storm, r: [r.exception(storm.dice.choice(_REFUSALS))],
    "exception without code": _exception_cut,
    "busy twice": _busy_twice,
}
_TCP: Final[Mapping[str, Fault]] = {
    "wrong transaction": lambda storm, r: [r.frame(transaction=r.transaction ^ storm.dice.randint(1, 65535))],
    "transaction 0": lambda storm, r: [r.frame(transaction=0)],
    "wrong protocol": _protocol,
}
_RTU: Final[Mapping[str, Fault]] = {"wrong CRC": _wrong_crc, "echo": _echo}

FAULTS: Final[Mapping[str, Fault]] = {**_ANYWHERE, **_TCP, **_RTU}
KINDS: Final[Mapping[Framing, tuple[str, ...]]] = {"tcp": (*_ANYWHERE, *_TCP), "rtu": (*_ANYWHERE, *_RTU)}


def no_more_than(registers: int, otherwise: Behaviour = honest) -> Behaviour:
    """A device that refuses longer reads."""

    def behave(plc: Device, request: Request) -> Sequence[bytes]:
        too_long = request.function in {3, 4} and request.count > registers
        return [request.exception(3)] if too_long else otherwise(plc, request)

    return behave
