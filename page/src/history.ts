/** What can be undone and redone: states one after another, of which one is shown. */
export interface History<T> {
  past: T[];
  now: T;
  future: T[];
}

const MOST = 200;

export const begin = <T>(now: T): History<T> => ({ past: [], now, future: [] });

export const changed = <T>(history: History<T>, now: T): History<T> => ({
  past: [...history.past, history.now].slice(-MOST),
  now,
  future: [],
});

export function undone<T>(history: History<T>): History<T> {
  const last = history.past.at(-1);
  if (last === undefined) return history;
  return { past: history.past.slice(0, -1), now: last, future: [history.now, ...history.future] };
}

export function redone<T>(history: History<T>): History<T> {
  const next = history.future[0];
  if (next === undefined) return history;
  return { past: [...history.past, history.now], now: next, future: history.future.slice(1) };
}
