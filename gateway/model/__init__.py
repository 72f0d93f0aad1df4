"""What flows through Lineside: tags, readings in columns, their quality, and the plant's tree."""

from gateway.model.batch import Batch, BatchBuilder, Reading
from gateway.model.quality import BAD, GOOD, UNCERTAIN, Reason, bad, describe, is_good, is_usable, uncertain
from gateway.model.site import Site
from gateway.model.tag import Place, Tag, TagTable, TagType, place, session

__all__ = [
    "BAD",
    "GOOD",
    "UNCERTAIN",
    "Batch",
    "BatchBuilder",
    "Place",
    "Reading",
    "Reason",
    "Site",
    "Tag",
    "TagTable",
    "TagType",
    "bad",
    "describe",
    "is_good",
    "is_usable",
    "place",
    "session",
    "uncertain",
]
