"""`make screenshots`: pictures for the docs, taken of a running `lineside demo`.

python -m tests.browser.screenshots FOLDER [--seconds 150]
"""

import argparse
import asyncio
import re
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

from playwright.async_api import async_playwright

from tests.browser.conftest import CHROMIUM, FLAGS

PICTURES = {"board": (1920, 1080, 1.0), "board-phone": (390, 844, 2.0)}


async def take(folder: Path, seconds: float) -> None:
    """Runs the demo for some minutes, so that the timeline has something to tell, and takes every picture."""
    folder.mkdir(parents=True, exist_ok=True)
    demo = await asyncio.create_subprocess_exec(sys.executable, "-m", "gateway", "demo", stdout=PIPE)
    assert demo.stdout
    line = (await demo.stdout.readline()).decode()
    found = re.search(r"http://\S+", line)
    assert found, line
    drain = asyncio.create_task(demo.stdout.read())
    try:
        await asyncio.sleep(seconds)
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
            for name, (width, height, scale) in PICTURES.items():
                page = await browser.new_page(viewport={"width": width, "height": height}, device_scale_factor=scale)
                await page.goto(found[0])
                await page.wait_for_timeout(4000)
                await page.screenshot(path=folder / f"{name}.png", full_page=name == "board-phone")
            await browser.close()
    finally:
        demo.terminate()
        await drain
        await demo.wait()


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seconds", type=float, default=150)
    asked = parser.parse_args()
    asyncio.run(take(asked.folder, asked.seconds))


if __name__ == "__main__":
    main()
