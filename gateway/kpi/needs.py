"""What each KPI still needs from an asset's config, so that nobody has to guess why a value is missing."""

from collections.abc import Callable, Mapping
from typing import Final

from gateway.kpi.asset import COUNTS, STOPS, AssetModel, TimeClass, is_timed, state_roles
from gateway.kpi.catalogue import STANDARD, Catalogue

_ASK: Final[Mapping[str, str]] = {
    "energy": "needs `energy: {electricity: …}`",
    "state": "needs `state`",
    "setup": "needs states that are `setup`",
    "fault": "needs states or reasons that are `fault`",
    "minor_stop": "needs `minor_stop`, the length from which a stop is a real one",
    "total": "needs `total`, or `good` and `scrap`",
    "good": "needs `good`, or `total` and `scrap`",
    "scrap": "needs `scrap`, or `total` and `good`",
    "rework": "needs `rework`",
    "inspected": "needs `inspected`",
    "passed": "needs `passed`",
    "startup": "needs `startup`",
    "order": "needs `order`",
    "ideal": "needs `ideal_cycle_time`",
    "rated": "needs `rated`",
    "takt": "needs `takt_time`",
    "quality_rules": "needs data-quality rules",
}
"""Input → what to add, in the order in which a need names them."""
_OF_ANY: Final = ("energy", "quality_rules")
"""Inputs that one member of a line or site is enough for."""


def available(*models: AssetModel, catalogue: Catalogue = STANDARD) -> dict[str, str]:
    """What each KPI of the catalogue still needs from the config: "" where it will be computed.

    The texts finish the sentence "oee needs …" and are the reasons that `evaluate` gives. Several models are the
    members of a line or site: time and counts must be known of every member that has any of them, energy of one.
    """
    timed = [model for model in models if is_timed(model)]
    has = {
        need: any(map(test, models)) if need in _OF_ANY else bool(timed) and all(map(test, timed))
        for need, test in _HAS.items()
    }
    return {
        row.kpi.id: "; ".join(words for need, words in _ASK.items() if need in row.inputs and not has[need])
        for row in catalogue.rows
    }


def _is_reached(model: AssetModel, *wanted: TimeClass) -> bool:
    """Whether some raw state, rule or reason leads to one of these classes."""
    classes = {*model.state_map.values(), *(rule.time_class for rule in model.state_rules), *model.reasons.values()}
    return not classes.isdisjoint(wanted)


def _bound(role: str) -> Callable[[AssetModel], bool]:
    return lambda model: role in model.bindings


def _counted(role: str) -> Callable[[AssetModel], bool]:
    """Any two of total, good and scrap give the third."""
    return lambda model: role in model.bindings or sum(one in model.bindings for one in COUNTS) == 2


_HAS: Final[Mapping[str, Callable[[AssetModel], bool]]] = {
    **{role: _counted(role) for role in COUNTS},
    **{role: _bound(role) for role in ("energy", "rework", "inspected", "passed", "startup", "order")},
    "state": lambda model: bool(state_roles(model)),
    "setup": lambda model: _is_reached(model, TimeClass.SETUP),
    "fault": lambda model: _is_reached(model, TimeClass.FAULT),
    "minor_stop": lambda model: model.minor_stop_ms > 0 and _is_reached(model, *STOPS),
    "ideal": lambda model: model.ideal_cycle_us is not None or bool(model.ideal_by_product),
    "rated": lambda model: model.rated_per_h is not None,
    "takt": lambda model: model.takt_us is not None,
    "quality_rules": lambda _: False,  # nothing is scored yet
}
