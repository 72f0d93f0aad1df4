"""The config's section `board`."""

from pydantic import Field, model_validator

from gateway.board.listen import CannotListen, Listen
from gateway.fields import Section


class BoardConfig(Section):
    """Where the board and the API listen."""

    listen: str = Field("127.0.0.1:8080", description="HOST:PORT; another host than this machine needs `insecure`")
    enabled: bool = True
    insecure: bool = Field(
        False,
        description="allow an address that other machines can reach, though the board asks for no password and does "
        "not encrypt: everybody in that network can read every number",
    )

    @model_validator(mode="after")
    def _usable(self) -> "BoardConfig":
        try:
            Listen.parse(self.listen).allowed(self.insecure)
        except CannotListen as exc:
            raise ValueError(str(exc)) from exc
        return self

    @property
    def url(self) -> str:
        """What to open in a browser."""
        where = Listen.parse(self.listen)
        return where.url(where.port)

    def arguments(self) -> list[str]:
        """Its part of the command line of the board's process."""
        return ["--listen", self.listen, *(["--insecure"] if self.insecure else [])]
