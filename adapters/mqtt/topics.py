"""Which tags a topic feeds: exact topics and filters with `+`."""

from collections import OrderedDict
from collections.abc import Iterable
from typing import Final, Generic, TypeVar

_REMEMBERED: Final = 4096  # topics; a broker may send any number of them through one `+`

T = TypeVar("T")


def matches(pattern: str, topic: str) -> bool:
    """Whether a topic filter covers a topic or another filter (MQTT 5.0, 4.7; of the wildcards only `+`).

    >>> matches("cell/+/state", "cell/7/state")
    True
    """
    wanted, levels = pattern.split("/"), topic.split("/")
    if len(wanted) != len(levels) or (wanted[0] == "+" and levels[0].startswith("$")):
        return False
    return all(want in {"+", level} for want, level in zip(wanted, levels, strict=True))


def check_filter(text: str) -> str:
    """The filter itself. ValueError: says what is wrong with it."""
    if not text or len(text.encode()) > 65_535 or "\0" in text:
        raise ValueError(f"{text[:40]!r} is not a topic: write one like cell/7/state")
    if "#" in text:
        raise ValueError(
            f"topic {text!r}: '#' would feed one tag from any number of topics; name the topic, or use '+'"
        )
    if any("+" in level and level != "+" for level in text.split("/")):
        raise ValueError(f"topic {text!r}: '+' stands for a whole level, as in cell/+/state")
    return text


def fewest(filters: Iterable[str]) -> tuple[str, ...]:
    """The filters without those that another one covers: overlapping subscriptions would deliver a message twice."""
    known = list(dict.fromkeys(filters))
    return tuple(one for one in known if not any(other != one and matches(other, one) for other in known))


class TopicMap(Generic[T]):
    """Finds what was entered for a topic, in the order of entry."""

    def __init__(self, entries: Iterable[tuple[str, T]]) -> None:
        self._entries = tuple(entries)
        self._found: OrderedDict[str, tuple[T, ...]] = OrderedDict()

    def find(self, topic: str) -> tuple[T, ...]:
        """Everything that the topic feeds; empty where nobody wants it."""
        found = self._found.get(topic)
        if found is None:
            found = tuple(entry for pattern, entry in self._entries if matches(pattern, topic))
            self._found[topic] = found
            if len(self._found) > _REMEMBERED:
                self._found.popitem(last=False)
        return found
