"""The planner: few reads, legal reads, every point once."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.modbus.plan import Block, Limits, plan
from adapters.modbus.point import Forbidden, Point, Table

SIZES = {1: "uint16", 2: "float32", 4: "int64"}


def register(address: int, size: int = 1, table: Table = Table.HOLDING) -> Point:
    return Point(f"p{address}", table, address, SIZES[size])  # type: ignore[arg-type]


def coil(address: int) -> Point:
    return Point(f"c{address}", Table.COIL, address, "bool")


def spans(blocks: tuple[Block, ...]) -> list[tuple[int, int]]:
    return [(block.address, block.count) for block in blocks]


points_of_a_device = st.lists(
    st.builds(
        lambda table, address, size: coil(address) if table.is_bits else register(address, size, table),
        st.sampled_from([Table.COIL, Table.INPUT, Table.HOLDING]),
        st.integers(0, 700),
        st.sampled_from(sorted(SIZES)),
    ),
    max_size=40,
)
any_limits = st.builds(Limits, st.integers(4, 125), st.integers(1, 2000), st.integers(0, 40))


def test_neighbours_are_read_together() -> None:
    assert spans(plan([register(2, 2), register(0, 2), register(4)], Limits())) == [(0, 5)]


def test_a_small_hole_is_read_along_and_a_large_one_is_not() -> None:
    points = [register(0), register(5), register(100)]
    assert spans(plan(points, Limits(max_gap=4))) == [(0, 6), (100, 1)]
    assert spans(plan(points, Limits(max_gap=3))) == [(0, 1), (5, 1), (100, 1)]


def test_a_read_is_never_longer_than_its_cap() -> None:
    assert spans(plan([register(a) for a in range(300)], Limits())) == [(0, 125), (125, 125), (250, 50)]
    assert spans(plan([coil(a) for a in range(2500)], Limits())) == [(0, 2000), (2000, 500)]


def test_a_short_point_after_a_longer_one_at_the_same_address_does_not_shorten_the_read() -> None:
    assert spans(plan([register(10, 1), register(10, 4), register(11, 1)], Limits())) == [(10, 4)]


def test_a_point_that_straddles_the_cap_opens_the_next_read_whole() -> None:
    assert spans(plan([register(0, 2), register(124, 2)], Limits(max_gap=124))) == [(0, 2), (124, 2)]


def test_tables_are_never_mixed() -> None:
    blocks = plan([register(0, 1, Table.INPUT), register(1, 1, Table.HOLDING), coil(2)], Limits())
    assert [block.table for block in blocks] == [Table.COIL, Table.HOLDING, Table.INPUT]


def test_a_point_larger_than_a_read_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"'p8' needs 4 registers, but a read may bring only 3"):
        plan([register(8, 4)], Limits(max_registers=3))


def test_only_wanted_points_are_read() -> None:
    (block,) = plan([register(0), register(1), register(50)], Limits(), [1])
    assert (block.address, block.count, block.points) == (1, 1, (1,))


def test_no_points_need_no_reads() -> None:
    assert plan([], Limits()) == ()


def test_a_forbidden_hole_is_never_read_along() -> None:
    points = [register(0), register(5), register(9)]
    limits = Limits(forbidden=(Forbidden(Table.HOLDING, 2, 3),))
    assert spans(plan(points, limits)) == [(0, 1), (5, 5)]
    assert spans(plan(points, Limits(forbidden=(Forbidden(Table.INPUT, 2, 3),)))) == [(0, 10)]


def test_forbidden_ranges_may_overlap_and_come_in_any_order() -> None:
    limits = Limits(forbidden=tuple(Forbidden(Table.HOLDING, *at) for at in [(6, 8), (2, 2), (4, 7), (5, 5)]))
    points = [register(address) for address in (0, 1, 3, 9, 10)]
    assert spans(plan(points, limits)) == [(0, 2), (3, 1), (9, 2)]


def test_a_border_may_be_touched_but_not_run_across() -> None:
    limits = Limits(borders=((Table.HOLDING, 4), (Table.INPUT, 2)))
    assert spans(plan([register(a) for a in range(8)], limits)) == [(0, 4), (4, 4)]
    assert spans(plan([register(3, 2), register(5)], limits)) == [(3, 3)]  # inside a point it cannot be kept


@pytest.mark.parametrize(("first", "last"), [(10, 10), (5, 11), (12, 40), (11, 12)])
def test_a_point_in_a_forbidden_range_is_refused_by_name(first: int, last: int) -> None:
    limits = Limits(forbidden=(Forbidden(Table.HOLDING, first, last), Forbidden(Table.HOLDING, 0, 3)))
    with pytest.raises(ValueError, match=rf"'p10' \(holding 10\) lies in holding {first}…{last}, which is forbidden"):
        plan([register(10, 4)], limits)


def test_one_request_per_point_merges_nothing_but_points_of_the_same_registers() -> None:
    bits = [Point(f"bit{n}", Table.HOLDING, 3, "bool", bit=n) for n in range(16)]
    points = [register(0), register(1), register(1, 2), *bits]
    blocks = plan(points, Limits(one_request_per_point=True))
    assert spans(blocks) == [(0, 1), (1, 2), (1, 1), (3, 1)]
    assert len(blocks[-1].points) == 16


def test_a_point_behind_the_last_address_is_refused() -> None:
    assert spans(plan([register(65534, 2)], Limits())) == [(65534, 2)]
    with pytest.raises(ValueError, match="ends at address 65536; the last one is 65535"):
        plan([register(65535, 2)], Limits())


@given(points_of_a_device, any_limits)
def test_every_point_is_brought_whole_exactly_once_by_a_legal_read(points: list[Point], limits: Limits) -> None:
    blocks = plan(points, limits)
    assert sorted(i for block in blocks for i in block.points) == list(range(len(points)))
    for block in blocks:
        assert 1 <= block.count <= limits.cap(block.table)
        for i in block.points:
            assert points[i].table is block.table
            assert block.address <= points[i].address
            assert points[i].end <= block.address + block.count


@given(points_of_a_device, any_limits, st.randoms(use_true_random=False))
def test_the_reads_do_not_depend_on_the_order_of_the_points(points: list[Point], limits: Limits, random) -> None:  # type: ignore[no-untyped-def]
    shuffled = list(range(len(points)))
    random.shuffle(shuffled)
    assert spans(plan(points, limits, shuffled)) == spans(plan(points, limits))


@given(points_of_a_device, any_limits)
def test_no_hole_is_longer_than_allowed(points: list[Point], limits: Limits) -> None:
    for block in plan(points, limits):
        end = block.address
        for i in sorted(block.points, key=lambda i: points[i].address):
            assert points[i].address - end <= (limits.gap(block.table) if end > block.address else 0)
            end = max(end, points[i].end)
        assert end == block.address + block.count


places_of_points = st.lists(st.tuples(st.integers(0, 24), st.sampled_from(sorted(SIZES))), min_size=1, max_size=6)
ranges = st.lists(st.tuples(st.integers(0, 28), st.integers(0, 4)), max_size=3)


@given(places_of_points, ranges, st.lists(st.integers(0, 28), max_size=2))
def test_no_partition_into_legal_reads_is_smaller(
    places: list[tuple[int, int]], forbidden: list[tuple[int, int]], borders: list[int]
) -> None:
    points = [register(address, size) for address, size in places]
    free = [f for f in forbidden if all(p.end <= f[0] or f[0] + f[1] < p.address for p in points)]
    limits = Limits(
        max_registers=8,
        max_gap=3,
        forbidden=tuple(Forbidden(Table.HOLDING, first, first + more) for first, more in free),
        borders=tuple((Table.HOLDING, address) for address in borders),
    )
    assert len(plan(points, limits)) == min(map(len, filter(lambda p: legal(p, limits), partitions(points))))


def partitions(points: list[Point]) -> list[list[list[Point]]]:
    """All ways to divide points into groups."""
    if not points:
        return [[]]
    head, rest = points[0], partitions(points[1:])
    alone = [[[head], *groups] for groups in rest]
    joined = [[*groups[:i], [head, *groups[i]], *groups[i + 1 :]] for groups in rest for i in range(len(groups))]
    return alone + joined


def legal(groups: list[list[Point]], limits: Limits) -> bool:
    for group in groups:
        ordered = sorted(group, key=lambda p: p.address)
        end = ordered[0].end
        for point in ordered[1:]:
            if point.address - end > limits.max_gap:
                return False
            if any(end <= f.first and f.last < point.address for f in limits.forbidden):
                return False
            if any(end <= address <= point.address for _, address in limits.borders):
                return False
            end = max(end, point.end)
        if end - ordered[0].address > limits.max_registers:
            return False
    return True
