"""The engine against the oracle over whatever hypothesis thinks of."""

from hypothesis import given, settings

from tests.oracle.anything import Life, lives
from tests.oracle.bridge import derived, quantities_of, slices_of
from tests.oracle.compare import by_label, by_minute, differences
from tests.oracle.ledger import MINUTE_MS, Oracle


@settings(max_examples=300, deadline=None)
@given(lives())
def test_whatever_a_machine_reports_the_engine_and_the_oracle_say_the_same(life: Life) -> None:
    slices = Oracle(life.machine, life.story, life.horizon_ms).slices(life.from_ms, life.to_ms)
    expected = by_minute(slices, life.from_ms // MINUTE_MS, life.to_ms // MINUTE_MS)
    buckets = derived(life.machine, life.story, life.from_ms, life.to_ms, life.horizon_ms).buckets
    assert differences(expected, quantities_of(buckets)) == {}
    if life.story.reports.keys() & {"product", "order"}:
        assert differences(by_label(slices), slices_of(buckets)) == {}
