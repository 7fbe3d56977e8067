import { useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { get, post, Problem } from "../api/client";
import type { Backtest, StrategyKind } from "../api/types";
import { given, ParamFields, valuesOf, type Values } from "../panels/ParamFields";
import { Button, Empty, Field, Modal, Panel, Said, Skeleton } from "../ui/pieces";
import { short, useInstruments, useLinked } from "../ui/session";

export default function Backtests() {
  const runs = useQuery({
    queryKey: ["backtests"],
    queryFn: () => get<Backtest[]>("/backtests"),
    refetchInterval: (query) => (query.state.data?.some((each) => each.status === "waiting" || each.status === "running") ? 1_000 : false),
  });
  const [chosen, setChosen] = useState<string[]>([]);
  const [report, setReport] = useState<Backtest | null>(null);
  const missing = runs.error instanceof Problem && runs.error.status === 404;
  const compared = runs.data?.filter((each) => chosen.includes(each.backtest_id)) ?? [];
  return (
    <div className="page">
      <div className="page-head"><h1>Backtests</h1></div>
      <div className="backtests-grid">
        <Panel title="New backtest"><Form disabled={missing} onStarted={() => void runs.refetch()} /></Panel>
        <div className="audit-side">
          <Panel title="Runs" tools={<span className="muted">tick two to compare</span>}>
            {runs.isPending && <Skeleton rows={4} />}
            {missing && <Empty>Backtests are not available on this server.</Empty>}
            {!missing && <Said error={runs.error} />}
            {runs.data?.length === 0 && <Empty>No backtests yet. Start one with the form: it runs on the candles recorded here.</Empty>}
            {!!runs.data?.length && <Runs runs={runs.data} chosen={chosen} onChoose={setChosen} onReport={setReport} />}
          </Panel>
          {compared.length > 1 && <Panel title="Side by side"><Comparison runs={compared} /></Panel>}
        </div>
      </div>
      {report && (
        <Modal wide title={`${report.strategy} on ${short(report.instrument_id)}`} open onClose={() => setReport(null)}>
          <iframe className="report" title="Report" sandbox="allow-scripts" src={`/api/v1/backtests/${report.backtest_id}/report`} />
          <div className="actions"><a className="button" href={`/api/v1/backtests/${report.backtest_id}/report`} target="_blank" rel="noreferrer">Open in a tab</a></div>
        </Modal>
      )}
    </div>
  );
}

function Form(props: { disabled: boolean; onStarted: () => void }) {
  const linked = useLinked();
  const kinds = useQuery({ queryKey: ["kinds"], queryFn: () => get<StrategyKind[]>("/strategies/kinds"), staleTime: Infinity });
  const instruments = useInstruments();
  const [name, setName] = useState("ema_cross");
  const [on, setOn] = useState("BRAGE.SIM");
  const [interval, setInterval] = useState("60");
  const [cash, setCash] = useState("1000000");
  const [fee, setFee] = useState("0.001");
  const [values, setValues] = useState<Values>({});
  const [error, setError] = useState<unknown>(null);
  const kind = kinds.data?.find((each) => each.name === name) ?? kinds.data?.[0];
  useEffect(() => {
    if (kind) setValues(valuesOf(kind.params, {}));
  }, [kind]);
  if (!kind) return <Skeleton rows={8} />;
  const start = () =>
    post<Backtest>("/backtests", { strategy: kind.name, params: given(kind.params, values), instrument_id: on, interval_s: Number(interval), cash, taker_fee: fee })
      .then(() => {
        setError(null);
        props.onStarted();
      })
      .catch(setError);
  return (
    <form className="card" onSubmit={(event) => { event.preventDefault(); void start(); }}>
      <fieldset disabled={props.disabled || !linked}>
        <Field label="Strategy" hint={kind.about.replaceAll("``", "")}><select value={kind.name} onChange={(event) => setName(event.target.value)}>{kinds.data!.map((each) => <option key={each.name} value={each.name}>{each.name.replaceAll("_", " ")}</option>)}</select></Field>
        <Field label="Instrument"><select value={on} onChange={(event) => setOn(event.target.value)}>{instruments.map((each) => <option key={each.instrument_id} value={each.instrument_id}>{short(each.instrument_id)} · {each.name}</option>)}</select></Field>
        <div className="pairs three">
          <Field label="Candles"><select value={interval} onChange={(event) => setInterval(event.target.value)}><option value="10">10 s</option><option value="60">1 min</option><option value="300">5 min</option><option value="3600">1 h</option></select></Field>
          <Field label="Cash USD"><input className="num" value={cash} onChange={(event) => setCash(event.target.value)} /></Field>
          <Field label="Taker fee, share"><input className="num" value={fee} onChange={(event) => setFee(event.target.value)} /></Field>
        </div>
        <h3>Parameters</h3>
        <ParamFields params={kind.params} values={values} onChange={setValues} />
        <Said error={error} />
        <button type="submit" className="button accent">Run the backtest</button>
      </fieldset>
    </form>
  );
}

function Runs(props: { runs: Backtest[]; chosen: string[]; onChoose: (ids: string[]) => void; onReport: (run: Backtest) => void }) {
  const turn = (id: string) => props.onChoose(props.chosen.includes(id) ? props.chosen.filter((each) => each !== id) : [...props.chosen, id].slice(-3));
  return (
    <table>
      <thead><tr><th /><th>Strategy</th><th>Instrument</th><th>Status</th><th>Digest</th><th /></tr></thead>
      <tbody>
        {props.runs.map((each) => (
          <tr key={each.backtest_id}>
            <td><input type="checkbox" aria-label={`Compare ${each.strategy}`} checked={props.chosen.includes(each.backtest_id)} onChange={() => turn(each.backtest_id)} /></td>
            <td>{each.strategy}</td><td>{short(each.instrument_id)}</td>
            <td>{each.status === "running" ? <progress value={each.progress} max={1} aria-label="Progress" /> : <span className={`tag ${each.status === "done" ? "good" : each.status === "failed" ? "bad" : ""}`}>{each.status}</span>} {each.error && <span className="down">{each.error}</span>}</td>
            <td className="mono faint" title={each.digest ?? undefined}>{each.digest?.slice(0, 12)}</td>
            <td>{each.report && <Button className="small" onClick={() => props.onReport(each)}>Report</Button>}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Comparison({ runs }: { runs: Backtest[] }) {
  const names = [...new Set(runs.flatMap((each) => Object.keys(each.stats)))];
  const say = (value: unknown) => (typeof value === "number" ? value.toLocaleString("en-US", { maximumFractionDigits: 4 }) : value == null ? "–" : typeof value === "object" ? JSON.stringify(value) : String(value));
  return (
    <table>
      <thead><tr><th />{runs.map((each) => <th key={each.backtest_id} className="num">{each.strategy} · {short(each.instrument_id)}</th>)}</tr></thead>
      <tbody>
        {names.map((name) => <tr key={name}><td className="muted">{name.replaceAll("_", " ")}</td>{runs.map((each) => <td key={each.backtest_id} className="num">{say(each.stats[name])}</td>)}</tr>)}
      </tbody>
    </table>
  );
}
