/** From what a person lets go over the page to files that are sent and read. */
import { Refused, api, type DropInfo } from "./api";
import { fill, text } from "./text";

export interface Progress {
  key: number;
  sent: number;
  files: number;
  name: string;
  drop: DropInfo | null;
  refused: { name: string; problem: string }[];
  problem: string | null;
}

const POLL = 500;

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
  sent: 0,
  files: files.length,
  name: files[0]?.name ?? "",
  drop: null,
  refused: [],
  problem: null,
});

/**
 * Send files and follow their reading; `tell` hears of every step. One of more than `most` bytes is left out, and the
 * rest goes on. Throws where the server refuses anything else.
 */
export async function send(
  key: number,
  files: File[],
  most: number,
  tell: (progress: Progress) => void,
): Promise<void> {
  const progress = begun(key, files);
  const { id } = await api.newDrop();
  for (const file of files) {
    tell({ ...progress, name: file.name });
    const problem = await refusal(id, file, most);
    if (problem !== null) progress.refused = [...progress.refused, { name: file.name, problem }];
    progress.sent += 1;
  }
  if (progress.refused.length === files.length) tell({ ...progress, problem: text.nothingSent });
  else await follow(progress, await api.read(id), tell);
}

/** Why a file is too large, null where it was sent: a browser may not hear a server that refuses in the middle. */
async function refusal(drop: string, file: File, most: number): Promise<string | null> {
  if (file.size > most) return fill(text.tooLarge, { most: Math.round(most / 1e6) });
  try {
    await api.send(drop, file);
  } catch (error) {
    if (!(error instanceof Refused) || error.status !== 413) throw error;
    return error.message;
  }
  return null;
}

/** Ask how far a drop is until it is read. */
export async function follow(progress: Progress, first: DropInfo, tell: (progress: Progress) => void): Promise<void> {
  let drop = first;
  for (;;) {
    tell({ ...progress, drop });
    if (drop.state === "done" || drop.state === "failed") return;
    await new Promise((resolve) => setTimeout(resolve, POLL));
    drop = await api.drop(drop.id);
  }
}
