"""How long a reader waits for the first cut of a volume, for `test_page.py`; words as in `walk_the_page.py`.

It prints the seconds from the click on the case to the drawn cut, one number for each time that it was opened.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from playwright.sync_api import Page, expect, sync_playwright
from walk_the_page import CHROMIUM, LONGEST_WAIT

TIMES = 3
POLL = 100

WATCH = """() => {
  document.addEventListener("click", (event) => {
    if (!event.target.closest(".case")) return;
    const begun = performance.now();
    const look = () => {
      const place = document.querySelector(".toolbar span:not(.gap)");
      if (!place) return requestAnimationFrame(look);
      requestAnimationFrame(() => { window.waited = (performance.now() - begun) / 1000; });
    };
    requestAnimationFrame(look);
  }, true);
}"""
"""The place of the cuts is told once they are drawn; the frame after that is on the screen."""


def walk(page: Page, address: str, volume: Path) -> list[float]:
    page.goto(address)
    page.set_input_files("input[type=file]", volume)
    case = page.locator(".case", has_text=volume.name)
    expect(case).to_be_visible(timeout=3 * LONGEST_WAIT)
    waited = []
    for _ in range(TIMES):
        page.reload()
        page.locator(".case", has_text="other.png").click()
        expect(page.locator(".lesion").first).to_be_visible(timeout=LONGEST_WAIT)
        page.evaluate(WATCH)
        case.click()
        waited.append(told(page))
    return waited


def told(page: Page) -> float:
    """The page's policy lets nobody wait for a function in it: it is asked again and again."""
    for _ in range(LONGEST_WAIT // POLL):
        seconds = page.evaluate("window.waited ?? null")
        if seconds is not None:
            return seconds
        page.wait_for_timeout(POLL)
    raise TimeoutError


def main(address: str, out: str, volume: str, other: str) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_context(viewport={"width": 1280, "height": 800}).new_page()
        page.goto(address)
        page.set_input_files("input[type=file]", other)
        expect(page.locator(".lesion").first).to_be_visible(timeout=LONGEST_WAIT)
        waited = walk(page, address, Path(volume))
        page.screenshot(path=Path(out) / "first-cut.png")
        browser.close()
    print(json.dumps(waited))


if __name__ == "__main__":
    main(*sys.argv[1:])
