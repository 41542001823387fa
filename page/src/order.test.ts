import { expect, test } from "vitest";
import type { CaseSummary } from "./api";
import { matching, ordered } from "./order";

const made = (name: string, malignant: number | null, status: CaseSummary["status"] = "new") =>
  ({ id: name, name, malignant, status }) as CaseSummary;

const cases = [made("done.png", 0.5, "signed"), made("sure.png", 0.97), made("clip.avi", null), made("open.png", 0.52)];
const names = (found: CaseSummary[]) => found.map((one) => one.name);

test("the uncertain come first, and those that nobody needs to read last", () => {
  expect(names(ordered(cases, "uncertain"))).toEqual(["open.png", "sure.png", "clip.avi", "done.png"]);
  expect(names(ordered(cases, "newest"))).toEqual(names(cases));
});

test("a search is for a part of the name, in whatever letters", () => {
  expect(names(matching(cases, " OPEN", ""))).toEqual(["open.png"]);
  expect(names(matching(cases, "", "signed"))).toEqual(["done.png"]);
});
