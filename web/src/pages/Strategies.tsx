import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useMemo, useState } from "react";
import { useNavigate, useSearchParams } from "react-router";
import { ask, get, post } from "../api/client";
import type { Strategy, StrategyIn, StrategyKind } from "../api/types";
import { money, price, quantity, signOf } from "../money/exact";
import { given, ParamFields, valuesOf, type Values } from "../panels/ParamFields";
import { useSlowView } from "../stream/store";
import { isWorking } from "../stream/view";
import { Button, Empty, Field, Modal, Panel, ReasonDialog, Said, Skeleton, Stat } from "../ui/pieces";
import { short, useInstruments, useLinked, useListed } from "../ui/session";
import { clock } from "../ui/time";

const wish = (each: Strategy): StrategyIn => ({ name: each.name, params: each.params as StrategyIn["params"], instruments: each.instruments });

export default function Strategies() {
  const queries = useQueryClient();
  const strategies = useQuery({ queryKey: ["strategies"], queryFn: () => get<Strategy[]>("/strategies"), refetchInterval: 2_000 });
  const kinds = useQuery({ queryKey: ["kinds"], queryFn: () => get<StrategyKind[]>("/strategies/kinds"), staleTime: Infinity });
  const [params, setParams] = useSearchParams();
  const linked = useLinked();
  const [edited, setEdited] = useState<number | null>(null);
  const [stopping, setStopping] = useState<Strategy | null>(null);
  const [removed, setRemoved] = useState<number | null>(null);
  const adding = params.get("add") === "1";
  const all = strategies.data ?? [];
  const put = async (wanted: StrategyIn[]) => queries.setQueryData(["strategies"], await ask<Strategy[]>("PUT", "/strategies", wanted));
  const toggle = async (reason: string, flatten: boolean) => {
    const path = `/strategies/${encodeURIComponent(stopping!.strategy_id)}/${stopping!.stopped ? "start" : "stop"}`;
    await post(path, stopping!.stopped ? { reason } : { reason, flatten });
    await strategies.refetch();
  };
  return (
    <div className="page">
      <div className="page-head">
        <h1>Strategies</h1>
        <Button tone="accent" disabled={!linked || !kinds.data} onClick={() => setParams({ add: "1" })}>Add a strategy</Button>
      </div>
      {strategies.isPending && <Skeleton rows={8} />}
      <Said error={strategies.error} />
      {strategies.data?.length === 0 && <Panel title="None yet"><Empty>No strategy trades on this account. Add one: it begins at once, with simulated money.</Empty></Panel>}
      <div className="cards">
        {all.map((each, i) => (
          <Card key={each.strategy_id} strategy={each} linked={linked} onToggle={() => setStopping(each)} onEdit={() => setEdited(i)} onRemove={() => setRemoved(i)} />
        ))}
      </div>
      <Notes />
      {stopping && (
        <ReasonDialog
          open
          title={`${stopping.stopped ? "Start" : "Stop"} ${stopping.strategy_id}`}
          what={stopping.stopped ? "It quotes and trades again by its own rules." : `Cancels its ${stopping.open_orders} working orders and keeps it from sending more.`}
          action={stopping.stopped ? "Start" : "Stop"}
          danger={!stopping.stopped}
          flatten={!stopping.stopped}
          onClose={() => setStopping(null)}
          act={toggle}
        />
      )}
      {removed !== null && all[removed] && (
        <ReasonDialog open danger title={`Remove ${all[removed].strategy_id}`} what={`Cancels its ${all[removed].open_orders} working orders. What it holds stays on the account.`} action="Remove" onClose={() => setRemoved(null)} act={() => put(all.filter((_, i) => i !== removed).map(wish))} />
      )}
      {kinds.data && (adding || edited !== null) && (
        <StrategyForm kinds={kinds.data} edited={edited === null ? null : (all[edited] ?? null)} onClose={() => (edited === null ? setParams({}) : setEdited(null))} onSave={(made) => put(edited === null ? [...all.map(wish), made] : all.map((each, i) => (i === edited ? made : wish(each))))} />
      )}
    </div>
  );
}

function Card(props: { strategy: Strategy; linked: boolean; onToggle: () => void; onEdit: () => void; onRemove: () => void }) {
  const { strategy: each, linked } = props;
  const listed = useListed();
  const go = useNavigate();
  const orders = useSlowView((view) => view.orders);
  const quotes = useMemo(() => Object.values(orders).filter((order) => order.strategy_id === each.strategy_id && isWorking(order)).slice(0, 6), [orders, each.strategy_id]);
  const lines = (side: string) => quotes.filter((order) => order.side === side).map((order) => {
    const grid = listed(order.instrument_id)?.grid;
    return grid && order.limit_ticks != null ? <button key={order.client_order_id} type="button" className={`quote-chip num ${side === "buy" ? "up" : "down"}`} title="Why this order" onClick={() => void go(`/audit?why=${encodeURIComponent(order.client_order_id)}`)}>{quantity(order.quantity_lots - order.filled_lots, grid)} @ {price(order.limit_ticks, grid)}</button> : null;
  });
  return (
    <Panel
      label={each.strategy_id}
      title={<>{each.strategy_id} <span className={`tag ${each.stopped ? "bad" : "good"}`}>{each.stopped ? "stopped" : "trading"}</span></>}
      tools={
        <>
          <Button className="small" disabled={!linked} onClick={props.onToggle}>{each.stopped ? "Start" : "Stop"}</Button>
          <Button className="small" disabled={!linked} onClick={props.onEdit}>Edit</Button>
          <Button className="small ghost" disabled={!linked} onClick={props.onRemove}>Remove</Button>
        </>
      }
    >
      <div className="card">
        <p className="muted">{each.name.replaceAll("_", " ")} on {each.instruments.map(short).join(", ")}</p>
        {each.stopped && <p className="down">{each.stopped}</p>}
        <div className="card-figures">
          <Stat label="Unrealised" tone={signOf(each.unrealised_units)}>{money(each.unrealised_units, "USD", true)}</Stat>
          <Stat label="Inventory">{Object.entries(each.positions).map(([name, lots]) => { const grid = listed(name)?.grid; return grid ? quantity(lots, grid, true) : lots; }).join(", ") || "flat"}</Stat>
          <Stat label="Fills">{each.fills}</Stat>
          <Stat label="Working">{each.open_orders}</Stat>
        </div>
        <div className="quotes-now"><div>{lines("buy")}</div><div>{lines("sell")}</div>{!quotes.length && <span className="faint">no quotes now</span>}</div>
        <p className="note-now">{each.note ? <><span className="faint num">{clock(each.note.time_ns)}</span> {each.note.text}</> : <span className="faint">It has not said why yet.</span>}</p>
        <p className="faint param-line">{Object.entries(each.params).map(([key, value]) => `${key.replaceAll("_", " ")} ${String(value)}`).join(" · ") || "default parameters"}</p>
      </div>
    </Panel>
  );
}

function Notes() {
  const notes = useQuery({ queryKey: ["notes"], queryFn: () => get<{ time_ns: string; strategy_id: string; text: string }[]>("/strategies/notes"), refetchInterval: 3_000 });
  if (!notes.data?.length) return null;
  return (
    <Panel title="Why they did what they did" className="notes" tools={<span className="faint">UTC</span>}>
      <ol className="plain-list">
        {[...notes.data].reverse().slice(0, 100).map((each, i) => (
          <li key={`${each.time_ns}-${i}`}><span className="faint num">{clock(each.time_ns)}</span> <b>{each.strategy_id}</b> {each.text}</li>
        ))}
      </ol>
    </Panel>
  );
}

function StrategyForm(props: { kinds: StrategyKind[]; edited: Strategy | null; onClose: () => void; onSave: (made: StrategyIn) => Promise<unknown> }) {
  const instruments = useInstruments();
  const [name, setName] = useState(props.edited?.name ?? props.kinds[0]?.name ?? "");
  const [on, setOn] = useState((props.edited?.instruments ?? ["BRAGE.SIM"]).join(", "));
  const kind = props.kinds.find((each) => each.name === name);
  const [values, setValues] = useState<Values>({});
  const [error, setError] = useState<unknown>(null);
  const [busy, setBusy] = useState(false);
  useEffect(() => {
    if (kind) setValues(valuesOf(kind.params, props.edited?.name === kind.name ? props.edited.params : {}));
  }, [kind, props.edited]);
  const save = async () => {
    setBusy(true);
    setError(null);
    try {
      await props.onSave({ name, params: given(kind?.params ?? [], values), instruments: on.split(/[\s,]+/).filter(Boolean) });
      props.onClose();
    } catch (problem) {
      setError(problem);
      setBusy(false);
    }
  };
  return (
    <Modal wide title={props.edited ? `Edit ${props.edited.strategy_id}` : "Add a strategy"} open onClose={props.onClose}>
      <form onSubmit={(event) => { event.preventDefault(); void save(); }}>
        <div className="pairs">
          <Field label="Strategy" hint={kind?.about.replaceAll("``", "")}>
            <select value={name} onChange={(event) => setName(event.target.value)}>{props.kinds.map((each) => <option key={each.name} value={each.name}>{each.name.replaceAll("_", " ")}</option>)}</select>
          </Field>
          <Field label="Instruments, the traded one first">
            <input value={on} list="instruments" onChange={(event) => setOn(event.target.value)} />
            <datalist id="instruments">{instruments.map((each) => <option key={each.instrument_id} value={each.instrument_id}>{each.name}</option>)}</datalist>
          </Field>
        </div>
        {kind && <ParamFields params={kind.params} values={values} onChange={setValues} />}
        <Said error={error} />
        <div className="actions"><Button onClick={props.onClose}>Cancel</Button><button type="submit" className="button accent" disabled={busy}>{props.edited ? "Trade with these" : "Start trading"}</button></div>
      </form>
    </Modal>
  );
}
