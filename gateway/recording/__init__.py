"""Recordings: readings in a file, with their own times; see docs/replay.md."""

from gateway.recording.dictionary import is_raw, unproven
from gateway.recording.file import create_recording, open_recording
from gateway.recording.page import Reader, Wanted, Writer

__all__ = ["Reader", "Wanted", "Writer", "create_recording", "is_raw", "open_recording", "unproven"]
