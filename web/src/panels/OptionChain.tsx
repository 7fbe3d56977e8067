import { useQuery } from "@tanstack/react-query";
import { Fragment, useMemo, useState } from "react";
import { get } from "../api/client";
import type { Option } from "../api/types";
import { price } from "../money/exact";
import { useView } from "../stream/store";
import { Choice, Said, Skeleton } from "../ui/pieces";
import { useListed } from "../ui/session";
import { day } from "../ui/time";

/** Calls | strike | puts. A click takes one into the ticket. */
export default function OptionChain(props: { underlier: string; onChoose: (name: string) => void }) {
  const chain = useQuery({ queryKey: ["chain", props.underlier], queryFn: () => get<Option[]>(`/market/chain?underlier=${encodeURIComponent(props.underlier)}`), refetchInterval: 3_000 });
  const expiries = useMemo(() => [...new Set((chain.data ?? []).map((each) => each.expiry_ns))].sort(), [chain.data]);
  const [wanted, setExpiry] = useState<string | null>(null);
  const expiry = wanted ?? expiries[0];
  if (chain.isPending) return <Skeleton rows={9} />;
  if (chain.error) return <Said error={chain.error} />;
  const shown = chain.data.filter((each) => each.expiry_ns === expiry);
  const strikes = [...new Set(shown.map((each) => each.strike))].sort((a, b) => Number(a) - Number(b));
  const spot = shown[0]?.spot ?? 0;
  const of = (strike: string, right: string) => shown.find((each) => each.strike === strike && each.right === right);
  const first = strikes.findIndex((each) => Number(each) >= spot);
  return (
    <div className="chain">
      <div className="chain-head">
        <Choice label="Expiry" value={expiry ?? ""} onChange={setExpiry} options={expiries.map((each) => [each, day(each)] as const)} tone="tight" />
        <span className="muted num">Underlier {spot.toFixed(2)}</span>
      </div>
      <table>
        <thead>
          <tr>
            {["Δ", "Vega", "IV %", "Bid", "Ask"].map((each) => <th key={`c${each}`} className={`num ${each === "Vega" || each === "IV %" ? "wide-only" : ""}`}>{each}</th>)}
            <th style={{ textAlign: "center" }}>Strike</th>
            {["Bid", "Ask", "IV %", "Vega", "Δ"].map((each) => <th key={`p${each}`} className={`num ${each === "Vega" || each === "IV %" ? "wide-only" : ""}`}>{each}</th>)}
          </tr>
        </thead>
        <tbody>
          {strikes.map((strike, i) => (
            <Fragment key={strike}>
              {i === first && <tr className="spot-line" aria-hidden="true"><td colSpan={11} /></tr>}
              <tr>
                <Half option={of(strike, "call")} inMoney={Number(strike) < spot} onChoose={props.onChoose} />
                <td className="strike num">{strike}</td>
                <Half option={of(strike, "put")} inMoney={Number(strike) > spot} onChoose={props.onChoose} mirrored />
              </tr>
            </Fragment>
          ))}
        </tbody>
      </table>
      <p className="faint note">Calls left, puts right; shaded is in the money. Click a bid or an ask to trade it.</p>
    </div>
  );
}

function Half(props: { option: Option | undefined; inMoney: boolean; mirrored?: boolean; onChoose: (name: string) => void }) {
  const { option } = props;
  const listed = useListed();
  const quote = useView((view) => (option ? view.quotes[option.instrument_id] : undefined));
  if (!option) return <td colSpan={5} />;
  const grid = listed(option.instrument_id)?.grid;
  const shade = props.inMoney ? "in-money" : "";
  const figures = [
    <td key="d" className={`num ${shade}`}>{option.delta.toFixed(3)}</td>,
    <td key="v" className={`num muted wide-only ${shade}`}>{option.vega.toFixed(3)}</td>,
    <td key="i" className={`num muted wide-only ${shade}`}>{(option.volatility * 100).toFixed(1)}</td>,
  ];
  const side = (ticks: number | undefined, lots: number | undefined, key: string) => (
    <td key={key} className={`num ${shade}`}>
      <button type="button" className="cell-button" onClick={() => props.onChoose(option.instrument_id)} title={`${option.instrument_id}: model ${option.fair.toFixed(3)}, gamma ${option.gamma.toFixed(5)}, theta ${option.theta.toFixed(4)}`}>
        {grid && ticks !== undefined && lots ? price(ticks, grid) : "–"}
      </button>
    </td>
  );
  const prices = [side(quote?.bid_ticks, quote?.bid_lots, "b"), side(quote?.ask_ticks, quote?.ask_lots, "a")];
  return <>{props.mirrored ? [...prices, ...figures.reverse()] : [...figures, ...prices]}</>;
}
