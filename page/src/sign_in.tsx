/** Who is there: signing in, and a password of one's own before anything else. */
import { useEffect, useRef, useState } from "preact/hooks";
import { PROVIDER, Refused, api, said, type Session } from "./api";
import { text } from "./text";

interface Props {
  session: Session;
  done: () => void;
}

/** Covers the page until a person is known; what is open below it stays as it is. */
export function SignIn({ session, done }: Props) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => dialog.current?.showModal(), []);
  return (
    <dialog
      ref={dialog}
      class="gate"
      aria-labelledby="gate-title"
      onCancel={(event) => event.preventDefault()}
    >
      <h1 id="gate-title">{text.title}</h1>
      <p class="hint">{text.notDiagnosis}</p>
      {session.person ? (
        <OwnPassword done={done} isFirst />
      ) : (
        <>
          {session.has_provider && (
            <div class="stack">
              <Problem text={session.refused && said(session.refused)} />
              <a class="button" href={PROVIDER}>
                {text.signInWithProvider}
              </a>
            </div>
          )}
          {session.has_accounts && <Credentials done={done} />}
          {!session.has_provider && !session.has_accounts && (
            <>
              <p>{text.openAddress}</p>
              <button onClick={done}>{text.retry}</button>
            </>
          )}
        </>
      )}
    </dialog>
  );
}

function Credentials({ done }: { done: () => void }) {
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const [problem, setProblem] = useState<string | null>(null);
  const signIn = async (event: Event) => {
    event.preventDefault();
    try {
      await api.signIn(name, password);
      done();
    } catch (error) {
      setPassword("");
      setProblem(told(error));
    }
  };
  return (
    <form class="stack" onSubmit={signIn}>
      <label class="field long">
        {text.accountName}
        <input
          autofocus
          required
          autocomplete="username"
          autocapitalize="none"
          maxLength={64}
          value={name}
          onInput={(event) => setName(event.currentTarget.value)}
        />
      </label>
      <Password label={text.password} value={password} set={setPassword} kind="current-password" />
      <button class="primary">{text.signIn}</button>
      <Problem text={problem} />
    </form>
  );
}

/** The form with which a person sets a password. */
export function OwnPassword({ done, isFirst }: { done: () => void; isFirst?: boolean }) {
  const [old, setOld] = useState("");
  const [now, setNow] = useState("");
  const [problem, setProblem] = useState<string | null>(null);
  const set = async (event: Event) => {
    event.preventDefault();
    try {
      await api.setPassword(old, now);
      setOld("");
      setNow("");
      setProblem(null);
      done();
    } catch (error) {
      setProblem(told(error));
    }
  };
  return (
    <form class="stack" onSubmit={set}>
      <p>{isFirst ? text.firstPassword : text.ownPassword}</p>
      <Password label={text.oldPassword} value={old} set={setOld} kind="current-password" />
      <Password label={text.newPassword} value={now} set={setNow} kind="new-password" />
      <button class="primary">{text.setPassword}</button>
      <Problem text={problem} />
    </form>
  );
}

interface PasswordProps {
  label: string;
  value: string;
  set: (value: string) => void;
  kind: "current-password" | "new-password";
}

function Password({ label, value, set, kind }: PasswordProps) {
  return (
    <label class="field long">
      {label}
      <input
        type="password"
        required
        maxLength={200}
        minLength={kind === "new-password" ? 12 : undefined}
        autocomplete={kind}
        value={value}
        onInput={(event) => set(event.currentTarget.value)}
      />
    </label>
  );
}

function Problem({ text: told }: { text: string | null }) {
  return told === null ? null : (
    <p class="problem" role="alert">
      {told}
    </p>
  );
}

export const told = (error: unknown): string =>
  error instanceof Refused ? error.message || text.unreachable : String(error);
