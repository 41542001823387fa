/** From what a person lets go over the page to files that are sent and read. */
import { api, type DropInfo } from "./api";

export interface Progress {
  key: number;
  sent: number;
  files: number;
  name: string;
  drop: DropInfo | null;
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

/** Send files and follow their reading; `tell` hears of every step. Throws where the server refuses. */
export async function send(key: number, files: File[], tell: (progress: Progress) => void): Promise<void> {
  const progress: Progress = { key, sent: 0, files: files.length, name: "", drop: null, problem: null };
  const { id } = await api.newDrop();
  for (const file of files) {
    tell({ ...progress, sent: progress.sent, name: file.name });
    await api.send(id, file);
    progress.sent += 1;
  }
  await follow(progress, await api.read(id), tell);
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
