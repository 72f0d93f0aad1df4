"""Two faults at once: a reply that comes late, behind one that was cut short."""

from collections.abc import Sequence

import pytest

from tests.faults.test_modbus_faults import HEALING_POLLS, TIMEOUT
from tests.integration.modbus.fault_server import Device, Request, device, honest
from tests.integration.modbus.oracle import Witness


@pytest.mark.parametrize("missing", [1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 20])
@pytest.mark.parametrize("refused", [False, True])
async def test_a_late_reply_never_fills_up_one_that_was_cut(missing: int, refused: bool) -> None:
    """What an earlier read was owed (12 bytes, an exception 9) comes behind a reply that lacks some bytes."""
    late: list[bytes] = []
    cut = 0

    def behave(plc: Device, request: Request) -> Sequence[bytes]:
        nonlocal cut
        if request.function == 2 and not late:
            late.append(request.exception(4) if refused else request.frame())
            return []
        if request.function == 3 and late:
            cut += 1
            return [request.frame()[:-missing], late.pop()]
        return [request.frame()]

    async with device(keep=False) as plc:
        witness = Witness.of(plc.endpoint, **TIMEOUT)
        await witness.poll(1)
        plc.behave = behave
        await witness.poll(5)
        assert cut > 0
        assert (witness.wrong, witness.first_wrong) == (0, "")
        plc.behave = honest
        assert await witness.heal(HEALING_POLLS)
