"""Products and orders of an asset, line, area or site: one statement over the slices of all its assets."""

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from gateway.kpi.buckets import quantities
from gateway.kpi.catalogue import EVERYBODYS

RUNS: Final = {"product": "product", "order": "order_id"}
"""Windows that are no stretch of the calendar → the column of the slices that names them."""
Leaf = tuple[str, int, int]
"""An asset; whether its time and counts are those of the owner; whether what leaves it leaves the owner (0 or 1)."""
_WEIGHTS: Final = {"output": "leaves"} | dict.fromkeys(EVERYBODYS, "1")
_SUMS: Final = ", ".join(f"sum({name} * {_WEIGHTS.get(name, 'own')})" for name in quantities)
_LEAF: Final = (  # materialized: otherwise each of the sums of each row takes the JSON apart
    "leaf AS MATERIALIZED (SELECT value ->> 0 AS asset, value ->> 1 AS own, value ->> 2 AS leaves FROM json_each(?1))"
)
_NEAR: Final = " AND ".join(  # a business day begins and ends less than three days from its date in UTC
    f"business_date {sign} coalesce(date({bound} / 1000, 'unixepoch', '{days} days'), '{otherwise}')"
    for sign, bound, days, otherwise in ((">=", "?2", "-3", "0000"), ("<=", "?3", "+3", "9999-99"))
)
_INSIDE: Final = f"{_NEAR} AND last_ms > ?2 AND first_ms < ?3"


def leaves(groups: Mapping[str, Mapping[str, Any]], owner: str) -> list[Leaf]:
    """The assets of an owner, with what each of them counts for; see `combine`.

    groups: line, area or site → its `members`, and `constraint` and `last` of a serial line.
    """
    group = groups.get(owner)
    if group is None:
        return [(owner, 1, 1)]
    limit, last = group.get("constraint"), group.get("last")
    return [
        (asset, own * (not limit or member == limit), out * (not limit or member == last))
        for member in group["members"]
        for asset, own, out in leaves(groups, member)
    ]


def run_rows(
    read: Callable[..., list[Any]], found: list[Leaf], window: str, from_ms: int, to_ms: int
) -> list[tuple[Any, ...]]:
    """Rows start, end, name, None, quantities … by start and name.

    Of products on the business days that a range touches; of the orders that ran in it on any of the assets, whole.
    """
    return read(_PRODUCTS if window == "product" else _ORDERS, json.dumps(found), from_ms, to_ms)


_PRODUCTS: Final = (
    f"WITH {_LEAF} SELECT min(first_ms) AS start, max(last_ms), product, NULL, {_SUMS}"
    f" FROM leaf CROSS JOIN slice_day USING (asset) WHERE {_INSIDE} AND product != ''"
    " GROUP BY product ORDER BY start, product"
)
_ORDERS: Final = (
    f"WITH {_LEAF}, ran AS (SELECT DISTINCT order_id FROM leaf CROSS JOIN slice_day USING (asset) WHERE {_INSIDE}"
    f" AND order_id != '') SELECT min(first_ms) AS start, max(last_ms), order_id, NULL, {_SUMS}"
    " FROM ran CROSS JOIN slice_day USING (order_id) JOIN leaf USING (asset)"
    " GROUP BY order_id ORDER BY start, order_id"
)
