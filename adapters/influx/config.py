"""The config sections of the `influxdb` and `victoriametrics` sinks."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, ConfigDict, Field, model_validator
from yarl import URL

from gateway.fields import Duration, Secret, Section


def _base_url(text: str) -> str:
    url = URL(text)
    if url.scheme not in {"http", "https"} or not url.host:
        raise ValueError(f"{text!r} is not an address: write http://host:port or https://host:port")
    if url.user or url.password:
        raise ValueError("a login does not belong in `url`: use `username` and `password`, or `token`")
    if url.query_string or url.fragment:
        raise ValueError("`url` ends before the `?`: databases and buckets have keys of their own")
    return text.rstrip("/")


BaseUrl = Annotated[str, AfterValidator(_base_url)]


class _Store(Section):
    """What both kinds of store are reached with."""

    model_config = ConfigDict(populate_by_name=True)

    url: BaseUrl
    username: str = ""
    password: Secret | None = None
    token: Secret | None = None
    token_file: Path | None = None
    ca_file: Path | None = None
    timeout: Duration = 10.0
    from_: Literal["now", "oldest"] = Field("oldest", alias="from")
    batch_rows: int = Field(20_000, ge=1, le=100_000)

    @model_validator(mode="after")
    def _one_login(self) -> Self:
        if self.token is not None and self.token_file is not None:
            raise ValueError("`token` and `token_file` are two ways to say one thing: keep one")
        if self.username and (self.token is not None or self.token_file is not None):
            raise ValueError("log in with `username` and `password`, or with a token: not both")
        if (self.password is not None) != bool(self.username):
            raise ValueError("`username` and `password` belong together")
        return self


class InfluxConfig(_Store):
    """InfluxDB: 2.x and later by `org` and `bucket`, 1.x by `database`."""

    kind: Literal["influxdb"]
    version: Literal["auto", 1, 2] = "auto"
    org: str = ""
    bucket: str = ""
    database: str = ""

    @model_validator(mode="after")
    def _place_to_write(self) -> Self:
        if not self.bucket and not self.database:
            raise ValueError("say where to write: `bucket` and `org` for InfluxDB 2, `database` for InfluxDB 1")
        if self.version == 1 and not self.database:
            raise ValueError("InfluxDB 1 needs `database`")
        if (self.version == 2 or self.bucket) and not (self.bucket and self.org):
            raise ValueError("InfluxDB 2 needs `org` and `bucket`")
        if self.username and not self.database:
            raise ValueError("InfluxDB 2 logs in with `token` or `token_file`")
        return self


class VictoriaConfig(_Store):
    """VictoriaMetrics: where it listens, and how to log in where a proxy asks for it."""

    kind: Literal["victoriametrics"]
