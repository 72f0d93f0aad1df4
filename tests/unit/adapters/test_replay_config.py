"""A recording as a source: what its config may say."""

from pathlib import Path

import pytest

from gateway.config import ConfigError, load

HEAD = (
    "# lineside recording 1\n"
    '# tag {"name": "m/kwh", "unit": "kWh", "counter": true, "source": "x", "period_ms": 1000}\n'
)


def site(folder: Path, said: str, head: str = HEAD) -> Path:
    (folder / "x.csv").write_text(head + "time,tag,value\n1772406000,m/kwh,5\n")
    (folder / "site.yaml").write_text(f"site: s\nsources:\n  r: {{ kind: replay, {said} }}\n")
    return folder / "site.yaml"


def test_without_tags_it_delivers_what_the_recording_has(tmp_path: Path) -> None:
    (tag, own) = load(site(tmp_path, "file: x.csv")).tags
    assert (tag.name, tag.unit, tag.counter, own.name) == ("m/kwh", "kWh", True, "source/r/session")


def test_what_no_session_in_the_recording_proves_holds_until_the_next_reading(tmp_path: Path) -> None:
    assert load(site(tmp_path, "file: x.csv")).tags[0].source == ""
    assert load(site(tmp_path, "file: x.csv")).tags[0].period_ms == 0
    proven = HEAD + '# tag {"name": "source/x/session", "type": "bool"}\n'
    assert load(site(tmp_path, "file: x.csv", proven)).tags[0].source == "x"


def test_a_tag_may_have_another_name_and_more_properties_than_the_recording_says(tmp_path: Path) -> None:
    tag = load(site(tmp_path, "file: x.csv, tags: { press/energy: { from: m/kwh, modulus: 1000 } }")).tags[0]
    assert (tag.name, tag.unit, tag.modulus) == ("press/energy", "kWh", 1000)


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ("file: y.csv", "there is no file"),
        ("file: x.csv, tags: { m/kw: {} }", "the recording has no tag 'm/kw': it has m/kwh"),
        ("file: x.csv, timezone: Hanoi", "'Hanoi' is not a time zone"),
        ("file: x.csv, pace: 3", "unknown key"),
    ],
)
def test_a_wrong_config_says_what_to_change(tmp_path: Path, said: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        load(site(tmp_path, said))
