"""Batches and their byte form."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from gateway.model import GOOD, Batch, BatchBuilder, Reading
from gateway.model.wire import Corrupt, Header, decode, encode

COLUMNS = st.integers(0, 40).flatmap(
    lambda n: st.builds(
        Batch,
        hnp.arrays(np.int32, n),
        hnp.arrays(np.int64, n),
        hnp.arrays(np.float64, n),
        hnp.arrays(np.uint8, n),
        st.lists(st.text(), max_size=4).map(tuple),
    )
)
HEADERS = st.builds(
    Header,
    source=st.text(max_size=30),
    epoch=st.integers(0, 2**32 - 1),
    seq=st.integers(0, 2**64 - 1),
    received_ns=st.integers(-(2**63), 2**63 - 1),
    monotonic_ns=st.integers(0, 2**63 - 1),
    boot_id=st.binary(min_size=16, max_size=16),
    synced=st.booleans(),
)


@given(HEADERS, COLUMNS)
def test_the_byte_form_gives_back_every_bit(header: Header, batch: Batch) -> None:
    assert decode(encode(header, batch)) == (header, batch)


@given(COLUMNS, st.data())
def test_any_changed_byte_is_noticed(batch: Batch, data: st.DataObject) -> None:
    form = bytearray(encode(Header("plc"), batch))
    at = data.draw(st.integers(0, len(form) - 1))
    form[at] ^= data.draw(st.integers(1, 255))
    if at == 3:  # the flags byte says only whether the clock was synchronised
        assert decode(bytes(form))[1] == batch
        return
    with pytest.raises(Corrupt):
        decode(bytes(form))


@given(COLUMNS, st.data())
def test_a_cut_off_batch_is_noticed(batch: Batch, data: st.DataObject) -> None:
    form = encode(Header("plc"), batch)
    with pytest.raises(Corrupt):
        decode(form[: data.draw(st.integers(0, len(form) - 1))])


def test_columns_of_different_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="one length"):
        Batch(np.zeros(2, np.int32), np.zeros(1, np.int64), np.zeros(1), np.zeros(1, np.uint8))


def test_the_arrays_of_a_batch_cannot_be_changed() -> None:
    batch = Batch(np.zeros(1, np.int32), np.zeros(1, np.int64), np.zeros(1), np.zeros(1, np.uint8))
    with pytest.raises(ValueError, match="read-only"):
        batch.value[0] = 5


def test_a_builder_collects_numbers_and_texts_and_is_empty_after_building() -> None:
    builder = BatchBuilder()
    builder.add(1, 10, 2.5)
    builder.add_text(2, 11, "RUN")
    builder.add_text(2, 12, "RUN")
    batch = builder.build()
    assert next(iter(batch)) == Reading(1, 10, 2.5, GOOD)
    assert [batch.text(r.value) for r in batch if r.tag == 2] == ["RUN", "RUN"]
    assert batch.texts == ("RUN",)
    assert len(builder) == 0


def test_concat_keeps_every_text_although_each_batch_numbers_its_own() -> None:
    batches = []
    for text in ("IDLE", "RUN"):
        builder = BatchBuilder()
        builder.add(1, 1, 42.0)
        builder.add_text(2, 1, text)
        batches.append(builder.build())
    joined = Batch.concat(batches, np.array([False, False, True]))
    assert [joined.text(r.value) for r in joined if r.tag == 2] == ["IDLE", "RUN"]
    assert [r.value for r in joined if r.tag == 1] == [42.0, 42.0]
