"""Options of a device: a profile says what its type needs, a source what it says otherwise."""

from pydantic import Field

from gateway.fields import Duration, Section


class Options(Section):
    """How a device wants to be read; None: as the profile says, or the default."""

    timeout: Duration | None = Field(None, description="how long the device may take to answer one read")
    pipeline: int | None = Field(
        None, ge=1, le=16, description="reads on their way at once; above 1 only for devices that frame replies well"
    )
    max_registers: int | None = Field(None, ge=1, le=125, description="registers that the device gives in one read")
    max_bits: int | None = Field(None, ge=1, le=2000, description="coils or discrete inputs in one read")
    max_gap: int | None = Field(None, ge=0, le=124, description="unused registers read along to save a request")
    one_request_per_point: bool | None = Field(None, description="read every point by itself")
    pause: Duration | None = Field(None, description="silence between a reply and the next request")
    turnaround: Duration | None = Field(None, description="silence when a line passes from one unit to another")
    connect_delay: Duration | None = Field(None, description="silence between connecting and the first request")
    close_after_poll: bool | None = Field(None, description="close the connection after every poll")
