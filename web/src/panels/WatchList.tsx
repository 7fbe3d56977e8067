import { useQuery } from "@tanstack/react-query";
import { useVirtualizer } from "@tanstack/react-virtual";
import { memo, useMemo, useRef, useState } from "react";
import { get } from "../api/client";
import type { Candle } from "../api/types";
import { price } from "../money/exact";
import { useView } from "../stream/store";
import { midOf } from "../stream/view";
import { useHotkey } from "../ui/hotkeys";
import { Num, Spark } from "../ui/Num";
import { Panel, Tip, toneOf } from "../ui/pieces";
import { short, type Listed } from "../ui/session";
import { age } from "../ui/time";

const ROW = 28;
const NAMES: Record<string, string> = {
  equity: "Shares", future: "Futures", option: "Options", bond: "Bonds", swap: "Swaps", spot: "Coins", perpetual: "Perpetuals",
};
const ORDER = ["equity", "future", "bond", "swap", "spot", "perpetual", "option"];
const STALE_NS = 60_000_000_000n;

type Row = { group: string; count: number } | { listed: Listed };

export function WatchList(props: { instruments: Listed[]; shown: string; onChoose: (name: string) => void }) {
  const [kind, setKind] = useState("all");
  const [text, setText] = useState("");
  const search = useRef<HTMLInputElement>(null);
  const scroller = useRef<HTMLDivElement>(null);
  useHotkey("/", () => search.current?.focus());
  const rows = useMemo(() => rowsOf(props.instruments, kind, text), [props.instruments, kind, text]);
  const names = useMemo(() => rows.flatMap((row) => ("listed" in row ? [row.listed.instrument_id] : [])), [rows]);
  const step = (by: number) => {
    const next = names[names.indexOf(props.shown) + by];
    if (next) props.onChoose(next);
  };
  useHotkey("ArrowDown", () => step(1));
  useHotkey("ArrowUp", () => step(-1));
  const virtual = useVirtualizer({ count: rows.length, getScrollElement: () => scroller.current, estimateSize: () => ROW, overscan: 6 });
  return (
    <Panel
      title="Watch"
      tools={
        <>
          <select aria-label="Kind" value={kind} onChange={(event) => setKind(event.target.value)} className="compact">
            <option value="all">All kinds</option>
            {ORDER.map((each) => (
              <option key={each} value={each}>
                {NAMES[each]}
              </option>
            ))}
          </select>
          <Tip text="Filter the list; ↑ and ↓ step through it" hotkey="/">
            <input ref={search} className="compact" style={{ width: 92 }} placeholder="Filter" aria-label="Filter instruments" value={text} onChange={(event) => setText(event.target.value)} />
          </Tip>
        </>
      }
    >
      <div className="watch-head watch-row" aria-hidden="true">
        <span>Instrument</span>
        <span />
        <span className="num">Bid</span>
        <span className="num">Ask</span>
        <span className="num">Chg %</span>
        <span className="num watch-wide">Spr</span>
        <span className="num watch-wide">Age</span>
      </div>
      <div ref={scroller} className="watch-scroll" role="listbox" aria-label="Instruments">
        <div style={{ height: virtual.getTotalSize(), position: "relative" }}>
          {virtual.getVirtualItems().map((item) => {
            const row = rows[item.index]!;
            return (
              <div key={item.key} style={{ position: "absolute", top: 0, left: 0, right: 0, height: ROW, transform: `translateY(${item.start}px)` }}>
                {"group" in row ? (
                  <div className="watch-group">
                    {NAMES[row.group] ?? row.group} <span className="faint">{row.count}</span>
                  </div>
                ) : (
                  <WatchRow listed={row.listed} chosen={row.listed.instrument_id === props.shown} onChoose={props.onChoose} />
                )}
              </div>
            );
          })}
        </div>
      </div>
    </Panel>
  );
}

function rowsOf(instruments: Listed[], kind: string, text: string): Row[] {
  const wanted = text.trim().toLowerCase();
  const rows: Row[] = [];
  for (const group of ORDER) {
    if (kind !== "all" && kind !== group) continue;
    const found = instruments.filter(
      (each) => each.kind === group && (!wanted || each.instrument_id.toLowerCase().includes(wanted) || each.name.toLowerCase().includes(wanted)),
    );
    if (!found.length) continue;
    rows.push({ group, count: found.length });
    for (const listed of found) rows.push({ listed });
  }
  return rows;
}

// One at a time and not at once: what is drawn large comes first
let turn: Promise<unknown> = new Promise((go) => setTimeout(go, 1_500));

function inTurn<T>(act: () => Promise<T>): Promise<T> {
  const made = turn.then(act, act);
  turn = made.catch(() => undefined);
  return made;
}

function percent(change: number): string {
  const shown = Math.abs(change).toFixed(2);
  return shown === "0.00" ? shown : `${change > 0 ? "+" : "−"}${shown}`;
}

const WatchRow = memo(function WatchRow(props: { listed: Listed; chosen: boolean; onChoose: (name: string) => void }) {
  const { instrument_id: name, grid } = props.listed;
  const quote = useView((view) => view.quotes[name]);
  const streamed = useView((view) => view.sparks[name]);
  // An age is a figure of whole seconds: rows are drawn when it changes, not with every frame
  const seconds = useView((view) => (view.clockNs && view.quotes[name] ? Number((view.clockNs - BigInt(view.quotes[name].venue_time_ns)) / 1_000_000_000n) : 0));
  const past = useQuery({
    queryKey: ["spark", name],
    queryFn: () => inTurn(() => get<Candle[]>(`/market/candles?interval_s=60&instrument=${encodeURIComponent(name)}`)),
    staleTime: Infinity,
    select: (candles) => candles.slice(-24).map((each) => (each.close * 10 ** grid.tick.decimals) / Number(grid.tick.units)),
  });
  const points = useMemo(() => [...(past.data ?? []), ...(streamed ?? [])].slice(-40), [past.data, streamed]);
  const mid = quote ? midOf(quote) : null;
  const change = quote?.open_ticks && mid !== null ? (mid / quote.open_ticks - 1) * 100 : null;
  const wide = quote && quote.bid_lots && quote.ask_lots ? quote.ask_ticks - quote.bid_ticks : null;
  const old = BigInt(seconds) * 1_000_000_000n > STALE_NS;
  return (
    <button type="button" role="option" aria-selected={props.chosen} className={`watch-row ${old ? "old" : ""}`} onClick={() => props.onChoose(name)} title={`${props.listed.name} · ${props.listed.sector}`}>
      <span className="watch-name">
        {short(name)}
        {quote?.halted && <span className="tag bad">halt</span>}
        {props.listed.over_the_counter && <span className="tag">OTC</span>}
      </span>
      <Spark points={points} />
      <Num text={quote?.bid_lots ? price(quote.bid_ticks, grid) : "–"} value={quote?.bid_ticks ?? 0} />
      <Num text={quote?.ask_lots ? price(quote.ask_ticks, grid) : "–"} value={quote?.ask_ticks ?? 0} />
      <span className={`num ${toneOf(change ?? 0)}`}>{change === null ? "–" : percent(change)}</span>
      <span className="num muted watch-wide">{wide === null ? "–" : price(wide, grid)}</span>
      <span className="num faint watch-wide">{quote ? age(BigInt(Math.max(0, seconds)) * 1_000_000_000n) : ""}</span>
    </button>
  );
});
