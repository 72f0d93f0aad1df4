"""What somebody probably meant who wrote a name that is not there."""

import difflib
from collections.abc import Iterable
from typing import Final

_SHOWN: Final = 12


def closest(word: str, known: Iterable[str]) -> str:
    """`; did you mean …?` or `; known are …`, to end a message about an unknown name; "" where none is known."""
    names = sorted(known)
    if close := difflib.get_close_matches(word, names, n=1):
        return f"; did you mean {close[0]!r}?"
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"; known are {', '.join(names[:_SHOWN])}{more}" if names else ""
