import { useMemo, useState } from "react";
import { useNavigate } from "react-router";
import { ask } from "../api/client";
import type { Order } from "../api/types";
import { plain, price, quantity } from "../money/exact";
import { useSlowView } from "../stream/store";
import { isWorking } from "../stream/view";
import { DataTable, phoneOrder, saveCsv, type Column } from "../ui/Grid";
import { Button, Empty, Field, fieldOf, Modal, Said } from "../ui/pieces";
import { orderPath, short, useLinked, useListed } from "../ui/session";
import { useSmall } from "../ui/small";
import { clock, stamp } from "../ui/time";
import { useSay } from "../ui/toasts";

const TONES: Record<string, string> = { filled: "good", accepted: "", partially_filled: "warn", refused: "bad", rejected: "bad", unknown: "warn" };

export function OrderBlotter(props: { only: "working" | "all"; tools?: boolean }) {
  const orders = useSlowView((view) => view.orders);
  const listed = useListed();
  const linked = useLinked();
  const say = useSay();
  const go = useNavigate();
  const small = useSmall();
  const [status, setStatus] = useState("all");
  const [text, setText] = useState("");
  const [edited, setEdited] = useState<Order | null>(null);
  const rows = useMemo(() => {
    const wanted = text.trim().toLowerCase();
    return Object.values(orders)
      .filter((each) => (props.only === "all" || isWorking(each)) && (status === "all" || each.status === status))
      .filter((each) => !wanted || `${each.instrument_id} ${each.strategy_id} ${each.client_order_id}`.toLowerCase().includes(wanted))
      .sort((a, b) => b.changed - a.changed);
  }, [orders, props.only, status, text]);
  const columns = useMemo<Column<Order>[]>(() => {
    const grid = (order: Order) => listed(order.instrument_id)?.grid;
    const cancel = (order: Order) => ask("DELETE", orderPath(order.client_order_id)).catch((error: Error) => say(error.message, "bad"));
    const brief = small && props.only === "all"; // Working orders have a list of their own, with what can be done to them
    const all: Column<Order>[] = [
      { id: "time", header: "Time UTC", accessorFn: (row) => Number(row.created_ns), cell: ({ row }) => <span className="muted" title={stamp(row.original.created_ns)}>{clock(row.original.created_ns)}</span> },
      { id: "instrument", header: "Instrument", accessorFn: (row) => short(row.instrument_id) },
      { id: "side", header: "Side", accessorKey: "side", cell: ({ row }) => <span className={row.original.side === "buy" ? "up" : "down"}>{row.original.side === "buy" ? "▲ buy" : "▼ sell"}</span> },
      { id: "type", header: "Type", accessorFn: (row) => `${row.order_type} ${row.time_in_force}`, cell: ({ getValue }) => <span className="muted">{String(getValue())}</span> },
      { id: "quantity", header: "Filled / qty", accessorKey: "quantity_lots", meta: { num: true }, cell: ({ row }) => { const g = grid(row.original); return g ? `${quantity(row.original.filled_lots, g)} / ${quantity(row.original.quantity_lots, g)}` : ""; } },
      { id: "price", header: "Price", accessorFn: (row) => row.limit_ticks ?? row.stop_ticks ?? 0, meta: { num: true }, cell: ({ row }) => { const g = grid(row.original); const at = row.original.limit_ticks ?? row.original.stop_ticks; return g && at != null ? price(at, g) : "market"; } },
      { id: "status", header: "Status", accessorKey: "status", cell: ({ row }) => <span className={`tag ${TONES[row.original.status] ?? ""}`} title={row.original.reason ?? undefined}>{row.original.status.replaceAll("_", " ")}</span> },
      { id: "by", header: "By", accessorKey: "strategy_id", cell: ({ row }) => <span className="muted">{row.original.strategy_id}</span> },
      {
        id: "act", header: "", enableSorting: false,
        cell: ({ row }) => (
          <span className="row-actions">
            {isWorking(row.original) && !brief && (
              <>
                {row.original.limit_ticks != null && <Button className="small" disabled={!linked} onClick={() => setEdited(row.original)}>Edit</Button>}
                <Button className="small" disabled={!linked} onClick={() => void cancel(row.original)}>Cancel</Button>
              </>
            )}
            <Button className={`small ghost ${isWorking(row.original) && !brief ? "wide-only" : ""}`} onClick={() => void go(`/audit?why=${encodeURIComponent(row.original.client_order_id)}`)} title="Why this order">Why</Button>
            {row.original.reason && row.original.status !== "cancelled" && <span className="down reason">{row.original.reason}</span>}
          </span>
        ),
      },
    ];
    if (small) return phoneOrder(all, ["instrument", "side", "quantity", "price", "status"]);
    return props.tools ? all : all.filter((each) => each.id !== "type" && each.id !== "by"); // Beside a chart there is less room
  }, [listed, linked, say, go, small, props.tools, props.only]);
  return (
    <div className="fill column">
      {props.tools && (
        <div className="filters">
          <input className="compact" placeholder="Filter" aria-label="Filter orders" value={text} onChange={(event) => setText(event.target.value)} />
          <select className="compact" aria-label="Status" value={status} onChange={(event) => setStatus(event.target.value)}>
            {["all", "accepted", "partially_filled", "filled", "cancelled", "refused", "rejected", "expired"].map((each) => <option key={each} value={each}>{each === "all" ? "All statuses" : each.replaceAll("_", " ")}</option>)}
          </select>
          <span className="muted num">{rows.length} orders</span>
          <Button className="small" onClick={() => exportOrders(rows, listed)}>Export CSV</Button>
        </div>
      )}
      {rows.length ? <DataTable rows={rows} columns={columns} id={(row) => row.client_order_id} label="Orders" /> : <Empty>{props.only === "working" ? "No working orders. A limit order that rests in the book shows here." : "No orders yet. Send one from the ticket on the Market page."}</Empty>}
      {edited && <EditOrder order={edited} onClose={() => setEdited(null)} />}
    </div>
  );
}

function exportOrders(rows: Order[], listed: ReturnType<typeof useListed>): void {
  saveCsv("orders", ["time UTC", "order", "strategy", "instrument", "side", "type", "quantity", "filled", "limit", "status", "reason"], rows.map((each) => {
    const grid = listed(each.instrument_id)?.grid;
    const size = (lots: number) => (grid ? plain(lots, grid.lot) : lots);
    return [stamp(each.created_ns), each.client_order_id, each.strategy_id, each.instrument_id, each.side, each.order_type, size(each.quantity_lots), size(each.filled_lots), each.limit_ticks != null && grid ? plain(each.limit_ticks, grid.tick) : "", each.status, each.reason];
  }));
}

function EditOrder(props: { order: Order; onClose: () => void }) {
  const { order } = props;
  const grid = useListed()(order.instrument_id)!.grid;
  const [size, setSize] = useState(plain(order.quantity_lots, grid.lot));
  const [limit, setLimit] = useState(order.limit_ticks == null ? "" : plain(order.limit_ticks, grid.tick));
  const [error, setError] = useState<unknown>(null);
  const send = () =>
    ask("PATCH", orderPath(order.client_order_id), { quantity: size, limit_price: limit || null })
      .then(props.onClose)
      .catch(setError);
  return (
    <Modal title={`Change ${order.side} ${short(order.instrument_id)}`} open onClose={props.onClose}>
      <form onSubmit={(event) => { event.preventDefault(); void send(); }}>
        <div className="pairs">
          <Field label="Whole quantity" error={fieldOf(error) === "quantity" ? error : null}><input className="num" value={size} onChange={(event) => setSize(event.target.value)} /></Field>
          <Field label="Limit price" error={fieldOf(error) === "limit_price" ? error : null}><input className="num" value={limit} onChange={(event) => setLimit(event.target.value)} autoFocus /></Field>
        </div>
        {!fieldOf(error) && <Said error={error} />}
        <div className="actions"><Button onClick={props.onClose}>Back</Button><button type="submit" className="button accent">Change</button></div>
      </form>
    </Modal>
  );
}
