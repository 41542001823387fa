"""Over a report of many cases in Chromium, for `test_report.py`: words are its path and the folder of pictures.

It runs in an environment with Playwright; what it saw, it prints as JSON.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from playwright.sync_api import Page, expect, sync_playwright

CHROMIUM = "/usr/bin/chromium"


def walk(page: Page, report: Path, out: Path) -> dict[str, object]:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(report.as_uri())
    seen: dict[str, object] = {
        "opening_ms": page.evaluate("performance.timing.domComplete - performance.timing.navigationStart"),
        "asked_at_start": [url for url in asked if not url.startswith("data:")],
    }
    rows = page.locator("#case-table tbody tr")
    shown = page.locator("#case-table tbody tr:not([hidden])")
    count = rows.count()

    page.get_by_label("Show").select_option(label="lesion missed")
    seen["missed"] = shown.count()
    expect(page.locator(".filters output")).to_have_text(f"{seen['missed']} of {count} cases")
    page.get_by_label("Show").select_option("")
    page.get_by_label("Find").fill("made/3")
    seen["found"] = shown.count()
    page.get_by_label("Find").fill("")

    page.get_by_role("button", name="Dice", exact=True).focus()
    page.keyboard.press("Enter")
    heading = page.locator("th", has=page.get_by_role("button", name="Dice", exact=True))
    expect(heading).to_have_attribute("aria-sort", "ascending")
    place = heading.evaluate("cell => cell.cellIndex")
    dice = page.evaluate(
        "place => Array.from(document.querySelectorAll('#case-table tbody tr'), row => row.cells[place].textContent)",
        place,
    )
    seen["dice"] = [float(value) for value in dice if value]

    page.locator("figcaption a.row").first.click()
    seen["of_a_picture"] = shown.count()
    before = len(asked)
    page.locator("#case-table tr:not([hidden]) td:has(a[href^='#picture']) a.picture").first.focus()
    page.keyboard.press("Enter")
    expect(page.locator("dialog#picture img")).to_be_visible()
    page.screenshot(path=out / "picture.png")
    page.keyboard.press("Escape")
    expect(page.locator("dialog#picture")).to_be_hidden()
    seen["asked_for_a_picture"] = len(asked) - before
    page.get_by_label("Find").fill("")
    page.locator("#cases").scroll_into_view_if_needed()
    page.screenshot(path=out / "cases.png")
    page.pdf(path=out / "report.pdf", format="A4", print_background=True)
    return seen


if __name__ == "__main__":
    report, out = map(Path, sys.argv[1:])
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        print(json.dumps(walk(browser.new_page(viewport={"width": 1250, "height": 900}), report, out)))
