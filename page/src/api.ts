/** What the server says and is asked, as its OpenAPI has it. */

export type Point = [number, number];
export type Outline = Point[];
export type Verdict = "accepted" | "corrected" | "rejected";
export type Status = "unread" | "new" | "read" | "signed";

export interface About {
  version: string;
  model: string;
  model_digest: string;
  refer_band: [number, number] | null;
  lesion_band: [number, number] | null;
  most_bytes: number;
}

export interface CaseSummary {
  id: string;
  drop: string;
  name: string;
  kind: "image" | "clip" | "unread";
  status: Status;
  problem: string | null;
  decision: string | null;
  malignant: number | null;
  verdict: Verdict | null;
  birads: string | null;
  made: string;
}

export interface Moved {
  descriptor: string;
  words: string;
  value: number;
  change: number;
}

export interface Answer {
  decision: string | null;
  probabilities: Record<string, number>;
  calibrated: boolean;
  possible: string[];
  moved_by: Moved[];
}

export interface MeasuredValue {
  name: string;
  title: string;
  value: number;
  unit: string;
}

export interface Lesion {
  number: number;
  outline: Outline;
  area: number;
  long_axis: number;
  short_axis: number;
  unit: string;
  probability: number;
  touches_edge: boolean | null;
  words: Record<string, string>;
  values: MeasuredValue[];
}

export interface Measured {
  lesions: Lesion[];
  answer: Answer | null;
}

export type FlagKind = "other_picture" | "suspected" | "cut_off" | "no_spacing" | "remark";

export interface Reading {
  version: number;
  verdict: Verdict;
  outlines: Outline[] | null;
  birads: string | null;
  note: string;
  reader: string | null;
  signed: string | null;
}

export interface CaseDetail extends CaseSummary {
  width: number;
  height: number;
  spacing_mm: [number, number] | null;
  answer: Answer | null;
  model_digest: string | null;
  lesions: Lesion[];
  flags: { kind: FlagKind; text: string | null }[];
  explanations: { number: number; title: string; class_name: string | null; value: string }[];
  exports: string[];
  version: number;
  reading: Reading | null;
  measured: Measured | null;
}

export interface DropInfo {
  id: string;
  state: "open" | "waiting" | "running" | "done" | "failed";
  done: number;
  total: number | null;
  reason: string | null;
  files: { id: string; name: string; problem: string | null; remarks: string[] }[];
}

export interface NewReading {
  version: number;
  verdict: Verdict;
  outlines: Outline[] | null;
  birads: string | null;
  note: string;
}

/** What the server refused, and why; status 0 where it did not answer. */
export class Refused extends Error {
  constructor(
    readonly status: number,
    detail: string,
  ) {
    super(detail);
  }
}

async function ask<T>(method: string, path: string, body?: unknown, signal?: AbortSignal): Promise<T> {
  const isFile = body instanceof Blob;
  const headers: Record<string, string> = {};
  if (body !== undefined) headers["Content-Type"] = isFile ? "application/octet-stream" : "application/json";
  if (body instanceof File) headers["X-Filename"] = encodeURIComponent(body.name);
  let answer: Response;
  try {
    answer = await fetch(`/api${path}`, {
      method,
      headers,
      body: body === undefined ? undefined : isFile ? body : JSON.stringify(body),
      signal,
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Refused(0, "");
  }
  if (answer.status === 204) return undefined as T;
  const told = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Refused(answer.status, typeof told.detail === "string" ? told.detail : answer.statusText);
  return told as T;
}

export const api = {
  about: () => ask<About>("GET", "/about"),
  cases: () => ask<CaseSummary[]>("GET", "/cases"),
  case: (id: string) => ask<CaseDetail>("GET", `/cases/${id}`),
  remove: (id: string) => ask<void>("DELETE", `/cases/${id}`),
  measure: (id: string, outlines: Outline[], signal: AbortSignal) =>
    ask<Measured>("POST", `/cases/${id}/measure`, { outlines }, signal),
  save: (id: string, reading: NewReading) => ask<CaseDetail>("PUT", `/cases/${id}/reading`, reading),
  sign: (id: string, version: number, reader: string) =>
    ask<CaseDetail>("POST", `/cases/${id}/sign`, { version, reader }),
  newDrop: () => ask<{ id: string }>("POST", "/drops"),
  send: (drop: string, file: File) => ask<{ id: string }>("POST", `/drops/${drop}/files`, file),
  read: (drop: string) => ask<DropInfo>("POST", `/drops/${drop}/read`),
  retry: (drop: string) => ask<DropInfo>("POST", `/drops/${drop}/retry`),
};

/** Hear of every change of a drop until it has ended. The browser asks again by itself where the connection is lost. */
export function eventsOf(drop: string, hear: (told: DropInfo) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const events = new EventSource(`/api/drops/${drop}/events`);
    events.onmessage = (event) => {
      const told = JSON.parse(event.data) as DropInfo;
      hear(told);
      if (told.state !== "done" && told.state !== "failed") return;
      events.close();
      resolve();
    };
    events.onerror = () => {
      if (events.readyState === EventSource.CLOSED) reject(new Refused(0, ""));
    };
  });
}
