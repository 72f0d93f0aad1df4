"""Which tags a topic feeds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.mqtt.topics import TopicMap, check_filter, fewest, matches

levels = st.lists(st.sampled_from(["a", "b", "+", ""]), min_size=1, max_size=4).map("/".join)


@pytest.mark.parametrize(
    ("pattern", "topic", "expected"),
    [
        ("cell/7/state", "cell/7/state", True),
        ("cell/+/state", "cell/7/state", True),
        ("cell/+/state", "cell/7/8/state", False),
        ("cell/+", "cell", False),
        ("+/b", "/b", True),
        ("+", "$SYS", False),
        ("$SYS/+", "$SYS/x", True),
        ("cell/7", "Cell/7", False),
    ],
)
def test_plus_stands_for_one_whole_level(pattern: str, topic: str, expected: bool) -> None:
    assert matches(pattern, topic) is expected


@pytest.mark.parametrize("text", ["", "#", "cell/#", "cell/7+/x", "a\0b", "x" * 70_000])
def test_an_unfit_filter_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="topic"):
        check_filter(text)


def test_a_topic_finds_all_its_entries_in_their_order() -> None:
    found = TopicMap([("a/+", 1), ("b", 2), ("a/x", 3), ("+/x", 4)]).find("a/x")
    assert found == (1, 3, 4)


def test_any_number_of_topics_does_not_grow_the_map() -> None:
    topics = TopicMap([("a/+", 1)])
    for number in range(10_000):
        assert topics.find(f"a/{number}") == (1,)
    assert len(topics._found) <= 4096


@given(st.lists(levels, max_size=8), levels.filter(lambda topic: "+" not in topic))
def test_the_fewest_filters_cover_the_same_topics_without_overlapping_an_exact_one(
    filters: list[str], topic: str
) -> None:
    kept = fewest(filters)
    assert any(matches(one, topic) for one in filters) == any(matches(one, topic) for one in kept)
    assert not any(matches(one, other) for one in kept for other in kept if one != other)
