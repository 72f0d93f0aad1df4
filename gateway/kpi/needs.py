"""What each KPI still needs from an asset's config, so that nobody has to guess why a value is missing."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from gateway.kpi.asset import COUNTS, STOPS, AssetModel, TimeClass, fact_roles, is_timed, state_roles
from gateway.kpi.catalogue import STANDARD, Catalogue
from gateway.kpi.group import Group

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
    "quality_rules": "needs a tag",
}
"""Input → what to add, in the order in which a need names them."""
_OF_ANY: Final = ("energy", "quality_rules")
"""Inputs that one member of a line or site is enough for."""


def available(
    *models: AssetModel, catalogue: Catalogue = STANDARD, metered: Sequence[AssetModel] = ()
) -> dict[str, str]:
    """What each KPI of the catalogue still needs from the config: "" where it will be computed.

    The texts finish the sentence "oee needs …" and are the reasons that `evaluate` gives. Several models are the
    members of a line or site: time and counts must be known of every member that has any of them, energy of one.

    metered: whose energy counts, where it is more than these models.
    """
    timed = [model for model in models if is_timed(model)]
    has = {
        need: any(map(test, metered or models)) if need in _OF_ANY else bool(timed) and all(map(test, timed))
        for need, test in _HAS.items()
    }
    return {
        row.kpi.id: "; ".join(words for need, words in _ASK.items() if need in row.inputs and not has[need])
        for row in catalogue.rows
    }


def of_everyone(
    models: Mapping[str, AssetModel], groups: Iterable[Group], catalogue: Catalogue
) -> dict[str, Mapping[str, str]]:
    """What each owner's KPIs lack; above assets the texts begin with the asset that lacks it.

    Args:
        groups: members before what they belong to.
    """
    found: dict[str, Mapping[str, str]] = {
        name: available(model, catalogue=catalogue) for name, model in models.items()
    }
    counted: dict[str, list[str]] = {name: [name] for name in models}
    metered: dict[str, list[str]] = {name: [name] for name in models}
    for group in groups:
        at_work = [member for member in group.members if member not in group.utilities]
        limits = [group.constraint] if group.constraint else at_work
        counted[group.owner] = [name for member in limits for name in counted[member]]
        metered[group.owner] = [name for member in group.members for name in metered[member]]
        lacks = available(
            *(models[name] for name in counted[group.owner]),
            catalogue=catalogue,
            metered=[models[name] for name in metered[group.owner]],
        )
        timed = [name for name in counted[group.owner] if is_timed(models[name])]
        found[group.owner] = {kpi: f"{_lacking(kpi, text, timed, found)} {text}".strip() for kpi, text in lacks.items()}
    return found


def _lacking(kpi: str, text: str, assets: Iterable[str], found: Mapping[str, Mapping[str, str]]) -> str:
    """The first asset that lacks what its group lacks for a KPI, "" where nothing is lacking."""
    needs = text.split("; ") if text else []
    return next((name for name in assets if any(need in found[name][kpi] for need in needs)), "")


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
    "quality_rules": lambda model: any(model.bindings[role].kind != "booked" for role in fact_roles(model)),
}
