"""Supervision: the only owner of reconnect, back-off and retry."""

from gateway.flow.backoff import Backoff
from gateway.flow.deliver import deliver, follow
from gateway.flow.ingest import Presence, ingest, prove_life
from gateway.flow.link import Link

__all__ = ["Backoff", "Link", "Presence", "deliver", "follow", "ingest", "prove_life"]
