"""Every fault of Modbus devices and lines, some thousand times each: never a wrong value, and good ones afterwards.

`tests.benchmarks.bench_modbus_faults` does the same a million times.
"""

import asyncio

import pytest

from tests.integration.modbus.fault_server import Framing, device, silent
from tests.integration.modbus.faults import KINDS, Storm, no_more_than
from tests.integration.modbus.oracle import Judge, Witness

TIMEOUT = {"timeout": "20ms"}
PATIENT = {"timeout": "5s"}  # where every reading must come, however busy the machine is
POLLS = {"tcp": 150, "rtu": 15}  # a bus waits for real silence
HEALING_POLLS = 200  # of one second each on a clock that does not wait: a quarantined point is tried once a minute


async def weather(kind: str, number: int, framing: Framing, **said: object) -> tuple[str, Witness, Storm, bool]:
    """One device under one fault; afterwards it is honest, and must be believed again."""
    storm = Storm(number, (kind,))
    async with device(storm, framing, keep=False) as plc:
        witness = Witness.of(plc.endpoint, **said)
        await witness.poll(POLLS[framing])
        storm.calm = True
        healed = await witness.heal(HEALING_POLLS)
    return kind, witness, storm, healed


@pytest.mark.parametrize("pipeline", [1, 8])
async def test_no_fault_of_a_tcp_device_ever_makes_a_wrong_value(pipeline: int) -> None:
    said = TIMEOUT | {"pipeline": pipeline}
    met = await asyncio.gather(*(weather(kind, i, "tcp", **said) for i, kind in enumerate(KINDS["tcp"])))
    assert {kind: w.first_wrong for kind, w, _, _ in met if w.wrong} == {}
    assert [kind for kind, _, _, healed in met if not healed] == []
    assert [kind for kind, _, storm, _ in met if storm.happened[kind] < 5] == []
    assert min(witness.delivered for _, witness, _, _ in met) > 192


async def test_no_fault_of_an_rtu_line_ever_makes_a_wrong_value() -> None:
    met = await asyncio.gather(*(weather(kind, i, "rtu", **TIMEOUT) for i, kind in enumerate(KINDS["rtu"])))
    assert {kind: w.first_wrong for kind, w, _, _ in met if w.wrong} == {}
    assert [kind for kind, _, _, healed in met if not healed] == []
    assert [kind for kind, _, storm, _ in met if not storm.happened[kind]] == []
    assert min(witness.delivered for _, witness, _, _ in met) > 0


async def test_a_device_with_a_limit_of_20_words_gives_everything() -> None:
    async with device(no_more_than(20), keep=False) as plc:
        witness = Witness.of(plc.endpoint, **PATIENT)
        assert await witness.heal(HEALING_POLLS)
        assert witness.wrong == 0


async def test_a_device_with_one_socket_serves_all_sources_of_its_units() -> None:
    async with device(one_socket=True, keep=False) as plc:
        witnesses = [Witness.of(plc.endpoint, unit, **PATIENT) for unit in (1, 2, 3)]
        await asyncio.gather(*(witness.poll(20) for witness in witnesses))
        assert [(w.wrong, w.failed) for w in witnesses] == [(0, 0)] * 3
        assert (plc.accepted, plc.turned_away) == (1, 0)


async def test_the_judge_itself_sees_a_wrong_value() -> None:
    async with device(keep=False) as plc:
        witness = Witness.of(plc.endpoint, **PATIENT)
        witness.expected[5] += 1
        await witness.poll(3)
        assert witness.wrong == 3
        assert "not" in witness.first_wrong
        assert len(Judge(1).points) == 192


async def test_a_silent_device_delivers_nothing_at_all() -> None:
    async with device(silent, keep=False) as plc:
        witness = Witness.of(plc.endpoint, **TIMEOUT)
        await witness.poll(3)
        assert (witness.delivered, witness.wrong, witness.whole) == (0, 0, False)
