import { get } from "../api/client";
import type { Fill, Nav, Order, Portfolio, Quote, StreamMessage, StreamRequest } from "../api/types";
import { rough } from "../money/exact";
import { z } from "../strict";
import { dispatch, now } from "./store";

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 8_000;
const SILENT_MS = 6_000; // A status comes every second: after so long nobody is there
const frameShape = z.array(z.looseObject({ t: z.string() }));

/** The one WebSocket: it resumes where it was, and says again what is watched. */
export class Connection {
  private socket: WebSocket | null = null;
  private waitMs = FIRST_WAIT_MS;
  private ended = false;
  private waiting: StreamMessage[] = [];
  private drawing = 0;
  private instruments: string[] = [];
  private shown: string | null = null;
  private known = false;
  private loading = false;
  private watchdog = 0;

  start(): void {
    this.open();
    this.watchdog = window.setInterval(() => this.check(), 1_000);
  }

  stop(): void {
    this.ended = true;
    window.clearInterval(this.watchdog);
    cancelAnimationFrame(this.drawing);
    this.socket?.close();
  }

  watch(instruments: string[]): void {
    this.instruments = instruments;
    if (instruments.length) this.say({ op: "subscribe", instruments });
  }

  show(instrument: string | null): void {
    if (this.shown === instrument) return;
    this.shown = instrument;
    this.say({ op: "depth", instruments: instrument ? [instrument] : [] });
  }

  private open(): void {
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const socket = new WebSocket(`${scheme}://${location.host}/api/v1/stream`);
    this.socket = socket;
    socket.onopen = () => {
      this.waitMs = FIRST_WAIT_MS;
      const after = this.known ? now().number : null;
      this.say({ op: "resume", after, instruments: [] });
      if (this.instruments.length) this.say({ op: "subscribe", instruments: this.instruments });
      if (this.shown) this.say({ op: "depth", instruments: [this.shown] });
      dispatch({ kind: "link", link: "open" });
      void this.readMarket();
    };
    socket.onmessage = (message) => this.take(String(message.data));
    socket.onclose = () => this.again(socket);
  }

  private again(socket: WebSocket): void {
    if (this.ended || this.socket !== socket) return;
    this.socket = null;
    dispatch({ kind: "link", link: "down" });
    window.setTimeout(() => {
      if (!this.ended && this.socket === null) this.open();
    }, this.waitMs);
    this.waitMs = Math.min(LONGEST_WAIT_MS, this.waitMs * 2);
    // A closed session is told by the next request, not by the socket
    get("/portfolio").catch(() => undefined);
  }

  private check(): void {
    const view = now();
    if (view.link === "open" && view.heardMs && performance.now() - view.heardMs > SILENT_MS && !document.hidden) {
      const silent = this.socket;
      silent?.close();
      if (silent) this.again(silent);
    }
  }

  private say(request: StreamRequest): void {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(request));
  }

  private take(text: string): void {
    const frame = frameShape.safeParse(JSON.parse(text));
    if (!frame.success) return;
    this.waiting.push(...(frame.data as unknown as StreamMessage[]));
    // Frames stop in a hidden tab: what waits there is taken in by a timer, so that it stays bounded
    if (document.hidden) {
      this.draw();
    } else if (!this.drawing) {
      this.drawing = requestAnimationFrame(() => this.draw());
    }
  }

  private draw(): void {
    this.drawing = 0;
    const messages = this.waiting;
    this.waiting = [];
    if (messages.length) dispatch({ kind: "frame", messages, nowMs: performance.now() });
    if (now().behind) void this.readOwn();
  }

  private async readOwn(): Promise<void> {
    if (this.loading) return;
    this.loading = true;
    try {
      const [orders, fills] = await Promise.all([get<Order[]>("/orders"), get<Fill[]>("/fills")]);
      this.known = true;
      dispatch({ kind: "loaded", orders, fills });
    } catch {
      window.setTimeout(() => {
        if (!this.ended && now().behind) void this.readOwn();
      }, LONGEST_WAIT_MS / 4);
    } finally {
      this.loading = false;
    }
  }

  private async readMarket(): Promise<void> {
    try {
      const [quotes, history, portfolio] = await Promise.all([
        get<Quote[]>("/market/quotes"),
        get<Nav[]>("/portfolio/history"),
        get<Portfolio>("/portfolio"),
      ]);
      dispatch({ kind: "quotes", quotes });
      const navs = history.map((each) => [Number(BigInt(each.time_ns) / 1_000_000n) / 1_000, rough(each.nav_units)] as const);
      dispatch({ kind: "history", navs });
      if (!now().portfolio) dispatch({ kind: "portfolio", portfolio });
    } catch {
      // The stream brings it all, one by one; the next connection asks again
    }
  }
}

export const connection = { current: null as Connection | null };
