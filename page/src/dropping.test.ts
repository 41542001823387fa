import { expect, test, vi } from "vitest";
import { Refused, api, type DropInfo } from "./api";
import * as server from "./api";
import { begun, canGoOn, send, type Progress } from "./dropping";

const reading: DropInfo = { id: "d", state: "running", done: 0, total: 1, reason: null, files: [] };
const done: DropInfo = { ...reading, state: "done", done: 1 };
const files = ["a.png", "b.zip", "c.png"].map((name) => new File(["123"], name));

async function sent(refusals: Record<string, Refused>, most = Infinity, from = begun(1, files)) {
  const told: Progress[] = [];
  const made = vi.spyOn(api, "newDrop").mockReset().mockResolvedValue({ id: "d" });
  const read = vi.spyOn(api, "read").mockReset().mockResolvedValue(reading);
  const names: string[] = [];
  vi.spyOn(api, "send").mockImplementation(async (_, file) => {
    if (refusals[file.name]) throw refusals[file.name];
    names.push(file.name);
    return { id: file.name };
  });
  vi.spyOn(server, "eventsOf").mockImplementation(async (_, hear) => hear(done));
  await send(from, most, (progress) => told.push(progress));
  return { last: told.at(-1)!, made, read, names };
}

vi.mock("./api", { spy: true });

test("a file that is too large is named, and the others are read", async () => {
  const { last, read } = await sent({ "b.zip": new Refused(413, "too large") });
  expect(read).toHaveBeenCalledOnce();
  expect(last).toMatchObject({ drop: done, problem: null, refused: [{ name: "b.zip", problem: "too large" }] });
  expect(canGoOn(last)).toBe(false);
});

test("without any file that could be sent nothing is read", async () => {
  const { last, read } = await sent({}, 2);
  expect(read).not.toHaveBeenCalled();
  expect(last.refused).toHaveLength(3);
  expect(last.problem).not.toBeNull();
  expect(canGoOn(last)).toBe(false);
});

test("after a full disk only what is left is sent, into the same drop", async () => {
  const first = await sent({ "b.zip": new Refused(507, "no space") });
  expect(first.last).toMatchObject({ problem: "no space", id: "d" });
  expect(canGoOn(first.last)).toBe(true);
  const again = await sent({}, Infinity, first.last);
  expect(again.made).not.toHaveBeenCalled();
  expect(again.names).toEqual(["b.zip", "c.png"]);
  expect(again.last).toMatchObject({ drop: done, problem: null });
});

test("where the server has forgotten the drop, all of it is sent again", async () => {
  const first = await sent({ "b.zip": new Refused(404, "there is no such drop") });
  const again = await sent({}, Infinity, first.last);
  expect(again.made).toHaveBeenCalledOnce();
  expect(again.names).toEqual(["a.png", "b.zip", "c.png"]);
});
