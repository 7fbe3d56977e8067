import { useMemo } from "react";
import { price, quantity } from "../money/exact";
import { useView } from "../stream/store";
import { isWorking } from "../stream/view";
import { Panel, Skeleton } from "../ui/pieces";
import type { Listed } from "../ui/session";
import { useSmall } from "../ui/small";

const LEVELS = 12;

/** The book: asks above, bids below, own orders in it with what trades before them. A click fills the ticket. */
export function Ladder(props: { shown: Listed; onPick: (ticks: number, side: "buy" | "sell") => void }) {
  const { shown } = props;
  const depth = useView((view) => (view.depth?.instrument_id === shown.instrument_id ? view.depth : null));
  const orders = useView((view) => view.orders);
  const levels = useSmall() ? 6 : LEVELS;
  const own = useMemo(() => {
    const found = new Map<string, { lots: number; ahead: number | null }>();
    for (const order of Object.values(orders)) {
      if (order.instrument_id !== shown.instrument_id || !isWorking(order) || order.limit_ticks == null) continue;
      const key = `${order.side}${order.limit_ticks}`;
      const had = found.get(key);
      const ahead = order.ahead_lots ?? null;
      found.set(key, { lots: (had?.lots ?? 0) + order.quantity_lots - order.filled_lots, ahead: had?.ahead ?? ahead });
    }
    return found;
  }, [orders, shown.instrument_id]);
  if (!depth) {
    return (
      <Panel title="Depth">
        <Skeleton rows={10} />
      </Panel>
    );
  }
  const asks = depth.asks.slice(0, levels);
  const bids = depth.bids.slice(0, levels);
  const most = Math.max(1, ...asks.map((each) => each[1]), ...bids.map((each) => each[1]));
  const row = (ticks: number, lots: number, side: "buy" | "sell") => {
    const mine = own.get(`${side}${ticks}`);
    return (
      <button key={`${side}${ticks}`} type="button" className={`rung ${side}`} onClick={() => props.onPick(ticks, side === "buy" ? "sell" : "buy")} title={mine ? `own order: ${quantity(mine.lots, shown.grid)}${mine.ahead === null ? "" : `, ${quantity(mine.ahead, shown.grid)} trade before it`}` : "fill the ticket with this price"}>
        <i style={{ width: `${(lots / most) * 100}%` }} />
        <span className="num">{price(ticks, shown.grid)}</span>
        <span className="num">{quantity(lots, shown.grid)}</span>
        <span className="num own">{mine ? `${quantity(mine.lots, shown.grid)}${mine.ahead === null ? "" : ` ·${mine.ahead}`}` : ""}</span>
      </button>
    );
  };
  const gap = asks[0] && bids[0] ? asks[0][0] - bids[0][0] : null;
  return (
    <Panel title="Depth">
      <div className="rung head" aria-hidden="true">
        <span className="num">Price</span>
        <span className="num">Size</span>
        <span className="num">Own ·ahead</span>
      </div>
      <div className="ladder">
        <div className="asks">{asks.map(([ticks, lots]) => row(ticks, lots, "sell")).reverse()}</div>
        <div className="gap num">{gap === null ? "one side is empty" : `spread ${price(gap, shown.grid)}`}</div>
        <div className="bids">{bids.map(([ticks, lots]) => row(ticks, lots, "buy"))}</div>
      </div>
    </Panel>
  );
}
