"""The counts behind the data-quality scores of a range. Pure."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from gateway.kpi.asset import AssetModel
from gateway.kpi.cells import Cells
from gateway.kpi.facts import Series
from gateway.kpi.segments import Segments

COUNTED = ("expected", "received", "checked", "accurate", "in", "bad", "time", "live")


def data_quality(
    asset: AssetModel, segs: Segments, facts: Mapping[str, Series], cells: Cells
) -> dict[str, NDArray[np.int64]]:
    """dq_<name> → int64[c] for each name of `COUNTED`."""
    return {f"dq_{name}": cells.zeros for name in COUNTED}
