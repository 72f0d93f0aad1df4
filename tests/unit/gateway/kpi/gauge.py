"""A gauge at the kit's welding cell."""

from dataclasses import replace

import numpy as np

from gateway.kpi.asset import MEASURE, Binding, Measure, fingerprint
from gateway.model import Tag
from tests.unit.gateway.kpi.kit import START, Kit, Readings

DIAMETER = Measure(9.9, 10.1, 5, 2e-7)
REPORTED = Binding(MEASURE + "diameter", 1, "measure")


def gauged(kit: Kit) -> int:
    """The kit's weld with a gauge; its tag."""
    tag = kit.inbox.add(Tag("weld/diameter"))
    weld = kit.models["weld"]
    gauge = replace(REPORTED, tag=tag, tag_name="weld/diameter", hold=weld.bindings["state"].hold)
    model = replace(weld, bindings={**weld.bindings, MEASURE + "diameter": gauge}, measures={"diameter": DIAMETER})
    kit.models["weld"] = replace(model, hash=fingerprint(model))
    return tag


def measured_rows(kit: Kit, tag: int, count: int) -> Readings:
    """The kit's readings with a value of the gauge every 40 s."""
    rng = np.random.default_rng(5)
    values: Readings = [(tag, START + 40_000 * n + 17, 10 + 0.02 * rng.standard_normal()) for n in range(count)]
    return sorted([*kit.run(40 * count), *values], key=lambda row: row[1])
