import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { inPageLanguage } from "./phrases";
import { speak } from "./text";

beforeEach(() => {
  vi.stubGlobal("localStorage", { setItem: () => undefined });
  vi.stubGlobal("document", { documentElement: {} });
  speak("de");
});

afterEach(() => speak("en"));

test("a problem and its remedy are said in the page's language, and so is what stands in them", () => {
  const read = "PNG, JPEG, BMP, TIFF, GIF, WebP, JPEG 2000 or AVIF";
  expect(inPageLanguage(`is not a readable ${read} image but a PDF document; convert it to PNG, or leave it out`)).toBe(
    "ist kein lesbares PNG-, JPEG-, BMP-, TIFF-, GIF-, WebP-, JPEG-2000- oder AVIF-Bild, sondern ein PDF-Dokument; " +
      "in PNG umwandeln oder weglassen",
  );
  expect(inPageLanguage("is not a DICOM file")).toBe("ist keine DICOM-Datei");
  expect(inPageLanguage("is not a DICOM file but a web page")).toBe("ist keine DICOM-Datei, sondern eine Webseite");
});

test("values stay as they are", () => {
  expect(inPageLanguage("declares 7 frames and holds 5")).toBe("gibt 7 Bilder an und enthält 5");
  expect(inPageLanguage("is no safe archive: 'a (1).png' is a link")).toBe(
    "ist kein sicheres Archiv: „a (1).png“ ist eine Verknüpfung",
  );
});

test("what has no words here stays as it was said, and English always does", () => {
  expect(inPageLanguage("something of a newer server; leave it out")).toBe("something of a newer server; weglassen");
  speak("en");
  expect(inPageLanguage("is empty (0 bytes); leave it out")).toBe("is empty (0 bytes); leave it out");
});
