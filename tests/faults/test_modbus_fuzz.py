"""Random and mutated bytes for everything that reads what a device or a file says: no exception escapes, nothing hangs.

Seeded; LINESIDE_FUZZ=50 tries fifty times as many inputs.
"""

import asyncio
import json
import os
import random
import struct
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from math import inf
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from adapters.modbus.codec import Decoder
from adapters.modbus.examples import check_examples
from adapters.modbus.framers import AsciiFramer, Framer, RtuFramer
from adapters.modbus.frames import Failure, GarbageError, Read, Reply, split, transaction_of
from adapters.modbus.import_csv import import_csv
from adapters.modbus.locator import parse_endpoint
from adapters.modbus.plan import Limits, plan
from adapters.modbus.point import WORDS, Point, Table
from adapters.modbus.profile import load_profile
from gateway.library import Library, UnknownName
from gateway.model import Reason, bad
from gateway.model.quality import is_usable
from tests.integration.modbus.fault_server import Device, Framing, Request, device, with_crc
from tests.integration.modbus.oracle import Witness

TIMES = float(os.environ.get("LINESIDE_FUZZ", "1"))
SHIPPED = Library.beside(Path("nowhere.yaml"))
READS = [Read(u, t, a, c) for u, t, a, c in [
    (1, Table.HOLDING, 0, 1), (1, Table.HOLDING, 10, 125), (2, Table.INPUT, 65_000, 4), (255, Table.COIL, 3, 2000),
    (0, Table.DISCRETE, 7, 13),
]]  # fmt: skip
EDGES = (0, 1, 2, 3, 4, 5, 6, 7, 8, 0x7F, 0x80, 0x83, 0xFE, 0xFF)


def honest(read: Read, transaction: int) -> bytes:
    return Request(transaction, read.unit, read.table.function, read.address, read.count).frame()


def mutated(data: bytes, dice: random.Random) -> bytes:
    """The same, with one to four wounds."""
    out = bytearray(data)
    for _ in range(dice.randint(1, 4)):
        at = dice.randrange(len(out) + 1)
        wound = dice.randrange(6)
        if wound == 0:
            out[at : at + 1] = bytes([dice.choice(EDGES)])
        elif wound == 1 and at < len(out):
            out[at] ^= 1 << dice.randrange(8)
        elif wound == 2:
            out[at:at] = dice.randbytes(dice.randint(1, 8))
        elif wound == 3:
            del out[at : at + dice.randint(1, 8)]
        elif wound == 4:
            del out[at:]
        else:
            out[at:at] = out[dice.randrange(len(out) + 1) :][:32]
    return bytes(out)


def streams(count: int, seed: int) -> Iterator[tuple[Read, bytes]]:
    """A read and what came back: mutated replies, alone and several in a row, and plain noise."""
    dice = random.Random(seed)
    for _ in range(round(count * TIMES)):
        read = dice.choice(READS)
        frame = honest(read, 7) if dice.random() < 0.8 else struct.pack(">HHHBBB", 7, 0, 3, read.unit, 0x83, 2)
        if dice.random() < 0.3:
            frame += honest(dice.choice(READS), dice.choice([7, 8]))
        yield read, dice.randbytes(dice.randint(0, 300)) if dice.random() < 0.05 else mutated(frame, dice)


def check_tcp(read: Read, stream: bytes) -> int:
    """How many whole replies a stream holds for a read; each must be just as long as it says."""
    try:
        frames, rest = split(stream)
    except GarbageError:
        return 0
    assert b"".join(frames) + rest == stream
    replies = 0
    for frame in frames:
        assert len(frame) == 6 + int.from_bytes(frame[4:6], "big")
        assert 0 <= transaction_of(frame) <= 0xFFFF
        answer = read.answer(frame, 1)
        assert isinstance(answer, Failure) or answer.data == frame[9:]
        if isinstance(answer, Reply):
            nbytes = (read.count + 7) // 8 if read.table.is_bits else 2 * read.count
            assert (len(answer.data), frame[6], frame[7]) == (nbytes, read.unit, read.table.function)
            replies += 1
    return replies


def test_no_tcp_stream_breaks_the_decoder_of_frames() -> None:
    tried = replies = 0
    for read, stream in streams(60_000, 1):
        replies += check_tcp(read, stream)
        tried += 1
    assert tried * 0.01 < replies < tried  # some wounds hit data only; most hit something that shows


@given(st.sampled_from(READS), st.binary(max_size=600))
def test_no_bytes_at_all_break_the_decoder_of_frames(read: Read, stream: bytes) -> None:
    check_tcp(read, stream)


def ascii_frame(body: bytes) -> bytes:
    """As the specification says it: colon, hexadecimal digits, the two's complement of the sum, CR LF."""
    return b":" + (body + bytes([-sum(body) & 0xFF])).hex().upper().encode() + b"\r\n"


@pytest.mark.parametrize(
    ("framer", "frame"), [(RtuFramer(), with_crc), (AsciiFramer(), ascii_frame)], ids=["rtu", "ascii"]
)
def test_no_bytes_on_a_line_break_its_framer(framer: Framer, frame: Callable[[bytes], bytes]) -> None:
    dice = random.Random(3)
    found = 0
    for read, stream in streams(15_000, 3):
        wounded_frame = mutated(frame(honest(read, 0)[6:]), dice) if dice.random() < 0.8 else stream
        answer = framer.find(wounded_frame, read)
        framer.only_body(wounded_frame)
        if answer is not None:
            body, end = answer
            assert wounded_frame[:end].endswith(frame(body)) or isinstance(framer, AsciiFramer)
            assert body[0] == read.unit
            assert body[1] & 0x7F == read.table.function
            read.answer_to_body(body, 1)
            found += 1
    assert found > 100


KINDS = tuple(WORDS)
EXPONENT = Point("exponent", Table.HOLDING, 2100, "int16", not_a_value=(-32768,))


def a_point(number: int, dice: random.Random) -> Point:
    """Any point that a profile may have, of every type in turn."""
    kind = KINDS[number % len(KINDS)]
    is_number, is_whole = kind not in {"bool", "string"}, "int" in kind
    table = dice.choice(list(Table)) if kind == "bool" else dice.choice([Table.HOLDING, Table.INPUT])
    return Point(
        f"p{number}",
        table,
        dice.randrange(2000),
        kind,
        word_order=dice.choice(["big", "little"]),
        byte_order=dice.choice(["big", "little"]),
        bit=dice.randrange(16) if kind == "bool" and not table.is_bits else 0,
        byte=dice.choice(["low", "high"]),
        length=dice.randint(1, 40) if kind == "string" else 0,
        encoding=dice.choice(["ascii", "latin-1", "utf-8", "utf-16-be"]),
        padding=dice.choice([-1, 0, 255]),
        scale=dice.choice([1.0, 0.1, 1e300, -3.7]) if is_number else 1.0,
        offset=dice.choice([0.0, -40.0]) if is_number else 0.0,
        scale_register="exponent" if is_number and dice.random() < 0.3 else "",
        min=dice.choice([-inf, 0.0]) if is_number else -inf,
        max=dice.choice([inf, 1e6]) if is_number else inf,
        counter=is_number and dice.random() < 0.3,
        max_step=dice.choice([inf, 100.0]),
        not_a_value=dice.choice([(), (0,), (1, 127)]) if is_whole else (),
        enum={0: "IDLE", 3: "EXECUTE"} if kind == "uint16" and dice.random() < 0.5 else {},
    )


@pytest.mark.parametrize("seed", range(8))
def test_no_register_image_breaks_the_codec_and_what_is_usable_is_a_number(seed: int) -> None:
    dice = random.Random(seed)
    points = [EXPONENT, *(a_point(i, dice) for i in range(len(KINDS)))]
    decoder = Decoder(points, plan(points, Limits()))
    fill = [b"\0", b"\xff", b"\x7f\x80", b"\x7f\xf0\0\0", b"\xff\xf8\0\1", b"\x80\0"]
    size = decoder.offsets[-1]
    for _ in range(round(5000 * TIMES)):
        image = dice.randbytes(size) if dice.random() < 0.7 else (dice.choice(fill) * size)[:size]
        failed = {0: bad(Reason.TIMEOUT)} if dice.random() < 0.1 else {}
        column = decoder.decode(image, failed)
        usable = is_usable(column.quality)
        assert np.isfinite(column.value[usable]).all()
        assert np.isnan(column.value[~usable]).all()


def test_no_text_breaks_the_reader_of_endpoints() -> None:
    dice = random.Random(4)
    seeds = ["tcp://10.0.0.7:502", "tls://plc.plant:802", "rtu:///dev/ttyUSB0?baud=19200&parity=E", "tcp://[::1]:502/"]
    alphabet = [chr(c) for c in range(32, 127)] + ["\0", "é", "\u202e", "[", "]", "::", "%", "//"]
    for _ in range(round(5000 * TIMES)):
        text = list(dice.choice(seeds))
        for _ in range(dice.randint(1, 6)):
            at = dice.randrange(len(text) + 1)
            text[at : at + dice.randint(0, 3)] = dice.choices(alphabet, k=dice.randint(0, 3))
        with suppress(ValueError):
            parse_endpoint("".join(text))


KEYS = ("type", "address", "enum", "extends", "bit", "bits", "length", "scale_register", "remove")
ODD = (None, True, -1, 65_535, 65_536, 1e300, float("nan"), "", "x", "0x10", [], [1], {}, {"a": 1}, {0: "A"}, "holding")


def wounded(data: object, dice: random.Random) -> object:
    """The same tree, with one to three leaves or branches replaced, renamed or dropped."""
    tree = json.loads(json.dumps(data))
    for _ in range(dice.randint(1, 3)):
        node = tree
        while isinstance(node, (dict, list)) and node:
            keys = list(node) if isinstance(node, dict) else list(range(len(node)))
            key = dice.choice(keys)
            if not isinstance(node[key], (dict, list)) or not node[key] or dice.random() < 0.2:
                if isinstance(node, dict) and dice.random() < 0.3:
                    node[dice.choice(KEYS)] = node.pop(key)
                else:
                    node[key] = dice.choice(ODD)
                break
            node = node[key]
    return tree


def tried(text: bytes, folder: Path, number: int) -> bool:
    """Whether such a profile loads; where it does, its points can be planned, decoded and its examples run."""
    path = folder / "profiles" / "fuzz" / f"p{number}.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text)
    try:
        profile = load_profile(f"fuzz/p{number}", Library((folder,)))
    except (ValueError, UnknownName):
        return False
    check_examples(profile)
    return True


@pytest.mark.parametrize("name", ["lineside/machine-16bit", "eastron/sdm630"])
def test_no_wounded_text_of_a_profile_gives_anything_but_a_sentence(name: str, tmp_path: Path) -> None:
    dice = random.Random(name)
    text = SHIPPED.find("profiles", name).read_bytes()[:2500]
    text = text[: text.rindex(b"\n") + 1]
    loaded = [tried(mutated(text, dice), tmp_path, number) for number in range(round(400 * TIMES))]
    assert loaded.count(False) > 20


@pytest.mark.parametrize("name", ["lineside/machine-16bit", "eastron/sdm630"])
def test_no_wounded_tree_of_a_profile_gives_anything_but_a_sentence(name: str, tmp_path: Path) -> None:
    dice = random.Random(name)
    data = yaml.safe_load(SHIPPED.find("profiles", name).read_text("utf-8"))
    data["points"] = dict(list(data["points"].items())[:12])
    texts = [json.dumps(wounded(data, dice)).encode() for _ in range(round(250 * TIMES))]
    loaded = [tried(text, tmp_path, number) for number, text in enumerate(texts)]
    assert loaded.count(False) > 20
    assert loaded.count(True) > 5


MAP = """name,address,type,unit,scale,description
Active power,40053,float32,kW,1,Sum of all phases
Energy import,40073,uint32,kWh,0.1,
State,40100,uint16,,,0=IDLE 1=EXECUTE
"""


def test_no_register_map_gives_anything_but_a_profile_or_a_sentence() -> None:
    dice = random.Random(6)
    written = 0
    for _ in range(round(2000 * TIMES)):
        text = mutated(MAP.encode(), dice).decode("latin-1")
        try:
            profile = import_csv(text, "Meter")
        except ValueError:
            continue
        assert isinstance(yaml.safe_load(profile), dict)
        written += 1
    assert written > 20


@pytest.mark.parametrize(("framing", "pipeline", "polls"), [("tcp", 1, 150), ("tcp", 8, 150), ("rtu", 1, 4)])
async def test_no_wounded_frame_breaks_a_source_that_polls(framing: Framing, pipeline: int, polls: int) -> None:
    """A bus waits for real silence after each wound, so it gets few."""
    dice = random.Random(8)
    errors: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: errors.append(context))

    def behave(plc: Device, request: Request) -> Sequence[bytes]:
        return [mutated(request.frame(), dice) if dice.random() < 0.5 else request.frame()]

    async with device(behave, framing, keep=False) as plc:
        witness = Witness.of(plc.endpoint, timeout="10ms", pipeline=pipeline)
        await witness.poll(round(polls * TIMES))
        assert plc.functions.total() > polls / 2
    assert errors == []
