import { useEffect, useRef, useState } from "react";
import { post } from "../api/client";
import type { Placed, Quote } from "../api/types";
import { money, notional, plain, price, quantity as printLots, stepsIn } from "../money/exact";
import { useView } from "../stream/store";
import { useHotkey } from "../ui/hotkeys";
import { Button, Choice, Field, fieldOf, Panel, Said, Tip } from "../ui/pieces";
import { orderKey, short, useLinked, type Listed } from "../ui/session";
import { useSay } from "../ui/toasts";

type Side = "buy" | "sell";
type Type = "market" | "limit" | "stop";
type Tif = "gtc" | "ioc" | "fok" | "day";

/** A price somebody clicked. `at` tells one click from the next on the same price. */
export interface Wish {
  ticks: number;
  side: Side;
  at: number;
}

const SIZES: Record<string, string> = { equity: "10", bond: "10", spot: "0.1", perpetual: "0.1" };

export function Ticket(props: { shown: Listed; wish: Wish | null }) {
  const { shown, wish } = props;
  const quote = useView((view) => view.quotes[shown.instrument_id]);
  const position = useView((view) => view.portfolio?.positions.find((each) => each.instrument_id === shown.instrument_id)?.lots ?? 0);
  const linked = useLinked();
  const say = useSay();
  const [side, setSide] = useState<Side>("buy");
  const [type, setType] = useState<Type>("market");
  const [size, setSize] = useState(SIZES[shown.kind] ?? "1");
  const [limit, setLimit] = useState("");
  const [tif, setTif] = useState<Tif>("gtc");
  const [postOnly, setPostOnly] = useState(false);
  const [reduceOnly, setReduceOnly] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const [sent, setSent] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const sizeBox = useRef<HTMLInputElement>(null);
  const first = useRef(wish?.at);
  const turn = (to: Side) => {
    setSide(to);
    sizeBox.current?.focus();
    sizeBox.current?.select();
  };
  useHotkey("b", () => turn("buy"));
  useHotkey("s", () => turn("sell"));
  useHotkey("m", () => setType("market"));
  useHotkey("l", () => setType("limit"));
  useEffect(() => {
    if (!wish || wish.at === first.current) return; // One of the instrument before
    setSide(wish.side);
    setType((before) => (before === "market" ? "limit" : before));
    setLimit(plain(wish.ticks, shown.grid.tick));
  }, [wish, shown.grid]);
  useEffect(() => {
    if (type !== "market" && !limit && quote?.last_ticks) setLimit(plain(quote.last_ticks, shown.grid.tick));
  }, [type, limit, quote, shown.grid]);
  const send = async () => {
    setBusy(true);
    setError(null);
    setSent(null);
    try {
      const placed = await post<Placed>("/orders", {
        order_key: orderKey(), instrument_id: shown.instrument_id, side, quantity: size, order_type: type,
        limit_price: type === "limit" ? limit : null, stop_price: type === "stop" ? limit : null,
        time_in_force: type === "market" ? "ioc" : tif, post_only: type === "limit" && postOnly, reduce_only: reduceOnly,
      });
      setSent(placed.client_order_id);
      say(`${side === "buy" ? "Buy" : "Sell"} ${size} ${short(shown.instrument_id)}: sent`, "good");
    } catch (problem) {
      setError(problem);
    } finally {
      setBusy(false);
    }
  };
  const worth = estimate(shown, quote, side, type, size, limit);
  const field = fieldOf(error);
  return (
    <Panel title="Order" label="Order ticket" tools={<span className="muted num">{position ? `Holding ${printLots(position, shown.grid, true)}` : "Flat"}</span>}>
      <form
        className="ticket"
        onSubmit={(event) => {
          event.preventDefault();
          void send();
        }}
      >
        <fieldset disabled={!linked || busy}>
          <Prices shown={shown} quote={quote} onTurn={turn} side={side} />
          <Choice label="Order type" value={type} onChange={setType} options={[["market", "Market"], ["limit", "Limit"], ["stop", "Stop"]]} />
          <div className="pairs">
            <Field label="Quantity" error={field === "quantity" ? error : null}>
              <input ref={sizeBox} name="quantity" className="num" inputMode="decimal" value={size} onChange={(event) => setSize(event.target.value)} autoComplete="off" />
            </Field>
            <Field label={type === "stop" ? "Stop price" : "Limit price"} error={field === "limit_price" || field === "stop_price" ? error : null}>
              <input name="price" className="num" inputMode="decimal" value={type === "market" ? "" : limit} placeholder={type === "market" ? "at market" : ""} disabled={type === "market"} onChange={(event) => setLimit(event.target.value)} autoComplete="off" />
            </Field>
          </div>
          <div className="ticket-options">
            <select className="compact" aria-label="Time in force" value={type === "market" ? "ioc" : tif} disabled={type === "market"} onChange={(event) => setTif(event.target.value as Tif)}>
              <option value="gtc">Good till cancelled</option>
              <option value="day">Day</option>
              <option value="ioc">Immediate or cancel</option>
              <option value="fok">Fill or kill</option>
            </select>
            <label className="check" title="Refused rather than crossing the spread">
              <input type="checkbox" checked={postOnly && type === "limit"} disabled={type !== "limit"} onChange={(event) => setPostOnly(event.target.checked)} /> Post
            </label>
            <label className="check" title="Only ever makes a position smaller">
              <input type="checkbox" checked={reduceOnly} onChange={(event) => setReduceOnly(event.target.checked)} /> Reduce
            </label>
          </div>
          <dl className="estimate">
            <dt>Estimated worth</dt>
            <dd className="num">{worth === null ? "–" : `${money(worth, shown.quote)} ${shown.quote}`}</dd>
          </dl>
          <Tip text="Send the order" hotkey="Enter">
            <button type="submit" className={`button send ${side}`} disabled={!size || (type !== "market" && !limit)}>
              {side === "buy" ? "Buy" : "Sell"} {size} {short(shown.instrument_id)}
            </button>
          </Tip>
          {!["quantity", "limit_price", "stop_price"].includes(field ?? "") && <Said error={error} />}
          {!error && sent && <Followed id={sent} shown={shown} />}
        </fieldset>
      </form>
    </Panel>
  );
}

function Prices(props: { shown: Listed; quote: Quote | undefined; side: Side; onTurn: (side: Side) => void }) {
  const { quote, shown } = props;
  return (
    <div className="sides" role="radiogroup" aria-label="Side">
      <Button role="radio" aria-checked={props.side === "sell"} data-value="sell" tip="Sell" hotkey="S" onClick={() => props.onTurn("sell")}>
        <span>Sell</span> <b className="num">{quote?.bid_lots ? price(quote.bid_ticks, shown.grid) : "–"}</b>
      </Button>
      <Button role="radio" aria-checked={props.side === "buy"} data-value="buy" tip="Buy" hotkey="B" onClick={() => props.onTurn("buy")}>
        <span>Buy</span> <b className="num">{quote?.ask_lots ? price(quote.ask_ticks, shown.grid) : "–"}</b>
      </Button>
    </div>
  );
}

/** What became of the order, as the stream tells it. */
function Followed(props: { id: string; shown: Listed }) {
  const order = useView((view) => view.orders[props.id]);
  if (!order) return <p className="muted after">Sent.</p>;
  const filled = `${printLots(order.filled_lots, props.shown.grid)} of ${printLots(order.quantity_lots, props.shown.grid)}`;
  const average = order.filled_lots ? ` at ${price(Math.round(order.cost_ticks / order.filled_lots), props.shown.grid)}` : "";
  return (
    <p className="muted after" role="status" data-status={order.status}>
      {order.status.replaceAll("_", " ")}: {filled}
      {average}
      {order.reason ? ` (${order.reason})` : ""}
    </p>
  );
}

function estimate(shown: Listed, quote: Quote | undefined, side: Side, type: Type, size: string, limit: string): bigint | null {
  const lots = stepsIn(size, shown.grid.lot);
  const touched = side === "buy" ? quote?.ask_ticks : quote?.bid_ticks;
  const ticks = type === "market" ? (touched ?? null) : stepsIn(limit, shown.grid.tick);
  return lots === null || ticks === null ? null : notional(ticks, lots, shown.grid);
}
