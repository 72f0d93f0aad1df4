"""What a tile shows follows from the asset's roles, which the board knows by the reasons of the KPIs."""

from pathlib import Path

import pytest

from gateway.board.answers import AssetNow
from gateway.config import load, models
from gateway.kpi.roles import available
from gateway.model import TagTable

PLANT = """
site: plant
sources:
  cell:
    kind: mqtt
    broker: mqtt://127.0.0.1
    tags:
      cell/state: {{ topic: cell, path: $.state, type: string }}
      cell/total: {{ topic: cell, path: $.total, type: uint32, counter: true }}
      cell/good: {{ topic: cell, path: $.good, type: uint32, counter: true }}
      cell/energy: {{ topic: cell, path: $.energy, type: float64, unit: kWh, counter: true }}
assets:
  cell: {{ energy: {{ electricity: cell/energy }}, {roles} }}
"""
STATE = "state: { tag: cell/state, producing: [RUN] }"


def shows(file: Path) -> list[str]:
    config = load(file)
    (model,) = models(config.root, TagTable(enumerate(config.tags))).values()
    return AssetNow(asset=model.name, reasons=available(model)).shows


def test_of_an_energy_meter_only_the_electricity_is_shown() -> None:
    assert shows(Path("configs/minimal.yaml")) == []


@pytest.mark.parametrize(
    ("roles", "shown"),
    [
        ("total: cell/total", "parts"),
        ("good: cell/good", "parts good"),
        ("total: cell/total, good: cell/good", "parts good quality_rate"),
        ("good: cell/good, ideal_cycle_time: 1s", "parts good oee"),
        (STATE, "state availability"),
        (f"{STATE}, total: cell/total, ideal_cycle_time: 1s", "state parts availability effectiveness"),
        (
            f"{STATE}, total: cell/total, good: cell/good, ideal_cycle_time: 1s",
            "state parts good oee availability effectiveness quality_rate",
        ),
    ],
)
def test_a_tile_shows_what_the_roles_allow(tmp_path: Path, roles: str, shown: str) -> None:
    file = tmp_path / "plant.yaml"
    file.write_text(PLANT.format(roles=roles))
    assert shows(file) == shown.split()
