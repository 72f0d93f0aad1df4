from pathlib import Path

import pytest

from gateway.config import ConfigError, load, models
from gateway.kpi.asset import TimeClass
from gateway.kpi.model import dump
from gateway.kpi.model import load as load_model
from gateway.kpi.reasons import ReasonConfig, Reasons
from gateway.model import TagTable

SITE = """
site: works
sources:
  cell:
    kind: mqtt
    broker: mqtt://127.0.0.1
    tags:
      press/state: { topic: a, path: $.state, type: string }
      press/good:  { topic: a, path: $.good,  type: uint16, counter: true }
      press/pulse: { topic: a, path: $.pulse, type: bool }
      press/job:   { topic: a, path: $.job,   type: string }
assets:
  press:
    state: { tag: state, producing: [RUN], idle: [STOP] }
    good: { tag: good, rolls_over_at: 10000, max_rate: 60/min }
    scrap: { tag: pulse, kind: pulse }
    product: job
    minor_stop: 2min
    ideal_cycle_time: 3s
  saw: {}
"""


def written(folder: Path, more: str, products: str = "") -> Path:
    (folder / "site.yaml").write_text(SITE + more)
    (folder / "products.csv").write_text(products)
    return folder / "site.yaml"


def problems(folder: Path, more: str, products: str = "") -> list[str]:
    with pytest.raises(ConfigError) as found:
        load(written(folder, more, products))
    return str(found.value).replace(f"{folder}/", "").splitlines()


def test_products_have_ideal_times_for_every_asset_or_for_some(tmp_path: Path) -> None:
    more = "products:\n  A: { ideal_cycle_time: 2s }\n"
    more += "  4711/B: { title: Box, ideal_cycle_time: { press: 1500ms, '*': 4s } }\n"
    config = load(written(tmp_path, more))
    found = models(config.root, TagTable(enumerate(config.tags)))
    assert dict(found["press"].ideal_by_product) == {"A": 2_000_000, "4711/B": 1_500_000}
    assert dict(found["saw"].ideal_by_product) == {"A": 2_000_000, "4711/B": 4_000_000}


def test_products_come_from_a_table_too(tmp_path: Path) -> None:
    table = "product;asset;ideal_cycle_time;title\nA;;2s;Angle\nA;press;1.8s;\nB;press;90s;\nC;;;Cover\n"
    config = load(written(tmp_path, "products_file: products.csv\nproducts: { D: { ideal_cycle_time: 7s } }\n", table))
    press = models(config.root, TagTable(enumerate(config.tags)))["press"]
    assert dict(press.ideal_by_product) == {"A": 1_800_000, "B": 90_000_000, "D": 7_000_000}
    assert {name: product.title for name, product in config.root.products.items()} == {
        "A": "Angle",
        "B": "",
        "C": "Cover",
        "D": "",
    }


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        (
            "product,asset,ideal_cycle_time\nA,press,2\n",
            "products.csv:2: '2' is not a duration: write a number and a unit",
        ),
        ("product,asset,ideal_cycle_time\nA,pres,2s\n", "products.csv:2: no asset 'pres'; did you mean 'press'?"),
        ("product,asset,ideal_cycle_time\n\n,press,2s\n", "products.csv:3: has no product"),
        ("product,ideal_cycle_time\nA,2s\nA,3s\n", "products.csv:3: product 'A' has a time on every asset already"),
        ("product,cycle_time\nA,2s\n", "products.csv:1: unknown column 'cycle_time'; did you mean 'ideal_cycle_time'?"),
        ("asset,ideal_cycle_time\nA,2s\n", "products.csv:1: no column `product`"),
        ("product,ideal_cycle_time\nA,0s\n", "products.csv:2: '0s': a part takes longer than that"),
    ],
)
def test_what_is_wrong_in_the_table_is_named_with_its_line(tmp_path: Path, table: str, expected: str) -> None:
    assert problems(tmp_path, "products_file: products.csv\n", table)[0].startswith(expected)


def test_a_product_is_given_once_and_its_assets_exist(tmp_path: Path) -> None:
    more = "products_file: products.csv\nproducts:\n  A: { ideal_cycle_time: { pres: 2s } }\n"
    found = problems(tmp_path, more, "product,ideal_cycle_time\nA,2s\n")
    assert "products.A: is also in products.csv: give every product once" in found[0]
    assert "products.A.ideal_cycle_time.pres: no asset 'pres'; did you mean 'press'?" in found[1]
    assert "there is no" not in "".join(found)


def test_a_table_that_is_not_there_is_said(tmp_path: Path) -> None:
    assert "nowhere.csv cannot be read: No such file" in problems(tmp_path, "products_file: nowhere.csv\n")[0]


def test_counts_say_how_their_tag_counts(tmp_path: Path) -> None:
    config = load(written(tmp_path, ""))
    press = models(config.root, TagTable(enumerate(config.tags)))["press"]
    good, scrap = press.bindings["good"], press.bindings["scrap"]
    assert (good.kind, good.modulus, good.min_cycle_us) == ("counter", 10_000, 1_000_000)
    assert (scrap.kind, scrap.modulus, scrap.tag_name) == ("pulse", 0, "press/pulse")
    assert (press.bindings["product"].is_text, press.minor_stop_ms) == (True, 120_000)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("kind: pulse", "kind: booked", "a booked count has no tag: people book it"),
        ("kind: pulse", "kind: pulse, rolls_over_at: 10", "`rolls_over_at` is for a counter, not for pulses"),
        ("{ tag: pulse, kind: pulse }", "{ kind: pulse }", "needs a `tag`"),
        ("{ tag: pulse, kind: pulse }", "job", "is a text: scrap needs a number"),
        ("kind: pulse", "kind: puls", "assets.press.scrap.kind"),
    ],
)  # fmt: skip
def test_a_count_that_cannot_be_meant_is_refused(tmp_path: Path, old: str, new: str, expected: str) -> None:
    (tmp_path / "site.yaml").write_text(SITE.replace(old, new))
    with pytest.raises(ConfigError, match=expected):
        load(tmp_path / "site.yaml")


def test_people_may_book_a_count_beside_one_that_a_machine_makes(tmp_path: Path) -> None:
    (tmp_path / "site.yaml").write_text(SITE.replace("{ tag: pulse, kind: pulse }", "{ kind: booked }"))
    config = load(tmp_path / "site.yaml")
    scrap = models(config.root, TagTable(enumerate(config.tags)))["press"].bindings["scrap"]
    assert (scrap.kind, scrap.tag) == ("booked", -1)


def test_people_cannot_book_every_count_of_an_asset(tmp_path: Path) -> None:
    more = SITE.replace("  saw: {}", "  saw: { scrap: { kind: booked } }")
    (tmp_path / "site.yaml").write_text(more)
    with pytest.raises(ConfigError, match=r"assets\.saw\.scrap: one of total, good and scrap must come from a tag"):
        load(tmp_path / "site.yaml")


def test_reasons_are_a_tree_whose_branches_hand_their_class_down() -> None:
    tree = {
        "mechanical": ReasonConfig.model_validate(
            {"class": "fault", "reasons": {"bearing": {"title": "Worn bearing"}, "oiling": {"class": "maintenance"}}}
        ),
        "canteen": ReasonConfig.model_validate({"reasons": {"lunch": {}}}),
    }
    found = Reasons.of(tree)
    assert found.titles == {
        "mechanical": "mechanical",
        "mechanical/bearing": "Worn bearing",
        "mechanical/oiling": "oiling",
        "canteen": "canteen",
        "canteen/lunch": "lunch",
    }
    assert found.classes == {
        "mechanical": TimeClass.FAULT,
        "mechanical/bearing": TimeClass.FAULT,
        "mechanical/oiling": TimeClass.MAINTENANCE,
        "canteen": None,
        "canteen/lunch": None,
    }


def test_reasons_products_and_thresholds_are_part_of_the_model_and_its_hash(tmp_path: Path) -> None:
    more = "reasons: { jam: { class: fault }, tea: {} }\nproducts: { A: { ideal_cycle_time: 2s } }\n"
    config = load(written(tmp_path, more))
    tags = TagTable(enumerate(config.tags))
    press = models(config.root, tags)["press"]
    assert press.reasons == {"jam": TimeClass.FAULT, "tea": None}
    assert load_model(dump(press, tags), press.hash, tags) == press
    for other in (more.replace("fault", "idle"), more.replace("2s", "3s"), ""):
        changed = load(written(tmp_path, other))
        assert models(changed.root, tags)["press"].hash != press.hash
    renamed = load(written(tmp_path, more.replace("tea", "coffee")))
    assert models(renamed.root, tags)["press"].hash == press.hash  # it changes no number
