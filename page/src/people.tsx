/** For admins: the accounts, and the audit trail. */
import { useEffect, useRef, useState } from "preact/hooks";
import { AUDIT_PAGE, api, type Account, type AuditLine, type Person, type Role } from "./api";
import { told } from "./sign_in";
import { fill, text } from "./text";
import { moment } from "./time";

const ROLES: Role[] = ["reader", "reviewer", "admin"];

export function PeopleDialog({ person, close }: { person: Person; close: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [people, setPeople] = useState<Account[]>([]);
  const [secret, setSecret] = useState<{ name: string; password: string } | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  const load = () => api.people().then(setPeople, (error) => setProblem(told(error)));
  useEffect(() => {
    dialog.current?.showModal();
    void load();
  }, []);
  const after = async (asked: Promise<unknown>) => {
    setProblem(null);
    await asked.catch((error) => setProblem(told(error)));
    await load();
  };
  const first = (name: string, asked: Promise<{ password: string }>) =>
    after(asked.then(({ password }) => setSecret({ name, password })));
  return (
    <dialog ref={dialog} class="wide" aria-labelledby="people-title" onClose={close}>
      <h2 id="people-title">{text.people}</h2>
      <table class="people">
        <thead>
          <tr>
            <th scope="col">{text.accountName}</th>
            <th scope="col">{text.fullName}</th>
            <th scope="col">{text.role}</th>
            <th scope="col">{text.state}</th>
          </tr>
        </thead>
        <tbody>
          {people.map((one) => (
            <tr key={one.name}>
              <th scope="row">{one.name}</th>
              <td>{one.full_name}</td>
              <td>
                <select
                  aria-label={`${text.role}, ${one.name}`}
                  value={one.role}
                  disabled={one.name === person.name}
                  onChange={(event) => after(api.changePerson(one.name, { role: event.currentTarget.value as Role }))}
                >
                  {ROLES.map((role) => (
                    <option key={role} value={role}>
                      {text.roles[role]}
                    </option>
                  ))}
                </select>
              </td>
              <td class="row">
                <button
                  disabled={one.name === person.name}
                  onClick={() => after(api.changePerson(one.name, { is_open: !one.is_open }))}
                >
                  {one.is_open ? text.closeAccount : text.openAccount}
                </button>
                <button onClick={() => first(one.name, api.newPassword(one.name))}>{text.resetPassword}</button>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      {people.length === 0 && <p class="hint">{text.noPeople}</p>}
      {secret && (
        <p class="secret" aria-live="polite">
          {fill(text.firstPasswordOf, { name: secret.name })} <code>{secret.password}</code>
        </p>
      )}
      <NewPerson add={(name, fullName, role) => first(name, api.addPerson(name, fullName, role))} />
      {problem !== null && (
        <p class="problem" role="alert">
          {problem}
        </p>
      )}
      <Audit />
      <form class="row" method="dialog">
        <span class="gap" />
        <button>{text.dismiss}</button>
      </form>
    </dialog>
  );
}

function NewPerson({ add }: { add: (name: string, fullName: string, role: Role) => Promise<void> }) {
  const [name, setName] = useState("");
  const [fullName, setFullName] = useState("");
  const [role, setRole] = useState<Role>("reader");
  const submit = async (event: Event) => {
    event.preventDefault();
    await add(name, fullName, role);
    setName("");
    setFullName("");
  };
  return (
    <form class="row" onSubmit={submit}>
      <input
        required
        maxLength={64}
        pattern="[a-z0-9][a-z0-9._\-]*"
        title={text.accountNameRule}
        autocapitalize="none"
        aria-label={text.accountName}
        placeholder={text.accountName}
        value={name}
        onInput={(event) => setName(event.currentTarget.value)}
      />
      <input
        required
        maxLength={200}
        aria-label={text.fullName}
        placeholder={text.fullName}
        value={fullName}
        onInput={(event) => setFullName(event.currentTarget.value)}
      />
      <select
        aria-label={text.role}
        value={role}
        onChange={(event) => setRole(event.currentTarget.value as Role)}
      >
        {ROLES.map((one) => (
          <option key={one} value={one}>
            {text.roles[one]}
          </option>
        ))}
      </select>
      <button class="primary">{text.addPerson}</button>
    </form>
  );
}

function Audit() {
  const [lines, setLines] = useState<AuditLine[] | null>(null);
  const [isAll, setIsAll] = useState(false);
  const more = async () => {
    const found = await api.audit(lines?.at(-1)?.id ?? null).catch(() => []);
    setLines([...(lines ?? []), ...found]);
    setIsAll(found.length < AUDIT_PAGE);
  };
  return (
    <details onToggle={(event) => event.currentTarget.open && lines === null && void more()}>
      <summary>{text.audit}</summary>
      <div class="audit" role="region" tabindex={0} aria-label={text.audit}>
        <table>
          <tbody>
            {lines?.map((line) => (
              <tr key={line.id}>
                <th scope="row">{moment(line.at)}</th>
                <td>{line.person}</td>
                <td>{line.deed}</td>
                <td class="hint">
                  {[line.case, ...Object.entries(line.detail).map(([name, value]) => `${name} ${shown(value)}`)]
                    .filter(Boolean)
                    .join(" · ")}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {lines !== null && !isAll && <button onClick={more}>{text.more}</button>}
    </details>
  );
}

function shown(value: unknown): string {
  if (typeof value === "string") return value.length > 20 ? `${value.slice(0, 12)}…` : value;
  if (value === null || typeof value !== "object") return String(value);
  if (Array.isArray(value)) return value.map(shown).join(", ");
  return `(${Object.entries(value)
    .filter(([, one]) => one !== null)
    .map(([name, one]) => `${name} ${shown(one)}`)
    .join(", ")})`;
}
