import { useQuery } from "@tanstack/react-query";
import { lazy, Suspense, useState } from "react";
import { get, post } from "../api/client";
import type { Scenario } from "../api/types";
import { money, signOf } from "../money/exact";
import { ScenarioForm } from "../panels/ScenarioForm";
import { now, useView } from "../stream/store";
import { Button, Empty, Panel, ReasonDialog, Said, Skeleton, Stat } from "../ui/pieces";
import { mayOperate, useLinked, useMe } from "../ui/session";
import { clock } from "../ui/time";
import { useSay } from "../ui/toasts";

const NavChart = lazy(() => import("../panels/NavChart"));

interface Ran {
  scenario: Scenario;
  navUnits: string;
  timeNs: bigint;
}

function stepText(step: Record<string, unknown>): string {
  const action = { ...(step["action"] as Record<string, unknown>) };
  const type = String(action["type"]).replaceAll("_", " ");
  delete action["type"];
  const parts = Object.entries(action)
    .filter(([, value]) => !(Array.isArray(value) && !value.length) && value !== null)
    .map(([key, value]) => `${key.replaceAll("_", " ")} ${Array.isArray(value) ? value.join(", ") : String(value)}`);
  return `${type}${parts.length ? `: ${parts.join(", ")}` : ""}`;
}

export default function Scenarios() {
  const me = useMe();
  const linked = useLinked();
  const say = useSay();
  const scenarios = useQuery({ queryKey: ["scenarios"], queryFn: () => get<Scenario[]>("/scenarios") });
  const [asked, setAsked] = useState<Scenario | null>(null);
  const [making, setMaking] = useState<{ from: Scenario | null } | null>(null);
  const [ran, setRan] = useState<Ran | null>(null);
  const may = mayOperate(me);
  const run = async (scenario: Scenario) => {
    const view = now();
    await post(`/scenarios/${scenario.scenario_id}/run`);
    setRan({ scenario, navUnits: view.portfolio?.nav_units ?? "0", timeNs: view.clockNs });
    say(`${scenario.name} is happening to the whole market`, "good");
  };
  return (
    <div className="page">
      <div className="page-head">
        <h1>Scenarios</h1>
        {may && <Button tone="accent" disabled={!linked} onClick={() => setMaking({ from: null })}>New scenario</Button>}
        {!may && <span className="muted">Operators run them; they happen to everybody.</span>}
      </div>
      {ran && <Since ran={ran} />}
      {scenarios.isPending && <Skeleton rows={10} />}
      <Said error={scenarios.error} />
      {scenarios.data?.length === 0 && <Empty>There are no scenarios.</Empty>}
      <div className="cards">
        {scenarios.data?.map((each) => (
          <Panel key={each.scenario_id} label={each.name} title={each.name.replaceAll("-", " ")} tools={may && <><Button className="small ghost" disabled={!linked} aria-label={`Copy ${each.name}`} onClick={() => setMaking({ from: each })}>Copy</Button><Button className="small" disabled={!linked} onClick={() => setAsked(each)}>Run</Button></>}>
            <ol className="plain-list steps">
              {each.steps.map((step, i) => (
                <li key={i}><span className="faint num">{Number(step["at_s"])} s</span> {stepText(step)}</li>
              ))}
            </ol>
          </Panel>
        ))}
      </div>
      {making && <ScenarioForm from={making.from} onClose={() => setMaking(null)} />}
      {asked && <ReasonDialog open danger title={`Run ${asked.name}`} what={`Happens to the whole market and to every account, from now on, in ${asked.steps.length} steps.`} action="Run" onClose={() => setAsked(null)} act={() => run(asked)} />}
    </div>
  );
}

function Since({ ran }: { ran: Ran }) {
  const nav = useView((view) => view.portfolio?.nav_units ?? ran.navUnits);
  const change = BigInt(nav) - BigInt(ran.navUnits);
  return (
    <Panel title={`Since ${ran.scenario.name} began`} className="since">
      <div className="since-body">
        <div className="card-figures column">
          <Stat label="Began UTC">{clock(ran.timeNs)}</Stat>
          <Stat label="NAV then USD">{money(ran.navUnits)}</Stat>
          <Stat label="Change of NAV USD" tone={signOf(change)}>{money(change, "USD", true)}</Stat>
        </div>
        <Suspense fallback={<Skeleton />}><NavChart since={Number(ran.timeNs / 1_000_000_000n) - 30} /></Suspense>
      </div>
    </Panel>
  );
}
