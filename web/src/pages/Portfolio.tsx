import { Tabs } from "radix-ui";
import { lazy, Suspense, useState } from "react";
import type { Portfolio as Account } from "../api/types";
import { Bars } from "../panels/Bars";
import { FillBlotter } from "../panels/FillBlotter";
import { OrderBlotter } from "../panels/OrderBlotter";
import { figure, Positions } from "../panels/Positions";
import { money, signOf } from "../money/exact";
import { CancelAllButton } from "../shell/CancelAll";
import { useView } from "../stream/store";
import { Empty, Panel, Skeleton, Stat } from "../ui/pieces";

const NavChart = lazy(() => import("../panels/NavChart"));

export const whole = (value: number) => {
  const text = Math.abs(value).toLocaleString("en-US", { maximumFractionDigits: Math.abs(value) < 100 ? 2 : 0 });
  return text === "0" ? text : `${value > 0 ? "+" : "\u2212"}${text}`;
};

export default function Portfolio() {
  const account = useView((view) => view.portfolio);
  const [tab, setTab] = useState("positions");
  if (!account) return <Skeleton rows={14} />;
  return (
    <div className="page portfolio">
      <Figures account={account} />
      <div className="portfolio-top">
        <Panel title="Equity and drawdown">
          <Suspense fallback={<Skeleton />}>
            <NavChart />
          </Suspense>
        </Panel>
        <Panel title="Stress: what it would do" tools={<span className="faint">{account.currency}</span>}>
          <Bars rows={Object.entries(account.stress)} empty="Nothing to stress." format={whole} />
        </Panel>
        <Panel title="Exposure by class" tools={<span className="faint">{account.currency}</span>}>
          <Bars rows={Object.entries(account.exposure_by_class)} empty="No exposure: nothing is held." format={whole} />
        </Panel>
        <Panel title="DV01 by bucket" tools={<span className="faint">{account.currency} per bp</span>}>
          <Bars rows={account.buckets.map((years, i) => [`${years} y`, account.dv01[i] ?? 0] as const)} empty="No rates risk." format={whole} />
        </Panel>
        <Panel title="Greeks by underlier">
          <Greeks account={account} />
        </Panel>
      </div>
      <Tabs.Root value={tab} onValueChange={setTab} className="portfolio-lists">
        <Panel
          label="Holdings and blotters"
          title={
            <Tabs.List className="tabs" aria-label="Lists">
              <Tabs.Trigger value="positions">Positions {account.positions.length > 0 && <span className="tag">{account.positions.length}</span>}</Tabs.Trigger>
              <Tabs.Trigger value="working">Working</Tabs.Trigger>
              <Tabs.Trigger value="orders">Orders</Tabs.Trigger>
              <Tabs.Trigger value="fills">Fills</Tabs.Trigger>
            </Tabs.List>
          }
          tools={tab === "working" && <CancelAllButton />}
        >
          {tab === "positions" && <Positions />}
          {tab === "working" && <OrderBlotter only="working" tools />}
          {tab === "orders" && <OrderBlotter only="all" tools />}
          {tab === "fills" && <FillBlotter tools />}
        </Panel>
      </Tabs.Root>
    </div>
  );
}

function Figures({ account }: { account: Account }) {
  const { currency } = account;
  const cash = account.cash_units[currency] ?? "0";
  const signed = (units: string) => ({ tone: signOf(units), children: money(units, currency, true) });
  return (
    <section className="figures" aria-label="Figures" data-testid="figures">
      <Stat label={`NAV ${currency}`} title={account.nav_units}>{money(account.nav_units, currency)}</Stat>
      <Stat label="Cash">{money(cash, currency)}</Stat>
      <Stat label="Realised" {...signed(account.realised_units)} />
      <Stat label="Unrealised" {...signed(account.unrealised_units)} />
      <Stat label="Fees">{money(account.fees_units, currency)}</Stat>
      <Stat label="Income" {...signed(account.income_units)} />
      <Stat label="Gross">{money(account.gross_units, currency)}</Stat>
      <Stat label="Leverage">{account.leverage.toFixed(3)}×</Stat>
      <Stat label="VaR 99 %, 1 min">{account.value_at_risk == null ? "not yet" : figure(account.value_at_risk)}</Stat>
    </section>
  );
}

function Greeks({ account }: { account: Account }) {
  const rows = Object.entries(account.greeks);
  if (!rows.length) return <Empty>No sensitivities: nothing is held.</Empty>;
  return (
    <table>
      <thead>
        <tr>
          <th>On</th>
          {["Δ", "Δ value", "Γ", "Vega", "Θ"].map((each) => <th key={each} className="num">{each}</th>)}
        </tr>
      </thead>
      <tbody>
        {rows.map(([name, on]) => (
          <tr key={name}>
            <td>{name}</td>
            {[on.delta, on.delta_value, on.gamma, on.vega, on.theta].map((each, i) => <td key={i} className="num">{figure(each)}</td>)}
          </tr>
        ))}
      </tbody>
    </table>
  );
}
