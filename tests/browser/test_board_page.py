"""The page in a real browser: what someone on the shop floor sees."""

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import BoardThread, Viewer
from tests.browser.demo_data import NOW_MS, meter, snapshot, without_state

pytestmark = pytest.mark.browser

SIZE = "[document.documentElement.scrollWidth, document.documentElement.scrollHeight]"
CUT_OFF = """() => [...document.querySelectorAll('.tile *, .bar *')]
    .filter((e) => !e.closest('svg, .tile-name, .tile-line, .tile-since, .factor-bar, .parts-bar'))
    .filter((e) => e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).display !== 'inline')
    .map((e) => `${e.className}: ${e.textContent} ${e.scrollWidth} > ${e.clientWidth}`)"""
NUMBERS_PER_LINE = """() => [...document.querySelectorAll('.metrics')].map((row) => {
    const tops = [...row.querySelectorAll('dd')].map((e) => e.getBoundingClientRect().top);
    return tops.filter((top) => Math.abs(top - tops[0]) < 1).length;
})"""
SPILLED = """() => [...document.querySelectorAll('.tile')].flatMap((tile) => {
    const box = tile.getBoundingClientRect();
    return [...tile.querySelectorAll('dd, dt, strong, span')]
        .filter((e) => e.getClientRects().length && getComputedStyle(e).display !== 'none')
        .map((e) => [e, e.getBoundingClientRect()])
        .filter(([, inner]) => inner.bottom > box.bottom + 1 || inner.right > box.right + 1)
        .map(([e]) => `${tile.dataset.asset} ${e.className}: ${e.textContent}`);
})"""

OVERLAPS = """() => [...document.querySelectorAll('.tile')].flatMap((tile) => {
    const boxes = [...tile.querySelectorAll('h2, dt, dd, strong, span')]
        .filter((e) => e.textContent && e.getClientRects().length)
        .map((e) => {
            const text = document.createRange();
            text.selectNodeContents(e);
            return [e, text.getBoundingClientRect()];
        });
    return boxes.flatMap(([a, one], i) => boxes.slice(i + 1)
        .filter(([, two]) => Math.min(one.right, two.right) - Math.max(one.left, two.left) > 0.5
            && Math.min(one.bottom, two.bottom) - Math.max(one.top, two.top) > 0.25 * Math.min(one.height, two.height))
        .map(([b]) => `${tile.dataset.asset}: ${a.textContent} | ${b.textContent}`));
})"""
OUT_OF_RING = """() => [...document.querySelectorAll('.ring:not([hidden])')].filter((ring) => {
    const circle = ring.getBoundingClientRect();
    const text = document.createRange();
    text.selectNodeContents(ring.querySelector('.ring-number'));
    const box = text.getBoundingClientRect();
    const [x, y] = [circle.left + circle.width / 2, circle.top + circle.height / 2];
    // a line of text is a third higher than its digits
    const far = Math.max(Math.abs(box.top + box.height / 6 - y), Math.abs(box.bottom - box.height / 6 - y));
    const inner = (circle.width / 120) * (53 - 11 / 2);
    return Math.hypot(Math.max(x - box.left, box.right - x), far) > inner;
}).map((ring) => ring.textContent)"""

LOW_CONTRAST = """() => {
    const rgb = (text) => text.match(/[\\d.]+/g).map(Number);
    const light = ([r, g, b]) => [r, g, b].map((c) => c / 255)
        .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
        .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
    const ground = (e) => {
        for (let at = e; at; at = at.parentElement) {
            const colour = rgb(getComputedStyle(at).backgroundColor);
            if (colour.length < 4 || colour[3] === 1) return colour;
        }
    };
    return [...document.querySelectorAll('.bar *, .alerts *, .tile *, .panel-head *, .row-name, .tick')]
        .filter((e) => !e.closest('svg') && [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim()))
        .map((e) => {
            const [low, high] = [light(rgb(getComputedStyle(e).color)), light(ground(e))].sort((a, b) => a - b);
            return [(high + 0.05) / (low + 0.05), `${e.className} ${e.textContent}`];
        })
        .filter(([ratio]) => ratio < 4.5);
}"""


def tile(page: Page, asset: str) -> Any:
    return page.locator(f'.tile[data-asset="{asset}"]')


@pytest.mark.parametrize("machines", [1, 4, 5, 6, 8])
def test_a_wall_screen_shows_everything_without_scrolling(running: BoardThread, wall: Viewer, machines: int) -> None:
    running.publish(snapshot(machines))
    page = wall.open(running.url)
    assert page.locator(".tile").count() == machines
    assert page.evaluate(SIZE) == [1920, 1080]
    assert page.evaluate(CUT_OFF) == []
    assert page.evaluate(SPILLED) == []
    assert wall.errors == []


def test_a_phone_shows_one_column_without_scrolling_sideways(running: BoardThread, phone: Viewer) -> None:
    running.publish(snapshot(8, trouble=True))
    page = phone.open(running.url)
    assert page.evaluate(SIZE)[0] == 390
    lefts = page.evaluate("[...document.querySelectorAll('.tile, .panel')].map((e) => e.getBoundingClientRect().left)")
    assert len(lefts) == 10
    assert len(set(lefts)) == 1
    assert page.evaluate(CUT_OFF) == []
    assert page.evaluate(SPILLED) == []
    assert phone.errors == []


def test_long_numbers_and_names_stay_inside_their_places(running: BoardThread, wall: Viewer, phone: Viewer) -> None:
    for machines in (4, 8):
        plant = snapshot(machines)
        for asset in plant["assets"]:
            asset |= {"good": 123_456, "scrap": 1_234, "target": 130_000, "kw": 1234.5, "state": "S" * 40}
            asset["kpis"] |= {
                "sec": 0.005881,
                "carbon_intensity": 0.00038751,
                "oee": 1.0,
                "oee_low": 1.0,
                "oee_high": 1.0,
            }
            asset["asset"] += "-with-a-name-that-is-quite-long"
        running.publish(plant)
        for viewer in (wall, phone):
            page = viewer.open(running.url)
            expect(page.locator('[data-metric="carbon_intensity"] dd').first).to_have_text("0.00039")
            assert page.evaluate(CUT_OFF) == []
            assert page.evaluate(SPILLED) == []
            assert page.evaluate(NUMBERS_PER_LINE) == [3] * machines


UNKNOWN_SPANS = [(0.62, 1.0, 1.65), (0.33, 0.75, 1.65), (0.01, 1.0, 1.65), (0.75, 1.0, 1.0), (0.99, 1.0, 0.04)]


@pytest.mark.parametrize("size", [(1920, 1080), (1366, 768), (390, 844)])
@pytest.mark.parametrize("trouble", [False, True])
def test_the_widest_ranges_overlap_nothing(
    running: BoardThread, wall: Viewer, size: tuple[int, int], trouble: bool
) -> None:
    wall.page.set_viewport_size({"width": size[0], "height": size[1]})
    for machines in (1, 4, 8):
        plant = snapshot(machines, trouble=trouble)
        for index, asset in enumerate(plant["assets"]):
            low, high, performance = UNKNOWN_SPANS[index % len(UNKNOWN_SPANS)]
            bounds = {"oee": low, "oee_low": low, "oee_high": high, "effectiveness": performance}
            bounds |= {"effectiveness_low": performance * low / high, "effectiveness_high": performance}
            asset["kpis"] |= bounds | {"availability": low, "availability_low": low, "availability_high": high}
        running.publish(plant)
        page = wall.open(running.url)
        expect(page.locator(".tile")).to_have_count(machines)
        expect(page.locator(".ring-number").first).to_have_text("62–100 %")
        assert page.evaluate(OVERLAPS) == []
        assert page.evaluate(OUT_OF_RING) == []
        assert page.evaluate(CUT_OFF) == []
        assert page.evaluate(SPILLED) == []
        assert page.evaluate(SIZE)[0] == size[0]


def test_performance_is_a_range_where_parts_were_made_in_unknown_time(running: BoardThread, wall: Viewer) -> None:
    plant = snapshot(4)
    known = {"availability": 0.4, "availability_low": 0.4, "availability_high": 0.8, "coverage": 0.6}
    performance = {"effectiveness": 1.65, "effectiveness_low": 0.825, "effectiveness_high": 1.65}
    plant["assets"][0]["kpis"] |= known | performance
    running.publish(plant)
    page = wall.open(running.url)
    value = tile(page, "press-01").locator('[data-factor="effectiveness"] dd')
    expect(value).to_have_text("83–165 %")
    value.click()
    expect(page.locator("#why")).to_have_text(
        "40 % of the planned time is unknown. The parts made meanwhile count, the time does not: "
        "165 % if the machine stood still all the while, 83 % if it ran."
    )
    expect(tile(page, "press-02").locator('[data-factor="effectiveness"] dd')).to_have_text("95 %")


def test_the_numbers_of_the_snapshot_are_on_the_tile(running: BoardThread, wall: Viewer) -> None:
    plant = snapshot(4)
    press = plant["assets"][0]
    press |= {"state": "EXECUTE", "class": "producing", "since_ms": NOW_MS - 300_000, "kw": 12.34}
    press |= {"good": 1204, "total": 1216, "scrap": 12, "target": 1400}
    press["kpis"] = {
        "oee": 0.714, "availability": 0.85, "effectiveness": 0.854, "quality_rate": 0.99,
        "sec": 0.0512, "carbon_intensity": 0.0337, "coverage": 1.0,
    }  # fmt: skip
    running.publish(plant)
    shown = tile(wall.open(running.url), "press-01")
    words = ["Producing", "EXECUTE · 5 min", "71 %", "1,204", "/ 1,400", "12 scrap", "12.3", "0.0512", "0.0337"]
    for text in [*words, "85 %", "99 %", "stamping"]:
        expect(shown.get_by_text(text, exact=True).first).to_be_visible()
    expect(shown).to_have_attribute("data-class", "producing")


def test_new_snapshots_appear_by_themselves(running: BoardThread, wall: Viewer) -> None:
    running.publish(snapshot(4))
    page = wall.open(running.url)
    changed = snapshot(4)
    changed["assets"][0] |= {"class": "fault", "state": "ABORTED"}
    del changed["assets"][3]
    running.publish(changed)
    expect(tile(page, "press-01").locator(".tile-word")).to_have_text("Fault")
    expect(page.locator(".tile")).to_have_count(3)


def test_unknown_time_shows_both_bounds_and_is_hatched(running: BoardThread, wall: Viewer) -> None:
    plant = snapshot(4)
    silent = plant["assets"][1]
    silent |= {"class": "unknown", "state": None}
    silent["kpis"] |= {"oee": 0.62, "oee_low": 0.62, "oee_high": 0.71, "coverage": 0.91}
    silent["segments"] = [[NOW_MS - 600_000, NOW_MS, "unknown"]]
    running.publish(plant)
    page = wall.open(running.url)
    shown = tile(page, "press-02")
    expect(shown.locator(".ring-number")).to_have_text("62–71 %")
    expect(shown.locator(".tile-word")).to_have_text("Unknown")
    hatched = "(e) => getComputedStyle(e).backgroundImage.startsWith('repeating-linear-gradient')"
    assert shown.locator(".tile-head").evaluate(hatched)
    span = page.locator('.row:has-text("press-02") .layer:last-child .span[data-class="unknown"]')
    assert span.evaluate(hatched)
    expect(page.locator("#legend")).to_contain_text("Unknown")


def test_a_missing_value_is_a_dash_that_tells_why_when_tapped(running: BoardThread, phone: Viewer) -> None:
    plant = snapshot(4)
    plant["assets"][0]["kpis"] |= {"oee": None, "sec": None}
    plant["assets"][0]["reasons"] = {"oee": "no planned time yet", "sec": "no good part yet"}
    running.publish(plant)
    page = phone.open(running.url)
    expect(tile(page, "press-01").locator(".ring-number")).to_have_text("–")
    dash = tile(page, "press-01").locator('[data-metric="sec"] dd')
    expect(dash).to_have_text("–")
    dash.tap()
    expect(page.locator("#why")).to_have_text("no good part yet")
    tile(page, "press-02").tap()
    expect(page.locator("#why")).to_be_hidden()


def test_numbers_whose_data_are_not_good_say_so_with_their_scores(running: BoardThread, wall: Viewer) -> None:
    plant = snapshot(4)
    scores = {"data_accurate": 1.0, "data_sufficient": 0.871, "data_clean": 0.99, "data_live": 0.9}
    plant["assets"][1] |= {"status": "uncertain", "scores": scores}
    plant["assets"][2] |= {"status": "good", "scores": scores}
    plant["lines"][0] |= {"status": "bad", "scores": scores | {"data_live": 0.5}}
    running.publish(plant)
    page = wall.open(running.url)
    places = [tile(page, asset["asset"]).locator(".tile-line") for asset in plant["assets"]]
    expect(places[1]).to_have_text(f"{plant['assets'][1]['line']} · data uncertain")
    expect(places[2]).to_have_text(plant["assets"][2]["line"])
    places[1].click()
    expect(page.locator("#why")).to_contain_text("sufficient 87 %, live 90 %")
    expect(page.locator("li", has_text="data bad")).to_have_attribute("title", re.compile("^live 50 %"))
    assert page.evaluate(CUT_OFF) == []
    assert wall.errors == []


def test_of_a_meter_only_its_electricity_is_shown(running: BoardThread, wall: Viewer) -> None:
    plant = snapshot(1)
    plant["assets"][0] = meter(plant["assets"][0])
    running.publish(plant)
    wall.page.goto(running.url)
    wall.page.wait_for_selector("#energy[data-ready]")
    shown = tile(wall.page, "press-01")
    for hidden in (".ring", ".factors", ".parts", '[data-metric="sec"]'):
        expect(shown.locator(hidden)).to_be_hidden()
    expect(shown.locator('[data-metric="kw"] dd')).to_have_text("18.4")
    expect(shown.locator('[data-metric="energy"] dt')).to_have_text("kWh since 06:00")
    expect(shown.locator('[data-metric="co2e"]')).to_be_visible()
    expect(shown).not_to_contain_text("Unknown")
    expect(wall.page.locator("#states")).to_be_hidden()
    assert wall.page.locator("#energy .barlayer .trace").count() == 1
    assert wall.errors == []


@pytest.mark.parametrize("size", [(1920, 1080), (1366, 768), (390, 844)])
def test_tiles_with_fewer_roles_fit_beside_the_others(
    running: BoardThread, wall: Viewer, size: tuple[int, int]
) -> None:
    wall.page.set_viewport_size({"width": size[0], "height": size[1]})
    for machines in (4, 8):
        plant = snapshot(machines)
        plant["assets"][:2] = [meter(plant["assets"][0]), without_state(plant["assets"][1])]
        running.publish(plant)
        page = wall.open(running.url)
        expect(tile(page, "press-02").locator(".parts-good")).to_be_visible()
        expect(tile(page, "press-02").locator('[data-factor="availability"]')).to_be_hidden()
        expect(tile(page, "press-02").locator('[data-factor="quality_rate"]')).to_be_visible()
        expect(page.locator("#timeline .row")).to_have_count(machines - 2)
        for check in (OVERLAPS, CUT_OFF, SPILLED):
            assert page.evaluate(check) == []


def test_power_that_was_not_measured_for_ten_seconds_looks_old(running: BoardThread, wall: Viewer) -> None:
    plant = snapshot(4)
    plant["assets"][0]["kw_ms"] = NOW_MS - 9_000
    plant["assets"][1]["kw_ms"] = NOW_MS - 25_000
    plant["assets"][2] |= {"kw": None, "kw_ms": NOW_MS - 90_000}
    running.publish(plant)
    page = wall.open(running.url)
    fresh, old, gone = (tile(page, f"press-0{n}").locator('[data-metric="kw"] dd') for n in (1, 2, 3))
    expect(old).to_have_class("is-old")
    old.click()
    expect(page.locator("#why")).to_have_text("no newer reading since 11:41:48")
    expect(gone).to_have_text("–")
    gone.click()
    expect(page.locator("#why")).to_have_text("no newer reading since 11:40:43")
    assert "is-old" not in (fresh.get_attribute("class") or "")


def test_numbers_below_one_keep_their_decimals(running: BoardThread, wall: Viewer) -> None:
    plant = snapshot(4)
    for asset, per_part in zip(plant["assets"], (0.006, 0.0115, 0.12, 12.0), strict=True):
        asset["kpis"]["sec"] = per_part
    running.publish(plant)
    page = wall.open(running.url)
    expect(page.locator('[data-metric="sec"] dd')).to_have_text(["0.0060", "0.0115", "0.120", "12.0"])


def test_a_silent_gateway_is_said_with_the_time_of_its_last_word(running: BoardThread, wall: Viewer) -> None:
    running.publish(snapshot(4))
    page = wall.open(running.url)
    expect(page.locator("#banner")).to_be_hidden()
    running.fall_silent()
    expect(page.locator("#banner")).to_have_text("No contact with the gateway since 11:42:13", timeout=10_000)
    assert page.evaluate(SIZE) == [1920, 1080]
    running.publish(snapshot(4))
    expect(page.locator("#banner")).to_be_hidden()


def test_the_page_comes_back_by_itself_when_the_board_restarts(running: BoardThread, wall: Viewer) -> None:
    running.publish(snapshot(4))
    page = wall.open(running.url)
    running.stop()
    expect(page.locator("#banner")).to_be_visible(timeout=10_000)
    changed = snapshot(4)
    changed["assets"][0]["class"] = "setup"
    running.publish(changed)
    running.start()
    expect(tile(page, "press-01").locator(".tile-word")).to_have_text("Set-up", timeout=15_000)
    expect(page.locator("#banner")).to_be_hidden()


@pytest.mark.parametrize("where", ["asset", "line", "state", "window"])
def test_markup_in_names_stays_text(running: BoardThread, wall: Viewer, where: str) -> None:
    payload = "<img src=x onerror=alert(1)><script>alert(2)</script>"
    plant = snapshot(4)
    for asset in plant["assets"][:1] if where == "asset" else plant["assets"]:
        asset[where] = payload
    plant["lines"][0]["line"] = payload
    plant["health"]["sources"][0] |= {"name": payload, "state": "down", "reason": payload}
    plant["assets"][0]["reasons"] = {"kw": payload}
    plant["assets"][0]["kw"] = None
    running.publish(plant)
    page = wall.open(running.url)
    page.locator('[data-metric="kw"] dd').first.click()
    assert page.locator("img").count() == 0
    assert page.locator("body script").count() == 0
    expect(page.locator("body")).to_contain_text(payload)
    assert wall.errors == []


def test_troubles_of_sources_are_told_in_words(running: BoardThread, wall: Viewer) -> None:
    running.publish(snapshot(4, trouble=True))
    page = wall.open(running.url)
    expect(page.locator("#alerts")).to_have_text("Source hall-2 is down since 11:28: 10.0.7.11:502 refuses connections")
    expect(page.locator("#health")).to_contain_text("Sources 1/2")
    assert page.evaluate(SIZE) == [1920, 1080]


def test_the_timeline_has_a_row_per_machine_up_to_now(running: BoardThread, wall: Viewer) -> None:
    running.publish(snapshot(6))
    page = wall.open(running.url)
    rows = page.locator("#timeline .row")
    expect(rows).to_have_count(6)
    ends = """(row) => {
        const track = row.querySelector('.track').getBoundingClientRect();
        const spans = [...row.querySelectorAll('.span')].map((span) => span.getBoundingClientRect());
        const [first, last] = [Math.min(...spans.map((s) => s.left)), Math.max(...spans.map((s) => s.right))];
        return [first - track.left, track.right - last];
    }"""
    left, right = rows.first.evaluate(ends)
    assert abs(left) <= 1
    assert -1 <= right < 8
    expect(page.locator(".tick").first).to_have_text("06:00")
    assert "Fault" in str(rows.nth(2).locator(".track").get_attribute("aria-label"))


def test_the_first_states_of_a_new_plant_appear_at_once(running: BoardThread, wall: Viewer) -> None:
    plant = snapshot(2)
    for index, asset in enumerate(plant["assets"]):
        asset |= {"asset": f"new-{index}", "segments": [], "class": "unknown", "since_ms": None, "kpis": {}}
        del asset["window_from_ms"]
    running.publish(plant)
    wall.page.goto(running.url)
    rows = wall.page.locator("#timeline .row")
    expect(rows).to_have_count(2)
    for asset in plant["assets"]:
        spans = [[NOW_MS - 4_000, NOW_MS - 2_500, "idle"], [NOW_MS - 2_500, NOW_MS, "producing"]]
        asset |= {"segments": spans, "class": "producing", "since_ms": NOW_MS - 2_500, "window_from_ms": NOW_MS - 4_000}
    hour_ms = NOW_MS - NOW_MS % 3_600_000
    plant["assets"][0]["open"] = {"from_ms": NOW_MS, "energy": [{"hour_ms": hour_ms, "kwh": {"producing": 0.01}}]}
    running.publish(plant)
    expect(rows.first.locator('.span[data-class="producing"]')).not_to_have_count(0)
    expect(wall.page.locator(".tile-since").first).to_have_text("EXECUTE · 2 s")
    left = "(row, part) => row.querySelector(part).getBoundingClientRect().left"
    assert 0 <= rows.first.evaluate(left, ".span") - rows.first.evaluate(left, ".track") < 100
    expect(wall.page.locator("#energy .barlayer .trace")).to_have_count(1)
    assert wall.errors == []


def test_the_energy_chart_is_drawn_with_a_bar_per_hour(running: BoardThread, wall: Viewer) -> None:
    running.publish(snapshot(4))
    page = wall.open(running.url)
    assert page.locator("#energy .barlayer .trace").first.locator(".point").count() == 10
    expect(page.locator("#energy .xtick text").last).to_have_text("11")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_stands_out_from_its_ground(running: BoardThread, wall: Viewer, theme: Any) -> None:
    running.publish(snapshot(8, trouble=True))
    wall.page.emulate_media(color_scheme=theme)
    page = wall.open(running.url)
    assert page.evaluate(LOW_CONTRAST) == []
