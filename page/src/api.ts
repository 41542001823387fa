/** What the server says and is asked, as its OpenAPI has it. */
import { inPageLanguage } from "./phrases";
import { fill, text } from "./text";

export type Point = [number, number];
export type Outline = Point[];
export type Verdict = "accepted" | "corrected" | "rejected";
export type Status = "unread" | "new" | "read" | "signed";

export type Role = "reader" | "reviewer" | "admin";

/** Whoever asks; `full_name` is null of whoever started the server, who writes a name under each signature. */
export interface Person {
  name: string;
  full_name: string | null;
  role: Role;
  must_change: boolean;
}

export interface Session {
  person: Person | null;
  csrf: string | null;
  has_accounts: boolean;
  /** People may also sign in at PROVIDER. */
  has_provider: boolean;
  /** Why this browser, which comes from there, is not signed in. */
  refused: Problem | null;
}

export interface Account {
  name: string;
  full_name: string;
  role: Role;
  is_open: boolean;
  is_first_password: boolean;
}

export interface Token {
  id: string;
  title: string;
  made: string;
  ends: string | null;
}

export interface AuditLine {
  id: number;
  at: string;
  person: string;
  deed: string;
  case: string | null;
  detail: Record<string, unknown>;
}

/** Leads a browser on to the OpenID Connect provider. */
export const PROVIDER = "/api/provider";

export const AUDIT_PAGE = 50;

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
  /** A pseudonym. */
  patient: string | null;
  kind: "image" | "clip" | "volume" | "unread";
  status: Status;
  problem: string | null;
  decision: string | null;
  malignant: number | null;
  verdict: Verdict | null;
  birads: string | null;
  read_again: number;
  clip_id: string | null;
  frame: number | null;
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

/** What was measured of a lesion; empty where nothing was. */
export interface Described {
  touches_edge: boolean | null;
  words: Record<string, string>;
  values: MeasuredValue[];
}

export interface Lesion extends Described {
  number: number;
  outline: Outline;
  area: number;
  long_axis: number;
  short_axis: number;
  unit: string;
  probability: number;
}

export interface Measured {
  lesions: Lesion[];
  answer: Answer | null;
}

export type FlagKind =
  | "other_picture"
  | "seen"
  | "copy"
  | "suspected"
  | "two_frames"
  | "inverted"
  | "few_pixels"
  | "colour"
  | "cut_off"
  | "seems_cut_off"
  | "marks"
  | "no_spacing";

/** A training case that looks like this one to the network; 1 is the usual distance from one to the nearest other. */
export interface SimilarCase {
  source: string;
  class_name: string;
  distance: number;
}

/** Where in the breast: the hour is as one looks at it. */
export interface Location {
  side: "left" | "right" | null;
  clock: number | null;
  nipple_mm: number | null;
}

export interface Reading extends Location {
  version: number;
  verdict: Verdict;
  outlines: Outline[] | null;
  birads: string | null;
  note: string;
  reader: string | null;
  signed: string | null;
}

/** A map of what moved the answer. */
export interface Explanation {
  number: number;
  title: string;
  class_name: string | null;
  value: string;
}

export interface CaseDetail extends CaseSummary {
  width: number;
  height: number;
  spacing_mm: [number, number] | null;
  answer: Answer | null;
  model_digest: string | null;
  lesions: Lesion[];
  flags: { kind: FlagKind }[];
  similar_cases: SimilarCase[];
  explanations: Explanation[];
  exports: string[];
  version: number;
  reading: Reading | null;
  measured: Measured | null;
  addenda: { made: string; reader: string; text: string }[];
  second_readings: SecondReading[];
}

export interface SecondReading {
  made: string;
  reader: string;
  verdict: Verdict;
  outlines: Outline[] | null;
  birads: string | null;
  note: string;
}

export type NewSecondReading = Omit<SecondReading, "made" | "reader"> & { reader: string | null };

/** A figure of `n` cases with its 95 % interval. */
export interface Figure {
  value: number | null;
  interval: [number, number] | null;
  n: number;
}

export interface DiameterAgreement {
  unit: string;
  bias: number;
  bias_interval: [number, number];
  limits: [number, number];
  lower_interval: [number, number];
  upper_interval: [number, number];
  points: { case: string; mean: number; difference: number }[];
}

export type Rater = "model" | "reader" | "second";

export interface PairAgreement {
  first: Rater;
  second: Rater;
  cases: number;
  kappa: Figure;
  advised: number[][];
  dice: Figure;
  same_outline: number;
  diameters: DiameterAgreement[];
}

export interface Agreement {
  signed: number;
  pairs: PairAgreement[];
}

/** A frame of a clip and what the model says of it; `case` is the one that was made of it. */
export interface ClipFrame {
  number: number;
  decision: string | null;
  malignant: number | null;
  outlines: Outline[];
  lesions: number[];
  problem: string | null;
  case: string | null;
}

/** A lesion along a clip, in so many `frames` of it; sizes are those in the `best`. */
export interface ClipLesion {
  number: number;
  decision: string | null;
  malignant: number | null;
  frames: number;
  best: number;
  why: string;
  area: number;
  long_axis: number;
  short_axis: number;
}

export interface Clip {
  unit: "mm" | "px";
  spacing_mm: [number, number] | null;
  width: number;
  height: number;
  frames: ClipFrame[];
  lesions: ClipLesion[];
  decided_by: number | null;
  best: number;
}

/** A place in a volume where a lesion may be: slice, row and column. */
export interface Candidate extends Described {
  number: number;
  centre: [number, number, number];
  score: number;
  volume_mm3: number;
  malignant: number | null;
}

/** Slices, rows, columns; `is_read`: a model has looked at it. */
export interface Volume {
  size: [number, number, number];
  spacing_mm: [number, number, number] | null;
  is_read: boolean;
  has_mask: boolean;
  candidates: Candidate[];
}

export interface DropInfo {
  id: string;
  state: "open" | "waiting" | "running" | "done" | "failed";
  done: number;
  total: number | null;
  reason: string | null;
  files: { id: string; name: string; problem: string | null; remarks: string[] }[];
}

/** How much of a large file has arrived; `file` is there once all of it has. */
export interface Upload {
  id: string;
  size: number;
  sent: number;
  file: { id: string } | null;
}

export interface NewReading extends Location {
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

/** What every change has to show, so that no page of another site makes one. */
let csrf: string | null = null;
let lost: () => void = () => undefined;

/** Be told when the server knows nobody here any more. */
export function onLost(hear: () => void): void {
  lost = hear;
}

async function session(): Promise<Session> {
  const told = await ask<Session>("GET", "/session");
  csrf = told.csrf;
  return told;
}

async function ask<T>(
  method: string,
  path: string,
  body?: unknown,
  signal?: AbortSignal,
  offset?: number,
): Promise<T> {
  const isFile = body instanceof Blob;
  const headers: Record<string, string> = {};
  if (body !== undefined) headers["Content-Type"] = isFile ? "application/octet-stream" : "application/json";
  if (csrf !== null && method !== "GET") headers["X-CSRF-Token"] = csrf;
  if (body instanceof File) headers["X-Filename"] = encodeURIComponent(body.name);
  if (offset !== undefined) headers["Upload-Offset"] = String(offset);
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
  if (answer.status === 401 && path !== "/session") lost();
  if (!answer.ok) throw new Refused(answer.status, said(told) ?? answer.statusText);
  return told as T;
}

/** Why something was not done; what has no code is a file's own fault. */
export interface Problem {
  detail?: unknown;
  code?: string | null;
  values?: Record<string, string | number>;
}

/** In the language of the page, as far as it can. */
export function said({ detail, code, values = {} }: Problem): string | null {
  const words = code ? text.refused[code] : undefined;
  if (words === undefined) return typeof detail === "string" ? inPageLanguage(detail) : null;
  const role = text.roles[values.role as Role];
  return fill(words, role ? { ...values, role } : values);
}

async function bytesOf(path: string): Promise<ArrayBuffer> {
  const answer = await fetch(`/api${path}`).catch(() => {
    throw new Refused(0, "");
  });
  if (answer.status === 401) lost();
  if (!answer.ok) throw new Refused(answer.status, answer.statusText);
  return answer.arrayBuffer();
}

export const api = {
  about: () => ask<About>("GET", "/about"),
  cases: () => ask<CaseSummary[]>("GET", "/cases"),
  case: (id: string) => ask<CaseDetail>("GET", `/cases/${id}`),
  remove: (id: string) => ask<void>("DELETE", `/cases/${id}`),
  measure: (id: string, outlines: Outline[], signal: AbortSignal) =>
    ask<Measured>("POST", `/cases/${id}/measure`, { outlines }, signal),
  save: (id: string, reading: NewReading) => ask<CaseDetail>("PUT", `/cases/${id}/reading`, reading),
  sign: (id: string, version: number, reader: string | null) =>
    ask<CaseDetail>("POST", `/cases/${id}/sign`, { version, reader }),
  addendum: (id: string, words: string, reader: string | null) =>
    ask<CaseDetail>("POST", `/cases/${id}/addenda`, { text: words, reader }),
  second: (id: string, reading: NewSecondReading) => ask<CaseDetail>("POST", `/cases/${id}/second`, reading),
  clip: (id: string) => ask<Clip>("GET", `/cases/${id}/clip`),
  readFrame: (id: string, frame: number) => ask<CaseSummary>("POST", `/cases/${id}/frames/${frame}/case`),
  volume: (id: string) => ask<Volume>("GET", `/cases/${id}/volume`),
  voxels: (id: string, part: "first" | "voxels" | "mask") => bytesOf(`/cases/${id}/volume/${part}`),
  agreement: () => ask<Agreement>("GET", "/agreement"),
  newDrop: () => ask<{ id: string }>("POST", "/drops"),
  send: (drop: string, file: File) => ask<{ id: string }>("POST", `/drops/${drop}/files`, file),
  beginUpload: (drop: string, file: File) =>
    ask<Upload>("POST", `/drops/${drop}/uploads`, { name: file.name, size: file.size }),
  upload: (drop: string, id: string) => ask<Upload>("GET", `/drops/${drop}/uploads/${id}`),
  sendPart: (drop: string, id: string, part: Blob, offset: number) =>
    ask<Upload>("PATCH", `/drops/${drop}/uploads/${id}`, part, undefined, offset),
  read: (drop: string) => ask<DropInfo>("POST", `/drops/${drop}/read`),
  retry: (drop: string) => ask<DropInfo>("POST", `/drops/${drop}/retry`),
  session,
  signIn: (name: string, password: string) => ask<void>("POST", "/session", { name, password }),
  signOut: () => ask<void>("DELETE", "/session"),
  setPassword: (old: string, now: string) => ask<void>("POST", "/password", { old, new: now }),
  tokens: () => ask<Token[]>("GET", "/tokens"),
  addToken: (title: string) => ask<Token & { secret: string }>("POST", "/tokens", { title }),
  revokeToken: (id: string) => ask<void>("DELETE", `/tokens/${id}`),
  people: () => ask<Account[]>("GET", "/people"),
  addPerson: (name: string, full_name: string, role: Role) =>
    ask<{ password: string }>("POST", "/people", { name, full_name, role }),
  changePerson: (name: string, change: { role?: Role; is_open?: boolean }) =>
    ask<Account>("PATCH", `/people/${name}`, change),
  newPassword: (name: string) => ask<{ password: string }>("POST", `/people/${name}/password`),
  audit: (before: number | null) =>
    ask<AuditLine[]>("GET", `/audit?most=${AUDIT_PAGE}${before === null ? "" : `&before=${before}`}`),
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
