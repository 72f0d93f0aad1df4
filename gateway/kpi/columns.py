"""Columns of integers as few bytes: differences, zigzag, the narrowest width, byte planes (zstd does the rest)."""

import struct
from typing import Final

import numpy as np
from numpy.typing import NDArray

_WIDTHS: Final = (1, 2, 4, 8)


def pack(column: NDArray[np.int64], order: int) -> bytes:
    """The bytes of a column; `order` differences are taken first: 2 suits times, 1 counters, 0 small numbers.

    Differences wrap around in 64 bits and so do the sums of `unpack`: any int64 comes back.
    """
    heads = []
    for _ in range(order):
        heads.append(int(column[0]) if len(column) else 0)
        column = np.diff(column)
    zigzag = ((column << 1) ^ (column >> 63)).view(np.uint64)
    top = int(zigzag.max()) if len(zigzag) else 0
    width = next(width for width in _WIDTHS if top < 1 << 8 * width)
    planes = zigzag.astype(f"<u{width}").view(np.uint8).reshape(-1, width).T
    return struct.pack(f"<{order}qB", *heads, width) + planes.tobytes()


def unpack(data: bytes, offset: int, count: int, order: int) -> tuple[NDArray[np.int64], int]:
    """A column of `count` numbers that starts at `offset`, and the offset behind it. ValueError: too short."""
    head_format = f"<{order}qB"
    try:
        *heads, width = struct.unpack_from(head_format, data, offset)
    except struct.error as exc:
        raise ValueError("a packed column is cut off") from exc
    start, rows = offset + struct.calcsize(head_format), max(0, count - order)
    end = start + rows * width
    if end > len(data) or width not in _WIDTHS:
        raise ValueError("a packed column is cut off")
    planes = np.frombuffer(data, np.uint8, rows * width, start).reshape(width, rows)
    zigzag = np.ascontiguousarray(planes.T).view(f"<u{width}").reshape(rows).astype(np.uint64)
    column = (zigzag >> np.uint64(1)).view(np.int64) ^ -(zigzag & np.uint64(1)).view(np.int64)
    for level, head in zip(reversed(range(order)), reversed(heads), strict=True):
        column = np.cumsum(np.concatenate([np.array([head], np.int64), column]))[: max(0, count - level)]
    return column, end
