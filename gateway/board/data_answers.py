"""What the API answers about data quality and about what is measured."""

from pydantic import Field

from gateway.board.answers import Answer, DataStatus, Milliseconds, Reasons, Scores, Values


class TagQuality(Answer):
    """The data-quality scores of one role of an asset; without a role: of all that a name stands for."""

    asset: str
    role: str
    tag: str
    period_ms: int = Field(description="between two polls; 0: reported on change, sufficient is its session's time up")
    scores: Scores
    unchecked: float | None = Field(description="share of the readings that no rule says anything about")
    status: DataStatus
    counts: dict[str, int]


class QualityAnswer(Answer):
    """Scores of every tag behind an owner's KPIs; each asset as a whole after its roles, the owner last."""

    owner: str
    from_ms: Milliseconds
    to_ms: Milliseconds
    rows: list[TagQuality]


class MeasuredRow(Answer):
    """One measure of an asset over one window."""

    asset: str
    measure: str
    start_ms: Milliseconds
    end_ms: Milliseconds
    name: str = Field(description="of the shift")
    lsl: float | None
    usl: float | None
    n: int
    left_out: int = Field(description="too far from the limits to be a value of this measure")
    mean: float | None
    deviation: float | None
    within: float | None = Field(description="standard deviation inside subgroups")
    values: Values
    reasons: Reasons


class LeastRow(Answer):
    """The least of an index over all rows, and whose it is."""

    index: str
    value: float
    asset: str
    measure: str


class CapabilityAnswer(Answer):
    """Cp, Cpk, Cm and Cmk of an owner's measures; a plant is as capable as its worst process."""

    owner: str
    window: str
    rows: list[MeasuredRow]
    least: list[LeastRow]
