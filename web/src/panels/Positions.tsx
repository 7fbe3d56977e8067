import { useMemo, useState } from "react";
import { useNavigate } from "react-router";
import { post } from "../api/client";
import type { Position } from "../api/types";
import { averagePrice, money, plain, price, quantity, signOf } from "../money/exact";
import { useSlowView } from "../stream/store";
import { DataTable, phoneOrder, type Column } from "../ui/Grid";
import { Button, Empty, Modal, Said, toneOf } from "../ui/pieces";
import { orderKey, short, useLinked, useListed } from "../ui/session";
import { useSmall } from "../ui/small";
import { useSay } from "../ui/toasts";

export function Positions() {
  const portfolio = useSlowView((view) => view.portfolio);
  const listed = useListed();
  const linked = useLinked();
  const go = useNavigate();
  const small = useSmall();
  const [closing, setClosing] = useState<Position | null>(null);
  const columns = useMemo<Column<Position>[]>(() => {
    const grid = (row: Position) => listed(row.instrument_id)?.grid;
    const all: Column<Position>[] = [
      { id: "instrument", header: "Instrument", accessorKey: "instrument_id", cell: ({ row }) => <button type="button" className="cell-button link" onClick={() => void go(`/market?i=${encodeURIComponent(row.original.instrument_id)}`)}>{short(row.original.instrument_id)}</button> },
      { id: "quantity", header: "Quantity", accessorKey: "lots", meta: { num: true }, cell: ({ row }) => { const g = grid(row.original); return g ? quantity(row.original.lots, g) : ""; } },
      { id: "cost", header: "Avg cost", accessorFn: (row) => Number(row.cost_units), meta: { num: true }, cell: ({ row }) => { const g = grid(row.original); return g ? averagePrice(row.original.cost_units, row.original.lots, g) : ""; } },
      { id: "mark", header: "Mark", accessorKey: "mark_ticks", meta: { num: true }, cell: ({ row }) => { const g = grid(row.original); return g ? price(row.original.mark_ticks, g) : ""; } },
      { id: "value", header: "Value", accessorFn: (row) => Number(row.value_units), meta: { num: true }, cell: ({ row }) => money(row.original.value_units) },
      { id: "pnl", header: "Unrealised", accessorFn: (row) => Number(row.unrealised_units), meta: { num: true }, cell: ({ row }) => <span className={toneOf(signOf(row.original.unrealised_units))}>{money(row.original.unrealised_units, "USD", true)}</span> },
      { id: "delta", header: "Delta", accessorKey: "delta", meta: { num: true }, cell: ({ row }) => <span className="muted">{figure(row.original.delta)}</span> },
      { id: "dv01", header: "DV01", accessorFn: (row) => row.dv01.reduce((sum, each) => sum + each, 0), meta: { num: true }, cell: ({ getValue }) => <span className="muted">{figure(getValue() as number)}</span> },
      { id: "act", header: "", enableSorting: false, cell: ({ row }) => <Button className="small" disabled={!linked} onClick={() => setClosing(row.original)}>Close</Button> },
    ];
    return small ? phoneOrder(all, ["instrument", "quantity", "pnl", "mark"]) : all;
  }, [listed, linked, go, small]);
  if (!portfolio?.positions.length) return <Empty>No positions. Buy or sell something on the Market page.</Empty>;
  return (
    <>
      <DataTable rows={portfolio.positions} columns={columns} id={(row) => row.instrument_id} label="Positions" />
      {closing && <ClosePosition position={closing} onClose={() => setClosing(null)} />}
    </>
  );
}

export function figure(value: number): string {
  const size = Math.abs(value);
  const shown = size === 0 ? "0" : size.toLocaleString("en-US", { maximumFractionDigits: size < 10 ? 3 : size < 1_000 ? 2 : 0 });
  return value < 0 && shown !== "0" ? `\u2212${shown}` : shown;
}

function ClosePosition(props: { position: Position; onClose: () => void }) {
  const { position } = props;
  const listing = useListed()(position.instrument_id)!;
  const say = useSay();
  const [error, setError] = useState<unknown>(null);
  const side = position.lots > 0 ? "sell" : "buy";
  const size = plain(Math.abs(position.lots), listing.grid.lot);
  const send = () =>
    post("/orders", { order_key: orderKey(), instrument_id: position.instrument_id, side, quantity: size, order_type: "market", time_in_force: "ioc", reduce_only: true })
      .then(() => {
        say(`Closing ${short(position.instrument_id)}: ${side} ${size} at market`, "good");
        props.onClose();
      })
      .catch(setError);
  return (
    <Modal title={`Close ${short(position.instrument_id)}`} open onClose={props.onClose}>
      <p>
        {side === "sell" ? "Sells" : "Buys"} {size} at market, now worth about {money(position.notional_units)} USD. It only makes the position smaller. What a strategy holds, it may build up again.
      </p>
      <Said error={error} />
      <div className="actions">
        <Button onClick={props.onClose}>Keep it</Button>
        <Button tone="danger" autoFocus onClick={() => void send()}>
          {side === "sell" ? "Sell" : "Buy"} {size} at market
        </Button>
      </div>
    </Modal>
  );
}
