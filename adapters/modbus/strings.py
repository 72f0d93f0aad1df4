"""The texts of a column: names of enum numbers, and strings. No I/O."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from adapters.modbus.point import Point
from gateway.model import GOOD, Reason, bad, uncertain


class Names:
    """Replaces numbers of enums, and enters strings, as indices into a list of texts."""

    def __init__(self, points: Sequence[Point], strings: Mapping[int, Sequence[int]]) -> None:
        """strings: row → the image positions of its bytes, the first character first."""
        self._texts = tuple(dict.fromkeys(text for point in points for text in point.enum.values()))
        index = {text: float(number) for number, text in enumerate(self._texts)}
        enums = [(row, point.enum) for row, point in enumerate(points) if point.enum]
        self._enums = [(row, {raw: index[text] for raw, text in enum.items()}) for row, enum in enums]
        self._strings = [(row, points[row], np.array(at, np.intp)) for row, at in strings.items()]

    def apply(self, image: bytes, value: NDArray[np.float64], quality: NDArray[np.uint8]) -> tuple[str, ...]:
        """The texts that the values of texts are indices into. What is no text becomes bad, an unknown number stays."""
        if not self._enums and not self._strings:
            return ()
        texts = list(self._texts)
        for row, index in self._enums:
            raw = value.item(row)
            if quality[row] != GOOD or raw != raw:
                continue
            if (known := index.get(raw)) is None:  # type: ignore[call-overload]  # 1.0 finds 1
                value[row], quality[row] = len(texts), uncertain(Reason.OUT_OF_RANGE)
                texts.append(f"{raw:.15g}")
            else:
                value[row] = known
        for row, point, at in self._strings:
            if quality[row] != GOOD:
                continue
            text = _text(point, np.frombuffer(image, np.uint8)[at].tobytes())
            if text is None:
                value[row], quality[row] = np.nan, bad(Reason.WRONG_TYPE)
            else:
                value[row] = len(texts)
                texts.append(text)
        return tuple(texts)


def _text(point: Point, data: bytes) -> str | None:
    """The text of a string point: up to the first NUL, without what it is filled up with; None: not in its encoding."""
    try:
        text = data[: point.length].decode(point.encoding)
    except UnicodeDecodeError:
        return None
    padding = "" if point.padding < 0 else chr(point.padding)
    return text.partition("\0")[0].rstrip(" " + padding)
