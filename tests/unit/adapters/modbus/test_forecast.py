"""The forecast: what a line can carry, by the lengths of its frames; and rates that it could meet."""

import pytest

from adapters.modbus.forecast import Assumed, Forecast, Round, forecast
from adapters.modbus.locator import parse_endpoint
from adapters.modbus.manners import Manners
from adapters.modbus.plan import Block
from adapters.modbus.point import Table

LINE = "rtu:///dev/ttyUSB0?baud=9600&parity=E"
MANNERS, ASSUMED = Manners(), Assumed()
CHAR_S = 11 / 9600
NOTHING_ELSE = Assumed(answer_s=0.0, round_trip_s=0.0)


def reading(count: int = 1, period_s: float = 1.0, unit: int = 1, group: str = "fast", reads: int = 1) -> Round:
    blocks = tuple(Block(Table.HOLDING, 200 * n, count, (n,)) for n in range(reads))
    return Round(f"meter-{unit}", unit, group, period_s, blocks)


def of(endpoint: str, *rounds: Round, manners: Manners = MANNERS, assumed: Assumed = ASSUMED) -> Forecast:
    return forecast(parse_endpoint(endpoint), rounds, manners, assumed)


def test_a_read_over_rtu_takes_its_characters_and_two_gaps() -> None:
    found = of(LINE, reading(125), assumed=NOTHING_ELSE)
    assert found.seconds == pytest.approx([(8 + 5 + 250 + 7) * CHAR_S])


def test_a_read_over_ascii_takes_two_characters_per_byte() -> None:
    endpoint = "ascii:///dev/ttyUSB0?baud=9600&parity=E"
    found = of(endpoint, reading(10), assumed=NOTHING_ELSE)
    # :0103000000 0A LRC CR LF, and : 01 03 14 <20 bytes> LRC CR LF, of 10 bits each
    assert found.seconds == pytest.approx([(17 + 11 + 40) * 10 / 9600])


def test_coils_take_one_byte_for_eight() -> None:
    coils = Round("plc", 1, "fast", 1.0, (Block(Table.COIL, 0, 100, (0,)),))
    assert of(LINE, coils, assumed=NOTHING_ELSE).seconds == pytest.approx([(8 + 5 + 13 + 7) * CHAR_S])


def test_gaps_on_fast_lines_are_of_fixed_length() -> None:
    found = of("rtu:///dev/ttyS0?baud=115200&parity=N&stopbits=1", reading(1), assumed=NOTHING_ELSE)
    assert found.seconds == pytest.approx([15 * 10 / 115200 + 2 * 0.00175])


def test_every_read_waits_for_the_device_and_the_pause() -> None:
    found = of(LINE, reading(1, reads=3), manners=Manners(pause_s=0.05), assumed=Assumed(answer_s=0.1))
    assert found.seconds == pytest.approx([3 * ((15 + 7) * CHAR_S + 0.1 + 0.05)])


def test_a_line_with_several_units_waits_when_it_passes_from_one_to_the_next() -> None:
    manners = Manners(turnaround_s=0.2)
    alone = of(LINE, reading(1), manners=manners)
    shared = of(LINE, reading(1), reading(1, unit=2), manners=manners)
    assert shared.all_s == pytest.approx(2 * (alone.all_s + 0.2))


def test_a_read_over_a_network_takes_a_round_trip_shared_by_those_on_their_way_together() -> None:
    assumed = Assumed(round_trip_s=0.02)
    assert of("tcp://plc", reading(125, reads=4), assumed=assumed).all_s == pytest.approx(0.08)
    assert of("tcp://plc", reading(125, reads=4), manners=Manners(depth=4), assumed=assumed).all_s == pytest.approx(
        0.02
    )


def test_a_connection_that_is_closed_after_each_poll_is_opened_for_each() -> None:
    manners = Manners(close_after_poll=True, connect_delay_s=0.3)
    assert of("tcp://plc", reading(1), manners=manners).all_s == pytest.approx(0.01 + 0.01 + 0.3)


def test_several_units_behind_one_address_share_a_serial_line_that_the_config_does_not_know() -> None:
    assumed = Assumed(answer_s=0.0, round_trip_s=0.0, baud=19200)
    one = of("tcp://gateway", reading(10), assumed=assumed)
    two = of("tcp://gateway", reading(10), reading(10, unit=2), assumed=assumed)
    assert one.behind is None
    assert two.behind is not None
    assert two.behind.baud == 19200
    assert two.all_s == pytest.approx(2 * (33 + 7) * 11 / 19200)


def test_load_is_the_part_of_all_time_that_the_line_is_busy() -> None:
    found = of("tcp://plc", reading(period_s=0.1), reading(group="slow", period_s=1, reads=5))
    assert found.load == pytest.approx(0.01 / 0.1 + 0.05 / 1)
    assert found.remedy() == {}


def test_a_group_whose_slots_others_fill_now_and_then_is_named() -> None:
    found = of("tcp://plc", reading(period_s=0.1), reading(group="slow", period_s=60, reads=20))
    assert found.load < 0.2
    assert found.late == ("fast",)


def test_a_rate_that_the_line_cannot_meet_is_answered_with_one_that_it_can() -> None:
    meters = [reading(60, unit=unit) for unit in range(1, 33)]
    slow = [reading(100, period_s=60.0, unit=unit, group="slow") for unit in range(1, 33)]
    found = of(LINE, *meters, *slow)
    assert found.load > 5
    (period_s,) = found.remedy().values()
    relieved = of(LINE, *(reading(60, period_s, unit=unit) for unit in range(1, 33)), *slow)
    assert 0.8 < relieved.load <= 0.9


def test_where_slowing_one_group_does_not_help_all_are_slowed() -> None:
    both = [reading(100), reading(100, group="slow", period_s=0.5, reads=3), reading(100, 2.0, group="other", reads=9)]
    found = of(LINE, *both)
    periods = found.remedy()
    assert periods.keys() == {"fast", "slow", "other"}
    slower = [reading(100, periods["fast"]), reading(100, periods["slow"], reads=3)]
    assert of(LINE, *slower, reading(100, periods["other"], reads=9)).load <= 0.9


def test_no_rounds_are_no_load() -> None:
    found = of("tcp://plc")
    assert (found.load, found.all_s, found.late, found.remedy()) == (0, 0, (), {})
