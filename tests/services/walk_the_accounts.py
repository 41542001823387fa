"""Two people with accounts on the page in Chromium, for `test_page.py`; words as those of `walk_the_page.py`.

The last two words are an admin's name and first password. It prints what it saw as JSON.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from playwright.sync_api import Browser, Page, expect, sync_playwright
from walk_the_page import CHROMIUM, LONGEST_WAIT, drag, faults

OWN = "four quiet herons wade"


def signed_in(browser: Browser, site: str, name: str, first: str, shot: Path, axe: str) -> tuple[Page, list[str]]:
    """A browser of its own, in which a person sets a password of their own."""
    page = browser.new_context(viewport={"width": 1280, "height": 800}).new_page()
    page.goto(site)
    page.get_by_label("Account").fill(name)
    page.get_by_label("Password").fill("a wrong guess")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_text("the name or the password is wrong")).to_be_visible()
    found = faults(page, axe)
    page.screenshot(path=shot)
    page.get_by_label("Password").fill(first)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_label("Password so far").fill(first)
    page.get_by_label("New password").fill(OWN)
    page.get_by_role("button", name="Set password").click()
    expect(
        page.get_by_text("Worklist").or_(page.get_by_text("No cases yet.")).or_(page.locator(".case")).first
    ).to_be_visible(timeout=LONGEST_WAIT)
    return page, found


def walk(browser: Browser, site: str, axe: str, out: Path, scan: Path, name: str, first: str) -> dict[str, object]:
    admin, found = signed_in(browser, site, name, first, out / "gate.png", axe)
    admin.get_by_role("button", name="People").click()
    dialog = admin.get_by_role("dialog")
    dialog.get_by_label("Account", exact=True).fill("lena")
    dialog.get_by_label("Name under readings").fill("Dr. Lena Reader")
    dialog.get_by_role("button", name="Add", exact=True).click()
    secret = dialog.locator(".secret code")
    expect(secret).to_be_visible()
    reader, _ = signed_in(browser, site, "lena", str(secret.text_content()), out / "gate-of-reader.png", axe)
    expect(reader.get_by_role("button", name="People")).to_have_count(0)

    reader.set_input_files("input[type=file]", [scan])
    expect(reader.locator(".case .decision")).to_have_count(1, timeout=LONGEST_WAIT)
    reader.get_by_role("button", name="Points", exact=True).click()
    drag(reader, reader.locator(".handle").nth(4), by=(-45, 20))
    expect(reader.get_by_text("about the corrected outline")).to_be_visible()
    reader.context.clear_cookies()  # the session has ended in the middle of an edit
    reader.get_by_role("button", name="Save correction").click()
    reader.get_by_label("Account").fill("lena")
    reader.get_by_label("Password").fill(OWN)
    reader.get_by_role("button", name="Sign in").click()
    reader.get_by_role("button", name="Save correction").click()
    reader.get_by_role("button", name="Sign as Dr. Lena Reader").click()
    expect(reader.get_by_text("Signed by Dr. Lena Reader")).to_be_visible()
    reader.get_by_text("Write an addendum").click()
    reader.get_by_label("Addendum", exact=True).fill("The prior of 2024 was seen, too.")
    reader.get_by_role("button", name="Sign addendum").click()
    expect(reader.get_by_text("Addendum by Dr. Lena Reader")).to_be_visible()
    found += faults(reader, axe)
    reader.screenshot(path=out / "addendum.png")
    reader.get_by_role("button", name="Dr. Lena Reader").click()
    reader.get_by_label("What it is for").fill("research script")
    reader.get_by_role("button", name="Make a token").click()
    expect(reader.locator(".secret code")).to_contain_text("bustle_")
    found += faults(reader, axe)
    reader.screenshot(path=out / "account.png")
    reader.get_by_role("button", name="Sign out").click()
    expect(reader.get_by_label("Account")).to_be_visible()

    dialog.get_by_text("Audit trail").click()
    expect(dialog.get_by_text("reading signed")).to_be_visible()
    found += faults(admin, axe)
    admin.screenshot(path=out / "people.png")
    deeds = dialog.locator(".audit td:nth-child(3)").all_text_contents()
    dialog.get_by_role("button", name="Dismiss").click()

    admin.reload()  # what the reader has signed meanwhile
    admin.locator(".case").first.click()
    admin.get_by_role("button", name="Read it as second reader").click()
    expect(admin.get_by_text("about the corrected outline")).to_have_count(0)  # the first reading is not shown
    admin.get_by_label("BI-RADS category").select_option("4A")
    found += faults(admin, axe)
    admin.screenshot(path=out / "second.png")
    admin.get_by_role("button", name="Accept").click()
    expect(admin.get_by_text("Second reading by")).to_be_visible()
    admin.get_by_role("button", name="Agreement").click()
    expect(admin.get_by_role("heading", name="first reader – second reader")).to_be_visible()
    found += faults(admin, axe)
    admin.screenshot(path=out / "agreement.png")
    return {"faults": found, "deeds": deeds}


def main(site: str, axe: str, out: str, scan: str, name: str, first: str) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        seen = walk(browser, site, Path(axe).read_text(), Path(out), Path(scan), name, first)
        browser.close()
    print(json.dumps(seen))


if __name__ == "__main__":
    main(*sys.argv[1:])
