"""Sections that cannot work are refused with the key to change."""

import pytest
from pydantic import ValidationError

from adapters.influx.config import InfluxConfig, VictoriaConfig

V1 = {"kind": "influxdb", "url": "http://influx:8086", "database": "plant"}
V2 = {"kind": "influxdb", "url": "http://influx:8086/", "org": "plant", "bucket": "ot", "token": "t"}


def test_the_shortest_sections_have_sound_defaults() -> None:
    first, second = InfluxConfig.model_validate(V1), InfluxConfig.model_validate(V2)
    assert (first.version, first.timeout, first.from_, first.batch_rows) == ("auto", 10.0, "oldest", 20_000)
    assert second.url == "http://influx:8086"
    assert VictoriaConfig.model_validate({"kind": "victoriametrics", "url": "http://vm:8428"}).from_ == "oldest"


def test_a_new_sink_may_start_now() -> None:
    assert InfluxConfig.model_validate(V1 | {"from": "now"}).from_ == "now"


def test_a_token_is_never_printed() -> None:
    assert "hush" not in repr(InfluxConfig.model_validate(V2 | {"token": "hush"}))


@pytest.mark.parametrize(
    ("section", "message"),
    [
        (V1 | {"url": "influx:8086"}, "write http://host:port"),
        (V1 | {"url": "http://me:pw@influx"}, "a login does not belong in `url`"),
        (V1 | {"url": "http://influx/?db=x"}, "`url` ends before"),
        (V1 | {"database": ""}, "say where to write"),
        (V1 | {"version": 2}, "InfluxDB 2 needs `org` and `bucket`"),
        (V2 | {"version": 1}, "InfluxDB 1 needs `database`"),
        (V2 | {"org": ""}, "InfluxDB 2 needs `org` and `bucket`"),
        (V2 | {"token_file": "/run/token"}, "keep one"),
        (V2 | {"username": "me", "password": "pw"}, "not both"),
        (V2 | {"token": None, "username": "me", "password": "pw"}, "logs in with `token`"),
        (V1 | {"username": "me"}, "belong together"),
        (V1 | {"password": "pw"}, "belong together"),
        (V1 | {"timeout": 10}, "is not a duration"),
        (V1 | {"batch_rows": 0}, "greater than or equal to 1"),
        (V1 | {"bukket": "x"}, "Extra inputs"),
    ],
)
def test_a_section_that_cannot_work_names_the_key_to_change(section: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        InfluxConfig.model_validate(section)
