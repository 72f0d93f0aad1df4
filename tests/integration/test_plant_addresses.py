"""Where a face cannot be: said in words, with the face and the unit."""

from pathlib import Path

import pytest

from simulators.running import RunOptions, running
from simulators.scenario import Scenario


def plant(listen: str, profile: str = "lineside/machine") -> Scenario:
    machine = {"kind": "press", "power": {"IDLE": "1kW"}, "ideal_cycle": "2s"}
    face = {"kind": "modbus", "listen": listen, "units": {7: {"machine": "m", "profile": profile}}}
    return Scenario.model_validate({"scenario": "s", "machines": {"m": machine}, "faces": [face]})


@pytest.mark.parametrize(
    ("listen", "complaint"),
    [
        ("tcp://192.0.2.1:5020", "cannot listen on 192.0.2.1:5020 for Modbus: cannot assign requested address"),
        ("pty:///no/such/folder/line", "cannot make the serial line /no/such/folder/line: no such file or directory"),
    ],
)
async def test_an_address_that_is_not_ours_and_a_folder_that_is_not_there_are_said(listen: str, complaint: str) -> None:
    with pytest.RaisesGroup(pytest.RaisesExc(OSError, match=complaint), flatten_subgroups=True, allow_unwrapped=True):
        async with running(plant(listen), RunOptions(Path())):
            pass


@pytest.mark.parametrize("profile", ["acme/none", "scenarios/none"])
async def test_a_profile_that_is_not_there_is_said_with_its_unit(profile: str) -> None:
    complaint = rf"faces: unit 7 of modbus-1: no profile '{profile}'"
    with pytest.RaisesGroup(
        pytest.RaisesExc(ValueError, match=complaint), flatten_subgroups=True, allow_unwrapped=True
    ):
        async with running(plant("tcp://127.0.0.1:0", profile), RunOptions(Path())):
            pass
