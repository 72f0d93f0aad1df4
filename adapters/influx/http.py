"""One HTTP session with a store: requests end in a reply or in NotConnected, within the time limit."""

import io
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import aiohttp
import orjson

from gateway.fields import Secret
from gateway.ports import NotConnected

_TEXT_LIMIT: Final = 500
_ONE_WRITE: Final = 2**20  # aiohttp sends larger bodies in pieces, from a file


@dataclass(frozen=True, slots=True)
class Login:
    """How to prove who we are, and whom to believe; read anew at every connect, so that a new token counts."""

    secret: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    trust: ssl.SSLContext | None

    @staticmethod
    def load(
        scheme: str,
        username: str = "",
        password: Secret | None = None,
        token: Secret | None = None,
        token_file: Path | None = None,
        ca_file: Path | None = None,
    ) -> "Login":
        """Reads the files (this blocks). scheme: `Token` or `Bearer`. NotConnected: a file cannot be used."""
        try:
            secret = token_file.read_text().strip() if token_file else token.get_secret_value() if token else ""
            trust = ssl.create_default_context(cafile=ca_file) if ca_file else None
        except OSError as exc:  # SSLError is one
            raise NotConnected(f"cannot use {token_file or ca_file}: {exc}") from exc
        headers = {"Authorization": f"{scheme} {secret}"} if secret else {}
        if username and password is not None:
            headers = {"Authorization": aiohttp.encode_basic_auth(username, password.get_secret_value(), "utf-8")}
        return Login(secret, headers, trust)


@dataclass(frozen=True, slots=True)
class Reply:
    """A store's answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> object:
        """The body parsed, None where it is no JSON."""
        try:
            parsed: object = orjson.loads(self.body)
        except orjson.JSONDecodeError:
            return None
        return parsed

    @property
    def text(self) -> str:
        """What the store says, without its wrapping, cut to a length that fits a log line."""
        text = self.body.decode(errors="replace")
        parsed = self.json()
        if isinstance(parsed, dict):
            text = str(parsed.get("error") or parsed.get("message") or text)
        return " ".join(text.split())[:_TEXT_LIMIT]


class Http:
    """An aiohttp session bound to one store."""

    def __init__(self, url: str, login: Login, timeout_s: float) -> None:
        self._url = url
        self._trust: ssl.SSLContext | bool = login.trust or True
        limit = aiohttp.ClientTimeout(total=timeout_s)
        self._session = aiohttp.ClientSession(headers=login.headers, timeout=limit)
        self._timeout_s = timeout_s

    async def get(self, path: str, params: Mapping[str, str] | None = None) -> Reply:
        """GET. NotConnected: no answer in time."""
        return await self._request("GET", path, params, None, {})

    async def post(self, path: str, params: Mapping[str, str], body: bytes = b"", *, zipped: bool = False) -> Reply:
        """POST; `zipped` says that the body is gzip. NotConnected: no answer in time."""
        headers = {"Content-Encoding": "gzip"} if zipped else {}
        return await self._request("POST", path, params, body, headers)

    async def close(self) -> None:
        """Drops the connections; requests under way fail."""
        await self._session.close()

    async def _request(
        self, method: str, path: str, params: Mapping[str, str] | None, body: bytes | None, headers: Mapping[str, str]
    ) -> Reply:
        url = self._url + path
        data = io.BytesIO(body) if body and len(body) > _ONE_WRITE else body
        try:
            async with self._session.request(
                method, url, params=params, data=data, headers=headers, allow_redirects=False, ssl=self._trust
            ) as response:
                return Reply(response.status, response.headers, await response.read())
        except TimeoutError as exc:
            raise NotConnected(f"{url} did not answer within {self._timeout_s:g} s") from exc
        except (aiohttp.ClientError, OSError) as exc:
            raise NotConnected(f"{url} cannot be reached: {exc}") from exc
