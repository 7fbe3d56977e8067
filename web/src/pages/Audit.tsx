import { useMutation, useQuery } from "@tanstack/react-query";
import { Slider } from "radix-ui";
import { useState } from "react";
import { useSearchParams } from "react-router";
import { get, post } from "../api/client";
import type { AccountRisk, AuditSession, Timeline, Verified, Why as WhyOut } from "../api/types";
import { money } from "../money/exact";
import { Button, Empty, Panel, Said, Skeleton } from "../ui/pieces";
import { mayOperate, useMe } from "../ui/session";
import { clock } from "../ui/time";

export default function Audit() {
  const me = useMe();
  const [params, setParams] = useSearchParams();
  const account = params.get("account") ?? me.account_id;
  const of = `account_id=${encodeURIComponent(account)}`;
  const ask = (wanted: Record<string, string>) => setParams(account === me.account_id ? wanted : { account, ...wanted });
  const sessions = useQuery({ queryKey: ["audit-sessions", account], queryFn: () => get<AuditSession[]>(`/audit/sessions?${of}`) });
  const verify = useMutation({ mutationFn: () => post<Verified>(`/audit/verify?${of}`) });
  const why = params.get("why");
  const session = params.get("session") ?? sessions.data?.[0]?.session_id;
  return (
    <div className="page audit">
      <div className="page-head">
        <h1>Audit</h1>
        <span className="actions-inline">
          {mayOperate(me) && <Whose own={me.account_id} account={account} onChange={(to) => { verify.reset(); setParams(to === me.account_id ? {} : { account: to }); }} />}
          {verify.data && <span className={verify.data.ok ? "up" : "down"} role="status">{verify.data.ok ? `✓ The chain holds: ${verify.data.records.toLocaleString("en-US")} records` : `✗ ${verify.data.breaks.join("; ")}`}</span>}
          <Button onClick={() => verify.mutate()} disabled={verify.isPending}>{verify.isPending ? "Verifying…" : "Verify the chain"}</Button>
        </span>
      </div>
      <Said error={verify.error ?? sessions.error} />
      <div className="audit-grid">
        <div className="audit-side">
          <Why key={account} of={of} name={why} onAsk={(name) => ask(name ? { why: name } : {})} />
          <Panel title="Sessions on record">
            {sessions.isPending && <Skeleton rows={3} />}
            <table><tbody>
              {sessions.data?.map((each) => (
                <tr key={each.session_id} aria-selected={each.session_id === session}>
                  <td><button type="button" className="cell-button link" onClick={() => ask({ session: each.session_id })}>{each.session_id}</button></td>
                  <td className="num muted">{(each.bytes / 1e6).toFixed(2)} MB</td>
                  <td><span className={`tag ${each.complete ? "" : "good"}`}>{each.complete ? "closed" : "open"}</span></td>
                </tr>
              ))}
            </tbody></table>
          </Panel>
        </div>
        {session ? <Steps key={session} of={of} session={session} onWhy={(name) => ask({ session, why: name })} /> : <Panel title="Timeline"><Empty>No session is on record yet.</Empty></Panel>}
      </div>
    </div>
  );
}

function Whose(props: { own: string; account: string; onChange: (account: string) => void }) {
  const accounts = useQuery({ queryKey: ["accounts"], queryFn: () => get<AccountRisk[]>("/operator/risk") });
  const known = [...new Set([props.own, props.account, ...(accounts.data ?? []).map((each) => each.account_id)])];
  return (
    <select className="compact" aria-label="Account" value={props.account} onChange={(event) => props.onChange(event.target.value)}>
      {known.map((each) => <option key={each} value={each}>{each === props.own ? `${each} (own)` : each}</option>)}
    </select>
  );
}

function Why(props: { of: string; name: string | null; onAsk: (name: string | null) => void }) {
  const [text, setText] = useState(props.name ?? "");
  const why = useQuery({ queryKey: ["why", props.of, props.name], queryFn: () => get<WhyOut>(`/audit/why?${props.of}&name=${encodeURIComponent(props.name!)}`), enabled: !!props.name, staleTime: 30_000 });
  return (
    <Panel title="Why: the chain of causes">
      <form className="filters" onSubmit={(event) => { event.preventDefault(); props.onAsk(text.trim() || null); }}>
        <input className="compact" style={{ flex: 1 }} placeholder="Id of an order or a fill" aria-label="Id of an order or a fill" value={text} onChange={(event) => setText(event.target.value)} />
        <Button className="small" type="submit">Ask</Button>
      </form>
      {!props.name && <Empty>Ask by an id, or press Why beside any order or fill.</Empty>}
      {props.name && why.isPending && <Skeleton rows={5} />}
      <div style={{ padding: "0 10px" }}><Said error={why.error} /></div>
      {why.data && (
        <ol className="chain-links" aria-label={`Why ${why.data.subject}`}>
          {why.data.links.map((link, i) => (
            <li key={i}>
              <b>{link.what}</b> <span className="faint num">#{link.sequence} · {link.time.slice(11, 23) || link.time}</span>
              <p className="muted">{link.detail}</p>
            </li>
          ))}
        </ol>
      )}
    </Panel>
  );
}

function Steps(props: { of: string; session: string; onWhy: (name: string) => void }) {
  const [first, setFirst] = useState<number | null>(null);
  const [shownFirst, setShown] = useState(0);
  const timeline = useQuery({
    queryKey: ["timeline", props.of, props.session, first],
    queryFn: () => get<Timeline>(`/audit/timeline?${props.of}&session_id=${encodeURIComponent(props.session)}&first=${first ?? 0}&count=120`),
    staleTime: 60_000,
    placeholderData: (before) => before,
  });
  const found = timeline.data;
  const go = (to: number) => {
    setShown(to);
    setFirst(to);
  };
  return (
    <Panel title={`Timeline of ${props.session}`} tools={found && <span className="muted num">UTC · step {found.first.toLocaleString("en-US")} of {found.last.toLocaleString("en-US")}</span>}>
      {found && (
        <div className="slider-row">
          <Button className="small" aria-label="Earlier" disabled={!found.first} onClick={() => go(Math.max(0, (first ?? 0) - 200))}>‹</Button>
          <Slider.Root className="slider" min={0} max={Math.max(1, found.last)} value={[shownFirst]} onValueChange={([to]) => setShown(to ?? 0)} onValueCommit={([to]) => setFirst(to ?? 0)}>
            <Slider.Track className="slider-track"><Slider.Range className="slider-range" /></Slider.Track>
            <Slider.Thumb className="slider-thumb" aria-label="Step of the session" />
          </Slider.Root>
          <Button className="small" aria-label="Later" disabled={!found.steps.length} onClick={() => go((found.steps.at(-1)?.sequence ?? 0) + 1)}>›</Button>
        </div>
      )}
      {timeline.isPending && <Skeleton rows={12} />}
      <Said error={timeline.error} />
      {found?.steps.length === 0 && <Empty>Nothing was decided from here on.</Empty>}
      <ol className="step-list">
        {found?.steps.map((step) => (
          <li key={step.sequence}>
            <span className="faint num">#{step.sequence}</span>
            <span className="faint num">{clock(step.time_ns, true)}</span>
            <div>
              <span>{step.event ? told(step.event) : step.cause}</span>
              {step.commands.map((each, i) => {
                const id = each["client_order_id"];
                return (
                  <p key={i} className="accent-line">→ {told(each)} {typeof id === "string" && <button type="button" className="cell-button link" onClick={() => props.onWhy(id)}>why</button>}</p>
                );
              })}
            </div>
          </li>
        ))}
      </ol>
    </Panel>
  );
}

function told(value: Record<string, unknown>): string {
  const { type, ...rest } = value;
  const parts = Object.entries(rest)
    .filter(([key, each]) => each !== null && each !== false && !key.endsWith("_ns") && typeof each !== "object")
    .slice(0, 8)
    .map(([key, each]) => (key.endsWith("_units") ? `${key.slice(0, -6).replaceAll("_", " ")} ${amount(each)}` : `${key.replaceAll("_", " ")} ${String(each)}`));
  return `${String(type ?? "").replaceAll("_", " ")} ${parts.join(", ")}`;
}

function amount(units: unknown): string {
  return /^-?\d+$/.test(String(units)) ? money(String(units)) : String(units);
}
