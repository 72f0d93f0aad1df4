"""A late reply that fills up one that was cut short is noticed wherever the cut was."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.modbus.frames import Read
from adapters.modbus.overdue import Overdue
from adapters.modbus.point import Table

READ = Read(1, Table.HOLDING, 0, 60)
MISSED = Read(1, Table.COIL, 0, 24)


def frame(read: Read, transaction: int, data: bytes) -> bytes:
    return struct.pack(">H", transaction) + read.heads(transaction)[0][2:] + data[: read.nbytes]


WHOLE = frame(READ, 5, bytes(range(100, 220)))
LATE = frame(MISSED, 4, b"\xaa\xbb\xcc")
EXCEPTION = struct.pack(">HHHBBB", 4, 0, 3, 1, 0x81, 2)


def overdue() -> Overdue:
    made = Overdue()
    made.add(4, MISSED)
    return made


@pytest.mark.parametrize("late", [LATE, EXCEPTION])
@given(missing=st.integers(1, 100))
def test_a_frame_that_a_late_reply_has_filled_up_is_not_believed(late: bytes, missing: int) -> None:
    stream = WHOLE[:-missing] + late + b"\x00" * 120  # whatever comes after that
    filled, behind = stream[: len(WHOLE)], missing < len(late)
    assert overdue().may_fill(filled, torn=behind)


@given(st.binary(min_size=120, max_size=120))
def test_a_frame_that_came_whole_is_believed_unless_it_holds_the_whole_head(data: bytes) -> None:
    whole = frame(READ, 5, data)
    assert overdue().may_fill(whole, torn=False) == any(head in whole for head in MISSED.heads(4))


def test_what_has_come_by_itself_can_fill_nothing_any_more() -> None:
    late = overdue()
    late.came(4)
    assert not late
    assert not late.may_fill(WHOLE[:-12] + LATE, torn=True)


def test_only_so_many_are_kept() -> None:
    late = Overdue()
    for transaction in range(1, 100):
        late.add(transaction, MISSED)
    assert len(late._heads) == 32
    assert late.may_fill(WHOLE[:-12] + frame(MISSED, 99, b"\0\0\0"), torn=False)
