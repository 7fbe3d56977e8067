import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { ask, get, post } from "../api/client";
import type { WebSession } from "../api/types";
import { KeyTable } from "../shell/Keys";
import { Button, Choice, Field, fieldOf, Panel, Said } from "../ui/pieces";
import { prefer, usePreferences } from "../ui/preferences";
import { useMe } from "../ui/session";
import { stamp } from "../ui/time";

export default function Settings() {
  const me = useMe();
  const queries = useQueryClient();
  const { theme, palette } = usePreferences();
  const sessions = useQuery({ queryKey: ["sessions"], queryFn: () => get<WebSession[]>("/auth/sessions") });
  const out = () => queries.setQueryData(["me"], null);
  return (
    <div className="page settings">
      <div className="page-head">
        <h1>Settings</h1>
        <span className="actions-inline">
          <span className="muted">{me.name}, {me.role}</span>
          <Button onClick={() => void post("/auth/logout").then(out, out)}>Log out</Button>
        </span>
      </div>
      <div className="settings-grid">
        <Panel title="Look">
          <div className="card">
            <Field label="Theme (T)"><Choice label="Theme" value={theme} onChange={(to) => prefer({ theme: to })} options={[["dark", "Dark"], ["light", "Light"]]} /></Field>
            <Field label="Colours of up and down"><Choice label="Palette" value={palette} onChange={(to) => prefer({ palette: to })} options={[["standard", "Green and red"], ["colour-blind", "Blue and orange"]]} /></Field>
            <p className="faint">Blue and orange can be told apart with every kind of colour vision. Signs and arrows say the same.</p>
          </div>
        </Panel>
        <Panel title="Password"><Password onDone={out} /></Panel>
        <Panel title="Keys"><KeyTable /></Panel>
        <Panel title="Where you are logged in" className="wide-panel">
          <Said error={sessions.error} />
          <table>
            <thead><tr><th>Browser</th><th>Address</th><th>Since (UTC)</th><th>Last seen (UTC)</th><th /></tr></thead>
            <tbody>
              {sessions.data?.map((each) => (
                <tr key={each.session_id}>
                  <td className="agent" title={each.agent}>{each.agent}</td><td>{each.address}</td><td className="num">{stamp(each.created_ns)}</td><td className="num">{stamp(each.seen_ns)}</td>
                  <td className="num">{each.current ? <span className="tag good">this one</span> : <Button className="small" onClick={() => void ask("DELETE", `/auth/sessions/${each.session_id}`).then(() => sessions.refetch())}>End</Button>}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </Panel>
      </div>
    </div>
  );
}

function Password(props: { onDone: () => void }) {
  const [current, setCurrent] = useState("");
  const [password, setPassword] = useState("");
  const [error, setError] = useState<unknown>(null);
  const send = () => post("/auth/password", { current, password }).then(props.onDone).catch(setError);
  return (
    <form className="card" onSubmit={(event) => { event.preventDefault(); void send(); }}>
      <Field label="Current password" error={fieldOf(error) === "current" ? error : null}><input type="password" autoComplete="current-password" value={current} onChange={(event) => setCurrent(event.target.value)} required /></Field>
      <Field label="New password" error={fieldOf(error) === "current" ? null : error} hint="All sessions end, this one too."><input type="password" autoComplete="new-password" value={password} onChange={(event) => setPassword(event.target.value)} required /></Field>
      <button type="submit" className="button">Change it</button>
    </form>
  );
}
