"""A simulated plant's past as a recording: months in seconds."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from simulators.ledger import Ledger
from simulators.plant import Plant
from simulators.recording import Page, create
from simulators.scenario import Scenario
from simulators.signals import Signal, Texts, signals_of

_PIECE_MS: Final = 86_400_000
_MINUTE_MS: Final = 60_000


def backdate(
    scenario: Scenario, folder: Path, file: Path, span_ms: tuple[int, int], show: Callable[[float], None]
) -> tuple[Ledger, int]:
    """Let a plant live from one moment to another, and write what happened as Lineside's tags.

    Args:
        scenario: the plant; what goes wrong between a plant and its readers does not happen here.
        folder: of the scenario: its own profiles are beside it.
        file: the recording to write; its tags are those of the scenario's site config.
        span_ms: from and to, epoch ms.
        show: called with how much is done, 0 to 1.

    Returns:
        The truth, and how many readings were written.

    Raises:
        ValueError: one of its faces cannot be read by Lineside, or the file's name is not a recording's.
        ImportError, OSError: the file cannot be written.
    """
    from_ms, to_ms = span_ms
    plant, texts = Plant(scenario, from_ms), Texts()
    signals = signals_of(scenario, folder, plant.ledger, texts)
    plant.start(from_ms + 1)
    count, done_ms = 0, from_ms - 1
    with create(file, [signal.tag for signal in signals]) as recording:
        while done_ms < to_ms:
            until_ms = min(done_ms + _PIECE_MS, to_ms)
            plant.run_to(until_ms)
            page = _page(signals, done_ms, until_ms)
            recording.write(page, list(texts.numbers))
            count, done_ms = count + len(page.tag), until_ms
            show((done_ms - from_ms) / max(1, to_ms - from_ms))
    return plant.ledger, count


def span_of(days: float, begin_ms: int | None, now_ms: int) -> tuple[int, int]:
    """From and to of a back-dated run, epoch ms: it ends with the last whole minute unless `begin_ms` is given."""
    length_ms = max(_MINUTE_MS, round(days * _PIECE_MS))
    if begin_ms is not None:
        return begin_ms, begin_ms + length_ms
    end_ms = now_ms // _MINUTE_MS * _MINUTE_MS
    return end_ms - length_ms, end_ms


def _page(signals: Sequence[Signal], from_ms: int, to_ms: int) -> Page:
    """Everything in (from, to], in the order of time."""
    found = [signal.readings(from_ms, to_ms) for signal in signals]
    at_ms = np.concatenate([times for times, _ in found])
    tag = np.repeat(np.arange(len(found), dtype=np.int32), [len(times) for times, _ in found])
    order = np.argsort(at_ms, kind="stable")
    return Page(at_ms[order], tag[order], np.concatenate([values for _, values in found])[order])
