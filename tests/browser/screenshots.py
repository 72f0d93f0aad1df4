"""`make screenshots`: pictures for the docs, taken of a running `lineside demo`.

    python -m tests.browser.screenshots FOLDER [--seconds 150] [--shifts FOLDER] [--only NAME …]

FOLDER gets the board as it looks after some minutes; the folder of `--shifts` the board near the end of a shift of the
shipped scenarios, sixty times as fast.
"""

import argparse
import asyncio
import re
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from playwright.async_api import Page, async_playwright

from tests.browser.conftest import CHROMIUM, FLAGS

PICTURES = {"board": (1920, 1080, 1.0), "board-phone": (390, 844, 2.0)}
SHIFTS = {
    "stamping": "2026-03-02T05:59",
    "injection": "2026-03-02T05:59",
    "packaging": "2026-03-02T05:59",
    "bad-day": "2026-03-02T06:00",
    "steel-mill-energy": "2026-03-02T06:00",
}
SPEED, SHIFT_H = 60, 7.5


@asynccontextmanager
async def demo(*options: str) -> AsyncIterator[str]:
    """A running demo; yields where its board is."""
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "gateway", "demo", *options, stdout=PIPE)
    assert process.stdout
    line = (await process.stdout.readline()).decode()
    found = re.search(r"http://\S+", line)
    assert found, line
    drain = asyncio.create_task(process.stdout.read())
    try:
        yield found[0]
    finally:
        process.terminate()
        await drain
        await process.wait()


@asynccontextmanager
async def looking(url: str, width: int, height: int, scale: float) -> AsyncIterator[Page]:
    """A browser's page of so many pixels that has had time to draw."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = await browser.new_page(viewport={"width": width, "height": height}, device_scale_factor=scale)
        await page.goto(url)
        await page.wait_for_timeout(4000)
        yield page
        await browser.close()


async def take(folder: Path, seconds: float) -> None:
    """Runs the demo for some minutes, so that the timeline has something to tell, and takes every picture."""
    folder.mkdir(parents=True, exist_ok=True)
    async with demo() as url:
        await asyncio.sleep(seconds)
        for name, (width, height, scale) in PICTURES.items():
            async with looking(url, width, height, scale) as page:
                await page.screenshot(path=folder / f"{name}.png", full_page=name == "board-phone")


async def take_shift(folder: Path, scenario: str, hours: float) -> None:
    """Runs a scenario from the beginning of its shift to near its end, and takes a small picture of its board."""
    async with demo("--scenario", scenario, "--speed", str(SPEED), "--from", SHIFTS[scenario]) as url:
        await asyncio.sleep(3600 * hours / SPEED)
        async with looking(url, 1440, 900, 0.8) as page:
            await page.screenshot(path=folder / f"{scenario}.jpg", type="jpeg", quality=72)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seconds", type=float, default=150, help="0: no pictures of the demo")
    parser.add_argument("--shifts", type=Path)
    parser.add_argument("--only", nargs="*", choices=list(SHIFTS))
    parser.add_argument("--hours", type=float, default=SHIFT_H)
    asked = parser.parse_args()
    if asked.seconds:
        asyncio.run(take(asked.folder, asked.seconds))
    if asked.shifts:
        for scenario in asked.only or SHIFTS:
            asyncio.run(take_shift(asked.shifts, scenario, asked.hours))


if __name__ == "__main__":
    main()
