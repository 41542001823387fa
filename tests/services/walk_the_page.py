"""A reader's way over the page in Chromium, for `test_page.py`: words are the page's address and some paths.

It runs in an environment with Playwright; what it saw, it prints as JSON.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

from playwright.sync_api import FloatRect, Locator, Page, expect, sync_playwright

CHROMIUM = "/usr/bin/chromium"
SECOND = 1000
LONGEST_WAIT = 60 * SECOND


def walk(page: Page, address: str, files: list[Path], volume: Path, out: Path, axe: str) -> dict[str, object]:
    page.goto(address)
    page.set_input_files("input[type=file]", files)
    expect(page.locator(".case .decision")).to_have_count(len(files), timeout=LONGEST_WAIT)
    walk_clip(page, out)
    walk_two_tabs(page)
    page.locator(".case", has_text="image.dcm").click()
    size = page.locator(".lesion strong").first
    expect(size).to_contain_text("mm")
    before = size.text_content()
    outline = page.locator("path.outline").first
    drawn_before = outline.get_attribute("d")
    page.screenshot(path=out / "answered.png")

    page.get_by_role("button", name="Points", exact=True).click()
    drag(page, page.locator(".handle").nth(4), by=(-45, 20))
    expect(page.get_by_text("about the corrected outline")).to_be_visible()
    expect(size).not_to_have_text(str(before))
    corrected = size.text_content()
    page.screenshot(path=out / "corrected.png")
    page.keyboard.press("Control+z")
    expect(size).to_have_text(str(before))
    expect(outline).to_have_attribute("d", str(drawn_before))
    page.keyboard.press("Control+y")
    expect(size).to_have_text(str(corrected))
    page.reload()
    page.locator(".case", has_text="image.dcm").click()
    expect(size).to_have_text(str(corrected))  # what is not kept yet survives

    page.get_by_role("button", name="Draw", exact=True).click()
    box = page.locator(".frame").bounding_box()
    assert box is not None
    corner = (box["x"] + 0.27 * box["width"], box["y"] + 0.12 * box["height"])
    page.mouse.move(*corner)
    page.mouse.down()
    for dx, dy in ((40, 0), (40, 40), (0, 40), (2, 4)):
        page.mouse.move(corner[0] + dx, corner[1] + dy, steps=8)
    page.mouse.up()
    expect(page.locator(".lesion")).to_have_count(2)
    paint(page, box)
    page.keyboard.press("e")
    page.screenshot(path=out / "explained.png")

    page.keyboard.press("e")
    page.keyboard.press("m")
    start = (box["x"] + 0.4 * box["width"], box["y"] + 0.55 * box["height"])
    page.mouse.move(*start)
    page.mouse.down()
    page.mouse.move(start[0] + 150, start[1] + 10, steps=8)
    page.mouse.up()
    measured = page.locator(".measured strong")
    expect(measured).to_contain_text(" mm")
    one_gesture = measured.text_content()
    page.locator(".calipers .handle").nth(3).focus()
    page.keyboard.press("Shift+ArrowDown")
    expect(measured).not_to_have_text(str(one_gesture))
    page.screenshot(path=out / "calipers.png")
    page.get_by_label("BI-RADS category").select_option("4B")
    page.get_by_label("Side").select_option("left")
    page.get_by_label("Clock").select_option("10")
    page.get_by_label("Distance to the nipple in mm").fill("35")
    page.get_by_label("Note").fill("seen in two planes")
    page.get_by_role("button", name="Into the note").click()
    expect(page.get_by_label("Note")).to_have_value(f"seen in two planes\n{measured.text_content()}")
    page.get_by_role("button", name="Save correction").click()
    page.get_by_label("Your name").fill("A. Reader")
    serious = faults(page, axe)
    page.get_by_role("button", name="Sign", exact=True).click()
    expect(page.get_by_text("Signed by A. Reader")).to_be_visible()
    expect(page.get_by_text("left · 10:00 · 35 mm")).to_be_visible()
    page.screenshot(path=out / "signed.png")
    exported = {}
    for kind in ("PNG", "JSON", "PDF", "SEG", "SR"):
        with page.expect_download() as download:
            page.locator(".exports").get_by_text(kind, exact=True).click()
        exported[kind] = download.value.suggested_filename
        download.value.save_as(out / exported[kind])
    page.get_by_role("button", name="Light or dark").click()
    serious += faults(page, axe)
    page.screenshot(path=out / "light.png")
    page.get_by_label("Language").select_option("de")
    expect(page.get_by_text("Unterschrieben von A. Reader")).to_be_visible()
    page.keyboard.press("s")
    expect(page.locator(".viewer")).to_have_count(2)
    serious += faults(page, axe)
    page.screenshot(path=out / "german.png")
    page.keyboard.press("s")
    page.set_viewport_size({"width": 900, "height": 1400})
    page.screenshot(path=out / "portrait.png")
    assert page.evaluate("document.documentElement.scrollWidth") <= 900
    page.reload()
    expect(page.locator("html")).to_have_attribute("lang", "de")
    page.get_by_label("Sprache").select_option("en")
    page.set_viewport_size({"width": 1280, "height": 800})
    walk_volume(page, volume, out)
    serious += faults(page, axe)
    drop_folder(page, files[0], out)
    return {"before": before, "corrected": corrected, "exported": exported, "faults": serious}


def walk_volume(page: Page, volume: Path, out: Path) -> None:
    """Three cuts of a volume that no model reads, moved by keys."""
    page.set_input_files("input[type=file]", volume)
    page.locator(".case", has_text=volume.name).click(timeout=LONGEST_WAIT)
    expect(page.get_by_text("--volume-model")).to_be_visible(timeout=LONGEST_WAIT)
    place = page.locator(".toolbar span:not(.gap)")
    expect(place).to_contain_text("Slice", timeout=LONGEST_WAIT)
    expect(page.get_by_text("A click or drag moves the cuts")).to_be_visible(timeout=LONGEST_WAIT)
    before = place.text_content()
    page.keyboard.press("PageDown")
    expect(place).not_to_have_text(str(before))
    page.keyboard.press("PageUp")
    expect(place).to_have_text(str(before))
    page.screenshot(path=out / "volume.png")
    page.get_by_role("button", name="Slice in full").click()
    shown = page.locator(".clip-strip strong")
    before = shown.text_content()
    page.keyboard.press("PageDown")
    expect(shown).not_to_have_text(str(before))
    expect(page.locator(".viewer:not([hidden]) canvas")).to_be_visible()
    page.screenshot(path=out / "slice.png")
    page.get_by_role("button", name="Three cuts").click()
    expect(place).to_contain_text(f"{shown_slice(before) + 1} of")


def drop_folder(page: Page, picture: Path, out: Path) -> None:
    """As from a file manager, with a picture in a folder inside it."""
    inner = out / "dropped" / "inner"
    inner.mkdir(parents=True)
    shutil.copy(picture, inner / "in-a-folder.png")
    browser = page.context.new_cdp_session(page)
    dragged = {"items": [], "files": [str(inner.parent)], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        browser.send("Input.dispatchDragEvent", {"type": kind, "x": 600, "y": 400, "data": dragged})
    case = page.locator(".case", has_text="in-a-folder.png")
    expect(case.locator(".decision")).to_be_visible(timeout=LONGEST_WAIT)


def walk_two_tabs(page: Page) -> None:
    """Two tabs change one outline: who saves later is told, keeps the own one, and may see the other."""
    other = page.context.new_page()
    other.goto(page.url)
    for tab, by in ((page, (-30, 10)), (other, (40, -15))):
        tab.locator(".case", has_text="case043.png").click()
        tab.get_by_role("button", name="Points", exact=True).click()
        drag(tab, tab.locator(".handle").nth(4), by=by)
        expect(tab.get_by_text("about the corrected outline")).to_be_visible()
    theirs, own = (str(tab.locator(".lesion .hint").first.text_content()) for tab in (page, other))
    assert theirs != own
    page.get_by_role("button", name="Save correction").click()
    expect(page.get_by_text("Kept: corrected")).to_be_visible()
    other.get_by_role("button", name="Save correction").click()
    told = other.get_by_text("Somebody else has changed this case")
    expect(told).to_be_visible()
    other.reload()
    other.locator(".case", has_text="case043.png").click()
    expect(told).to_be_visible()
    area = other.locator(".lesion .hint").first
    expect(area).to_have_text(own)
    other.get_by_role("button", name="Show theirs").click()
    expect(area).to_have_text(theirs)
    other.close()


def shown_slice(words: str | None) -> int:
    """The slice that "Slice 3 of 40" names."""
    return int(str(words).split()[1])


def walk_clip(page: Page, out: Path) -> None:
    """Scrub a clip, and correct, sign and export its best frame."""
    page.locator(".case", has_text="clip.dcm").click()
    shown = page.locator(".clip-strip strong")
    expect(shown).to_be_visible()
    best = shown.text_content()
    strip = page.locator(".strip").bounding_box()
    assert strip is not None
    page.mouse.click(strip["x"] + 2, strip["y"] + 5)
    expect(shown).to_have_text("Frame 1, 4 in all")
    page.keyboard.press(".")
    expect(shown).to_have_text("Frame 2, 4 in all")
    page.keyboard.press("Space")
    expect(shown).not_to_have_text("Frame 2, 4 in all")
    page.keyboard.press("Space")
    page.get_by_role("button", name="Best frame").click()
    expect(shown).to_have_text(str(best))
    page.screenshot(path=out / "clip.png")
    page.keyboard.press("f")
    page.get_by_role("button", name="Erase", exact=True).click()
    area = page.locator(".lesion .hint").first
    before = area.text_content()
    box = page.locator("path.outline").first.bounding_box()
    assert box is not None
    middle = box["y"] + box["height"] / 2
    stroke(page, (box["x"] - 20, middle), to=(box["x"] + box["width"] / 3, middle))
    expect(page.get_by_text("about the corrected outline")).to_be_visible()
    expect(area).not_to_have_text(str(before))
    page.get_by_role("button", name="Save correction").click()
    page.get_by_label("Your name").fill("A. Reader")
    page.get_by_role("button", name="Sign", exact=True).click()
    expect(page.get_by_text("Signed by A. Reader")).to_be_visible()
    with page.expect_download() as download:
        page.locator(".exports").get_by_text("SEG", exact=True).click()
    download.value.save_as(out / "frame-seg.dcm")


def paint(page: Page, box: FloatRect) -> None:
    """A third lesion with the brush, sized by key and by wheel, and gone again by the eraser; undone as two steps."""
    page.keyboard.press("b")
    spot = (box["x"] + 0.75 * box["width"], box["y"] + 0.8 * box["height"])
    page.mouse.move(*spot)
    tip = page.locator(".tip")
    before = float(tip.get_attribute("r") or 0)
    page.keyboard.press("]")
    expect(tip).not_to_have_attribute("r", str(before))
    page.keyboard.down("Shift")
    page.mouse.wheel(0, 100)
    page.keyboard.up("Shift")
    assert abs(float(tip.get_attribute("r") or 0) - before) < 0.01
    stroke(page, spot, to=(spot[0] + 60, spot[1]))
    expect(page.locator(".lesion")).to_have_count(3)
    page.keyboard.press("r")
    page.keyboard.press("]")
    stroke(page, spot, to=(spot[0] + 60, spot[1]))
    expect(page.locator(".lesion")).to_have_count(2)
    for lesions in (3, 2):
        page.keyboard.press("Control+z")
        expect(page.locator("path.outline")).to_have_count(lesions)


def stroke(page: Page, start: tuple[float, float], *, to: tuple[float, float]) -> None:
    page.mouse.move(*start)
    page.mouse.down()
    page.mouse.move(*to, steps=8)
    page.mouse.up()


def drag(page: Page, what: Locator, *, by: tuple[int, int]) -> None:
    box = what.bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    stroke(page, (x, y), to=(x + by[0], y + by[1]))


def faults(page: Page, axe: str) -> list[str]:
    """What axe finds serious: rules by name, with the first element that breaks each."""
    page.evaluate(axe)
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
    return [f"{one['id']}: {one['nodes'][0]['html']}" for one in found if one["impact"] in ("serious", "critical")]


def main(address: str, axe: str, out: str, volume: str, *files: str) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_context(viewport={"width": 1280, "height": 800}).new_page()
        said: list[str] = []
        asked: set[str] = set()
        page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: asked.add(request.url.split("/")[2]))
        seen = walk(page, address, [Path(file) for file in files], Path(volume), Path(out), Path(axe).read_text())
        browser.close()
    print(json.dumps(seen | {"errors": said, "hosts": sorted(asked)}))


if __name__ == "__main__":
    main(*sys.argv[1:])
