import { expect, test } from "vitest";
import { begin, changed, redone, undone } from "./history";

test("undo and redo lead back and forth, and a change forgets what was undone", () => {
  const third = changed(changed(begin(1), 2), 3);
  expect(undone(undone(undone(third))).now).toBe(1);
  expect(redone(redone(undone(undone(third)))).now).toBe(3);
  expect(redone(changed(undone(third), 4)).now).toBe(4);
});
