"""Packs: what a country publishes (factors, prices, hours, thresholds, norms) as dated records with their source."""

from gateway.packs.pack import Pack, PackError, read
from gateway.packs.records import (
    FactorRecord,
    HoursRecord,
    NormRecord,
    ReactiveRecord,
    Record,
    TariffRecord,
    ThresholdRecord,
)
from gateway.packs.shelf import Found, Packs

__all__ = [
    "FactorRecord",
    "Found",
    "HoursRecord",
    "NormRecord",
    "Pack",
    "PackError",
    "Packs",
    "ReactiveRecord",
    "Record",
    "TariffRecord",
    "ThresholdRecord",
    "read",
]
