"""The demo's comparison of truth and measured: it holds, and it notices a plant that hides parts."""

import asyncio
import json
import sys
from asyncio.subprocess import PIPE

import pytest


async def demo(*options: str) -> tuple[int, dict[str, object]]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "gateway", "demo", "--json", *options), stdout=PIPE, stderr=PIPE
    )
    async with asyncio.timeout(90):
        out, err = await process.communicate()
    assert process.returncode is not None
    assert out, err.decode()
    return process.returncode, json.loads(out)


async def test_measured_numbers_agree_with_the_plants_ledger() -> None:
    code, found = await demo("--for", "15s")
    lines = found["lines"]
    assert isinstance(lines, list)
    assert [line for line in lines if not line["ok"]] == []
    assert code == 0
    assert {line["asset"] for line in lines} == {"press-01", "press-02", "weld-03", "pack-04"}
    assert all(line["truth"] > 0 for line in lines if line["what"] in {"total", "oee", "energy_kwh", "co2e_kg"})


async def test_a_plant_that_hides_one_part_in_a_hundred_is_noticed() -> None:
    code, found = await demo("--for", "15s", "--hide-parts", "0.01")
    lines = found["lines"]
    assert isinstance(lines, list)
    exceeded = {(line["asset"], line["what"]) for line in lines if not line["ok"]}
    assert code == 1
    assert found["ok"] is False
    assert ("weld-03", "total") in exceeded
    assert not any(what == "energy_kwh" for _, what in exceeded)


@pytest.mark.parametrize("scenario", ["stamping", "injection", "packaging", "steel-mill-energy"])
async def test_every_scenario_is_measured_as_its_ledger_says(scenario: str) -> None:
    """Through the wire: Modbus and MQTT, lines, products, meters with errors."""
    code, found = await demo("--scenario", scenario, "--speed", "20", "--from", "2026-03-02T06:05", "--for", "12s")
    lines = found["lines"]
    assert isinstance(lines, list)
    assert [line for line in lines if not line["ok"]] == []
    assert code == 0
    counted = [line for line in lines if line["what"] == "total"]
    assert sum(line["truth"] > 0 for line in counted) >= 1
    assert any(line["truth"] for line in lines if line["what"] == "energy_kwh")


async def test_a_scenario_that_is_not_there_is_named() -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "gateway", "demo", "--scenario", "moon-base"), stdout=PIPE, stderr=PIPE
    )
    _, err = await process.communicate()
    assert process.returncode == 1
    assert "no scenario 'moon-base'" in err.decode()
