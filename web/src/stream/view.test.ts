import { describe, expect, it } from "vitest";
import type { Fill, Order, Quote, StreamMessage } from "../api/types";
import { EMPTY, reduce, type View } from "./view";

const order = (id: string, changed: number, status = "accepted", ahead: number | null = null): Order =>
  ({ client_order_id: id, changed, status, ahead_lots: ahead }) as Order;
const fill = (number: number): Fill => ({ number, fill_id: `f${number}` }) as Fill;
const orderMessage = (number: number, id = "a", status = "accepted"): StreamMessage => ({
  t: "order",
  number,
  order: order(id, number, status),
});
const fillMessage = (number: number): StreamMessage => ({ t: "fill", number, fill: fill(number) });
const quote = (bid: number, time: number, name = "X"): StreamMessage =>
  ({ t: "quote", instrument_id: name, bid_ticks: bid, bid_lots: 1, ask_ticks: bid + 1, ask_lots: 1, venue_time_ns: String(time) }) as StreamMessage;
const frame = (view: View, ...messages: StreamMessage[]): View => reduce(view, { kind: "frame", messages, nowMs: 1 });

describe("own orders and fills", () => {
  it("follow their numbers", () => {
    const view = frame(EMPTY, orderMessage(1), fillMessage(2), orderMessage(3, "a", "filled"));
    expect(view.number).toBe(3);
    expect(view.behind).toBe(false);
    expect(view.orders["a"]?.status).toBe("filled");
    expect(view.fills.map((each) => each.number)).toEqual([2]);
  });

  it("are passed over where they are known already", () => {
    const before = frame(EMPTY, orderMessage(1), fillMessage(2));
    const view = frame(before, orderMessage(1, "a", "submitted"), fillMessage(2));
    expect(view.orders["a"]?.status).toBe("accepted");
    expect(view.fills).toHaveLength(1);
  });

  it("are read anew after a gap, and go on from there", () => {
    const gap = frame(frame(EMPTY, orderMessage(1)), orderMessage(5, "c"));
    expect(gap.behind).toBe(true);
    const view = reduce(gap, { kind: "loaded", orders: [order("a", 2), order("b", 4), order("c", 5)], fills: [fill(3)] });
    expect(view.behind).toBe(false);
    expect(view.number).toBe(5);
    expect(frame(view, orderMessage(6, "b", "cancelled")).orders["b"]?.status).toBe("cancelled");
  });

  it("are read anew when the server no longer keeps what was missed", () => {
    const view = frame(frame(EMPTY, orderMessage(1)), { t: "resync", number: 90 });
    expect(view.behind).toBe(true);
    const read = reduce(view, { kind: "loaded", orders: [order("z", 88)], fills: [] });
    expect(read.number).toBe(90);
    expect(frame(read, orderMessage(91)).behind).toBe(false);
  });

  it("keep what the stream said while the reading was on its way", () => {
    const behind = frame(EMPTY, { t: "resync", number: 10 });
    const streamed = frame(behind, orderMessage(11, "a", "filled"), fillMessage(12));
    const read = reduce(streamed, { kind: "loaded", orders: [order("a", 9)], fills: [fill(8)] });
    expect(read.orders["a"]?.status).toBe("filled");
    expect(read.fills.map((each) => each.number)).toEqual([8, 12]);
    expect(read.number).toBe(12);
  });

  it("keep their place in the queue until it is asked again", () => {
    const view = reduce(frame(EMPTY, orderMessage(1)), { kind: "queues", orders: [order("a", 1, "accepted", 40)] });
    expect(frame(view, orderMessage(2)).orders["a"]?.ahead_lots).toBe(40);
  });
});

describe("the market", () => {
  it("shows the last of many quotes of one frame", () => {
    const view = frame(EMPTY, quote(100, 1), quote(101, 2), quote(102, 3));
    expect(view.quotes["X"]?.bid_ticks).toBe(102);
  });

  it("never goes back in time", () => {
    const view = reduce(frame(EMPTY, quote(102, 3)), { kind: "quotes", quotes: [quote(90, 2) as unknown as Quote] });
    expect(view.quotes["X"]?.bid_ticks).toBe(102);
  });

  it("leaves what did not change the same object, so that nothing else is drawn", () => {
    const before = frame(EMPTY, quote(1, 1, "A"), quote(1, 1, "B"));
    const view = frame(before, quote(2, 2, "A"));
    expect(view.quotes["B"]).toBe(before.quotes["B"]);
    expect(view.orders).toBe(before.orders);
    expect(view.fills).toBe(before.fills);
  });

  it("samples a sparkline every five seconds and keeps forty points", () => {
    let view = EMPTY;
    for (let i = 0; i < 100; i += 1) view = frame(view, quote(i, i * 2_500_000_000));
    expect(view.sparks["X"]).toHaveLength(40);
  });

  it("keeps bounded lists of trades", () => {
    const trades = Array.from({ length: 300 }, (_, i) => ({ t: "trade", instrument_id: "X", price_ticks: i }) as StreamMessage);
    expect(frame(EMPTY, ...trades).trades["X"]).toHaveLength(200);
  });
});
