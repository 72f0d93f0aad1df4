"""From stored states to a row that a screen can show: pure."""

from collections.abc import Iterable, Sequence

Span = tuple[int, int, str]
"""from_ms, to_ms, time class."""


def row(stored: Iterable[Span], recent: Sequence[Span], from_ms: int, to_ms: int, step_ms: int) -> list[Span]:
    """One machine's row.

    stored, recent   spans in order; from the first recent one on, the recent ones win: they are newer
    from_ms, to_ms   the row's ends; spans are cut there
    step_ms          how fine the row may be; 0: as fine as it is
    Returns spans in order, neighbours of one class joined.
    """
    edge = recent[0][0] if recent else to_ms
    clipped = [*_clip(stored, from_ms, min(edge, to_ms)), *_clip(recent, from_ms, to_ms)]
    return joined(_coarse(clipped, step_ms) if step_ms else clipped)


def joined(spans: Iterable[Span]) -> list[Span]:
    """Touching neighbours of one class become one span."""
    result: list[Span] = []
    for start, end, name in spans:
        if result and result[-1][1] == start and result[-1][2] == name:
            result[-1] = (result[-1][0], end, name)
        else:
            result.append((start, end, name))
    return result


def _clip(spans: Iterable[Span], from_ms: int, to_ms: int) -> Iterable[Span]:
    cut = ((max(start, from_ms), min(end, to_ms), name) for start, end, name in spans)
    return (span for span in cut if span[0] < span[1])


def _coarse(spans: Iterable[Span], step_ms: int) -> Iterable[Span]:
    """Spans shorter than a step share one span, which shows the class that fills most of it."""
    crowd: list[Span] = []
    for span in spans:
        if crowd and (span[0] != crowd[-1][1] or crowd[-1][1] - crowd[0][0] >= step_ms):
            yield _most(crowd)
            crowd = []
        if not crowd and span[1] - span[0] >= step_ms:
            yield span
        else:
            crowd.append(span)
    if crowd:
        yield _most(crowd)


def _most(crowd: Sequence[Span]) -> Span:
    share: dict[str, int] = {}
    for start, end, name in crowd:
        share[name] = share.get(name, 0) + end - start
    return crowd[0][0], crowd[-1][1], max(share, key=share.__getitem__)
