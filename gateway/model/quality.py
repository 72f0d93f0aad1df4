"""Quality of a reading: one byte, the top two bits say how good, the low six say why not."""

from enum import IntEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

BAD: Final = 0x00
UNCERTAIN: Final = 0x40
GOOD: Final = 0xC0
_LEVEL_BITS: Final = 0xC0
_REASON_BITS: Final = 0x3F


class Reason(IntEnum):
    """Why a reading is not good; the low six bits of its quality byte. Numbers are stored: never renumber."""

    NONE = 0
    NOT_CONNECTED = 1
    TIMEOUT = 2
    DEVICE_EXCEPTION = 3
    BAD_REPLY = 4
    MISSING = 5
    WRONG_TYPE = 6
    NOT_A_NUMBER = 7
    OUT_OF_RANGE = 8
    NOT_A_VALUE = 9
    STALE = 10
    QUARANTINED = 11
    CLOCK = 12
    STOPPED = 13


def bad(reason: Reason) -> int:
    """The quality byte of a bad reading."""
    return BAD | reason


def uncertain(reason: Reason) -> int:
    """The quality byte of a reading that may be used with care."""
    return UNCERTAIN | reason


def is_good(quality: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """True where a reading is good. uint8[n] → bool[n]."""
    good: NDArray[np.bool_] = (quality & _LEVEL_BITS) == GOOD
    return good


def is_usable(quality: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """True where a reading is good or uncertain, so that its value may be used. uint8[n] → bool[n]."""
    usable: NDArray[np.bool_] = (quality & _LEVEL_BITS) != BAD
    return usable


def describe(quality: int) -> str:
    """A quality byte in words: `good`, `bad: timeout`."""
    level = {GOOD: "good", UNCERTAIN: "uncertain"}.get(quality & _LEVEL_BITS, "bad")
    reason = quality & _REASON_BITS
    if not reason:
        return level
    known = {item.value: item.name.lower().replace("_", " ") for item in Reason}
    return f"{level}: {known.get(reason, f'reason {reason}')}"
