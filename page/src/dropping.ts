/** From what a person lets go over the page to files that are sent and read. */
import { Refused, api, eventsOf, type CaseSummary, type DropInfo } from "./api";
import { PART, sendInParts } from "./parts";
import { fill, text } from "./text";

/** A drop on its way: `all` its files, of which `left` are still to be sent; `id` is the server's, once it has one. */
export interface Progress {
  key: number;
  all: File[];
  left: File[];
  id: string | null;
  drop: DropInfo | null;
  refused: { name: string; problem: string }[];
  problem: string | null;
}

function entries(reader: FileSystemDirectoryReader): Promise<FileSystemEntry[]> {
  return new Promise((resolve, reject) => reader.readEntries(resolve, reject));
}

async function below(entry: FileSystemEntry): Promise<File[]> {
  if (entry.isFile) {
    return [await new Promise<File>((resolve, reject) => (entry as FileSystemFileEntry).file(resolve, reject))];
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  const found: File[] = [];
  for (let some = await entries(reader); some.length; some = await entries(reader)) {
    for (const one of some) found.push(...(await below(one)));
  }
  return found;
}

/** The files of a drop or a paste, those in folders too. */
export async function filesOf(transfer: DataTransfer): Promise<File[]> {
  const items = [...transfer.items].filter((item) => item.kind === "file");
  const dropped = items.map((item) => item.webkitGetAsEntry() ?? item.getAsFile());
  const files: File[] = [];
  for (const one of dropped) {
    if (one instanceof File) files.push(one);
    else if (one) files.push(...(await below(one)));
  }
  return files.filter((file) => !file.name.startsWith("."));
}

export const begun = (key: number, files: File[]): Progress => ({
  key,
  all: files,
  left: files,
  id: null,
  drop: null,
  refused: [],
  problem: null,
});

/** The cases that were made of a drop's files and could not be read. */
export const unreadOf = ({ drop }: Progress, cases: CaseSummary[]): CaseSummary[] =>
  cases.filter((one) => one.drop === drop?.id && one.kind === "unread");

/** Whether a drop that was interrupted can go on. */
export const canGoOn = (one: Progress): boolean =>
  one.drop ? one.drop.state === "failed" : one.problem !== null && one.refused.length < one.all.length;

/**
 * Send what is left of a drop and follow its reading; `tell` hears of every step, also of what interrupts it: called
 * again with what was told last, it goes on from there. A file of more than `most` bytes is left out.
 */
export async function send(begun: Progress, most: number, tell: (progress: Progress) => void): Promise<void> {
  let now: Progress = { ...begun, problem: null };
  const step = (change: Partial<Progress>) => {
    now = { ...now, ...change };
    tell(now);
  };
  try {
    step({});
    if (now.drop?.state === "failed") {
      step({ drop: await api.retry(now.drop.id) });
    } else {
      if (now.id === null) step({ id: (await api.newDrop()).id });
      await sendLeft(now.id!, most, () => now, step);
      if (now.refused.length === now.all.length) return step({ problem: text.nothingSent });
      step({ drop: await api.read(now.id!) });
    }
    await eventsOf(now.drop!.id, (drop) => step({ drop }));
  } catch (error) {
    const isGone = error instanceof Refused && error.status === 404 && now.drop === null;
    if (isGone) now = begunAnew(now); // the server began anew, and has forgotten what was half sent
    step({ problem: error instanceof Refused ? error.message || text.unreachable : String(error) });
  }
}

const begunAnew = (old: Progress): Progress => begun(old.key, old.all);

async function sendLeft(
  id: string,
  most: number,
  now: () => Progress,
  step: (change: Partial<Progress>) => void,
): Promise<void> {
  while (now().left.length) {
    const [file, ...left] = now().left;
    const problem = await refusal(id, file!, most);
    const refused = problem === null ? now().refused : [...now().refused, { name: file!.name, problem }];
    step({ left, refused });
  }
}

/** Why a file is too large, null where it was sent: a browser may not hear a server that refuses in the middle. */
async function refusal(drop: string, file: File, most: number): Promise<string | null> {
  if (file.size > most) return fill(text.tooLarge, { most: Math.round(most / 1e6) });
  try {
    await (file.size > PART ? sendInParts(drop, file) : api.send(drop, file));
  } catch (error) {
    if (!(error instanceof Refused) || error.status !== 413) throw error;
    return error.message;
  }
  return null;
}
