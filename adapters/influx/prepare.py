"""Before the first write: is the store well, is there a place to write, and what does it keep?"""

import asyncio
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from adapters.influx.config import InfluxConfig
from adapters.influx.http import Http, Login
from adapters.influx.verdict import complaint
from gateway.ports import NotConnected

if TYPE_CHECKING:
    from influxdb_client.client.bucket_api import BucketsApi

_LOG = logging.getLogger("lineside.influx")
_FLAG: Final = re.compile(rb'^flag\{name="([^"]+)", value="([^"]*)"', re.MULTILINE)
_DAY_NS: Final = 86_400 * 10**9
_RETENTION_DAYS: Final = {"h": 1 / 24, "d": 1, "w": 7, "": 31, "M": 31, "y": 365}
# A token that may only write cannot look; whether the bucket is there, the first write tells.
_UNSEEN: Final = "bucket %r can be neither found nor created with this token: %s"
# The client's calls run in a thread, which nobody can cancel: they must end before a shutdown is late.
_SETUP_LIMIT_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class Target:
    """Where lines go, and between which ages the store keeps what it accepts (None: it says so itself)."""

    path: str
    params: Mapping[str, str] = field(default_factory=dict)
    past_ns: int | None = None
    future_ns: int | None = None


async def prepare_victoria(http: Http) -> Target:
    """Checks health and reads the flags that decide what VictoriaMetrics does with our rows."""
    health = await http.get("/health")
    if health.status != 200:
        raise NotConnected(complaint(health))
    metrics = await http.get("/metrics")
    flags = {name.decode(): value.decode() for name, value in _FLAG.findall(metrics.body)}
    dedup = flags.get("dedup.minScrapeInterval")
    if dedup is not None and dedup != "1ms":
        _LOG.warning(
            "VictoriaMetrics runs with -dedup.minScrapeInterval=%s: start it with 1ms, or readings that are sent again"
            " after a crash count twice, or close readings vanish",
            dedup,
        )
    future_ns = 2 * _DAY_NS if flags else None
    return Target("/write", {"precision": "ms"}, retention_ns(flags.get("retentionPeriod", "")), future_ns)


def retention_ns(flag: str) -> int | None:
    """What `-retentionPeriod` keeps, in ns: `1` is a month of 31 days, else `30d`, `12w`, `1y`; None: unreadable."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([hdwMy]?)", flag)
    return round(float(match[1]) * _RETENTION_DAYS[match[2]] * _DAY_NS) if match else None


async def prepare_influx(http: Http, login: Login, config: InfluxConfig) -> Target:
    """Checks health, finds the version, and creates the database or bucket where it is missing."""
    ping = await http.get("/ping")
    if ping.status not in {200, 204}:
        raise NotConnected(complaint(ping))
    told = ping.headers.get("X-Influxdb-Version", "")
    if not told:
        raise NotConnected(f"{config.url} answers, but not as InfluxDB does: check `url`")
    version = config.version
    if version == "auto":
        version = 1 if told.startswith("1.") else 2
    if version == 1:
        return await _prepare_v1(http, config)
    return await _prepare_v2(login, config)


async def _prepare_v1(http: Http, config: InfluxConfig) -> Target:
    if not config.database:
        raise NotConnected("this is InfluxDB 1: it needs `database` instead of `org` and `bucket`")
    name = config.database.replace("\\", r"\\").replace('"', r"\"")
    listed = await http.get("/query", {"q": "SHOW DATABASES"})
    if listed.status != 200:
        raise NotConnected(complaint(listed))
    if config.database not in _names(listed.json()):
        created = await http.post("/query", {"q": f'CREATE DATABASE "{name}"'})
        if created.status != 200 or b'"error"' in created.body:
            raise NotConnected(f"database {config.database!r} is missing and cannot be created: {complaint(created)}")
        _LOG.info("created database %r", config.database)
    return Target("/write", {"db": config.database, "precision": "ns"})


def _names(answer: object) -> set[str]:
    match answer:
        case {"results": [{"series": [{"values": [*rows]}]}]}:
            return {row[0] for row in rows}
        case _:
            return set()


async def _prepare_v2(login: Login, config: InfluxConfig) -> Target:
    if not config.bucket:
        raise NotConnected("this is InfluxDB 2 or later: it needs `org` and `bucket` instead of `database`")
    await asyncio.to_thread(_find_or_create_bucket, login, config)
    return Target("/api/v2/write", {"org": config.org, "bucket": config.bucket, "precision": "ns"})


def _find_or_create_bucket(login: Login, config: InfluxConfig) -> None:
    from influxdb_client.client.exceptions import InfluxDBError
    from influxdb_client.client.influxdb_client import InfluxDBClient
    from influxdb_client.rest import ApiException
    from urllib3.exceptions import HTTPError

    limit_ms = round(min(config.timeout, _SETUP_LIMIT_S) * 1000)
    trust = str(config.ca_file) if config.ca_file else None
    with InfluxDBClient(config.url, login.secret, org=config.org, timeout=limit_ms, ssl_ca_cert=trust) as client:
        buckets = client.buckets_api()
        try:
            if _is_missing(buckets, config.bucket):
                buckets.create_bucket(bucket_name=config.bucket, org=config.org)
                _LOG.info("created bucket %r", config.bucket)
        except ApiException as exc:
            if exc.status not in {403, 404, 405}:
                raise NotConnected(f"bucket {config.bucket!r}: answered {exc.status} {exc.reason}") from exc
            _LOG.warning(_UNSEEN, config.bucket, exc.reason)
        except InfluxDBError as exc:  # the organisation cannot be seen
            _LOG.warning(_UNSEEN, config.bucket, exc.message)
        except HTTPError as exc:
            raise NotConnected(f"{config.url} cannot be reached: {exc}") from exc


def _is_missing(buckets: "BucketsApi", name: str) -> bool:
    from influxdb_client.rest import ApiException

    try:
        return buckets.find_bucket_by_name(name) is None  # type: ignore[no-untyped-call]  # not annotated there
    except ApiException as exc:
        if exc.status == 404:
            return True
        raise
