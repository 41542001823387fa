/** A large file in parts: where the connection is lost, what has arrived is not sent again. */
import { Refused, api, type Upload } from "./api";

/** Bytes of one part; a file that is no larger is sent at once. */
export const PART = 8 * 2 ** 20;
/** Milliseconds before the next try, each after one more failure in a row. */
const WAITS = [500, 1000, 2000, 4000, 8000];

const known = new WeakMap<File, { drop: string; id: string }>();

const pause = (time: number) => new Promise((resolve) => setTimeout(resolve, time));

/** Whether asking again may help: nobody answered, or the server has another number of bytes than was thought. */
const mayGoOn = (error: unknown) => error instanceof Refused && (error.status === 0 || error.status === 409);

/**
 * Send a file into a drop. Rejects where the server refuses it, or does not answer for a while: called again with the
 * same file, it goes on where it was.
 */
export async function sendInParts(drop: string, file: File, waits = WAITS): Promise<void> {
  const begun = known.get(file);
  let id = begun?.drop === drop ? begun.id : null;
  if (id === null) {
    id = (await api.beginUpload(drop, file)).id;
    known.set(file, { drop, id });
  }
  let sent: number | null = begun?.drop === drop ? null : 0;
  for (let failures = 0; ; ) {
    try {
      const told: Upload =
        sent === null
          ? await api.upload(drop, id)
          : await api.sendPart(drop, id, file.slice(sent, sent + PART), sent);
      if (told.file) return;
      if (sent !== null) failures = 0;
      sent = told.sent;
    } catch (error) {
      if (!mayGoOn(error) || failures === waits.length) throw error;
      await pause(waits[failures++]!);
      sent = null;
    }
  }
}
