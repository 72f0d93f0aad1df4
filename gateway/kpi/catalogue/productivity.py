"""P01–P15: productivity, ISO 22400-2 and classic OEE side by side."""

from functools import partial
from typing import Final

from gateway.kpi.catalogue.row import EVERY, HOUR, SECOND, Kpi

_iso = partial(Kpi, standard="ISO 22400-2", method="iso")
_classic = partial(Kpi, standard="Nakajima 1988", method="classic")  # minor stops are lost speed, set-up is a stop
_loss = partial(Kpi, unit="s", per=SECOND, rollup="S", standard="TPM, six big losses", method="classic")
_SUSPECT: Final = "ideal_cycle_suspect"
_FASTER: Final = ("effectiveness", "quality_rate")

PRODUCTIVITY: Final[tuple[Kpi, ...]] = (
    _iso(
        *("availability", "P01", "Availability", "APT / PBT"),
        high="(APT + time_unknown) / PBT",
        clause="KPI 8",
        windows=EVERY,
    ),
    _iso(
        *("effectiveness", "P03", "Effectiveness (performance)", "ideal_total / APT"),
        low="ideal_total / (APT + time_unknown)",
        clause="KPI 9",
        above_one=_SUSPECT,
        windows=EVERY,
    ),
    _iso(
        *("oee", "P04", "Overall equipment effectiveness", "ideal_good / PBT"),
        high="(ideal_good + time_unknown) / PBT",
        clause="KPI 6",
        follows=_FASTER,
        windows=EVERY,
    ),
    _classic(
        *("availability_classic", "P02", "Availability (classic)", "run / planned"),
        high="(run + time_unknown) / planned",
    ),
    _classic(
        *("performance_classic", "P02", "Performance (classic)", "ideal_total / run"),
        low="ideal_total / (run + time_unknown)",
        above_one=_SUSPECT,
    ),
    _classic(
        *("oee_classic", "P04", "OEE (classic)", "ideal_good / planned"),
        high="(ideal_good + time_unknown) / planned",
        follows=_FASTER,
    ),
    _iso(
        *("nee", "P05", "Net equipment effectiveness", "AUPT / PBT * ideal_good / APT"),
        high="(AUPT + time_unknown) / PBT * (ideal_good + time_unknown) / (APT + time_unknown)",
        clause="KPI 7",
        inputs=("setup",),
        follows=_FASTER,
    ),
    _classic(
        *("teep", "P06", "Total effective equipment performance", "ideal_good / period"),
        high="(ideal_good + time_unknown) / period",
        follows=_FASTER,
    ),
    _classic(
        *("ooe", "P06", "Overall operations effectiveness", "ideal_good / POT"),
        high="(ideal_good + time_unknown) / POT",
        follows=_FASTER,
    ),
    _classic("loading", "P06", "Loading: share of all time that is planned", "planned / period"),
    _iso(
        *("utilization_efficiency", "P07", "Utilization efficiency", "APT / AUBT"),
        low="APT / (AUBT + time_unknown)",
        high="(APT + time_unknown) / (AUBT + time_unknown)",
        clause="KPI 5",
    ),
    _iso(
        *("allocation_efficiency", "P08", "Allocation efficiency", "AUBT / PBT"),
        high="(AUBT + time_unknown) / PBT",
        clause="KPI 4",
    ),
    _iso(
        *("technical_efficiency", "P09", "Technical efficiency", "APT / (APT + ADET)"),
        low="APT / (APT + ADET + time_unknown)",
        high="(APT + time_unknown) / (APT + ADET + time_unknown)",
        clause="KPI 12",
        zero="no producing time and no delays",
    ),
    _iso(
        *("setup_ratio", "P10", "Set-up ratio", "AUST / AUPT"),
        low="AUST / (AUPT + time_unknown)",
        high="(AUST + time_unknown) / (AUPT + time_unknown)",
        clause="KPI 11",
        inputs=("setup",),
    ),
    Kpi(
        *("throughput", "P11", "Throughput per planned hour", "output / planned", "1/h"),
        times=HOUR,
        standard="ISO 22400-2",
        clause="KPI 3, over planned busy time",
        method="per planned hour",
        windows=EVERY,
    ),
    _loss(
        *("loss_breakdown", "P12", "Loss 1: breakdowns and other stops"),
        "time_fault + time_idle + time_blocked + time_starved",
    ),
    _loss("loss_setup", "P12", "Loss 2: set-up and adjustment", "time_setup"),
    _loss("loss_minor_stops", "P12", "Loss 3: minor stops", "time_minor_stop"),
    _loss("loss_speed", "P12", "Loss 4: reduced speed", "time_producing - ideal_total", inputs=("total", "ideal")),
    _loss(
        *("loss_defects", "P12", "Loss 5: defects in production", "ideal_total - ideal_good - ideal_startup"),
        inputs=("good",),
    ),
    _loss("loss_startup", "P12", "Loss 6: rejects at start-up", "ideal_startup"),
    _loss("loss_unknown", "P12", "Not known: planned time without data", "time_unknown"),
    Kpi(
        *("minor_stop_rate", "P13", "Minor stops per hour of production", "minor_stops / APT", "1/h"),
        times=HOUR,
        standard="TPM",
        method="whole stop below the threshold",
    ),
    _iso("equipment_load", "P14", "Equipment load ratio", "rated_total / PBT", clause="KPI 30"),
    Kpi(
        *("takt_attainment", "P15", "Takt attainment", "takt_total / APT"),
        standard="lean",
        method="takt time over actual time per part",
    ),
    Kpi(
        *("coverage", "", "Share of planned time that is known", "(planned - time_unknown) / planned"),
        method="time",
        inputs=("state",),
        windows=EVERY,
    ),
)
LOSSES: Final = tuple(kpi.id for kpi in PRODUCTIVITY if kpi.code == "P12")
"""The six big losses and the time that nobody knows about: planned time − ideal time of good parts, together."""
