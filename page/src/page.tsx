/** The whole page: worklist, the chosen case, and what is dropped. */
import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { AccountDialog } from "./account";
import { AgreementDialog } from "./agreement";
import { api, onLost, type About, type CaseDetail, type CaseSummary, type Person, type Session } from "./api";
import { ClipView } from "./clip_view";
import { begun, filesOf, send, unreadOf, type Progress } from "./dropping";
import { useKeys } from "./keys";
import { PeopleDialog } from "./people";
import { Reading } from "./reading";
import { SignIn, told as toldOf } from "./sign_in";
import { inPageLanguage } from "./phrases";
import { CATALOGUES, language, speak, text, type Language } from "./text";
import { VolumeView } from "./volume_view";
import { Worklist } from "./worklist";

const THEME = "bustle.theme";
const REFRESH = 5000;

/** Who is there, and the page once somebody is. */
export function Page() {
  const [session, setSession] = useState<Session | null>(null);
  const [, setSpoken] = useState(language);
  const [problem, setProblem] = useState<string | null>(null);
  const known = useRef<string | null>(null);

  const ask = useCallback(() => {
    api.session().then((told) => {
      const name = told.person?.name ?? null;
      if (name !== null && known.current !== null && name !== known.current) location.reload();
      known.current = name ?? known.current;
      setSession(told);
      setProblem(null);
    }, (error) => setProblem(toldOf(error)));
  }, []);

  useEffect(() => {
    onLost(ask);
    ask();
  }, [ask]);

  const person = session?.person ?? null;
  const last = useRef<Person | null>(null);
  if (person && !person.must_change) last.current = person;
  return (
    <>
      {last.current && (
        <Room
          person={last.current}
          speak={(wanted) => {
            speak(wanted);
            setSpoken(wanted);
          }}
        />
      )}
      {session && (!person || person.must_change) && <SignIn session={session} done={ask} />}
      {!session && problem !== null && (
        <p class="problem" role="alert">
          {problem}
        </p>
      )}
    </>
  );
}

function Room({ person, speak }: { person: Person; speak: (wanted: Language) => void }) {
  const [about, setAbout] = useState<About | null>(null);
  const [cases, setCases] = useState<CaseSummary[]>([]);
  const [selected, setSelected] = useState<string | null>(null);
  const [detail, setDetail] = useState<CaseDetail | null>(null);
  const [opened, setOpened] = useState(0);
  const [isSecond, setIsSecond] = useState(false);
  const [progress, setProgress] = useState<Progress[]>([]);
  const [problem, setProblem] = useState<string | null>(null);
  const [isOver, setIsOver] = useState(false);
  const [theme, setTheme] = useState(localStorage.getItem(THEME) ?? "dark");
  const [dialog, setDialog] = useState<"people" | "account" | "agreement" | null>(null);
  const keys = useRef<HTMLDialogElement>(null);
  const nextKey = useRef(1);
  const choices = useRef(0);
  const choose = useCallback((id: string) => {
    choices.current++;
    setSelected(id);
  }, []);

  useEffect(() => {
    document.documentElement.dataset.theme = theme;
    localStorage.setItem(THEME, theme);
  }, [theme]);

  const refused = (error: unknown) => setProblem(toldOf(error));

  const refresh = useCallback(async () => {
    try {
      const found = await api.cases();
      setCases(found);
      setSelected((old) => (old && found.some((one) => one.id === old) ? old : (found[0]?.id ?? null)));
      setProblem(null);
    } catch (error) {
      refused(error);
    }
  }, []);

  useEffect(() => {
    void refresh();
    api.about().then(setAbout, refused);
    const timer = setInterval(() => document.hidden || void refresh(), REFRESH);
    return () => clearInterval(timer);
  }, [refresh]);

  useEffect(() => {
    setIsSecond(false);
    if (!selected) {
      setDetail(null);
      return;
    }
    let isOld = false;
    api.case(selected).then((told) => {
      if (isOld) return;
      setDetail(told);
      setOpened((old) => old + 1);
    }, refused);
    return () => {
      isOld = true;
    };
  }, [selected]);

  const tell = useCallback(
    (told: Progress) => {
      setProgress((old) => [...old.filter((one) => one.key !== told.key), told]);
      if (told.drop) void refresh();
    },
    [refresh],
  );

  /** A drop whose files were all read, without anything to say of them, needs no row any more. */
  const tidy = useCallback((key: number, found: CaseSummary[]) => {
    setProgress((old) =>
      old.filter(
        (one) =>
          one.key !== key ||
          one.problem !== null ||
          one.refused.length > 0 ||
          one.drop?.state !== "done" ||
          one.drop.files.some((file) => file.problem || file.remarks.length) ||
          unreadOf(one, found).length > 0,
      ),
    );
  }, []);

  const goOn = useCallback(
    async (from: Progress) => {
      let latest = from;
      const before = choices.current;
      await send(from, about?.most_bytes ?? Infinity, (told) => {
        latest = told;
        tell(told);
      });
      if (latest.drop?.state !== "done") return;
      const found = await api.cases().catch(() => []);
      tidy(from.key, found);
      const first = found.find((one) => one.drop === latest.id && one.kind !== "unread");
      if (first && choices.current === before) setSelected(first.id); // else somebody is at work on another
    },
    [tell, tidy, about],
  );

  const openFiles = useCallback(
    (files: File[]) => {
      if (files.length) void goOn(begun(nextKey.current++, files));
    },
    [goOn],
  );

  useEffect(() => {
    const over = (event: DragEvent) => {
      event.preventDefault();
      setIsOver(true);
    };
    const leave = (event: DragEvent) => {
      if (!event.relatedTarget) setIsOver(false);
    };
    const drop = async (event: DragEvent) => {
      event.preventDefault();
      setIsOver(false);
      if (event.dataTransfer) void openFiles(await filesOf(event.dataTransfer));
    };
    const paste = async (event: ClipboardEvent) => {
      if (event.clipboardData?.files.length) void openFiles(await filesOf(event.clipboardData));
    };
    // Before the canvas of a volume, which keeps what is dropped on it to itself.
    window.addEventListener("dragover", over, true);
    window.addEventListener("dragleave", leave, true);
    window.addEventListener("drop", drop, true);
    window.addEventListener("paste", paste);
    return () => {
      window.removeEventListener("dragover", over, true);
      window.removeEventListener("dragleave", leave, true);
      window.removeEventListener("drop", drop, true);
      window.removeEventListener("paste", paste);
    };
  }, [openFiles]);

  useKeys((event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "?") keys.current?.showModal();
    else if (event.key === "/") document.getElementById("search")?.focus();
    else return;
    event.preventDefault();
  });

  const reload = async () => {
    if (!selected) return;
    try {
      setDetail(await api.case(selected));
      setOpened((old) => old + 1);
      await refresh();
    } catch (error) {
      refused(error);
    }
  };

  const readingProps = (detail: CaseDetail) => ({
    detail,
    person,
    isSecond: isSecond && detail.status === "signed",
    readAgain: setIsSecond,
    replaced: (told: CaseDetail) => {
      setDetail((old) => (old?.id === told.id ? told : old));
      void refresh();
    },
    reload,
    remove: () => api.remove(detail.id).then(refresh, refused),
  });

  return (
    <>
      <header>
        <h1>{text.title}</h1>
        <p class="hint">{text.notDiagnosis}</p>
        {problem && (
          <p class="problem" role="alert">
            {problem}
          </p>
        )}
        <span class="gap" />
        {about && <p class="hint model">{about.model}</p>}
        {person.role !== "reader" && <button onClick={() => setDialog("agreement")}>{text.agreement}</button>}
        {person.role === "admin" && <button onClick={() => setDialog("people")}>{text.people}</button>}
        {person.full_name !== null && <button onClick={() => setDialog("account")}>{person.full_name}</button>}
        <select
          aria-label={text.language}
          value={language}
          onChange={(event) => speak(event.currentTarget.value as Language)}
        >
          {Object.entries(CATALOGUES).map(([name, catalogue]) => (
            <option key={name} value={name} lang={name}>
              {catalogue.languageName}
            </option>
          ))}
        </select>
        <button onClick={() => keys.current?.showModal()}>{text.keys}</button>
        <button onClick={() => setTheme(theme === "dark" ? "light" : "dark")}>{text.theme}</button>
      </header>
      <main>
        <Worklist
          cases={cases}
          selected={selected}
          isBlind={isSecond}
          progress={progress}
          choose={choose}
          openFiles={openFiles}
          dismiss={(key) => setProgress((old) => old.filter((one) => one.key !== key))}
          retry={goOn}
        />
        {!detail ? (
          <section class="viewer empty">
            <p>{text.chooseCase}</p>
          </section>
        ) : detail.kind === "unread" ? (
          <section class="viewer empty">
            <p>{detail.name}</p>
            <p class="problem">{inPageLanguage(detail.problem ?? "")}</p>
            <button onClick={() => api.remove(detail.id).then(refresh, refused)}>{text.deleteCase}</button>
          </section>
        ) : detail.kind === "volume" ? (
          <VolumeView key={`${detail.id}-${opened}-${isSecond}`} about={about} {...readingProps(detail)} />
        ) : detail.kind === "clip" ? (
          <ClipView
            key={`${detail.id}-${opened}`}
            detail={detail}
            open={(made) => {
              choose(made.id);
              void refresh();
            }}
            remove={() => api.remove(detail.id).then(refresh, refused)}
          />
        ) : (
          <Reading key={`${detail.id}-${opened}-${isSecond}`} about={about} cases={cases} {...readingProps(detail)} />
        )}
      </main>
      {dialog === "people" && <PeopleDialog person={person} close={() => setDialog(null)} />}
      {dialog === "agreement" && <AgreementDialog close={() => setDialog(null)} />}
      {dialog === "account" && <AccountDialog person={person} close={() => setDialog(null)} />}
      {isOver && <div class="over">{text.dropNow}</div>}
      <dialog ref={keys} aria-label={text.keys}>
        <table>
          <tbody>
            {text.keyList.map(([key, meaning]) => (
              <tr key={key}>
                <th scope="row">
                  <kbd>{key}</kbd>
                </th>
                <td>{meaning}</td>
              </tr>
            ))}
          </tbody>
        </table>
        <form method="dialog">
          <button>{text.dismiss}</button>
        </form>
      </dialog>
    </>
  );
}
