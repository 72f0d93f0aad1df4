"""The section of a Modbus source."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from adapters.modbus.config import ModbusConfig
from adapters.modbus.manners import Manners
from gateway.library import Library, UnknownName
from gateway.model import Tag, TagType

SHIPPED = Library.beside(Path("nowhere.yaml"))
BASE = {"kind": "modbus", "endpoint": "tcp://10.0.7.11", "asset": "press-07"}
POINT = {"table": "holding", "address": 1, "type": "uint16"}


def config(**said: object) -> ModbusConfig:
    return ModbusConfig.model_validate(BASE | {"profile": "lineside/machine"} | said)


def test_points_become_tags_of_the_asset() -> None:
    tags = {tag.name: tag for tag in config(poll={"fast": "500ms"}).tags("plc", SHIPPED)}
    assert tags["press-07/total_count"] == Tag(
        "press-07/total_count", TagType.INT, "", counter=True, modulus=2**32, period_ms=500, source="plc"
    )
    assert tags["press-07/cycle_time"] == Tag("press-07/cycle_time", TagType.FLOAT, "s", period_ms=30_000, source="plc")
    assert tags["press-07/state"].type is TagType.TEXT


def test_a_source_may_have_points_of_its_own_and_replace_those_of_its_profile() -> None:
    own = {"oil_temperature": {**POINT, "unit": "°C"}, "cycle_time": {**POINT, "scale": 0.1, "group": "fast"}}
    shipped = {point.name for point in config().resolve(SHIPPED)}
    points = {point.name: point for point in config(points=own).resolve(SHIPPED)}
    assert points["oil_temperature"].unit == "°C"
    assert (points["cycle_time"].address, points["cycle_time"].group) == (1, "fast")
    assert points.keys() == shipped | {"oil_temperature"}


def test_a_device_needs_no_profile() -> None:
    assert [tag.name for tag in config(profile=None, points={"x": POINT}).tags("plc", SHIPPED)] == ["press-07/x"]


def test_a_source_without_profile_and_points_is_refused() -> None:
    with pytest.raises(ValidationError, match="neither a profile nor points"):
        config(profile=None)


@pytest.mark.parametrize("text", ["10.0.7.11:502", "http://h", "tcp://", "rtu://h:1", "rtu+tcp://h", ""])
def test_what_is_no_endpoint_is_met_with_its_form(text: str) -> None:
    with pytest.raises(ValidationError, match="write tcp://host or tcp://host:port"):
        config(endpoint=text)


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ({"ca_file": "ca.pem"}, "belong to tls://"),
        ({"endpoint": "tls://h", "key_file": "k.pem"}, "needs a cert_file"),
        ({"endpoint": "rtu:///dev/ttyUSB0", "pipeline": 2}, "a line takes one request at a time"),
    ],
)
def test_keys_that_do_not_fit_the_endpoint_are_refused(said: dict[str, object], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        config(**said)


def test_what_a_user_says_wins_over_the_profile_and_that_over_the_defaults(tmp_path: Path) -> None:
    (tmp_path / "profiles/acme").mkdir(parents=True)
    (tmp_path / "profiles/acme/slow.yaml").write_text(
        "name: Slow\nvendor: Acme\ndocument: none\n"
        "options: {timeout: 3s, pause: 50ms, max_registers: 20, close_after_poll: true}\n"
        "forbidden: {holding: [7]}\n"
        "points: {x: {table: holding, address: 1, type: uint16}}\n"
    )
    said = config(profile="acme/slow", timeout="2s", max_gap=0, close_after_poll=False, forbidden={"input": ["3-4"]})
    handling = said.handling(Library((tmp_path,)))
    assert handling.timeout_s == 2.0
    assert handling.manners == Manners(depth=1, pause_s=0.05, close_after_poll=False)
    assert (handling.limits.max_registers, handling.limits.max_bits, handling.limits.max_gap) == (20, 2000, 0)
    assert [(f.table.value, f.first, f.last) for f in handling.limits.forbidden] == [("holding", 7, 7), ("input", 3, 4)]


def test_a_poll_group_that_no_point_has_is_an_error_that_names_the_groups() -> None:
    with pytest.raises(ValueError, match=r"poll\.fsat: no point is in this group; the groups are fast, slow"):
        config(poll={"fsat": "1s"}).tags("plc", SHIPPED)


def test_the_usual_groups_may_be_given_even_where_no_point_is_in_them() -> None:
    only_slow = config(profile=None, points={"x": POINT}, poll={"fast": "1s", "slow": "10s"})
    assert [tag.period_ms for tag in only_slow.tags("plc", SHIPPED)] == [10_000]


def test_a_group_of_ones_own_needs_a_period() -> None:
    own = {"x": {**POINT, "group": "hourly"}}
    with pytest.raises(ValueError, match=r"the group 'hourly' has no period: add hourly: 10s"):
        config(points=own).tags("plc", SHIPPED)
    assert config(points=own, poll={"hourly": "1h"}).tags("plc", SHIPPED)[-1].period_ms == 3_600_000


def test_a_wrong_point_of_a_source_is_named() -> None:
    with pytest.raises(ValueError, match=r"points\.x: a bool in a register needs its bit"):
        config(points={"x": {**POINT, "type": "bool"}}).tags("plc", SHIPPED)


def test_a_point_that_no_read_can_bring_is_named() -> None:
    with pytest.raises(ValueError, match="needs 2 registers, but a read may bring only 1"):
        config(max_registers=1).tags("plc", SHIPPED)


def test_an_unknown_profile_is_named() -> None:
    with pytest.raises(UnknownName, match="machnie"):
        config(profile="lineside/machnie").tags("plc", SHIPPED)


@pytest.mark.parametrize(
    "wrong",
    [
        {"unit_id": 256},
        {"unit_id": -1},
        {"max_registers": 126},
        {"pipeline": 0},
        {"timeout": 1},
        {"poll": {"fast": "0s"}},
        {"unti_id": 1},
    ],
)
def test_what_modbus_does_not_allow_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        config(**wrong)
