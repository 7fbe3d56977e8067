import { price, quantity } from "../money/exact";
import { useView } from "../stream/store";
import type { Trade } from "../api/types";
import { Empty, Panel, toneOf } from "../ui/pieces";
import type { Listed } from "../ui/session";
import { clock } from "../ui/time";

const NONE: readonly Trade[] = [];
const SHOWN = 60;

/** Time and sales, the newest above. The arrow says who crossed. */
export function Tape(props: { shown: Listed }) {
  const trades = useView((view) => view.trades[props.shown.instrument_id] ?? NONE);
  return (
    <Panel title="Trades" tools={<span className="faint">UTC</span>}>
      {trades.length === 0 && <Empty>No trades yet. They show here as they happen.</Empty>}
      <ol className="tape">
        {trades
          .slice(-SHOWN)
          .reverse()
          .map((trade, i) => (
            <li key={`${trade.venue_time_ns}-${trades.length - i}`}>
              <span className="faint num">{clock(trade.venue_time_ns)}</span>
              <span className={`num ${toneOf(trade.aggressor)}`}>
                {trade.aggressor > 0 ? "▲" : trade.aggressor < 0 ? "▼" : "•"} {price(trade.price_ticks, props.shown.grid)}
              </span>
              <span className="num">{quantity(trade.quantity_lots, props.shown.grid)}</span>
            </li>
          ))}
      </ol>
    </Panel>
  );
}
