import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Link } from "react-router";
import { get, post } from "../api/client";
import type { AccountRisk, Risk as RiskOut } from "../api/types";
import { money, signOf } from "../money/exact";
import { figure } from "../panels/Positions";
import { ProfileForm, setting } from "../panels/ProfileForm";
import { useRisk } from "../shell/Shell";
import { Button, Empty, Panel, ReasonDialog, Said, Skeleton, Stat, toneOf } from "../ui/pieces";
import { mayOperate, useLinked, useMe } from "../ui/session";

function shown(value: number, unit: string): string {
  if (unit === "share") return `${(value * 100).toFixed(2)} %`;
  if (unit === "x") return `${value.toFixed(3)}×`;
  return figure(value);
}

export default function Risk() {
  const me = useMe();
  const risk = useRisk();
  const linked = useLinked();
  const [asking, setAsking] = useState<"kill" | "clear" | null>(null);
  if (risk.isPending) return <Skeleton rows={12} />;
  if (!risk.data) return <Said error={risk.error} />;
  const found = risk.data;
  return (
    <div className="page">
      <div className="page-head">
        <h1>Risk</h1>
        <span className="actions-inline">
          <Button disabled={!linked || !found.tripped.length} onClick={() => setAsking("clear")}>Let trading go on</Button>
          <Button tone="danger" disabled={!linked} onClick={() => setAsking("kill")}>Stop trading</Button>
        </span>
      </div>
      <div className="risk-grid">
        <Panel title="Limits and how much is used"><Limits risk={found} /></Panel>
        <Panel title="Now">
          <div className="card">
            <div className="card-figures">
              <Stat label="VaR 99 % USD">{found.value_at_risk == null ? "not yet" : figure(found.value_at_risk)}</Stat>
              <Stat label="Shortfall 99 % USD">{found.expected_shortfall == null ? "not yet" : figure(found.expected_shortfall)}</Stat>
              <Stat label="Drawdown" tone={found.drawdown > 0 ? -1 : 0}>{(found.drawdown * 100).toFixed(2)} %</Stat>
              <Stat label="Drawdown tier">{found.tier || "none"}</Stat>
            </div>
            <h3>Stopped</h3>
            {found.tripped.length === 0 && <p className="muted">Nothing is stopped.</p>}
            {found.tripped.map((each) => <p key={each["scope"]}><span className="tag bad">{each["scope"]}</span> by {each["actor"]}: {each["reason"]}</p>)}
            <h3>Restrictions</h3>
            {found.restrictions.length === 0 && <p className="muted">None: orders are only held to the limits.</p>}
            {found.restrictions.map((each, i) => <p key={i}><span className="tag warn">{each.cause}</span> {each.whose} {each.detail}</p>)}
          </div>
        </Panel>
        <Panel title={`Profile in force: ${found.profile.replaceAll("_", " ")}, version ${found.profile_version}`}><Settings risk={found} /></Panel>
      </div>
      {mayOperate(me) && <Accounts />}
      <ReasonDialog
        open={asking !== null}
        title={asking === "kill" ? "Stop all trading of this account" : "Let this account trade again"}
        what={asking === "kill" ? "Cancels every working order and refuses new ones, of strategies too, until it is cleared." : "Strategies go on and orders are taken again."}
        action={asking === "kill" ? "Stop trading" : "Let it trade"}
        danger={asking === "kill"}
        flatten={asking === "kill"}
        onClose={() => setAsking(null)}
        act={async (reason, flatten) => {
          await post(`/risk/${asking}`, asking === "kill" ? { reason, flatten } : { reason });
          await risk.refetch();
        }}
      />
    </div>
  );
}

function Limits({ risk }: { risk: RiskOut }) {
  if (!risk.limits.length) return <Empty>This profile has no limits.</Empty>;
  return (
    <ul className="limits">
      {risk.limits.map((each) => {
        const share = each.limit > 0 ? each.used / each.limit : 0;
        return (
          <li key={each.name}>
            <span>{each.name}</span>
            <span className="num">{shown(each.used, each.unit)} <span className="faint">of {shown(each.limit, each.unit)}</span></span>
            <div className="bar" role="meter" aria-label={each.name} aria-valuenow={Math.round(share * 100)} aria-valuemin={0} aria-valuemax={100}>
              <i className={share >= 1 ? "over" : share >= 0.8 ? "warn" : ""} style={{ width: `${Math.min(100, share * 100)}%` }} />
            </div>
          </li>
        );
      })}
    </ul>
  );
}

function Settings({ risk }: { risk: RiskOut }) {
  return (
    <table>
      <tbody>
        {Object.entries(risk.settings).filter(([key]) => key !== "name" && key !== "version").map(([key, value]) => (
          <tr key={key}><td className="muted">{key.replaceAll("_", " ")}</td><td className="num setting">{setting(value)}</td></tr>
        ))}
      </tbody>
    </table>
  );
}

function Accounts() {
  const queries = useQueryClient();
  const linked = useLinked();
  const accounts = useQuery({ queryKey: ["accounts"], queryFn: () => get<AccountRisk[]>("/operator/risk"), refetchInterval: 3_000 });
  const [asking, setAsking] = useState<{ what: "kill" | "clear"; account: string | null } | null>(null);
  const [profile, setProfile] = useState<string | null>(null);
  const whose = asking?.account ?? "every account";
  return (
    <Panel
      className="accounts"
      title="All accounts"
      tools={<><Button className="small" disabled={!linked} onClick={() => setAsking({ what: "clear", account: null })}>Clear all</Button><Button className="small" tone="danger" disabled={!linked} onClick={() => setAsking({ what: "kill", account: null })}>Stop all</Button></>}
    >
      <Said error={accounts.error} />
      <table>
        <thead><tr><th>Account</th><th>State</th><th className="num">NAV USD</th><th className="num">Day USD</th><th className="num">Leverage</th><th className="num">VaR</th><th className="num">Working</th><th>Profile</th><th /></tr></thead>
        <tbody>
          {accounts.data?.map((each) => {
            const day = each.day_units == null ? null : BigInt(each.nav_units) - BigInt(each.day_units);
            return (
              <tr key={each.account_id}>
                <td><Link className="link" to={`/audit?account=${encodeURIComponent(each.account_id)}`} title="What is on record of it">{each.account_id}</Link></td>
                <td><span className={`tag ${each.tripped || each.stopped ? "bad" : "good"}`} title={each.stopped ?? undefined}>{each.stopped ? "failed" : each.tripped ? "stopped" : "trading"}</span></td>
                <td className="num">{money(each.nav_units)}</td>
                <td className={`num ${toneOf(signOf(day ?? 0n))}`}>{day === null ? "–" : money(day, "USD", true)}</td>
                <td className="num">{each.leverage.toFixed(3)}×</td><td className="num">{each.value_at_risk == null ? "–" : figure(each.value_at_risk)}</td><td className="num">{each.open_orders}</td>
                <td><span><Button className="small" aria-label={`Risk profile of ${each.account_id}`} onClick={() => setProfile(each.account_id)}>{each.profile.replaceAll("_", " ")}</Button></span></td>
                <td className="num"><Button className="small" disabled={!linked} onClick={() => setAsking({ what: each.tripped ? "clear" : "kill", account: each.account_id })}>{each.tripped ? "Clear" : "Stop"}</Button></td>
              </tr>
            );
          })}
        </tbody>
      </table>
      {profile && <ProfileForm account={profile} onClose={() => setProfile(null)} />}
      <ReasonDialog
        open={asking !== null}
        title={`${asking?.what === "kill" ? "Stop" : "Clear"} ${whose}`}
        what={asking?.what === "kill" ? `Cancels all working orders of ${whose} and refuses new ones. ${asking.account ? "" : `That is ${accounts.data?.length ?? 0} accounts.`}` : "A profile may ask for a second person: then this is the first of two."}
        action={asking?.what === "kill" ? "Stop" : "Clear"}
        danger={asking?.what === "kill"}
        flatten={asking?.what === "kill"}
        onClose={() => setAsking(null)}
        act={async (reason, flatten) => {
          await post(`/operator/${asking!.what}`, { scope: "global", reason, account_id: asking!.account, ...(asking!.what === "kill" ? { flatten } : {}) });
          await queries.invalidateQueries({ queryKey: ["accounts"] });
          await queries.invalidateQueries({ queryKey: ["risk"] });
        }}
      />
    </Panel>
  );
}
