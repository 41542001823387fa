import { expect, test, vi } from "vitest";
import { Refused, api, type Upload } from "./api";
import { PART, sendInParts } from "./parts";

/** A server that keeps what arrives; the connections of some requests are lost, before or after it has heard them. */
function served(lost: Record<number, "before" | "after">) {
  let held = "";
  let requests = 0;
  let size = 0;
  const told = (): Upload => ({ id: "u", size, sent: held.length, file: held.length === size ? { id: "u" } : null });
  vi.spyOn(api, "beginUpload").mockReset().mockImplementation(async (_, file) => {
    size = file.size;
    return told();
  });
  vi.spyOn(api, "upload").mockImplementation(async () => told());
  vi.spyOn(api, "sendPart").mockImplementation(async (_, __, part, offset) => {
    const when = lost[requests++];
    if (when === "before") throw new Refused(0, "");
    if (offset !== held.length) throw new Refused(409, "another number has arrived");
    held += await part.text();
    if (when === "after") throw new Refused(0, "");
    return told();
  });
  return () => held;
}

const content = Array.from({ length: 3 }, (_, i) => String(i).repeat(PART)).join("") + "end";
const file = () => new File([content], "clip.mp4");

test("whatever is lost on the way, each byte arrives once", async () => {
  const held = served({ 0: "before", 2: "after", 3: "before", 5: "after" });
  await sendInParts("d", file(), [0, 0]);
  expect(held() === content).toBe(true);
});

test("a sender that gave up goes on where it was when it is asked again", async () => {
  const held = served({ 1: "before", 2: "before" });
  const one = file();
  await expect(sendInParts("d", one, [0])).rejects.toMatchObject({ status: 0 });
  expect(held().length).toBe(PART);
  await sendInParts("d", one, [0]);
  expect(held() === content).toBe(true);
  expect(api.beginUpload).toHaveBeenCalledOnce();
});

test("what the server refuses is not tried again", async () => {
  served({});
  vi.spyOn(api, "sendPart").mockRejectedValue(new Refused(507, "no space"));
  await expect(sendInParts("d", file(), [0])).rejects.toMatchObject({ status: 507 });
});
