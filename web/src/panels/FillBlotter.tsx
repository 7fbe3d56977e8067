import { useMemo, useState } from "react";
import { useNavigate } from "react-router";
import type { Fill } from "../api/types";
import { money, plain, price, quantity } from "../money/exact";
import { useSlowView } from "../stream/store";
import { DataTable, phoneOrder, saveCsv, type Column } from "../ui/Grid";
import { Button, Empty } from "../ui/pieces";
import { short, useListed } from "../ui/session";
import { useSmall } from "../ui/small";
import { clock, stamp } from "../ui/time";

export function FillBlotter(props: { tools?: boolean }) {
  const fills = useSlowView((view) => view.fills);
  const listed = useListed();
  const go = useNavigate();
  const small = useSmall();
  const [text, setText] = useState("");
  const rows = useMemo(() => {
    const wanted = text.trim().toLowerCase();
    return fills.filter((each) => !wanted || `${each.instrument_id} ${each.strategy_id} ${each.side}`.toLowerCase().includes(wanted)).reverse();
  }, [fills, text]);
  const columns = useMemo<Column<Fill>[]>(() => {
    const grid = (fill: Fill) => listed(fill.instrument_id)?.grid;
    const all: Column<Fill>[] = [
      { id: "time", header: "Time UTC", accessorFn: (row) => Number(row.venue_time_ns), cell: ({ row }) => <span className="muted" title={stamp(row.original.venue_time_ns)}>{clock(row.original.venue_time_ns, true)}</span> },
      { id: "instrument", header: "Instrument", accessorFn: (row) => short(row.instrument_id) },
      { id: "side", header: "Side", accessorKey: "side", cell: ({ row }) => <span className={row.original.side === "buy" ? "up" : "down"}>{row.original.side === "buy" ? "▲ buy" : "▼ sell"}</span> },
      { id: "quantity", header: "Quantity", accessorKey: "quantity_lots", meta: { num: true }, cell: ({ row }) => { const g = grid(row.original); return g ? quantity(row.original.quantity_lots, g) : ""; } },
      { id: "price", header: "Price", accessorKey: "price_ticks", meta: { num: true }, cell: ({ row }) => { const g = grid(row.original); return g ? price(row.original.price_ticks, g) : ""; } },
      { id: "fee", header: "Fee USD", accessorFn: (row) => Number(row.fee_units), meta: { num: true }, cell: ({ row }) => <span className="muted">{money(row.original.fee_units)}</span> },
      { id: "liquidity", header: "As", accessorKey: "liquidity", cell: ({ row }) => <span className="muted">{row.original.liquidity}</span> },
      { id: "by", header: "By", accessorKey: "strategy_id", cell: ({ row }) => <span className="muted">{row.original.strategy_id}</span> },
      { id: "act", header: "", enableSorting: false, cell: ({ row }) => <Button className="small ghost" onClick={() => void go(`/audit?why=${encodeURIComponent(row.original.fill_id)}`)}>Why</Button> },
    ];
    return small ? phoneOrder(all, ["instrument", "side", "quantity", "price"]) : all;
  }, [listed, go, small]);
  return (
    <div className="fill column">
      {props.tools && (
        <div className="filters">
          <input className="compact" placeholder="Filter" aria-label="Filter fills" value={text} onChange={(event) => setText(event.target.value)} />
          <span className="muted num">{rows.length} fills</span>
          <Button className="small" onClick={() => saveCsv("fills", ["time UTC", "fill", "order", "strategy", "instrument", "side", "quantity", "price", "fee", "liquidity"], rows.map((each) => { const g = grid2(each, listed); return [stamp(each.venue_time_ns), each.fill_id, each.client_order_id, each.strategy_id, each.instrument_id, each.side, g ? plain(each.quantity_lots, g.lot) : "", g ? plain(each.price_ticks, g.tick) : "", money(each.fee_units).replaceAll(",", "").replace("\u2212", "-"), each.liquidity]; }))}>Export CSV</Button>
        </div>
      )}
      {rows.length ? <DataTable rows={rows} columns={columns} id={(row) => String(row.number)} label="Fills" /> : <Empty>No fills yet. What you trade shows here, with its fee.</Empty>}
    </div>
  );
}

const grid2 = (fill: Fill, listed: ReturnType<typeof useListed>) => listed(fill.instrument_id)?.grid;
