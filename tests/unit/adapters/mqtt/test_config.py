"""What a user may write for a source of kind `mqtt`, and what is said where it is wrong."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from adapters.mqtt.config import MqttConfig
from adapters.mqtt.payload import SourceTime
from gateway.library import Library
from gateway.model import Tag, TagType

LIBRARY = Library(())


def config(**settings: Any) -> MqttConfig:
    whole = {"kind": "mqtt", "broker": "mqtt://broker", "tags": {"press/total": {"topic": "t"}}, **settings}
    return MqttConfig.model_validate(whole)


def tag(**path: Any) -> Tag:
    return config(tags={"press/x": {"topic": "t", **path}}).tags("hall", LIBRARY)[0]


def test_a_tag_takes_its_type_unit_and_source_from_its_line() -> None:
    assert tag(type="float32", unit="kW") == Tag("press/x", TagType.FLOAT, "kW", source="hall")
    assert tag(type="string").type is TagType.TEXT
    assert tag(type="bool").type is TagType.BOOL
    assert tag(type="int32").type is TagType.INT


@pytest.mark.parametrize(
    ("path", "modulus"),
    [
        ({"type": "uint16"}, 65536),
        ({"type": "uint32"}, 2**32),
        ({"type": "uint16", "scale": 10}, 655_360),
        ({"type": "uint16", "scale": 0.3}, 0),
        ({"type": "uint32", "modulus": 1_000_000}, 1_000_000),
        ({"type": "uint32", "modulus": 0}, 0),
        ({"type": "int32"}, 0),
        ({"type": "float64"}, 0),
    ],
)
def test_an_unsigned_counter_rolls_over_at_its_width(path: dict[str, Any], modulus: int) -> None:
    found = tag(counter=True, **path)
    assert (found.counter, found.modulus) == (True, modulus)


def test_a_scaled_integer_is_a_float() -> None:
    assert tag(type="uint16", scale=0.1).type is TagType.FLOAT
    assert tag(type="uint16", scale=10, offset=-5).type is TagType.INT


@pytest.mark.parametrize(
    ("broker", "tls", "host", "port"),
    [
        ("mqtt://broker", False, "broker", 1883),
        ("mqtts://broker.plant", True, "broker.plant", 8883),
        ("mqtt://10.0.0.1:1884", False, "10.0.0.1", 1884),
        ("mqtt://[::1]:1884", False, "::1", 1884),
    ],
)
def test_a_broker_is_a_url(broker: str, tls: bool, host: str, port: int) -> None:
    login = config(broker=broker).login("hall")
    assert (login.tls, login.host, login.port) == (tls, host, port)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"broker": "broker:1883"}, "is not a broker: write mqtt://host:1883"),
        ({"broker": "http://broker"}, "is not a broker"),
        ({"broker": "mqtt://broker:0"}, "is not a broker"),
        ({"broker": "mqtt://broker:99999"}, "is not a broker"),
        ({"broker": "mqtt://a..b"}, "is not a broker"),
        ({"broker": "mqtt://broker/topic"}, "is not a broker"),
        ({"broker": "mqtt://user:secret@broker"}, "must not hold a login"),
        ({"password": "x"}, "a password needs a username"),
        ({"username": "u", "password": "x", "password_file": "/x"}, "exclude each other"),
        ({"ca_file": "/ca.pem"}, "used with TLS only"),
        ({"broker": "mqtts://b", "cert_file": "/c.pem"}, "belong together"),
        ({"protocol": 4}, "'auto', '5' or '3.1.1'"),
        ({"tags": {}}, "at least 1 item"),
        ({"tags": {"total": {"topic": "t"}}}, "is not `<asset>/<point>`"),
        ({"tags": {"a/b": {"topic": "t/#"}}}, "'#' would feed one tag"),
        ({"tags": {"a/b": {"topic": "t", "path": "state"}}}, "is not a payload path"),
        ({"tags": {"a/b": {"topic": "t", "type": "text"}}}, "'string'"),
        ({"tags": {"a/b": {"topic": "t", "type": "string", "scale": 2}}}, "a string has no scale"),
        ({"tags": {"a/b": {"topic": "t", "type": "bool", "counter": True}}}, "a bool has no scale, offset or counter"),
        ({"tags": {"a/b": {"topic": "t", "modulus": 100}}}, "add `counter: true`"),
        ({"tags": {"a/b": {"topic": "t", "scale": 0}}}, "scale 0"),
        ({"tags": {"a/b": {"topic": "t", "time": "ts"}}}, "is not a payload path"),
        ({"tags": {"a/b": {"topics": "t"}}}, "Extra inputs"),
        ({"time": "$.ts", "time_unit": "min"}, "'s', 'ms', 'us' or 'ns'"),
        ({"receive_maximum": 0}, "greater than or equal to 1"),
    ],
)
def test_what_is_wrong_is_said_with_what_to_do(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError) as caught:
        config(**settings)
    assert words in str(caught.value)
    assert "secret" not in str(caught.value).replace("user:secret@broker", "")


def test_a_password_is_never_printed() -> None:
    made = config(username="u", password="hunter2")
    assert "hunter2" not in repr(made) + repr(made.login("hall")) + made.model_dump_json()


def test_yaml_may_write_the_protocol_as_a_number() -> None:
    assert config(protocol=5).protocol == "5"


def test_the_default_client_id_is_stable_and_differs_by_source_and_broker() -> None:
    ids = {
        config().login("hall").client_id,
        config().login("yard").client_id,
        config(broker="mqtt://b2").login("hall").client_id,
    }
    assert config().login("hall").client_id == "lineside-hall-807426e6"
    assert len(ids) == 3
    assert config(client_id="mine").login("hall").client_id == "mine"


def test_a_tag_may_have_its_own_time_and_else_has_the_sources() -> None:
    tags = {"a/own": {"topic": "t", "time": "$.at", "time_unit": "s"}, "a/plain": {"topic": "t"}}
    made = config(time="$.ts", time_unit="us", tags=tags)
    times = [path.point(1, made.default_time).time for path in made.tags_.values()]
    assert times == [SourceTime(("at",), "s"), SourceTime(("ts",), "us")]
    assert config().tags_["press/total"].point(1, config().default_time).time is None


@pytest.mark.parametrize(
    ("kind", "low", "high"),
    [("int8", -128, 127), ("uint16", 0, 65535), ("int64", -(2**53), 2**53), ("uint64", 0, 2**53)],
)
def test_a_type_limits_what_is_believed(kind: str, low: float, high: float) -> None:
    point = config(tags={"a/b": {"topic": "t", "type": kind}}).tags_["a/b"].point(1, None)
    assert (point.low, point.high) == (low, high)


def test_files_are_paths() -> None:
    made = config(broker="mqtts://b", ca_file="/etc/ca.pem", username="u", password_file="/run/secret")
    assert (made.ca_file, made.password_file) == (Path("/etc/ca.pem"), Path("/run/secret"))
