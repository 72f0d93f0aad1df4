"""One MQTT session whose messages are acknowledged by hand, after their commit. The only file that imports aiomqtt.

aiomqtt acknowledges a message when it has queued it; a crash between that and the commit loses it. So paho, below it,
is switched to manual acknowledgement and hands its messages to our own bounded inbox.
"""

import asyncio
import contextlib
import ssl
from collections.abc import Sequence
from typing import Any, Final

import aiomqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from adapters.mqtt.config import Login
from adapters.mqtt.inbox import Arrived, Inbox
from gateway.ports import Clock, NotConnected

TIMEOUT_S: Final = 3.0  # each step of a connect, and each subscription
OPEN_S: Final = 10.0  # all steps, name resolution included
CLOSE_S: Final = 1.0
WINDOW_311: Final = 20  # brokers' usual limit of messages in flight, which MQTT 3.1.1 cannot ask about
_WRONG_VERSION: Final = {0x01, 0x84}
_FAILURE: Final = 0x80  # and above; itself: unspecified
_VERSIONS: Final = {"5": aiomqtt.ProtocolVersion.V5, "3.1.1": aiomqtt.ProtocolVersion.V311}


class _OtherVersion(Exception):  # noqa: N818  # control flow: the next protocol version is tried
    """The broker does not seem to speak the version of MQTT that was tried."""


class _HungUp(aiomqtt.MqttError):
    """The broker closed the connection before it answered."""


class _TidySocket(ssl.SSLSocket):
    """paho waits for a whole keepalive in a handshake, and leaves the socket open where it fails."""

    def do_handshake(self, block: bool = False) -> None:
        limit_s = self.gettimeout()
        self.settimeout(TIMEOUT_S)
        try:
            super().do_handshake(block)
        except OSError:
            self.close()
            raise
        self.settimeout(limit_s)


class Connection:
    """A persistent session with a broker.

    epoch            grows with every connect; packet ids mean nothing in another epoch
    session_present  the broker had kept our session, with what was published meanwhile
    window           how many messages it sends before the first is acknowledged
    """

    def __init__(self, login: Login, clock: Clock) -> None:
        self.login = login
        self.epoch = 0
        self.session_present = False
        self.window = WINDOW_311
        self.inbox = Inbox()
        self._clock = clock
        self._client: aiomqtt.Client | None = None
        self._spoken: str | None = None  # the version that worked last
        self._why = "not connected yet"

    async def open(self, filters: Sequence[str], clean: bool = False) -> None:
        """Connects and subscribes at QoS 1.

        clean: True: forget the session, and have none kept (for a short look beside the gateway's own session)
        NotConnected: names the broker, and the topic where the broker refuses a subscription.
        """
        await self.close()
        versions, self._spoken = self._versions(), None
        for version in versions:
            try:
                client = await self._connect(_VERSIONS[version], clean)
            except _OtherVersion as exc:
                if version == versions[-1]:
                    raise NotConnected(f"{self.login.url} does not speak MQTT {version}: {exc}") from exc
                continue
            await self._subscribe(client, filters)
            self._spoken = version
            return

    async def receive(self, limit: int, within_s: float) -> list[Arrived]:
        """The next messages: waits for one, then until there are `limit` or `within_s` has passed.

        NotConnected: the connection is lost and nothing is left that the broker would not send again.
        """
        taken = await self.inbox.take(limit, within_s)
        if not taken:
            raise NotConnected(f"{self.login.url}: {self._why}")
        return taken

    def ack(self, epoch: int, mids: Sequence[int]) -> None:
        """Acknowledges messages in order; does nothing where their connection is gone, since ids are used again."""
        for mid in mids:
            if self._client is None or not self.inbox.is_open or epoch != self.epoch:
                return
            self._client._client.ack(mid, 1)

    async def close(self) -> None:
        """Ends the connection, keeping the session at the broker; safe in any state."""
        client = self._client
        self._lose("closed")
        if client is None:
            return
        with contextlib.suppress(aiomqtt.MqttError, TimeoutError):
            async with asyncio.timeout(CLOSE_S):
                await client.__aexit__(None, None, None)
        await _release(client)

    def _versions(self) -> list[str]:
        wanted = self.login.protocol if self._spoken is None else self._spoken
        return [version for version in _VERSIONS if wanted in {version, "auto"}]

    async def _connect(self, version: aiomqtt.ProtocolVersion, clean: bool) -> aiomqtt.Client:
        tls, password = await asyncio.to_thread(_secrets, self.login)
        client = self._new_client(version, clean, tls, password)
        self.inbox.open()
        try:
            async with asyncio.timeout(OPEN_S):
                await client.__aenter__()
        except (_HungUp, aiomqtt.MqttCodeError) as exc:
            await _release(client)
            code = exc.rc if isinstance(exc, aiomqtt.MqttCodeError) else None
            if code is None or (isinstance(code, ReasonCode) and code.value in _WRONG_VERSION):
                raise _OtherVersion(_words(code or exc)) from exc
            raise NotConnected(f"{self.login.url} refuses the connection: {_words(code)}") from exc
        except (aiomqtt.MqttError, TimeoutError) as exc:
            await _release(client)
            raise NotConnected(f"{self.login.url} cannot be reached: {exc or 'no answer'}") from exc
        except BaseException:  # cancelled in the middle: nothing may stay open
            await _release(client)
            raise
        self._client = client
        client._disconnected.add_done_callback(lambda future: self._on_lost(client, future))
        return client

    def _new_client(
        self, version: aiomqtt.ProtocolVersion, clean: bool, tls: ssl.SSLContext | None, password: str | None
    ) -> aiomqtt.Client:
        five = version is aiomqtt.ProtocolVersion.V5
        client = aiomqtt.Client(
            self.login.host,
            self.login.port,
            username=self.login.username,
            password=password,
            identifier=self.login.client_id,
            protocol=version,
            timeout=TIMEOUT_S,
            keepalive=self.login.keepalive_s,
            tls_context=tls,
            **(self._session_of_5(clean) if five else {"clean_session": clean}),
        )
        self.epoch += 1
        self.window = self.login.receive_maximum if five else WINDOW_311
        paho: Any = client._client
        paho.connect_timeout = TIMEOUT_S
        paho.manual_ack_set(True)
        paho.on_message = self._on_message
        paho.on_connect = self._noting_session(paho.on_connect)
        paho.on_disconnect = _failing_early(client, paho.on_disconnect)
        return client

    def _session_of_5(self, clean: bool) -> dict[str, Any]:
        properties: Any = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.SessionExpiryInterval = 0 if clean else min(self.login.session_expiry_s, 2**32 - 1)
        properties.ReceiveMaximum = self.login.receive_maximum
        return {"clean_start": clean, "properties": properties}

    async def _subscribe(self, client: aiomqtt.Client, filters: Sequence[str]) -> None:
        try:
            granted = await client.subscribe([(one, 1) for one in filters])
        except aiomqtt.MqttError as exc:
            await self.close()
            raise NotConnected(f"{self.login.url}: subscription failed: {exc}") from exc
        for topic, code in zip(filters, granted, strict=True):
            if isinstance(code, ReasonCode) and code.value >= _FAILURE:
                await self.close()
                raise NotConnected(f"{self.login.url} refuses the subscription to {topic!r}: {_words(code)}")

    def _on_message(self, client: object, userdata: object, message: Any) -> None:
        try:
            topic = message.topic
        except UnicodeDecodeError:  # matches no tag, so it is acknowledged and gone
            topic = "(not UTF-8)"
        self.inbox.put(Arrived(topic, message.payload, message.mid, message.qos, self._clock.wall_ns()))

    def _noting_session(self, inner: Any) -> Any:
        def connected(paho: Any, userdata: Any, flags: Any, *rest: Any) -> None:
            self.session_present = bool(flags.session_present)
            inner(paho, userdata, flags, *rest)

        return connected

    def _on_lost(self, client: aiomqtt.Client, disconnected: "asyncio.Future[None]") -> None:
        if client is not self._client:
            return
        reason = None if disconnected.cancelled() else disconnected.exception()
        code = getattr(reason, "rc", reason)
        known = code is not None and getattr(code, "value", None) != _FAILURE  # 0x80: paho knows no more than we
        self._lose(f"connection lost: {_words(code)}" if known else "connection lost", client)

    def _lose(self, why: str, client: aiomqtt.Client | None = None) -> None:
        self._why = why
        self._client = client
        self.inbox.close()


def _secrets(login: Login) -> tuple[ssl.SSLContext | None, str | None]:
    """Reads files at every connect, so that a renewed certificate or password needs no restart."""
    try:
        password = login.password.get_secret_value() if login.password else None
        if login.password_file is not None:
            password = login.password_file.read_text().strip()
        if not login.tls:
            return None, password
        context = ssl.create_default_context(cafile=login.ca_file)
        context.sslsocket_class = _TidySocket
        if login.cert_file is not None:
            context.load_cert_chain(login.cert_file, login.key_file)
    except OSError as exc:
        named = exc.filename or login.ca_file or login.cert_file
        raise NotConnected(f"{login.url}: cannot read {named}: {exc.strerror or exc}") from exc
    return context, password


def _failing_early(client: aiomqtt.Client, inner: Any) -> Any:
    """aiomqtt waits out its time limit where the broker hangs up before it has answered; this ends the wait."""

    def disconnected(*arguments: Any) -> None:
        if not client._connected.done():
            client._connected.set_exception(_HungUp("it hung up without an answer"))
        inner(*arguments)

    return disconnected


async def _release(client: aiomqtt.Client) -> None:
    """Closes what aiomqtt leaves open where a connect fails or is cancelled: socket, reader and its own task."""
    paho: Any = client._client
    paho.on_socket_open = lambda _client, _userdata, sock: sock.close()  # a connect that still runs in its thread
    paho._sock_close()
    await asyncio.sleep(0)
    for future in (client._connected, client._disconnected):
        if future.done() and not future.cancelled():
            future.exception()  # seen, so that asyncio does not log it
    if client._misc_task is not None:
        client._misc_task.cancel()
        await asyncio.wait([client._misc_task])


def _words(code: object) -> str:
    return str(code).lower() if isinstance(code, ReasonCode) else str(code)
