"""What stays and what goes when a recording is made anonymous."""

import numpy as np
import pytest

from gateway.model import GOOD, Batch, Reason, Tag, TagType, bad, session
from gateway.recording.disguise import Disguise

WEEK_NS = 7 * 86_400 * 10**9
TAGS = {
    tag.name: tag
    for tag in (
        Tag("stamper-A/state", TagType.TEXT, source="plc-7"),
        Tag("stamper-A/parts", TagType.INT, counter=True, modulus=2**32, source="plc-7"),
        Tag("stamper-A/kwh", TagType.FLOAT, "kWh", counter=True, source="plc-7"),
        Tag("stamper-A/kw", TagType.FLOAT, "kW", source="plc-7"),
        Tag("stamper-A/celsius", TagType.FLOAT, "°C", source="plc-7"),
        Tag("stamper-A/article", TagType.TEXT, source="plc-7"),
        Tag("stamper-B/kw", TagType.FLOAT, "kW", source="plc-7"),
        Tag("stamper-B/short", TagType.INT, counter=True, modulus=65536, source="plc-7"),
        session("plc-7"),
    )
}
ROLES = {
    "stamper-A/state": "state", "stamper-A/parts": "total", "stamper-A/kwh": "energy", "stamper-A/article": "product",
}  # fmt: skip


def batch(values: list[float], texts: tuple[str, ...] = (), quality: list[int] | None = None) -> Batch:
    n = len(values)
    codes = np.full(n, GOOD, np.uint8) if quality is None else np.array(quality, np.uint8)
    return Batch(
        np.zeros(n, np.int32), np.arange(n, dtype=np.int64) + 10**18, np.array(values, np.float64), codes, texts
    )


def values(disguise: Disguise, name: str, seen: list[float], quality: list[int] | None = None) -> list[float]:
    found: list[float] = disguise.of(name, batch(seen, quality=quality)).value.tolist()
    return found


def test_no_name_of_the_site_stays_and_the_same_key_makes_the_same_again() -> None:
    one, other, third = (Disguise(key, TAGS, ROLES) for key in ("key", "key", "another"))
    said = " ".join([*one.dictionary(), *(tag.source for tag in one.dictionary().values())])
    assert not [word for word in ("stamper", "plc", "kwh", "celsius", "article", "parts") if word in said]
    assert one.names == other.names
    assert one.shift_ns == other.shift_ns
    assert third.shift_ns != one.shift_ns or third.names != one.names
    assert {name.partition("/")[2] for name in one.dictionary()} >= {"state", "total_count", "energy", "product"}
    assert len(one.dictionary()) == len(TAGS)


def test_every_source_keeps_its_session() -> None:
    found = Disguise("key", TAGS, ROLES).dictionary()
    assert {session(tag.source).name for tag in found.values()} == {"source/source-1/session"} <= found.keys()


def test_everything_happens_whole_weeks_earlier() -> None:
    disguise = Disguise("key", TAGS, ROLES)
    moved = disguise.of("stamper-A/kw", batch([1.0])).time_ns[0] - 10**18
    assert moved == disguise.shift_ns
    assert -52 * WEEK_NS <= moved < 0
    assert moved % WEEK_NS == 0


def test_an_assets_electricity_keeps_its_proportions_and_temperatures_stay() -> None:
    disguise = Disguise("key", TAGS, ROLES)
    (kw,) = values(disguise, "stamper-A/kw", [10.0])
    (zero, kwh) = values(disguise, "stamper-A/kwh", [500.0, 510.0])
    assert zero == 0
    assert kwh == pytest.approx(kw)
    assert 5 <= kw <= 20
    assert values(disguise, "stamper-B/kw", [10.0]) != [kw]
    assert values(disguise, "stamper-A/celsius", [21.5]) == [21.5]


def test_counters_begin_at_zero_and_count_what_they_counted_through_resets_and_roll_overs() -> None:
    disguise = Disguise("key", TAGS, ROLES)
    assert values(disguise, "stamper-A/parts", [4_294_967_290, 4_294_967_295, 4]) == [0, 5, 10]  # rolls over
    assert values(disguise, "stamper-A/parts", [9]) == [15]  # on the next page
    assert values(Disguise("key", TAGS, ROLES), "stamper-A/parts", [1000, 1004, 0, 3]) == [0, 4, 0, 3]  # set back
    unread = values(Disguise("key", TAGS, ROLES), "stamper-A/parts", [7, 0, 9], [GOOD, bad(Reason.TIMEOUT), GOOD])
    assert (unread[0], unread[2]) == (0, 2)
    assert values(disguise, "stamper-B/short", [65_000, 3]) == [65_000, 3]  # tells nothing of a machine's life


def test_words_of_states_stay_and_articles_get_names_of_their_own() -> None:
    disguise = Disguise("key", TAGS, ROLES)
    assert disguise.of("stamper-A/state", batch([0], ("EXECUTE",))).texts == ("EXECUTE",)
    first, second, nothing = disguise.of("stamper-A/article", batch([0, 1, 2], ("bolt M8", "nut", ""))).texts
    assert first.startswith("product-")
    assert first != second
    assert nothing == ""
    assert "bolt" not in first
