"""Frames of serial lines: found in any stream, and never anything that is not the reply."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymodbus.framer.ascii import FramerAscii
from pymodbus.framer.rtu import FramerRTU

from adapters.modbus.framers import AsciiFramer, Framer, RtuFramer, crc16, lrc
from adapters.modbus.frames import Read
from adapters.modbus.point import Table

READ = Read(17, Table.HOLDING, 107, 3)
BODY = bytes.fromhex("11 03 06 AE41 5652 4340")
FRAMERS = [RtuFramer(), AsciiFramer()]
IDS = ["rtu", "ascii"]
each_framer = pytest.mark.parametrize("framer", FRAMERS, ids=IDS)


def test_the_check_sums_are_those_of_the_specification() -> None:
    assert crc16(bytes.fromhex("0207")) == bytes.fromhex("4112")  # appendix B, its example
    assert crc16(b"123456789") == (0x4B37).to_bytes(2, "little")  # the usual check value of CRC-16/MODBUS
    assert lrc(bytes.fromhex("F7031389000A")) == bytes.fromhex("60")


@given(st.binary(min_size=1, max_size=260))
def test_the_check_sums_are_those_of_pymodbus(data: bytes) -> None:
    assert int.from_bytes(crc16(data), "big") == FramerRTU.compute_CRC(data)
    assert lrc(data)[0] == FramerAscii.compute_LRC(data)


def test_requests_are_those_of_the_specification() -> None:
    assert RtuFramer().frame(READ.body) == bytes.fromhex("11 03 006B 0003 7687")
    assert AsciiFramer().frame(READ.body) == b":1103006B00037E\r\n"


@each_framer
@given(before=st.binary(max_size=40), behind=st.binary(max_size=40))
def test_a_reply_is_found_whatever_stands_before_and_behind_it(framer: Framer, before: bytes, behind: bytes) -> None:
    before = before.replace(b":", b".")
    frame = framer.frame(BODY)
    assert framer.find(before + frame + behind, READ) == (BODY, len(before + frame))


@each_framer
def test_no_part_of_a_reply_is_a_reply(framer: Framer) -> None:
    frame = framer.frame(BODY)
    assert [framer.find(frame[:cut], READ) for cut in range(len(frame))] == [None] * len(frame)
    assert [framer.find(frame[cut:], READ) for cut in range(1, len(frame))] == [None] * (len(frame) - 1)


@each_framer
@given(at=st.integers(0, 200), wrong=st.integers(1, 255))
def test_one_wrong_byte_makes_it_none(framer: Framer, at: int, wrong: int) -> None:
    frame = bytearray(framer.frame(BODY))
    frame[at % len(frame)] ^= wrong
    found = framer.find(bytes(frame), READ)
    assert found is None or found[0] == BODY  # the case of a hexadecimal digit does not matter


@each_framer
@pytest.mark.parametrize(
    "other",
    [
        "12 03 06 AE41 5652 4340",  # another unit
        "11 04 06 AE41 5652 4340",
        "11 03 04 AE41 5652",
        "11 03 08 AE41 5652 4340 0000",
        "11 03 06 AE41 5652",
        "11 03 00",
        "11 03",
        "11 84 02",  # an exception to another function
        "12 83 02",
    ],
)
def test_frames_that_answer_something_else_are_passed_over(framer: Framer, other: str) -> None:
    foreign = framer.frame(bytes.fromhex(other))
    assert framer.find(foreign, READ) is None
    assert framer.find(foreign + framer.frame(BODY), READ) == (BODY, len(foreign + framer.frame(BODY)))
    assert framer.only_body(foreign) == bytes.fromhex(other)


@each_framer
def test_an_exception_to_the_function_answers_the_read(framer: Framer) -> None:
    body = bytes.fromhex("11 83 02")
    assert framer.find(framer.frame(body), READ) == (body, len(framer.frame(body)))


@each_framer
def test_the_echo_of_the_request_is_no_reply(framer: Framer) -> None:
    for read in (READ, Read(1, Table.HOLDING, 0x0204, 1), Read(1, Table.COIL, 0x0100, 8)):
        assert framer.find(framer.frame(read.body), read) is None


@each_framer
@given(stream=st.binary(max_size=600), digits=st.text(":0123456789abcdefABCDEF\r\n", max_size=300))
def test_any_bytes_are_searched_without_an_error(framer: Framer, stream: bytes, digits: str) -> None:
    for each in (stream, digits.encode(), stream + digits.encode()):
        framer.only_body(each)
        found = framer.find(each, READ)
        assert found is None or found[0][0] == READ.unit


@given(st.integers(1, 125))
def test_a_decoys_reply_never_looks_like_that_of_the_read_that_it_protects(count: int) -> None:
    read = Read(1, Table.HOLDING, 9, count)
    for decoy in read.decoys():
        assert decoy.head != read.head
        assert read.address == decoy.address
        assert decoy.count < count
