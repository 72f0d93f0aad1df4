"""Refusals: whatever a device refuses, its other points are read, and what was learned is not for ever."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from adapters.modbus.frames import Answer, Failure, Read, Reply
from adapters.modbus.plan import Block, Limits, plan
from adapters.modbus.point import Point, Table
from adapters.modbus.refusals import Found, Refusals, is_refusal, search
from gateway.model import Reason

SIZES = {1: "uint16", 2: "float32", 4: "int64"}
REFUSAL = Failure(Reason.DEVICE_EXCEPTION, "exception 2", 0, 2)


class Plc:
    """Refuses some addresses, and reads that are too long."""

    def __init__(self, gone: set[int], most: int = 125) -> None:
        self.reads: list[Read] = []
        self._gone = gone
        self._most = most

    async def ask(self, reads: Sequence[Read]) -> list[Answer]:
        self.reads += reads
        return [REFUSAL if self.refuses(read.address, read.count) else Reply(b"", 0) for read in reads]

    def refuses(self, address: int, count: int) -> bool:
        return count > self._most or not self._gone.isdisjoint(range(address, address + count))


def point(address: int, size: int = 1) -> Point:
    return Point(f"p{address}_{size}", Table.HOLDING, address, SIZES[size])  # type: ignore[arg-type]


async def settle(points: Sequence[Point], plc: Plc, rounds: int) -> tuple[Refusals, tuple[Block, ...]]:
    """Polls until nothing is refused any more."""
    refusals = Refusals(points)
    for _ in range(rounds):
        blocks = plan(points, refusals.limits(Limits()), refusals.rows)
        answers = await plc.ask([Read.of(1, block) for block in blocks])
        refused = [block for block, answer in zip(blocks, answers, strict=True) if is_refusal(answer)]
        if not refused:
            return refusals, blocks
        for block in refused:
            refusals.learn(await search(points, block, 1, plc.ask), 0.0)
    raise AssertionError(f"still refused after {rounds} rounds: {refused}")


@given(
    st.lists(st.tuples(st.integers(0, 60), st.sampled_from(sorted(SIZES))), min_size=1, max_size=25, unique=True),
    st.sets(st.integers(0, 64), max_size=5),
)
async def test_every_point_that_the_device_has_is_read_whatever_it_refuses_beside(
    places: list[tuple[int, int]], gone: set[int]
) -> None:
    points = [point(address, size) for address, size in places]
    plc = Plc(gone)
    refusals, blocks = await settle(points, plc, rounds=4)
    read = {row for block in blocks for row in block.points}
    assert read | set(refusals.quarantined) == set(range(len(points)))
    assert {row for row, p in enumerate(points) if not plc.refuses(p.address, p.size)} >= read
    wrongly = [points[row] for row in refusals.quarantined if not plc.refuses(points[row].address, points[row].size)]
    assert not wrongly or not read  # a device that gave nothing at all may have more than it was asked for


@given(st.integers(4, 124), st.integers(30, 200))
async def test_a_device_that_gives_few_registers_at_a_time_loses_nothing_and_gets_reads_near_its_limit(
    most: int, size: int
) -> None:
    points = [point(address) for address in range(size)]
    refusals, blocks = await settle(points, Plc(set(), most), rounds=6)
    assert not refusals.quarantined
    assert max(block.count for block in blocks) <= most
    assert len(blocks) <= 2 * -(-size // most) + 2


async def test_one_bad_register_of_sixty_costs_about_a_dozen_reads() -> None:
    points = [point(address) for address in range(60)]
    for bad in range(60):
        plc = Plc({bad})
        refusals, _ = await settle(points, plc, rounds=2)
        assert list(refusals.quarantined) == [bad]
        assert len(plc.reads) <= 1 + 2 * 6 + 1 + 2


async def test_points_left_out_take_turns_and_come_back_one_by_one() -> None:
    refusals = Refusals([point(address) for address in range(4)])
    refusals.learn(Found(guilty=[1, 2]), now=0.0)
    assert (refusals.rows, refusals.is_due(59.0), refusals.is_due(60.0)) == ([0, 3], False, True)
    refusals.still(60.0)
    assert (list(refusals.quarantined), refusals.is_due(61.0)) == ([2, 1], False)
    assert refusals.back() == (2,)
    assert refusals.rows == [0, 2, 3]


async def test_a_device_that_gives_nothing_is_due_at_once_and_comes_back_as_a_whole() -> None:
    refusals = Refusals([point(address) for address in range(3)])
    refusals.learn(Found(guilty=[0, 1, 2], borders=[(Table.HOLDING, 1)]), now=0.0)
    assert refusals.is_due(0.1)
    assert refusals.back() == (0, 1, 2)
    assert refusals.limits(Limits()) == Limits()


async def test_borders_are_forgotten_after_an_hour_and_only_once() -> None:
    refusals = Refusals([point(address) for address in range(3)])
    refusals.learn(Found(borders=[(Table.HOLDING, 1)]), now=100.0)
    assert refusals.limits(Limits()).borders == ((Table.HOLDING, 1),)
    assert [refusals.forget(now) for now in (3699.0, 3700.0, 3701.0)] == [False, True, False]
    assert refusals.limits(Limits()).borders == ()
