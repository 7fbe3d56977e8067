import type { IChartApi, IPriceLine, ISeriesApi, PriceLineOptions } from "lightweight-charts";
import { useEffect, useRef, type RefObject } from "react";
import { ask } from "../api/client";
import type { Order, Placed } from "../api/types";
import { plain, price, priceNumber, quantity } from "../money/exact";
import { now, useSlowView } from "../stream/store";
import { isWorking } from "../stream/view";
import { orderPath, short, useLinked, type Listed } from "../ui/session";
import { useSay } from "../ui/toasts";

const NEAR_PX = 7;
const NEAR_FINGER_PX = 18;
const LINES_MAX = 20;
const ANSWER_MS = 4_000; // After this long the exchange has not moved it, whatever was said

export interface Priced {
  chart: IChartApi;
  candles: ISeriesApi<"Candlestick">;
}

interface Dragged {
  id: string;
  from: number;
  ticks: number;
}

/** A strategy would move its own back at once, and a stop's price cannot be changed: those are only shown. */
const movable = (order: Order) => order.strategy_id === "by_hand" && order.limit_ticks != null && isWorking(order);

const shownOf = (orders: Record<string, Order>, name: string) =>
  Object.values(orders)
    .filter((each) => each.instrument_id === name && isWorking(each) && (each.limit_ticks ?? each.stop_ticks) != null)
    .slice(-LINES_MAX);

/** The lines of one chart: what is drawn, what is being dragged, and what waits for the server's answer. */
class Lines {
  dragged: Dragged | null = null;
  private readonly drawn = new Map<string, IPriceLine>();
  private readonly waiting = new Map<string, number>();

  constructor(
    private readonly on: Priced,
    private readonly shown: Listed,
    private readonly token: (name: string) => string,
  ) {}

  draw(orders: Record<string, Order>): void {
    const wanted = shownOf(orders, this.shown.instrument_id);
    const names = new Set(wanted.map((each) => each.client_order_id));
    for (const [id, line] of this.drawn) {
      if (names.has(id)) continue;
      this.on.candles.removePriceLine(line);
      this.drawn.delete(id);
      this.waiting.delete(id);
      if (this.dragged?.id === id) this.dragged = null; // Filled or cancelled in one's hand
    }
    for (const order of wanted) {
      const id = order.client_order_id;
      if (this.waiting.get(id) === order.limit_ticks) this.waiting.delete(id);
      const options = this.options(order);
      const line = this.drawn.get(id);
      if (line) line.applyOptions(options);
      else this.drawn.set(id, this.on.candles.createPriceLine(options));
    }
  }

  near(y: number, reach: number): Order | null {
    let found: Order | null = null;
    let least = reach + 1;
    for (const order of Object.values(now().orders)) {
      const at = this.drawn.has(order.client_order_id) && movable(order) ? this.on.candles.priceToCoordinate(priceNumber(order.limit_ticks!, this.shown.grid)) : null;
      if (at !== null && Math.abs(at - y) < least) [found, least] = [order, Math.abs(at - y)];
    }
    return found;
  }

  ticksAt(y: number): number | null {
    const at = this.on.candles.coordinateToPrice(y);
    return at === null ? null : Math.max(1, Math.round(at / priceNumber(1, this.shown.grid)));
  }

  wait(id: string, ticks: number): void {
    this.waiting.set(id, ticks);
  }

  /** Whether it still waited for that. */
  settle(id: string, ticks: number): boolean {
    return this.waiting.get(id) === ticks && this.waiting.delete(id);
  }

  private options(order: Order): PriceLineOptions {
    const { grid } = this.shown;
    const id = order.client_order_id;
    const held = this.dragged?.id === id ? this.dragged.ticks : undefined;
    const moving = held ?? this.waiting.get(id);
    const ticks = moving ?? order.limit_ticks ?? order.stop_ticks!;
    const what = `${order.side} ${quantity(order.quantity_lots - order.filled_lots, grid)}`;
    const color = this.token(order.side === "buy" ? "--up" : "--down");
    return {
      id, price: priceNumber(ticks, grid), color, lineWidth: moving === undefined ? 1 : 2, lineStyle: movable(order) ? 2 : 1, lineVisible: true,
      axisLabelVisible: true, axisLabelColor: color, axisLabelTextColor: "",
      title: held !== undefined ? `${what} to ${price(ticks, grid)}` : moving !== undefined ? `${what} moving` : movable(order) ? `${what} ↕` : what,
    };
  }
}

/** Own working orders on the chart. One sent by hand is dragged to another price, and goes back where that is refused. */
export function useWorkingLines(on: Priced | null, box: RefObject<HTMLDivElement | null>, shown: Listed, token: (name: string) => string): void {
  const orders = useSlowView((view) => view.orders);
  const linked = useLinked();
  const say = useSay();
  const lines = useRef<Lines | null>(null);
  useEffect(() => {
    lines.current = on && new Lines(on, shown, token);
    return () => {
      lines.current = null; // They go with the chart they were drawn on
    };
  }, [on, shown, token]);
  useEffect(() => lines.current?.draw(orders), [orders, on, shown, token]);
  useEffect(() => {
    const element = box.current;
    if (!on || !element || !linked) return undefined;
    const move = (id: string, ticks: number) => {
      const held = lines.current;
      held?.wait(id, ticks);
      const back = (why: string) => {
        if (!held?.settle(id, ticks)) return;
        if (lines.current === held) held.draw(now().orders);
        const order = now().orders[id];
        if (!order || !isWorking(order) || order.limit_ticks === ticks) return; // It was moved, or is over, and no chart was left to show it
        say(`${short(shown.instrument_id)} stays where it was: ${why}`, "bad");
      };
      ask<Placed>("PATCH", orderPath(id), { limit_price: plain(ticks, shown.grid.tick) })
        .then(() => setTimeout(() => back("the exchange did not move it"), ANSWER_MS))
        .catch((problem: Error) => back(problem.message));
    };
    return draggable(element, on.chart, () => lines.current, move);
  }, [on, box, shown, linked, say, token]);
}

function draggable(element: HTMLElement, chart: IChartApi, of: () => Lines | null, move: (id: string, ticks: number) => void): () => void {
  const heightOf = (event: PointerEvent) => event.clientY - element.getBoundingClientRect().top;
  const reachOf = (event: PointerEvent) => (event.pointerType === "touch" ? NEAR_FINGER_PX : NEAR_PX);
  const turn = (free: boolean) => chart.applyOptions({ handleScroll: free, handleScale: free });
  const down = (event: PointerEvent) => {
    const lines = of();
    const order = event.button === 0 ? lines?.near(heightOf(event), reachOf(event)) : null;
    if (!lines || !order) return;
    lines.dragged = { id: order.client_order_id, from: order.limit_ticks!, ticks: order.limit_ticks! };
    turn(false); // The line moves and not the chart
    element.setPointerCapture(event.pointerId);
  };
  const over = (event: PointerEvent) => {
    const lines = of();
    const held = lines?.dragged;
    element.classList.toggle("near", !!held || !!lines?.near(heightOf(event), reachOf(event)));
    if (!lines || !held) return;
    held.ticks = lines.ticksAt(heightOf(event)) ?? held.ticks;
    lines.draw(now().orders);
  };
  const end = (keep: boolean) => {
    const lines = of();
    const held = lines?.dragged;
    turn(true);
    if (!lines || !held) return;
    lines.dragged = null;
    if (keep && held.ticks !== held.from) move(held.id, held.ticks);
    lines.draw(now().orders);
  };
  const up = () => end(true);
  const off = () => end(false);
  const key = (event: KeyboardEvent) => event.key === "Escape" && off();
  const listened: [string, (event: never) => void][] = [["pointerdown", down], ["pointermove", over], ["pointerup", up], ["pointercancel", off]];
  for (const [name, act] of listened) element.addEventListener(name, act as EventListener, true);
  window.addEventListener("keydown", key);
  return () => {
    off();
    for (const [name, act] of listened) element.removeEventListener(name, act as EventListener, true);
    window.removeEventListener("keydown", key);
  };
}
