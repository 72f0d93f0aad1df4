"""The requests that the control socket takes; moments are ms since 1970."""

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, TypeVar

from pydantic import Field, ValidationError

from gateway.control import Refused
from gateway.fields import Section

MOST: Final = 5000
Moment = Annotated[int, Field(ge=-(2**52), le=2**52)]
M = TypeVar("M", bound=Section)


class Draft(Section):
    """An entry as it is asked for. from: ms since 1970; id: "" for a new one; new: a reading that nobody recorded."""

    asset: str
    kind: str
    from_: Moment = Field(alias="from")
    to: Moment | None = None
    value: float | str
    role: str = ""
    seq: int = Field(0, ge=0, lt=1_000_000)
    id: str = ""
    note: str = ""
    new: bool = False


class Book(Section):
    """mode: `new` refuses an id that is booked already, `import` skips what it says already and corrects the rest."""

    op: Literal["book"]
    drafts: list[Draft] = Field(max_length=MOST)
    by: str = ""
    mode: Literal["new", "import"] = "new"
    dry: bool = False


class Correct(Section):
    """Changes what is given of an entry."""

    op: Literal["correct"]
    id: str
    from_: Moment | None = Field(None, alias="from")
    to: Moment | None = None
    value: float | str | None = None
    note: str | None = None
    by: str = ""


class Withdraw(Section):
    """Takes an entry back."""

    op: Literal["withdraw"]
    id: str
    by: str = ""


class Listed(Section):
    """The newest revisions of entries that touch a range."""

    op: Literal["list"]
    asset: str = ""
    from_: Moment = Field(alias="from")
    to: Moment
    limit: int = Field(200, ge=1, le=MOST)


class Recompute(Section):
    """Computes stored minutes again. model: with the config of today, or with what was recorded then."""

    op: Literal["recompute"]
    assets: list[str] = []
    from_: Moment = Field(alias="from")
    to: Moment
    model: Literal["current", "recorded"]
    by: str = ""


class Ping(Section):
    """Whether somebody is there."""

    op: Literal["ping"]


def parsed(model: type[M], request: Mapping[str, Any]) -> M:
    """The request. Refused: says what is wrong in it."""
    try:
        return model.model_validate(request)
    except ValidationError as exc:
        first = exc.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise Refused(f"{place}: {first['msg']}") from exc
