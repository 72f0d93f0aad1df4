"""A million Modbus transactions with devices that lie: how many wrong values get through? The answer must be 0.

    python -m tests.benchmarks.bench_modbus_faults [--transactions 1000000] [--rate 0.1] [--seed 1]

Sixteen TCP devices at a time, with one request on its way or eight, and 48 on RTU lines, which wait for real silence
after most faults; each with a storm of all faults, some with a limit of 20 words or one socket only. The values are a
function of unit and address, so that a value from anywhere else is recognised. Prints one JSON line; fails where a
value was wrong or where nothing came.
"""

import argparse
import asyncio
import json
import logging
import sys
import time
from collections import Counter

import uvloop

from tests.integration.modbus.fault_server import Framing, device
from tests.integration.modbus.faults import KINDS, Storm, no_more_than
from tests.integration.modbus.oracle import Witness

FACES: tuple[tuple[Framing, int], ...] = (("tcp", 1), ("tcp", 8)) * 8 + (("rtu", 1),) * 48
POLLS_AT_A_TIME = {"tcp": 50, "rtu": 10}
TIMEOUT_S = 0.01


class Campaign:
    """What all devices have seen so far."""

    def __init__(self, transactions: int, rate: float, seed: int) -> None:
        self.wanted, self.rate, self.seed = transactions, rate, seed
        self.faults: Counter[str] = Counter()
        self.transactions = self.on_rtu = self.delivered = self.without = self.wrong = 0
        self.first_wrong = ""

    async def device(self, number: int, framing: Framing, pipeline: int) -> None:
        """Polls one device, each time with another storm, until all devices together have asked enough."""
        round_ = 0
        while self.transactions < self.wanted:
            round_ += 1
            await self.spell(number * 10_000 + round_, framing, pipeline)

    async def spell(self, number: int, framing: Framing, pipeline: int) -> None:
        """Some polls of one device under one storm."""
        storm = Storm(self.seed * 1_000_003 + number, KINDS[framing], self.rate, timeout_s=TIMEOUT_S)
        behave = no_more_than(20, storm) if number % 5 == 0 else storm
        async with device(behave, framing, one_socket=number % 3 == 0, keep=False) as plc:
            unit = number % 247 + 1
            witness = Witness.of(plc.endpoint, unit, timeout=f"{TIMEOUT_S * 1000:g}ms", pipeline=pipeline)
            await witness.poll(POLLS_AT_A_TIME[framing])
        self.transactions += plc.functions.total()
        self.on_rtu += plc.functions.total() * (framing == "rtu")
        self.faults += storm.happened
        self.delivered += witness.delivered
        self.without += witness.failed
        self.wrong += witness.wrong
        if witness.wrong and not self.first_wrong:
            self.first_wrong = f"{framing}, pipeline {pipeline}, storm {storm.seed}: {witness.first_wrong}"

    async def run(self) -> None:
        """All devices at once."""
        await asyncio.gather(*(self.device(number, *face) for number, face in enumerate(FACES)))


def main() -> int:
    """The command line; 1 where a value was wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--transactions", type=int, default=1_000_000)
    parser.add_argument("--rate", type=float, default=0.1, help="how many replies are faulty")
    parser.add_argument("--seed", type=int, default=1)
    said = parser.parse_args()
    logging.getLogger("lineside").setLevel(logging.CRITICAL)  # quarantines by the thousand
    campaign = Campaign(said.transactions, said.rate, said.seed)
    start = time.monotonic()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(campaign.run())
    report = {
        "transactions": campaign.transactions,
        "on_rtu": campaign.on_rtu,
        "wrong_values": campaign.wrong,
        "first_wrong": campaign.first_wrong,
        "values_delivered": campaign.delivered,
        "readings_without_value": campaign.without,
        "faults": campaign.faults.total(),
        "by_kind": dict(sorted(campaign.faults.items())),
        "seconds": round(time.monotonic() - start, 1),
    }
    print(json.dumps({"bench": "modbus_faults"} | report))
    return int(campaign.wrong > 0 or not campaign.delivered)


if __name__ == "__main__":
    sys.exit(main())
