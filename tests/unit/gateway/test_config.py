"""The config: what is wrong is said as file:line: path: problem, all at once, with what to do."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.config import ConfigError, load, schema

GOOD = """\
site: bac-ninh-1
timezone: Asia/Ho_Chi_Minh
sources:
  plc:
    kind: modbus
    endpoint: tcp://127.0.0.1:502
    unit_id: 1
    profile: lineside/machine
    asset: press
assets:
  press:
    state: { tag: state, producing: [EXECUTE], idle: [IDLE] }
    total: total_count
    good: good_count
    ideal_cycle_time: 1s
journal: { path: data/journal.db, max_size: 1GiB }
sinks:
  vm: { kind: victoriametrics, url: "http://127.0.0.1:8428" }
"""


def problems(tmp_path: Path, text: str | bytes) -> list[str]:
    """What `load` says of this file, without the folder."""
    file = tmp_path / "site.yaml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ConfigError) as caught:
        load(file)
    return [str(problem).replace(f"{tmp_path}/", "") for problem in caught.value.problems]


def test_a_good_config_names_every_tag_with_its_asset(tmp_path: Path) -> None:
    (tmp_path / "site.yaml").write_text(GOOD)
    config = load(tmp_path / "site.yaml")
    assert {"press/state", "press/total_count", "source/plc/session"} <= {tag.name for tag in config.tags}
    assert config.journal_path == tmp_path / "data/journal.db"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (("asset: press\n", "aset: press\n"), "site.yaml:9: sources.plc.aset: unknown key; did you mean 'asset'?"),
        (("unit_id: 1", "unit_id: one"), "site.yaml:7: sources.plc.unit_id: input should be a valid integer"),
        (
            ("kind: modbus", "kind: modbuss"),
            "site.yaml:5: sources.plc.kind: unknown kind 'modbuss'; did you mean 'modbus'?",
        ),
        (
            ("lineside/machine", "lineside/machin"),
            "site.yaml:8: sources.plc.profile: no profile 'lineside/machin'; did you",
        ),
        (
            ("good: good_count", "good: god_count"),
            "site.yaml:14: assets.press.good: no tag 'press/god_count'; did you mean",
        ),
        (
            ("max_size: 1GiB", "max_size: 1 giga"),
            "site.yaml:16: journal.max_size: '1 giga' is not a size: write a number",
        ),
        (
            ("ideal_cycle_time: 1s", "ideal_cycle_time: 1"),
            "site.yaml:15: assets.press.ideal_cycle_time: 1 is not a duration",
        ),
        (
            ("timezone: Asia/Ho_Chi_Minh", "timezone: Asia/Hochi"),
            "site.yaml:2: timezone: 'Asia/Hochi' is not a time zone",
        ),
        (
            ("assets:\n", "lines:\n  a: { flow: serial, constraint: pres }\nassets:\n"),
            "site.yaml:11: lines.a.constraint: no asset 'pres'",
        ),
        (("assets:\n", "packs: [vietnm]\nassets:\n"), "site.yaml:10: packs: no pack 'vietnm'; did you mean 'vietnam'?"),
        (("site: bac-ninh-1\n", ""), "site.yaml:1: site: is missing"),
        (("sinks:\n", "sink:\n"), "site.yaml:17: sink: unknown key; did you mean 'sinks'?"),
        (
            ("tag: state, producing", "tag: state, producting"),
            "site.yaml:12: assets.press.state.producting: unknown key; did you",
        ),
        (
            ("    total: total_count\n", "    line: stampin\n    total: total_count\n"),
            "site.yaml:13: assets.press.line: ",
        ),
        (
            ("profile: lineside/machine", "profile: ${NO_SUCH_VARIABLE}"),
            "site.yaml:8: sources.plc.profile: the environment has no",
        ),
        (
            ("site: bac-ninh-1", "site: bac-ninh-1\nsite: two"),
            "site.yaml:2: site: is already given in line 1: give every name",
        ),
    ],
)
def test_what_is_wrong_is_said_with_file_line_path_and_what_to_do(
    tmp_path: Path, change: tuple[str, str], expected: str
) -> None:
    assert change[0] in GOOD
    found = problems(tmp_path, GOOD.replace(*change, 1))
    assert any(problem.startswith(expected) for problem in found), found


def test_a_source_given_twice_is_refused_with_both_lines(tmp_path: Path) -> None:
    twice = GOOD.replace("assets:\n", "  plc:\n    kind: modbus\nassets:\n")
    assert problems(tmp_path, twice) == ["site.yaml:10: sources.plc: is already given in line 4: give every name once"]


@pytest.mark.parametrize("name", ["kpi", "history"])
def test_names_of_the_journals_own_consumers_are_refused(tmp_path: Path, name: str) -> None:
    found = problems(tmp_path, GOOD.replace("  vm: {", f"  {name}: {{"))
    assert found == [f"site.yaml:18: sinks.{name}: '{name}' is a name of Lineside's own: take another one"]


def test_one_wrong_source_does_not_make_its_tags_look_wrong(tmp_path: Path) -> None:
    assert len(problems(tmp_path, GOOD.replace("unit_id: 1", "unit_id: one"))) == 1


def test_minutes_that_are_forgotten_before_their_facts_are_refused(tmp_path: Path) -> None:
    assert "minutes must stay" in problems(tmp_path, GOOD + "retention: { minutes: 1d }\n")[0]


def test_a_file_that_is_nested_too_deeply_is_refused(tmp_path: Path) -> None:
    assert "not YAML" in problems(tmp_path, "[" * 100_000)[0]


def test_two_sources_of_one_tag_are_refused(tmp_path: Path) -> None:
    block = GOOD[GOOD.index("  plc:") : GOOD.index("assets:")].replace("plc:", "plc-2:")
    found = problems(tmp_path, GOOD.replace("assets:\n", block + "assets:\n", 1))
    assert "tag 'press/state' is already delivered by source 'plc'" in "\n".join(found)


def test_all_problems_come_at_once_in_the_order_of_their_lines(tmp_path: Path) -> None:
    bad = GOOD.replace("unit_id: 1", "unit: 1").replace("kind: victoriametrics", "kind: vm").replace("site:", "sight:")
    found = problems(tmp_path, bad)
    lines = [int(problem.split(":")[1]) for problem in found]
    assert lines == sorted(lines)
    assert len(found) >= 4


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "site.yaml:1: is empty: start from configs/minimal.yaml"),
        ("# nothing\n", "site.yaml:1: is empty"),
        ("- a\n- b\n", "site.yaml:1: must be a mapping"),
        ("site: [\n", "site.yaml:2: not YAML"),
        (b"\xff\xfe\x00", "site.yaml:1: not YAML"),
        ("site: &a [*a]\n", "site.yaml:1: site.0: YAML aliases are not used"),
    ],
)
def test_a_file_that_is_no_config_at_all_is_refused(tmp_path: Path, text: str | bytes, expected: str) -> None:
    assert problems(tmp_path, text)[0].startswith(expected)


def test_a_missing_file_is_said_plainly(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.yaml:1: cannot be read: No such file"):
        load(tmp_path / "nowhere.yaml")


def test_a_byte_order_mark_and_windows_line_ends_do_not_matter(tmp_path: Path) -> None:
    (tmp_path / "site.yaml").write_bytes(b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode())
    assert load(tmp_path / "site.yaml").root.site == "bac-ninh-1"


def test_yaml_words_stay_words(tmp_path: Path) -> None:
    states = GOOD.replace("[EXECUTE]", "[on, 'yes', 06:30]")
    (tmp_path / "site.yaml").write_text(states)
    config = load(tmp_path / "site.yaml")
    assert config.root.assets["press"].state is not None
    assert config.root.assets["press"].state.producing == ("on", "yes", "06:30")


def test_a_secret_from_the_environment_is_never_printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINESIDE_TEST_TOKEN", "canary-4711")
    text = GOOD.replace("kind: victoriametrics,", 'kind: influxdb, org: a, bucket: b, token: "${LINESIDE_TEST_TOKEN}",')
    (tmp_path / "site.yaml").write_text(text)
    config = load(tmp_path / "site.yaml")
    assert "canary" not in repr(config)
    assert "canary" not in str(config.sinks)


@given(st.text(max_size=200))
def test_no_text_makes_the_loader_fail_in_another_way(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    file = tmp_path_factory.mktemp("any") / "site.yaml"
    file.write_text(text, encoding="utf-8", errors="surrogatepass")
    with pytest.raises(ConfigError):
        load(file)


@pytest.mark.parametrize("name", ["minimal", "demo", "site"])
def test_the_shipped_configs_are_good(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MQTT_PASSWORD", "x")
    monkeypatch.setenv("INFLUX_TOKEN", "x")
    assert load(Path(f"configs/{name}.yaml")).sources


def test_the_minimal_config_has_at_most_15_lines() -> None:
    assert len(Path("configs/minimal.yaml").read_text().splitlines()) <= 15


def test_the_schema_knows_every_kind_and_is_json() -> None:
    text = json.dumps(schema())
    for word in ('"modbus"', '"mqtt"', '"influxdb"', '"victoriametrics"', '"ideal_cycle_time"'):
        assert word in text


def test_files_count_from_the_configs_folder_and_must_be_there(tmp_path: Path) -> None:
    text = GOOD.replace("kind: victoriametrics,", "kind: influxdb, org: a, bucket: b, token_file: secrets/token,")
    assert problems(tmp_path, text) == [
        f"site.yaml:18: sinks.vm.token_file: there is no file {tmp_path}/secrets/token".replace(f"{tmp_path}/", "")
    ]
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets/token").write_text("t")
    sink = load(tmp_path / "site.yaml").sinks["vm"]
    assert sink.token_file == tmp_path / "secrets/token"  # type: ignore[attr-defined]
