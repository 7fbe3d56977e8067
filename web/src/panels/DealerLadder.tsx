import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { post } from "../api/client";
import type { DealerQuote, Placed } from "../api/types";
import { plain, price, quantity, stepsIn } from "../money/exact";
import { now, useView } from "../stream/store";
import { Button, Empty, Panel, Said, Skeleton } from "../ui/pieces";
import { orderKey, useLinked, type Listed } from "../ui/session";
import { useSay } from "../ui/toasts";

/** Dealers who quote to whoever asks. A quote is good until it expires; hit its bid or lift its ask. */
export function DealerLadder(props: { shown: Listed }) {
  const { shown } = props;
  const dealers = useView((view) => (view.dealers?.instrument_id === shown.instrument_id ? view.dealers.quotes : null));
  const linked = useLinked();
  const queries = useQueryClient();
  const say = useSay();
  const [size, setSize] = useState("10");
  const [error, setError] = useState<unknown>(null);
  const [nowNs, setNow] = useState(0n);
  useEffect(() => {
    // The clock says so once a second; between, one's own goes on
    const timer = setInterval(() => {
      const view = now();
      setNow(view.clockNs + BigInt(Math.round((performance.now() - view.heardMs) * 1e6)));
    }, 250);
    return () => clearInterval(timer);
  }, []);
  const lots = stepsIn(size, shown.grid.lot);
  const deal = async (quote: DealerQuote, side: "buy" | "sell") => {
    setError(null);
    try {
      const ticks = side === "buy" ? quote.ask_ticks : quote.bid_ticks;
      const placed = await post<Placed>("/orders", {
        order_key: orderKey(), instrument_id: shown.instrument_id, side, quantity: size, order_type: "limit",
        limit_price: plain(ticks, shown.grid.tick), time_in_force: "fok", quote_id: quote.quote_id,
      });
      say(`${side === "buy" ? "Lifted" : "Hit"} ${quote.dealer}: ${size} at ${price(ticks, shown.grid)}, ${placed.order?.status ?? "sent"}`, "good");
      void queries.invalidateQueries({ queryKey: ["risk"] });
    } catch (problem) {
      setError(problem);
    }
  };
  const live = (dealers ?? []).filter((each) => BigInt(each.expires_ns) > nowNs);
  const bestBid = Math.max(...live.map((each) => (each.bid_lots ? each.bid_ticks : -Infinity)));
  const bestAsk = Math.min(...live.map((each) => (each.ask_lots ? each.ask_ticks : Infinity)));
  return (
    <Panel
      title="Dealers"
      tools={
        <label className="check">
          Size&nbsp;
          <input className="num compact" style={{ width: 76 }} value={size} onChange={(event) => setSize(event.target.value)} aria-label="Size to deal" inputMode="decimal" disabled={!linked} />
        </label>
      }
    >
      {!dealers && <Skeleton rows={4} />}
      {dealers && !live.length && <Empty>No dealer quotes now. New quotes come every few seconds.</Empty>}
      {live.length > 0 && (
        <table className="dealers">
          <thead>
            <tr>
              <th>Dealer</th>
              <th className="num">Size</th>
              <th className="num">You sell</th>
              <th className="num">You buy</th>
              <th className="num">Left</th>
            </tr>
          </thead>
          <tbody>
            {[...live]
              .sort((a, b) => a.ask_ticks - b.ask_ticks || a.dealer.localeCompare(b.dealer))
              .map((quote) => {
                const left = Math.max(0, Number((BigInt(quote.expires_ns) - nowNs) / 1_000_000_000n));
                return (
                  <tr key={quote.dealer}>
                    <td>{quote.dealer}</td>
                    <td className="num muted">{quantity(quote.ask_lots, shown.grid)}</td>
                    <td className="num">
                      <Button className={`small deal ${quote.bid_ticks === bestBid ? "best-bid" : ""}`} disabled={!linked || !lots || lots > quote.bid_lots} onClick={() => void deal(quote, "sell")} aria-label={`Hit ${quote.dealer}'s bid`}>
                        {price(quote.bid_ticks, shown.grid)}
                      </Button>
                    </td>
                    <td className="num">
                      <Button className={`small deal ${quote.ask_ticks === bestAsk ? "best-ask" : ""}`} disabled={!linked || !lots || lots > quote.ask_lots} onClick={() => void deal(quote, "buy")} aria-label={`Lift ${quote.dealer}'s offer`}>
                        {price(quote.ask_ticks, shown.grid)}
                      </Button>
                    </td>
                    <td className={`num ${left <= 3 ? "warn" : "muted"}`}>{left} s</td>
                  </tr>
                );
              })}
          </tbody>
        </table>
      )}
      <div style={{ padding: "0 10px" }}>
        <Said error={error} />
      </div>
      <p className="faint note">The best prices are outlined. A deal is all or nothing at the quote’s price.</p>
    </Panel>
  );
}
