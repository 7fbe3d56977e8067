import type {
  DealerQuote,
  Depth,
  Fill,
  Order,
  Portfolio,
  Quote,
  StreamMessage,
  Trade,
} from "../api/types";

/** Everything the stream tells, as one value. A new one is made for each event; nothing in it is ever changed. */
export interface View {
  link: "connecting" | "open" | "down";
  heardMs: number;
  clockNs: bigint;
  behindMs: number;
  stale: number;
  tripped: string[];
  dropped: number;
  quotes: Readonly<Record<string, Quote>>;
  previous: Readonly<Record<string, number>>;
  sparks: Readonly<Record<string, readonly number[]>>;
  trades: Readonly<Record<string, readonly Trade[]>>;
  depth: Depth | null;
  dealers: { instrument_id: string; quotes: DealerQuote[] } | null;
  orders: Readonly<Record<string, Order>>;
  fills: readonly Fill[];
  /** Of the newest change that is in here. */
  number: number;
  /** Whether orders and fills must be read anew, as changes were missed. */
  behind: boolean;
  portfolio: Portfolio | null;
  navs: readonly (readonly [number, number])[];
  error: string | null;
}

export type ViewEvent =
  | { kind: "frame"; messages: readonly StreamMessage[]; nowMs: number }
  | { kind: "link"; link: View["link"] }
  | { kind: "loaded"; orders: readonly Order[]; fills: readonly Fill[] }
  | { kind: "queues"; orders: readonly Order[] }
  | { kind: "quotes"; quotes: readonly Quote[] }
  | { kind: "trades"; instrument: string; trades: readonly Trade[] }
  | { kind: "history"; navs: readonly (readonly [number, number])[] }
  | { kind: "portfolio"; portfolio: Portfolio };

export const TRADES_KEPT = 200;
export const ORDERS_KEPT = 3_000;
export const FILLS_KEPT = 3_000;
export const NAVS_KEPT = 6_000;
export const SPARK_POINTS = 40;
const SPARK_EVERY_NS = 5_000_000_000n;
const ENDED = new Set(["filled", "cancelled", "rejected", "refused", "expired"]);

export const EMPTY: View = {
  link: "connecting",
  heardMs: 0,
  clockNs: 0n,
  behindMs: 0,
  stale: 0,
  tripped: [],
  dropped: 0,
  quotes: {},
  previous: {},
  sparks: {},
  trades: {},
  depth: null,
  dealers: null,
  orders: {},
  fills: [],
  number: 0,
  behind: false,
  portfolio: null,
  navs: [],
  error: null,
};

export function isWorking(order: Order): boolean {
  return !ENDED.has(order.status);
}

export function reduce(view: View, event: ViewEvent): View {
  switch (event.kind) {
    case "frame":
      return frame(view, event.messages, event.nowMs);
    case "link":
      return { ...view, link: event.link };
    case "loaded":
      return loaded(view, event.orders, event.fills);
    case "queues":
      return queues(view, event.orders);
    case "quotes":
      return { ...view, quotes: newest(view.quotes, event.quotes) };
    case "trades":
      return { ...view, trades: { ...view.trades, [event.instrument]: event.trades.slice(-TRADES_KEPT) } };
    case "history":
      return { ...view, navs: event.navs.slice(-NAVS_KEPT) };
    case "portfolio":
      return { ...view, portfolio: event.portfolio };
  }
}

/** One frame is one step: however many quotes it has of an instrument, the last alone is seen. */
function frame(view: View, messages: readonly StreamMessage[], nowMs: number): View {
  const next: View = { ...view, heardMs: nowMs };
  const quotes: Quote[] = [];
  const trades: Record<string, Trade[]> = {};
  const changes: Changes = { orders: [], fills: [] };
  for (const message of messages) {
    switch (message.t) {
      case "quote":
        quotes.push(message);
        break;
      case "trade":
        (trades[message.instrument_id] ??= []).push(message);
        break;
      case "depth":
        next.depth = message;
        next.dealers = null;
        break;
      case "dealers":
        next.dealers = message;
        next.depth = null;
        break;
      case "order":
      case "fill":
        follow(next, message, changes);
        break;
      case "resync":
        next.number = message.number;
        next.behind = true;
        break;
      case "portfolio":
        next.portfolio = message.portfolio;
        next.navs = withNav(next.navs, message.portfolio);
        break;
      case "status":
        next.clockNs = BigInt(message.time_ns);
        next.behindMs = message.behind_ms;
        next.stale = message.stale;
        next.tripped = message.tripped;
        next.dropped = message.dropped;
        break;
      case "error":
        next.error = message.error;
        break;
    }
  }
  if (quotes.length) seeQuotes(next, quotes);
  if (Object.keys(trades).length) next.trades = withTrades(next.trades, trades);
  if (changes.orders.length) next.orders = withOrders(next.orders, changes.orders);
  if (changes.fills.length) next.fills = withFills(next.fills, changes.fills);
  return next;
}

interface Changes {
  orders: Order[];
  fills: Fill[];
}

/** Changes are numbered without gaps. One that is known is passed over; a gap means reading all anew. */
function follow(next: View, message: Extract<StreamMessage, { t: "order" | "fill" }>, changes: Changes): void {
  if (message.number <= next.number) return;
  if (message.number !== next.number + 1) next.behind = true;
  next.number = message.number;
  if (message.t === "order") changes.orders.push(message.order);
  else changes.fills.push(message.fill);
}

function newest(known: View["quotes"], quotes: readonly Quote[]): View["quotes"] {
  const next = { ...known };
  for (const quote of quotes) {
    const had = next[quote.instrument_id];
    if (!had || BigInt(quote.venue_time_ns) >= BigInt(had.venue_time_ns)) next[quote.instrument_id] = quote;
  }
  return next;
}

export function midOf(quote: Quote): number | null {
  return quote.bid_lots && quote.ask_lots ? (quote.bid_ticks + quote.ask_ticks) / 2 : (quote.last_ticks ?? null);
}

function seeQuotes(next: View, quotes: readonly Quote[]): void {
  next.quotes = newest(next.quotes, quotes);
  let sparks: Record<string, readonly number[]> | null = null;
  let sampled: Record<string, number> | null = null;
  for (const { instrument_id: name, venue_time_ns } of quotes) {
    const mid = midOf(next.quotes[name]!);
    const slot = Number(BigInt(venue_time_ns) / SPARK_EVERY_NS);
    if (mid === null || next.previous[name] === slot) continue;
    sparks ??= { ...next.sparks };
    sampled ??= { ...next.previous };
    sampled[name] = slot;
    sparks[name] = [...(sparks[name] ?? []), mid].slice(-SPARK_POINTS);
  }
  if (sparks && sampled) {
    next.sparks = sparks;
    next.previous = sampled;
  }
}

function withTrades(known: View["trades"], fresh: Record<string, Trade[]>): View["trades"] {
  const next = { ...known };
  for (const [name, trades] of Object.entries(fresh)) {
    next[name] = [...(known[name] ?? []), ...trades].slice(-TRADES_KEPT);
  }
  return next;
}

function withOrders(known: View["orders"], changed: readonly Order[]): View["orders"] {
  const next = { ...known };
  for (const order of changed) {
    const had = next[order.client_order_id];
    if (had && had.changed > order.changed) continue;
    // A change does not say how many trade before it: what was known stays until it is asked again
    next[order.client_order_id] = { ...order, ahead_lots: order.ahead_lots ?? had?.ahead_lots ?? null };
  }
  const names = Object.keys(next);
  if (names.length > ORDERS_KEPT * 1.1) {
    let over = names.length - ORDERS_KEPT;
    for (const name of names) {
      if (over <= 0) break;
      if (isWorking(next[name]!)) continue;
      delete next[name];
      over -= 1;
    }
  }
  return next;
}

function withFills(known: readonly Fill[], fresh: readonly Fill[]): readonly Fill[] {
  const last = known.at(-1)?.number ?? -1;
  const later = fresh.filter((fill) => fill.number > last);
  return later.length ? [...known, ...later].slice(-FILLS_KEPT) : known;
}

function loaded(view: View, orders: readonly Order[], fills: readonly Fill[]): View {
  const numbers = [...orders.map((order) => order.changed), ...fills.map((fill) => fill.number), view.number];
  const read = withOrders(Object.fromEntries(orders.map((each) => [each.client_order_id, each])), Object.values(view.orders));
  return {
    ...view,
    orders: withOrders(read, []),
    fills: withFills(fills, view.fills),
    number: numbers.reduce((most, each) => Math.max(most, each), 0),
    behind: false,
  };
}

function queues(view: View, orders: readonly Order[]): View {
  const next = { ...view.orders };
  for (const order of orders) {
    const had = next[order.client_order_id];
    if (had && had.ahead_lots !== order.ahead_lots) next[order.client_order_id] = { ...had, ahead_lots: order.ahead_lots };
  }
  return { ...view, orders: next };
}

function withNav(navs: View["navs"], portfolio: Portfolio): View["navs"] {
  const seconds = Number(BigInt(portfolio.time_ns) / 1_000_000n) / 1_000;
  const last = navs.at(-1);
  if (last && last[0] >= seconds) return navs;
  const nav = Number(BigInt(portfolio.nav_units) / 10n ** 12n) / 1e6;
  return [...navs, [seconds, nav] as const].slice(-NAVS_KEPT);
}
