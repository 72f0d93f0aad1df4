"""Frames: a reply is one only if it fits in every field."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.modbus.frames import Failure, GarbageError, Read, Reply, split, transaction_of
from adapters.modbus.point import Table
from gateway.model import Reason

READ = Read(unit=17, table=Table.HOLDING, address=107, count=3)
DATA = bytes.fromhex("022B00000064")  # Modbus Application Protocol V1.1b3 §6.3, its example


def frame(pdu: bytes, transaction: int = 5, protocol: int = 0, unit: int = 17) -> bytes:
    return struct.pack(">HHHB", transaction, protocol, len(pdu) + 1, unit) + pdu


def test_the_request_is_the_one_of_the_specification() -> None:
    assert READ.request(5) == bytes.fromhex("0005 0000 0006 11 03 006B 0003")


@pytest.mark.parametrize(("table", "function"), [("coil", 1), ("discrete", 2), ("holding", 3), ("input", 4)])
def test_each_table_has_its_function_code(table: str, function: int) -> None:
    assert Read(1, Table(table), 0, 1).request(1)[7] == function


def test_a_fitting_reply_brings_its_data_and_its_time() -> None:
    assert READ.answer(frame(b"\x03\x06" + DATA), 99) == Reply(DATA, 99)


def test_bits_come_in_whole_bytes() -> None:
    read = Read(17, Table.COIL, 0, 19)  # §6.1, its example
    assert read.answer(frame(bytes.fromhex("0103CD6B05")), 1) == Reply(bytes.fromhex("CD6B05"), 1)


@pytest.mark.parametrize(
    "other",
    [
        frame(b"\x04\x06" + DATA),  # another function
        frame(b"\x03\x06" + DATA, unit=18),
        frame(b"\x03\x04" + DATA[:4]),  # fewer registers
        frame(b"\x03\x08" + DATA + b"\0\0"),  # more
        frame(b"\x03\x06" + DATA[:4]),  # a byte count that is not true
        frame(b"\x03\x06" + DATA + b"\0"),
        frame(b"\x03\x00"),
        frame(b"\x03"),
        frame(b"\x83"),  # an exception without its code
        frame(b"\x83\x02\x00"),
        frame(b"\x84\x02"),  # an exception to another function
    ],
)
def test_a_reply_that_does_not_fit_is_bad(other: bytes) -> None:
    answer = READ.answer(other, 1)
    assert isinstance(answer, Failure)
    assert answer.reason is Reason.BAD_REPLY


def test_an_exception_is_named_with_the_registers_that_it_is_about() -> None:
    answer = READ.answer(frame(b"\x83\x02"), 1)
    assert answer == Failure(
        Reason.DEVICE_EXCEPTION, "exception 2 (illegal data address) for holding 107…109 of unit 17", 1, 2
    )


@given(st.binary(min_size=2, max_size=254), st.integers(0, 0xFFFF))
def test_no_frame_becomes_a_value_unless_it_is_the_reply(body: bytes, transaction: int) -> None:
    whole = struct.pack(">HHH", transaction, 0, len(body)) + body
    answer = READ.answer(whole, 1)
    assert transaction_of(whole) == transaction
    if isinstance(answer, Reply):
        assert body == b"\x11\x03\x06" + answer.data
        assert len(answer.data) == 6


@given(st.lists(st.binary(min_size=1, max_size=253), max_size=5), st.data())
def test_a_stream_cut_anywhere_gives_the_same_frames(pdus: list[bytes], data: st.DataObject) -> None:
    frames = [frame(pdu, transaction=i) for i, pdu in enumerate(pdus)]
    stream = b"".join(frames)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    found, rest = [], b""
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        more, rest = split(rest + stream[start:end])
        found += more
    assert (found, rest) == (frames, b"")


@pytest.mark.parametrize("header", ["000500010006", "000500000001", "0005000000FF", "48545450 2F31"])
def test_a_header_that_no_frame_has_is_garbage(header: str) -> None:
    with pytest.raises(GarbageError, match="a header with protocol"):
        split(bytes.fromhex(header))


@given(st.binary(max_size=2000))
def test_any_bytes_are_frames_garbage_or_unfinished(stream: bytes) -> None:
    try:
        frames, rest = split(stream)
    except GarbageError:
        return
    assert b"".join(frames) + rest == stream
    for whole in frames:
        READ.answer(whole, 1)
