"""Who may ask, and what a browser may do with the answer: Host check and security headers for every response."""

from collections.abc import Iterable
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

# plotly.js adds style elements, hence 'unsafe-inline' for styles; it builds functions from text only for WebGL traces,
# which the board does not use: scripts stay strict.
_CONTENT_POLICY: Final = (
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; object-src 'none'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS: Final = [
    (b"content-security-policy", _CONTENT_POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
]


class Guard:
    """Refuses requests for other host names (DNS rebinding) and adds the headers. `hosts` empty: any name."""

    def __init__(self, app: ASGIApp, hosts: Iterable[str] = ()) -> None:
        self._app = app
        self._hosts = frozenset(hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", []), *_HEADERS]
            await send(message)

        if self._hosts and _host(scope) not in self._hosts:
            await _refuse(send_with_headers)
        else:
            await self._app(scope, receive, send_with_headers)


def _host(scope: Scope) -> str:
    """The Host header without its port; the brackets of an IPv6 address stay."""
    found = next((value for name, value in scope["headers"] if name == b"host"), b"").decode("latin-1").lower()
    return found.partition("]")[0] + "]" if found.startswith("[") else found.partition(":")[0]


async def _refuse(send: Send) -> None:
    body = b"this board answers only under its own address"
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 421, "headers": headers})
    await send({"type": "http.response.body", "body": body})
