/** One's own account: password, tokens for programs, and signing out. */
import { useEffect, useRef, useState } from "preact/hooks";
import { api, type Person, type Token } from "./api";
import { OwnPassword, told } from "./sign_in";
import { fill, text } from "./text";
import { day } from "./time";

export function AccountDialog({ person, close }: { person: Person; close: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [tokens, setTokens] = useState<Token[]>([]);
  const [title, setTitle] = useState("");
  const [secret, setSecret] = useState<string | null>(null);
  const [note, setNote] = useState<string | null>(null);
  const refused = (error: unknown) => setNote(told(error));
  const load = () => api.tokens().then(setTokens, refused);
  useEffect(() => {
    dialog.current?.showModal();
    void load();
  }, []);
  const add = async (event: Event) => {
    event.preventDefault();
    try {
      setSecret((await api.addToken(title)).secret);
      setTitle("");
      await load();
    } catch (error) {
      refused(error);
    }
  };
  return (
    <dialog ref={dialog} class="wide" aria-labelledby="account-title" onClose={close}>
      <h2 id="account-title">
        {person.full_name} · {text.roles[person.role]}
      </h2>
      <OwnPassword done={() => setNote(text.passwordSet)} />
      <h3>{text.tokens}</h3>
      <p class="hint">{text.tokenNote}</p>
      <ul class="plain">
        {tokens.map((one) => (
          <li class="row" key={one.id}>
            <span>{one.title}</span>
            <span class="hint">{one.ends ? fill(text.tokenEnds, { when: day(one.ends) }) : ""}</span>
            <span class="gap" />
            <button onClick={() => api.revokeToken(one.id).then(load, refused)}>{text.revoke}</button>
          </li>
        ))}
      </ul>
      {secret && (
        <p class="secret" aria-live="polite">
          {text.tokenOnce} <code>{secret}</code>
        </p>
      )}
      <form class="row" onSubmit={add}>
        <input
          required
          maxLength={100}
          aria-label={text.tokenTitle}
          placeholder={text.tokenTitle}
          value={title}
          onInput={(event) => setTitle(event.currentTarget.value)}
        />
        <button>{text.addToken}</button>
      </form>
      {note !== null && <p role="status">{note}</p>}
      <form class="row" method="dialog">
        <button type="button" onClick={() => api.signOut().then(() => location.reload(), refused)}>
          {text.signOut}
        </button>
        <span class="gap" />
        <button>{text.dismiss}</button>
      </form>
    </dialog>
  );
}
