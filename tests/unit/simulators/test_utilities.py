"""Power, compressed air, water and meters make physical sense."""

from itertools import pairwise

import pytest

from simulators.ledger import WATT_MS_PER_WH, Ledger, MachineLedger, State
from simulators.plant import Plant
from simulators.scenario import load_scenario
from simulators.steps import Steps
from simulators.truth import ML_MS_PER_M3, meter_between, truth
from tests.unit.simulators.plants import HOUR_MS, START_MS, lived, plant


@pytest.fixture(scope="module")
def stamping() -> Plant:
    return lived("stamping", 24)


# ---- power


def test_power_peaks_at_the_start_and_a_change_before_its_end_cuts_it_off() -> None:
    jam = {"jam": {"every": "10s", "regularity": 1e9, "lasts": {"IDLE": "5s"}}}
    machine = {"kind": "plain", "ideal_cycle": "1s", "power": {"IDLE": "1kW", "EXECUTE": "10kW"}, "power_spread": 0}
    made = plant({"m": machine | {"stops": jam, "inrush": {"factor": 3, "for": "400ms"}}})
    made.run_to(START_MS + 14_000)
    steps = made.ledger.machines["m"].power
    after = [(at_ms - START_MS, watts) for at_ms, watts in zip(steps.at_ms, steps.rate, strict=True)]
    assert after[:4] == [(0, 1000), (1, 30_000), (401, 10_000), (pytest.approx(10_001, abs=20), 1000)]
    cut = plant({"m": machine | {"stops": jam, "inrush": {"factor": 3, "for": "60s"}}})
    cut.run_to(START_MS + 14_000)
    assert cut.ledger.machines["m"].power.rate.tolist() == [1000, 30_000, 1000]


@pytest.mark.parametrize("name", ["stamping", "packaging", "injection"])
def test_power_follows_the_state(name: str) -> None:
    made = lived(name, 10)
    for machine, spec in made.machines.items():
        figures = truth(made.ledger, machine, START_MS, made.now_ms)
        for state in State:
            hours = figures["state_s"][state.name] / 3600
            is_even = state is not State.EXECUTE or not (spec.load or spec.inrush)
            if hours > 0.2 and is_even and not made.scenario.products:
                assert figures["state_kwh"][state.name] / hours == pytest.approx(spec.watts(state) / 1000, rel=0.05)
            if hours > 0.2 and state is State.EXECUTE:
                assert figures["state_kwh"]["EXECUTE"] / hours == pytest.approx(spec.watts(state) / 1000, rel=0.2)
            if hours > 0.2 and state is State.STOPPED and not spec.compressor:
                assert figures["state_kwh"]["STOPPED"] / hours < 0.6 * spec.watts(State.EXECUTE) / 1000
        assert sum(figures["state_kwh"].values()) == pytest.approx(figures["energy_kwh"])


def test_a_load_inside_the_cycle_comes_at_its_time_and_keeps_its_mean() -> None:
    load = [{"share": 0.25, "power": 2.0}, {"share": 0.75, "power": 0.5}]
    machine = {"kind": "plain", "ideal_cycle": "40s", "cycle": "40s", "cycle_spread": 0, "power_spread": 0}
    made = plant({"m": machine | {"power": {"IDLE": "1kW", "EXECUTE": "8kW"}, "load": load}})
    made.run_to(START_MS + 85_000)
    steps = made.ledger.machines["m"].power
    assert [(at_ms - START_MS, watts) for at_ms, watts in zip(steps.at_ms, steps.rate, strict=True)][1:6] == [
        (1, 16_000),
        (10_001, 4_000),
        (40_001, 16_000),
        (50_001, 4_000),
        (80_001, 16_000),
    ]


def test_a_pause_inside_a_cycle_moves_the_rest_of_its_load() -> None:
    load = [{"share": 0.25, "power": 2.0}, {"share": 0.75, "power": 0.5}]
    jam = {"jam": {"every": "5s", "regularity": 1e9, "lasts": {"IDLE": "100s"}}}
    machine = {"kind": "plain", "ideal_cycle": "40s", "cycle": "40s", "cycle_spread": 0, "power_spread": 0}
    made = plant({"m": machine | {"power": {"IDLE": "1kW", "EXECUTE": "8kW"}, "load": load, "stops": jam}})
    made.run_to(START_MS + 109_000)
    steps = made.ledger.machines["m"].power
    moments = [(at_ms - START_MS, watts) for at_ms, watts in zip(steps.at_ms, steps.rate, strict=True)]
    # five seconds of the first quarter are left after the pause
    assert moments[:2] == [(0, 1000), (1, 16_000)]
    assert [watts for _, watts in moments[2:]] == [1000, 16_000, 4_000]
    assert moments[3][0] - moments[2][0] == 100_000
    assert moments[4][0] == 110_001


def test_reactive_power_is_what_the_power_factor_says() -> None:
    machine = {"kind": "plain", "ideal_cycle": "1s", "power": {"IDLE": "2kW", "EXECUTE": "10kW"}, "power_spread": 0}
    made = plant({"m": machine | {"cos_phi": {"EXECUTE": 0.8, "IDLE": 0.6}}})
    book = made.ledger.machines["m"]
    assert (book.power.rate_at(START_MS), book.reactive.rate_at(START_MS)) == (2000, round(2000 * 4 / 3))
    made.run_to(START_MS + HOUR_MS)
    assert book.reactive.between(START_MS + 1, made.now_ms) == pytest.approx(7500 * HOUR_MS, rel=1e-4)


# ---- meters


@pytest.mark.parametrize("name", ["stamping", "injection", "packaging", "steel-mill-energy"])
def test_the_main_meter_shows_the_sum_of_all_machines_within_its_accuracy(name: str) -> None:
    made = lived(name, 10)
    used = sum(truth(made.ledger, machine, START_MS, made.now_ms)["energy_kwh"] for machine in made.machines)
    spec = made.scenario.meters["main"]
    true_kwh = used + spec.base * 10 / 1000
    shown = meter_between(made.ledger, "main", START_MS, made.now_ms)
    assert abs(shown / true_kwh - 1) <= spec.accuracy
    assert shown == pytest.approx(true_kwh * (1 + made.ledger.meters["main"].gain_ppm / 1e6), rel=1e-9)


def test_what_the_sub_meters_leave_over_is_what_they_do_not_measure(stamping: Plant) -> None:
    ledger, now = stamping.ledger, stamping.now_ms
    shown = {name: meter_between(ledger, name, START_MS, now) for name in ("main", "line-1", "line-2", "compressor-01")}
    rest = shown["main"] - shown["line-1"] - shown["line-2"] - shown["compressor-01"]
    assert rest == pytest.approx(6 * 24, abs=0.005 * shown["main"] * 2)
    assert rest > 0


def test_a_meter_shows_power_energy_and_reactive_power_of_all_below_it(stamping: Plant) -> None:
    ledger = stamping.ledger
    at_ms = START_MS + 2 * HOUR_MS
    names = ("press-01", "deburr-02", "pack-03")
    gain = 1 + ledger.meters["line-1"].gain_ppm / 1e6
    assert ledger.meter_rate("line-1", at_ms) == int(sum(ledger.machines[n].watts_at(at_ms) for n in names) * gain)
    var = sum(ledger.machines[n].reactive.rate_at(at_ms) for n in names)
    assert ledger.meter_var("line-1", at_ms) == int(var * gain)
    var_ms = sum(ledger.machines[n].reactive.sum_at(at_ms) for n in names)
    assert ledger.meter_var_ms("line-1", at_ms) == pytest.approx(var_ms * gain)


def test_a_frozen_meter_keeps_what_it_has_counted() -> None:
    made = Plant(load_scenario("stamping"), START_MS)
    made.start(START_MS + 1)
    made.run_to(START_MS + HOUR_MS)
    before = made.ledger.meter_sum("main", made.now_ms)
    made.freeze()
    assert made.ledger.meter_sum("main", made.now_ms + HOUR_MS) == before
    assert made.ledger.meter_rate("main", made.now_ms) == 0


# ---- air and water


def levels(ledger: Ledger, leak: float, times: list[int]) -> list[float]:
    """What the receiver holds more than at the beginning, in litres of free air."""
    delivered, used = [], []
    for book in ledger.machines.values():
        (delivered if not book.ideal_s else used).append(book.flows.get("air", Steps()))
    begin = START_MS + 1
    litres = []
    for at_ms in times:
        net = sum(s.between(begin, at_ms) for s in delivered) - sum(s.between(begin, at_ms) for s in used)
        litres.append((net - leak * (at_ms - begin)) / 60e6)
    return litres


def test_the_compressor_keeps_the_receiver_inside_its_band(stamping: Plant) -> None:
    book = stamping.ledger.machines["compressor-01"]
    band_litres = (7.4 - 6.8) * stamping.scenario.air.receiver_litres
    found = levels(stamping.ledger, stamping.scenario.air.leak, book.state_ms[1:])
    assert len(found) > 500
    assert max(found) <= 0.2
    assert min(found) >= -band_litres - 0.2
    assert min(found) == pytest.approx(-band_litres, abs=0.5)


def test_a_compressor_loads_more_when_more_air_is_used(stamping: Plant) -> None:
    night = truth(stamping.ledger, "compressor-01", START_MS + 17 * HOUR_MS, START_MS + 23 * HOUR_MS)
    day = truth(stamping.ledger, "compressor-01", START_MS + 2 * HOUR_MS, START_MS + 8 * HOUR_MS)
    assert day["state_s"]["EXECUTE"] > 2 * night["state_s"]["EXECUTE"] > 0
    assert day["energy_kwh"] > 1.3 * night["energy_kwh"]
    # at night it feeds nothing but leaks and machines at rest
    assert day["volumes_m3"]["air"] > 2 * night["volumes_m3"]["air"]


def test_an_unloaded_compressor_stops_its_motor_after_a_while() -> None:
    press = {"kind": "plain", "ideal_cycle": "1s", "power": {"IDLE": "1kW"}, "uses": {"air": {"IDLE": "10L/min"}}}
    spec = {"delivers": "6m3/min", "bar": [6.8, 7.4], "off": "8m"}
    compressor = {"kind": "compressor", "power": {"IDLE": "11kW"}, "compressor": spec}
    made = plant({"p": press, "c": compressor}, air={"receiver_litres": 1000})
    made.run_to(START_MS + 3 * HOUR_MS)
    book: MachineLedger = made.ledger.machines["c"]
    assert book.states[:4] == [State.IDLE, State.STOPPED, State.EXECUTE, State.IDLE]
    # 600 L at 10 L/min last an hour; the motor idles for eight minutes of it
    assert book.state_ms[1] - START_MS - 1 == 8 * 60_000
    assert book.state_ms[2] - START_MS - 1 == pytest.approx(60 * 60_000, abs=2)
    assert all(before < after for before, after in pairwise(book.state_ms))


def test_water_and_gas_are_counted_while_the_machine_works() -> None:
    made = lived("steel-mill-energy", 10)
    figures = truth(made.ledger, "reheat-05", START_MS, made.now_ms)
    minutes = {state: seconds / 60 for state, seconds in figures["state_s"].items()}
    others = sum(minutes.values()) - minutes["EXECUTE"]
    assert figures["volumes_m3"]["gas"] == pytest.approx(38 * minutes["EXECUTE"] + 12 * others)
    meter = made.ledger.meters["gas"]
    true = sum(made.ledger.machines[name].flows["gas"].sum_at(made.now_ms) for name in meter.machines)
    assert made.ledger.meter_sum("gas", made.now_ms) == meter.wrong(true)
    assert meter_between(made.ledger, "gas", START_MS, made.now_ms) == pytest.approx(true / ML_MS_PER_M3, rel=0.011)


# ---- steps


def test_what_was_foreseen_is_forgotten_when_it_comes_otherwise() -> None:
    steps = Steps()
    for at_ms, rate in ((0, 10), (100, 50), (400, 20), (250, 5)):
        steps.step(at_ms, rate)
    assert list(zip(steps.at_ms, steps.rate, strict=True)) == [(0, 10), (100, 50), (250, 5)]
    assert steps.sum_at(1000) == 100 * 10 + 150 * 50 + 750 * 5
    assert steps.between(90, 110) == 10 * 10 + 10 * 50
    assert (steps.rate_at(-1), steps.sum_at(-1)) == (0, 0)


def test_a_step_to_the_same_rate_is_none() -> None:
    steps = Steps.of([(0, 7), (10, 7), (20, 8)])
    assert steps.at_ms.tolist() == [0, 20]
    assert steps.sum_at(30) == 7 * 20 + 8 * 10
    assert WATT_MS_PER_WH == 3_600_000
