import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef, useState } from "react";
import { get, post } from "../api/client";
import type { Health } from "../api/types";
import { money, rough, signOf } from "../money/exact";
import { useView } from "../stream/store";
import { useHotkey } from "../ui/hotkeys";
import { Num } from "../ui/Num";
import { Button, Tip, toneOf } from "../ui/pieces";
import { clock } from "../ui/time";
import { useSay } from "../ui/toasts";
import { useRisk } from "./Shell";

const HOLD_MS = 1_000;

export function StatusBar(props: { onPalette: () => void }) {
  const health = useQuery({ queryKey: ["health"], queryFn: () => get<Health>("/health"), refetchInterval: 10_000 });
  const clockNs = useView((view) => view.clockNs);
  return (
    <header className="status">
      <span className="world" title="No real money: market, dealers and other traders are simulated on this machine">
        {health.data?.world ?? "SIMULATED"}
      </span>
      <div className="pair wide-only" title="The market's own clock">
        <span>Market</span>
        <span className="num">{clockNs ? clock(clockNs) : "--:--:--"}</span>
        <span className="faint">UTC</span>
      </div>
      <Worth />
      <span className="space" />
      <Feed failure={health.data?.failure ?? null} />
      <Tip text="Find instruments, pages and commands" hotkey="Ctrl K">
        <Button className="palette-open" aria-label="Search" onClick={props.onPalette}>
          <svg viewBox="0 0 20 20" width="15" height="15" fill="none" stroke="currentColor" strokeWidth="1.8" strokeLinecap="round" aria-hidden="true">
            <circle cx="8.500" cy="8.500" r="5.500" />
            <path d="M13 13l4.500 4.500" />
          </svg>
          <span className="wide-only">
            Search <kbd>Ctrl K</kbd>
          </span>
        </Button>
      </Tip>
      <KillSwitch />
    </header>
  );
}

function Worth() {
  const portfolio = useView((view) => view.portfolio);
  if (!portfolio) return <span className="muted">NAV …</span>;
  const gain = portfolio.day_units === null || portfolio.day_units === undefined ? null : BigInt(portfolio.nav_units) - BigInt(portfolio.day_units);
  return (
    <div className="worth">
      <div className="pair">
        <span>NAV</span>
        <Num text={money(portfolio.nav_units, portfolio.currency)} value={rough(portfolio.nav_units)} />
        <span className="faint wide-only">{portfolio.currency}</span>
      </div>
      {gain !== null && (
        <div className="pair" title="Since the start of the UTC day">
          <span>Day</span>
          <Num className={toneOf(signOf(gain))} text={money(gain, portfolio.currency, true)} value={rough(gain)} />
        </div>
      )}
    </div>
  );
}

function Feed(props: { failure: string | null }) {
  const link = useView((view) => view.link);
  const heard = useView((view) => view.heardMs);
  const behind = useView((view) => Math.round(view.behindMs));
  const stale = useView((view) => view.stale);
  const [nowMs, setNow] = useState(() => performance.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(performance.now()), 500);
    return () => clearInterval(timer);
  }, []);
  const ageMs = heard ? Math.max(0, nowMs - heard) : null;
  const late = props.failure !== null || behind > 1_000 || stale > 0 || (ageMs !== null && ageMs > 2_500);
  const state = link !== "open" ? "down" : late ? "late" : "";
  const text = link !== "open" ? link : props.failure ? "failed" : stale ? `${stale} stale` : behind > 1_000 ? `${(behind / 1_000).toFixed(1)} s behind` : "live";
  return (
    <div className="pair" title={props.failure ?? `last message ${ageMs === null ? "none" : `${(ageMs / 1_000).toFixed(1)} s ago`}; market ${behind} ms behind its clock; ${stale} instruments stale`}>
      <i className={`dot ${state}`} aria-hidden="true" />
      <b className="feed-text">{text}</b>
      <span className="muted wide-only num" style={{ minWidth: 36 }}>
        {ageMs === null ? "" : `${(ageMs / 1_000).toFixed(1)} s`}
      </span>
    </div>
  );
}

/** One press and hold: long enough not to happen by accident, short enough to need no second thought. */
function KillSwitch() {
  const risk = useRisk();
  const queries = useQueryClient();
  const say = useSay();
  const [held, setHeld] = useState(false);
  const timer = useRef(0);
  const button = useRef<HTMLButtonElement>(null);
  const tripped = risk.data?.tripped.some((each) => each["scope"] === "global") ?? false;
  useHotkey("k", () => button.current?.focus());
  const release = () => {
    window.clearTimeout(timer.current);
    setHeld(false);
  };
  const press = () => {
    if (tripped || held) return;
    setHeld(true);
    timer.current = window.setTimeout(() => {
      setHeld(false);
      post("/risk/kill", { reason: "kill switch held in the web app" })
        .then(() => say("Trading stopped; working orders are being cancelled", "bad"))
        .catch((error: Error) => say(error.message, "bad"))
        .finally(() => void queries.invalidateQueries({ queryKey: ["risk"] }));
    }, HOLD_MS);
  };
  return (
    <Tip text={tripped ? "Trading is stopped; clear it in the banner or on the Risk page" : "Hold one second: stops this account and cancels its orders"} hotkey="K, hold Space">
      <button
        ref={button}
        type="button"
        className={`kill ${held ? "held" : ""} ${tripped ? "tripped" : ""}`}
        aria-label={tripped ? "Trading is stopped" : "Kill switch: press and hold to stop trading"}
        onPointerDown={press}
        onPointerUp={release}
        onPointerLeave={release}
        onPointerCancel={release}
        onKeyDown={(event) => {
          if (event.key === " " || event.key === "Enter") {
            event.preventDefault();
            if (!event.repeat) press();
          }
        }}
        onKeyUp={release}
        onBlur={release}
        onContextMenu={(event) => event.preventDefault()}
      >
        <i />
        <span>{tripped ? "STOPPED" : held ? "HOLD…" : "KILL"}</span>
      </button>
    </Tip>
  );
}
