/** Whether a key is meant for the page: it is not typed into a field, and no dialog is open over it. */
export function isForPage(event: KeyboardEvent): boolean {
  if (document.querySelector("dialog[open]")) return false;
  return !(event.target instanceof HTMLElement && /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName));
}
