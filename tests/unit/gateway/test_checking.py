"""What `lineside check` says of assets."""

from pathlib import Path

from rich.console import Console

from gateway.checking import print_check
from gateway.config import load

CONFIG = """
site: plant
sources:
  cell:
    kind: mqtt
    broker: mqtt://127.0.0.1
    tags:
      press-1/state: { topic: a, path: $.state, type: string }
      press-2/state: { topic: b, path: $.state, type: string }
      weld/state: { topic: c, path: $.state, type: string }
      weld/total: { topic: c, path: $.total, type: uint32, counter: true }
assets:
  press-1: { state: { tag: state, producing: [RUN] } }
  weld: { state: { tag: state, producing: [RUN] }, total: total }
  press-2: { state: { tag: state, producing: [RUN] } }
"""


def test_assets_that_have_and_lack_the_same_are_said_together(tmp_path: Path) -> None:
    file, console = tmp_path / "plant.yaml", Console(width=4000, highlight=False, markup=False)
    file.write_text(CONFIG)
    with console.capture() as found:
        assert print_check(load(file), console)
    lines = found.get().splitlines()
    owners = [line.partition(": ") for line in lines[1:] if not line.startswith(" ")]
    assert [owner for owner, _, _ in owners] == ["press-1, press-2", "weld"]
    assert ["throughput" in computed for _, _, computed in owners] == [False, True]
    assert sum("throughput" in line for line in lines) == 2  # once as computed, once with what it needs
