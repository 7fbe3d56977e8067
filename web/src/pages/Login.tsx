import { useState } from "react";
import { post } from "../api/client";
import type { Me } from "../api/types";
import { Choice, Field, fieldOf } from "../ui/pieces";

export function Login(props: { onIn: (me: Me) => void }) {
  const [mode, setMode] = useState<"login" | "register">("login");
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const [error, setError] = useState<unknown>(null);
  const [busy, setBusy] = useState(false);
  const go = async () => {
    setBusy(true);
    setError(null);
    try {
      props.onIn(await post<Me>(`/auth/${mode}`, { name, password }));
    } catch (problem) {
      setError(problem);
      setBusy(false);
    }
  };
  const field = fieldOf(error);
  return (
    <main className="login">
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void go();
        }}
      >
        <img src="/njord.svg" alt="" />
        <h1>Njord</h1>
        <p className="lead">{mode === "login" ? "Log in to your desk." : "Register and get a simulated account to trade with."}</p>
        <Choice label="Log in or register" value={mode} onChange={setMode} options={[["login", "Log in"], ["register", "Register"]]} />
        <div style={{ height: 14 }} />
        <Field label="Name" error={field === "name" ? error : null}>
          <input name="name" value={name} onChange={(event) => setName(event.target.value)} autoComplete="username" required autoFocus />
        </Field>
        <Field label="Password" error={field === "name" ? null : error} hint={mode === "register" ? "Long beats clever: a few words are good." : undefined}>
          <input name="password" type="password" value={password} onChange={(event) => setPassword(event.target.value)} autoComplete={mode === "login" ? "current-password" : "new-password"} required />
        </Field>
        <button className="button accent" type="submit" disabled={busy || !name || !password}>
          {mode === "login" ? "Log in" : "Register"}
        </button>
      </form>
    </main>
  );
}
