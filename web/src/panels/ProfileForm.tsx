import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { ask, get, Problem } from "../api/client";
import type { Profile, ProfileChange, ProfileChanged } from "../api/types";
import { saveText } from "../ui/Grid";
import { Button, Field, fieldOf, Modal, Said, Skeleton } from "../ui/pieces";
import { useLinked } from "../ui/session";
import { stamp } from "../ui/time";
import { useSay } from "../ui/toasts";

/** A setting of a profile as people read it. */
export function setting(value: unknown): string {
  if (value === null || value === undefined) return "none";
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (Array.isArray(value)) return value.map((each) => Object.entries(each as object).map(([key, v]) => `${key} ${setting(v)}`).join(", ")).join("; ") || "none";
  if (typeof value === "object") return Object.entries(value).map(([key, v]) => `${key.replaceAll("_", " ")} ${setting(v)}`).join(", ");
  return String(value);
}

/** Judge an account by another profile: what it would change, and what a founder has to sign where it allows more. */
export function ProfileForm(props: { account: string; onClose: () => void }) {
  const { account } = props;
  const path = `/operator/risk/${encodeURIComponent(account)}`;
  const queries = useQueryClient();
  const linked = useLinked();
  const say = useSay();
  const [name, setName] = useState("");
  const [approval, setApproval] = useState("");
  const [error, setError] = useState<unknown>(null);
  const [busy, setBusy] = useState(false);
  const profiles = useQuery({ queryKey: ["profiles"], queryFn: () => get<Profile[]>("/operator/profiles") });
  const past = useQuery({ queryKey: ["profile-history", account], queryFn: () => get<ProfileChanged[]>(`${path}/profiles`) });
  const change = useQuery({
    queryKey: ["profile-change", account, name, past.data?.length],
    queryFn: () => get<ProfileChange>(`${path}/profile?profile=${encodeURIComponent(name)}`),
    enabled: name !== "" && past.data !== undefined,
  });
  const apply = async () => {
    setBusy(true);
    setError(null);
    try {
      const done = await ask<ProfileChange>("PUT", `${path}/profile`, { profile: name, approval: approval.trim() || null });
      say(`${account} is judged by ${done.after.replaceAll("_", " ")}, version ${done.after_version}`, "good");
      void queries.invalidateQueries({ predicate: (each) => ["accounts", "risk", "profile-history"].includes(String(each.queryKey[0])) });
      props.onClose();
    } catch (problem) {
      setError(problem);
    } finally {
      setBusy(false);
    }
  };
  const choose = (to: string) => {
    setName(to);
    setError(null);
  };
  return (
    <Modal wide title={`Risk profile of ${account}`} open onClose={props.onClose}>
      <form className="profile-form" onSubmit={(event) => { event.preventDefault(); void apply(); }}>
        <Past past={past.data} />
        <Said error={past.error ?? profiles.error} />
        <Field label="Judge it by" error={fieldOf(error) === "profile" ? error : change.error}>
          <select value={name} onChange={(event) => choose(event.target.value)} autoFocus>
            <option value="">Choose a profile</option>
            {profiles.data?.map((each) => (
              <option key={each.name} value={each.name} disabled={each.backtest_only || each.problem !== null}>
                {each.problem !== null ? each.problem : `${each.name.replaceAll("_", " ")}, version ${each.version} (${each.backtest_only ? "for backtests only" : each.source})`}
              </option>
            ))}
          </select>
        </Field>
        {change.isFetching && <Skeleton rows={3} />}
        {change.data && !change.isFetching && <Changed change={change.data} />}
        {change.data && change.data.looser.length > 0 && (
          <>
            <ToSign change={change.data} />
            <Field label="Founder’s approval: the text of its file" error={fieldOf(error) === "approval" ? error : null}>
              <textarea value={approval} onChange={(event) => setApproval(event.target.value)} spellCheck={false} autoComplete="off" maxLength={16_384} />
            </Field>
            <label className="check">
              or the file itself&nbsp;
              <input type="file" accept=".json,application/json" aria-label="File of the approval" onChange={(event) => void event.target.files?.[0]?.text().then(setApproval)} />
            </label>
          </>
        )}
        {error instanceof Problem && !["profile", "approval"].includes(error.field ?? "") && <Said error={error} />}
        <div className="actions">
          <Button onClick={props.onClose}>Back</Button>
          <button type="submit" className="button accent" disabled={!linked || busy || !change.data}>{change.data?.looser.length ? "Loosen" : "Tighten"}</button>
        </div>
      </form>
    </Modal>
  );
}

function Past(props: { past: ProfileChanged[] | undefined }) {
  if (!props.past) return <Skeleton rows={2} />;
  return (
    <div className="scroll">
      <table aria-label="Profiles so far">
        <thead><tr><th>Since (UTC)</th><th>Profile</th><th>By</th><th>Approval</th></tr></thead>
        <tbody>
          {props.past.slice(0, 8).map((each, i) => (
            <tr key={`${each.time_ns}${each.profile}${each.version}`}>
              <td>{stamp(each.time_ns)}</td>
              <td>{each.profile.replaceAll("_", " ")}, version {each.version} {i === 0 && <span className="tag good">in force</span>}</td>
              <td>{each.actor}</td>
              <td className="mono faint" title={each.approval_id}>{each.approval_id.slice(0, 12) || "none needed"}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Changed({ change }: { change: ProfileChange }) {
  const tags = (fields: readonly string[], tone: string) => fields.map((each) => <span key={each} className={`tag ${tone}`}>{each.replaceAll("_", " ")}</span>);
  return (
    <>
      <p>{change.looser.length ? <>Allows more: {tags(change.looser, "warn")}</> : "Allows nothing more, so it needs nobody’s leave."}</p>
      {change.tighter.length > 0 && <p>Allows less: {tags(change.tighter, "good")}</p>}
      {Object.keys(change.changed).length > 0 && (
        <div className="scroll">
          <table aria-label="What changes">
            <thead><tr><th>Setting</th><th>Now</th><th>Then</th></tr></thead>
            <tbody>
              {Object.entries(change.changed).map(([key, [before, after]]) => <tr key={key}><td className="muted">{key.replaceAll("_", " ")}</td><td>{setting(before)}</td><td>{setting(after)}</td></tr>)}
            </tbody>
          </table>
        </div>
      )}
    </>
  );
}

function ToSign({ change }: { change: ProfileChange }) {
  const file = `${change.account_id}-in-force.json`;
  return (
    <div>
      <p className="muted">A founder signs it where the key is, which is never here:</p>
      <pre className="command">{`njord risk approve ${change.after} --after ${file} --account ${change.account_id} --key FOUNDER.pem --reason "WHY"`}</pre>
      <Button className="small" onClick={() => saveText(file, JSON.stringify(change.in_force, null, 1), "application/json")}>Save what is in force as {file}</Button>
    </div>
  );
}
