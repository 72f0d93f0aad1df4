"""When a value that is reported on change still holds: while something proves that its source lives."""

from itertools import pairwise

from tests.oracle.machine import Machine, Story

PROOF_MS = 75_000
FOREVER = 2**62


def silences(machine: Machine, story: Story, horizon_ms: int) -> list[tuple[int, int]]:
    """Where nothing proves that a value which is reported on change still holds."""
    if machine.hold != "session":
        return []
    events = list(story.session)
    for role in (role for role in story.reports if not role.endswith("_booked")):
        events += [(r.at_ms, "reading") for r in story.of(role) if r.value is not None]
    order = {"down": 0, "renewed": 1, "resumed": 1, "up": 2, "reading": 3}
    events.sort(key=lambda event: (event[0], order[event[1]]))
    found: list[tuple[int, int]] = []
    proof: int | None = None
    ended = False
    for at, what in events:
        if what == "down":
            ended = True
            continue
        begins = what == "renewed" or (what == "resumed" and not machine.source_time)
        if proof is not None and at > proof and (ended or begins or at - proof > PROOF_MS):
            found.append((proof, at))
        proof, ended = at, False
    if proof is not None and (ended or horizon_ms - proof > PROOF_MS):
        found.append((proof, FOREVER))
    return found + _dead(story)


def _dead(story: Story) -> list[tuple[int, int]]:
    """Where the machine's own tag `alive` did not say that it lives."""
    if "alive" not in story.reports:
        return []
    said = [(-FOREVER, False), *((r.at_ms, bool(r.value)) for r in story.of("alive")), (FOREVER, True)]
    return [(a, b) for (a, lives), (b, _) in pairwise(said) if not lives]
