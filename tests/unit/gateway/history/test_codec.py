import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.history import codec
from gateway.history.readings import Readings
from gateway.model import GOOD

int64 = st.integers(-(2**63), 2**63 - 1)
anything = st.integers(0, 2**64 - 1).map(lambda bits: float(np.uint64(bits).view(np.float64)))
meter = st.integers(-(10**7), 10**7).map(lambda n: n / 100)
scaled = st.integers(-32768, 32767).map(lambda n: n * 0.1)
single = st.floats(width=32)
column = st.one_of(
    *(st.lists(kind, min_size=1, max_size=80) for kind in (anything, meter, scaled, single, st.floats()))
)


def of_one_tag(values: list[float], times: list[int], tag: int = 7) -> Readings:
    n = len(values)
    return Readings(
        np.full(n, tag, np.int32), np.array(times, np.int64), np.array(values, np.float64), np.full(n, GOOD, np.uint8)
    )


def same(left: Readings, right: Readings) -> bool:
    columns = ("tag", "time_ms", "value", "quality")
    return left.texts == right.texts and all(
        getattr(left, name).tobytes() == getattr(right, name).tobytes() for name in columns
    )


@given(values=column, data=st.data())
def test_every_bit_of_numbers_comes_back(values: list[float], data: st.DataObject) -> None:
    n = len(values)
    readings = Readings(
        np.sort(np.array(data.draw(st.lists(st.integers(0, 2**31 - 1), min_size=n, max_size=n)), np.int32)),
        np.array(data.draw(st.lists(int64, min_size=n, max_size=n)), np.int64),
        np.array(values, np.float64),
        np.array(data.draw(st.lists(st.integers(0, 255), min_size=n, max_size=n)), np.uint8),
    )
    assert same(codec.decode(codec.encode(readings)), readings)


@given(st.lists(st.text(), min_size=1, max_size=30))
def test_texts_come_back_and_those_without_a_row_do_not(texts: list[str]) -> None:
    index = [texts.index(text) for text in texts]
    base = of_one_tag([float(i) for i in index], list(range(len(texts))))
    readings = Readings(base.tag, base.time_ms, base.value, base.quality, (*texts, "no row has this"))
    found = codec.decode(codec.encode(readings))
    assert [found.text(row) for row in range(len(found))] == texts
    assert "no row has this" not in found.texts or "no row has this" in texts


def test_a_damaged_byte_is_noticed_wherever_it_is() -> None:
    data = codec.encode(of_one_tag([1.5, 2.5, 4.0], [0, 1000, 2001]))
    for place in range(len(data)):
        damaged = bytearray(data)
        damaged[place] ^= 0x10
        with pytest.raises(codec.UnreadableChunk):
            codec.decode(bytes(damaged))


@pytest.mark.parametrize("length", range(5))
def test_a_cut_chunk_is_noticed(length: int) -> None:
    with pytest.raises(codec.UnreadableChunk):
        codec.decode(codec.encode(of_one_tag([1.5], [0]))[:length])


@pytest.mark.parametrize(
    ("kind", "limit"),
    [("meter", 1.7), ("register with scale 0.1", 1.7), ("float32 noise", 3.6), ("part counter", 0.9), ("state", 0.8)],
)
def test_an_hour_of_readings_a_second_stays_below_four_bytes_each(kind: str, limit: float) -> None:
    rng, n = np.random.default_rng(3), 3600
    values = {
        "meter": np.round(50 + np.cumsum(rng.normal(0, 0.05, n)), 2),
        "register with scale 0.1": np.round(rng.normal(4000, 20, n)) * 0.1,
        "float32 noise": rng.normal(50, 1, n).astype(np.float32).astype(np.float64),
        "part counter": np.cumsum(rng.integers(0, 2, n)).astype(np.float64),
        "state": (np.arange(n) // 600 % 3).astype(np.float64),
    }[kind]
    jittered = np.arange(n) * 1000 + rng.integers(-3, 4, n)
    assert len(codec.encode(of_one_tag(values.tolist(), jittered.tolist()))) / n <= limit


def test_regular_readings_of_a_constant_take_no_space_per_reading() -> None:
    assert len(codec.encode(of_one_tag([21.5] * 3600, list(range(0, 3_600_000, 1000))))) < 64
