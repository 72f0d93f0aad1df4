import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

import simulators.picture as drawn
from simulators.ledger import Ledger, MachineLedger, State
from simulators.picture import COLORS, shift_picture
from simulators.scenario_file import shipped

MINUTE = 60_000
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def ledger() -> Ledger:
    book = MachineLedger()
    for at_ms, state in ((0, State.EXECUTE), (30 * MINUTE, State.ABORTED), (45 * MINUTE, State.EXECUTE)):
        book.enter(at_ms, state)
    book.power.step(0, 8000)
    return Ledger(1, 0, 60 * MINUTE, scenario="a<b", machines={"m": book})


def test_each_state_is_a_bar_as_long_as_it_lasted(ledger: Ledger) -> None:
    bars = ET.fromstring(shift_picture(ledger, 0, 60 * MINUTE)).findall(f"{SVG}rect")
    widths = [(bar.get("fill"), int(bar.get("width", ""))) for bar in bars if bar.get("height") == "22"]
    green, red = COLORS[State.EXECUTE], COLORS[State.ABORTED]
    assert widths == [(green, 480), (red, 240), (green, 240)]


def test_the_axis_has_round_ends_and_the_plants_own_time(ledger: Ledger) -> None:
    ledger.timezone = "Asia/Bangkok"
    texts = [text.text for text in ET.fromstring(shift_picture(ledger, 0, 60 * MINUTE)).iter(f"{SVG}text")]
    assert {"a<b", "m", "10 kW", "5 kW", "07:00", "07:30", "08:00", "producing", "fault"} <= set(texts)


def test_a_quiet_plant_is_drawn_too() -> None:
    book = MachineLedger()
    book.enter(0, State.STOPPED)
    book.power.step(0, 0)
    picture = shift_picture(Ledger(1, 0, MINUTE, machines={"m": book}), 0, MINUTE)
    assert re.search(r"<polyline points=\"[\d. ,]+\"", picture)


def test_the_shipped_pictures_are_those_of_the_shipped_scenarios(tmp_path: Path) -> None:
    docs = Path(__file__).parents[3] / "docs" / "scenarios"
    assert {path.stem for path in docs.glob("*.svg")} == set(shipped())
    drawn.main([str(tmp_path), "packaging"])
    assert (tmp_path / "packaging.svg").read_text() == (docs / "packaging.svg").read_text()
