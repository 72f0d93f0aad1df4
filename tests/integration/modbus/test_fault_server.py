"""The fault server itself: its values tell where they come from, and it notices what is no read."""

import asyncio
import struct
from contextlib import suppress

import numpy as np
import pytest
from pymodbus.framer.rtu import FramerRTU

from tests.integration.modbus.fault_server import HOST, Framing, bit, device, truth, with_crc, word

PLACES = [(unit, function) for unit in (1, 2, 31, 247) for function in (3, 4)]


def test_no_two_neighbouring_registers_of_any_unit_or_function_are_alike() -> None:
    images = [np.frombuffer(truth(*place, 0, 65536), ">u2").astype(np.uint32) for place in PLACES]
    pairs = np.concatenate([image[:-1] * 65536 + image[1:] for image in images])
    assert np.unique(pairs).size == pairs.size
    assert all(np.unique(image).size == 65536 for image in images)


def test_one_register_and_one_bit_are_the_same_alone_and_in_a_run() -> None:
    for function in (3, 4):
        assert struct.unpack(">20H", truth(9, function, 700, 20)) == tuple(
            word(9, function, 700 + i) for i in range(20)
        )
    for function in (1, 2):
        packed = truth(9, function, 703, 20)
        assert len(packed) == 3
        assert [packed[i // 8] >> i % 8 & 1 for i in range(20)] == [bit(9, function, 703 + i) for i in range(20)]


def test_its_crc_is_pymodbuss() -> None:
    frame = bytes([17, 3, 0, 107, 0, 3])
    assert with_crc(frame)[-2:] == FramerRTU.compute_CRC(frame).to_bytes(2, "big") == b"\x76\x87"


async def send(asked: bytes, framing: Framing) -> None:
    """Sends a request to a device that should not like it, and waits for the end of the connection."""
    async with device(framing=framing) as plc:
        reader, writer = await asyncio.open_connection(HOST, plc.port)
        writer.write(struct.pack(">HHH", 1, 0, 6) + asked if framing == "tcp" else with_crc(asked))
        await ended(reader)
        writer.close()


async def ended(reader: asyncio.StreamReader) -> None:
    with suppress(ConnectionError):
        async with asyncio.timeout(5):
            assert await reader.read() == b""


@pytest.mark.parametrize("function", [5, 6, 15, 16, 22, 23, 43])
@pytest.mark.parametrize("framing", ["tcp", "rtu"])
async def test_a_write_fails_the_test_that_sends_it(framing: Framing, function: int) -> None:
    with pytest.raises(AssertionError, match="the device got"):
        await send(bytes([1, function, 0, 0, 0, 1]), framing)


async def test_one_socket_only_turns_the_second_client_away() -> None:
    async with device(one_socket=True) as plc:
        _, first = await asyncio.open_connection(HOST, plc.port)
        reader, second = await asyncio.open_connection(HOST, plc.port)
        await ended(reader)
        assert (plc.accepted, plc.turned_away) == (1, 1)
        for writer in (first, second):
            writer.close()
