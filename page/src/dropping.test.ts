import { expect, test, vi } from "vitest";
import { Refused, api, type DropInfo } from "./api";
import { send, type Progress } from "./dropping";

const done: DropInfo = { id: "d", state: "done", done: 1, total: 1, reason: null, files: [] };
const files = ["a.png", "b.zip", "c.png"].map((name) => new File(["123"], name));

function sent(refusals: Record<string, Refused>, most = Infinity) {
  const told: Progress[] = [];
  vi.spyOn(api, "newDrop").mockResolvedValue({ id: "d" });
  const read = vi.spyOn(api, "read").mockReset().mockResolvedValue(done);
  vi.spyOn(api, "send").mockImplementation(async (_, file) => {
    if (refusals[file.name]) throw refusals[file.name];
    return { id: file.name };
  });
  return { told, read, over: send(1, files, most, (progress) => told.push(progress)) };
}

test("a file that is too large is named, and the others are read", async () => {
  const { told, read, over } = sent({ "b.zip": new Refused(413, "too large") });
  await over;
  expect(read).toHaveBeenCalledOnce();
  expect(told.at(-1)).toMatchObject({ drop: done, problem: null, refused: [{ name: "b.zip", problem: "too large" }] });
});

test("without any file that could be sent nothing is read", async () => {
  const { told, read, over } = sent({}, 2);
  await over;
  expect(read).not.toHaveBeenCalled();
  expect(told.at(-1)!.refused).toHaveLength(3);
  expect(told.at(-1)!.problem).not.toBeNull();
});

test("any other refusal ends the sending", async () => {
  await expect(sent({ "a.png": new Refused(409, "begun") }).over).rejects.toThrow("begun");
});
