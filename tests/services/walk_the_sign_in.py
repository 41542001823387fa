"""A person signs in on the page with an OpenID Connect provider, for `test_page_sign_in.py`, in two languages.

The words are the page's address and a folder for pictures. It prints what it saw as JSON.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from playwright.sync_api import Browser, expect, sync_playwright
from walk_the_page import CHROMIUM

WORDS = {"en-GB": "Sign in with the hospital's account", "de-DE": "Mit dem Konto der Klinik anmelden"}


def come_back(browser: Browser, site: str, locale: str, out: Path) -> str | None:
    """What the page shows of whoever comes back from the provider: a name, or why they are not signed in."""
    page = browser.new_context(locale=locale, viewport={"width": 1280, "height": 800}).new_page()
    page.goto(site)
    way = page.get_by_role("link", name=WORDS[locale])
    expect(way).to_be_visible()
    page.screenshot(path=out / f"{locale}.png")
    way.click()
    told = page.locator("header button", has_text="Dr.").or_(page.get_by_role("alert"))
    expect(told).to_be_visible()
    page.screenshot(path=out / f"{locale}-back.png")
    assert page.url == site
    return told.text_content()


if __name__ == "__main__":
    site, out = sys.argv[1:]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        print(json.dumps([come_back(browser, site, locale, Path(out)) for locale in WORDS]))
        browser.close()
