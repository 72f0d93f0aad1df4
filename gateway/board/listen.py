"""The board's own address: parsed, restricted to this machine, and bound so that a restart gets it again."""

import ipaddress
import socket
from dataclasses import dataclass


class CannotListen(Exception):  # noqa: N818  # an answer for the user
    """The board cannot listen there; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Listen:
    """Host and port that the board listens at."""

    host: str
    port: int

    @staticmethod
    def parse(text: str) -> "Listen":
        """From `127.0.0.1:8080` or `[::1]:8080`. CannotListen: says what an address looks like."""
        host, colon, port = text.rpartition(":")
        if not (colon and host and port.isdecimal() and int(port) < 65536):
            raise CannotListen(f"{text!r} is not an address: write HOST:PORT, like 127.0.0.1:8080")
        return Listen(host.strip("[]"), int(port))

    @property
    def loopback(self) -> bool:
        """True where only this machine can reach it."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def hosts(self) -> tuple[str, ...]:
        """The names that browsers may use in the Host header; none: any."""
        return ("localhost", "127.0.0.1", "[::1]", self.host.lower()) if self.loopback else ()

    def url(self, port: int) -> str:
        """What to open in a browser."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{port}/"

    def allowed(self, beyond_this_machine: bool) -> None:
        """CannotListen: other machines can reach this address, and nobody asked for that."""
        if not (self.loopback or beyond_this_machine):
            raise CannotListen(
                f"{self.host} can be reached from other machines, and the board asks for no password: listen at "
                f"127.0.0.1:{self.port}, or set board.insecure: true (--insecure) where everybody there may read it"
            )

    def bind(self, *, beyond_this_machine: bool = False) -> socket.socket:
        """A listening socket. CannotListen: port in use, not this machine's address, or open to others unasked."""
        self.allowed(beyond_this_machine)
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_STREAM)
        # connections of a killed board linger in TIME_WAIT: they must not keep its successor from the port
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind((self.host, self.port))
            sock.listen(128)
        except OSError as exc:
            sock.close()
            raise CannotListen(self._why(exc)) from exc
        sock.setblocking(False)
        return sock

    def _why(self, exc: OSError) -> str:
        advice = "set board.listen to another address, like 127.0.0.1:8081"
        if isinstance(exc, PermissionError):
            return f"{self.host}:{self.port} needs root: {advice}"
        if exc.errno is not None and exc.strerror and "in use" in exc.strerror:
            return f"{self.host}:{self.port} is in use: stop the other program or {advice}"
        return f"{self.host}:{self.port}: {exc.strerror or exc}: {advice}"
