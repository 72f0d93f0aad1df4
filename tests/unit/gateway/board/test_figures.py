"""The energy figure."""

from zoneinfo import ZoneInfo

import plotly.graph_objects as go
import pytest

from gateway.board.figures import HOUR_MS, add_hours, add_metered, energy_figure
from gateway.board.palette import LOOKS, METERED, Theme
from gateway.kpi.asset import TimeClass
from gateway.kpi.metering import MeterTree

HANOI = ZoneInfo("Asia/Ho_Chi_Minh")
SIX = 1_780_441_200_000  # 06:00 on 3 June 2026 in Vietnam
HOURS = {SIX + i * HOUR_MS: {"producing": 10.0 + i, "idle": 1.0} for i in range(6)}


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_figure_is_valid_for_plotly(theme: Theme) -> None:
    figure = energy_figure(HOURS, SIX, SIX + 6 * HOUR_MS, HANOI, theme)
    assert len(go.Figure(figure).data) == 2


def test_bars_hold_the_energy_of_each_hour_under_local_labels() -> None:
    figure = energy_figure(HOURS, SIX, SIX + 6 * HOUR_MS, HANOI, "light")
    producing = figure["data"][0]
    assert producing["name"] == "Producing"
    assert producing["y"] == [10.0, 11.0, 12.0, 13.0, 14.0, 15.0]
    assert producing["customdata"] == ["06:00", "07:00", "08:00", "09:00", "10:00", "11:00"]


def test_a_class_that_used_nothing_has_no_bar() -> None:
    names = [trace["name"] for trace in energy_figure(HOURS, SIX, SIX + HOUR_MS, HANOI, "light")["data"]]
    assert names == ["Producing", "Idle"]


def test_energy_of_unknown_time_is_hatched() -> None:
    figure = energy_figure({SIX: {"unknown": 2.0}}, SIX, SIX + HOUR_MS, HANOI, "dark")
    assert figure["data"][0]["marker"]["pattern"]["shape"] == "/"


def test_the_hour_that_a_clock_change_repeats_is_two_bars() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    midnight = 1_792_879_200_000  # 25 October 2026, 00:00 in Berlin; 03:00 comes twice
    hours = {midnight + i * HOUR_MS: {"producing": 1.0} for i in range(6)}
    figure = energy_figure(hours, midnight, midnight + 6 * HOUR_MS, berlin, "light")
    assert figure["data"][0]["customdata"] == ["00:00", "01:00", "02:00", "02:00", "03:00", "04:00"]
    assert len(set(figure["data"][0]["x"])) == 6


def test_empty_hours_at_the_start_are_left_out_while_six_remain() -> None:
    late = {SIX + 11 * HOUR_MS: {"producing": 1.0}}
    figure = energy_figure(late, SIX, SIX + 12 * HOUR_MS, HANOI, "light")
    assert len(figure["data"][0]["x"]) == 6
    assert figure["data"][0]["y"][-1] == 1.0


def test_a_plant_without_energy_gives_an_empty_figure() -> None:
    figure = energy_figure({}, SIX, SIX + 12 * HOUR_MS, HANOI, "light")
    assert figure["data"] == []
    go.Figure(figure)


def test_the_energy_of_machines_adds_up_by_hour_and_class() -> None:
    total = add_hours([{SIX: {"producing": 1.0}}, {SIX: {"producing": 2.0, "idle": 0.5}, SIX + HOUR_MS: {"idle": 1.0}}])
    assert total == {SIX: {"producing": 3.0, "idle": 0.5}, SIX + HOUR_MS: {"idle": 1.0}}


def _luminance(colour: str) -> float:
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_every_class_of_time_has_a_look() -> None:
    assert set(LOOKS) == {one.label for one in TimeClass} | {"unplanned"}


@pytest.mark.parametrize("name", list(LOOKS))
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_words_on_state_colours_have_enough_contrast(name: str, theme: Theme) -> None:
    look = LOOKS[name]
    low, high = sorted([_luminance(look.ink_in(theme)), _luminance(look.fill(theme))])
    assert (high + 0.05) / (low + 0.05) >= 4.5


def test_meters_above_others_show_what_only_they_saw_and_no_kilowatt_hour_twice() -> None:
    by_asset = {
        "press": {0: {"producing": 5.0, "idle": 1.0}},
        "main": {0: {METERED: 10.0}, HOUR_MS: {METERED: 2.0}},
        "oven": {0: {"producing": 3.0}},
    }
    tree = MeterTree({"main": ("press",)})
    found = add_metered(by_asset, tree)
    assert found == {0: {"producing": 8.0, "idle": 1.0, METERED: 4.0}, HOUR_MS: {METERED: 2.0}}
    assert add_metered(by_asset, MeterTree())[0] == {"producing": 8.0, "idle": 1.0, METERED: 10.0}
