import { useQuery } from "@tanstack/react-query";
import { lazy, Suspense, useCallback, useEffect, useState, type ReactNode } from "react";
import { NavLink, useLocation, useNavigate } from "react-router";
import { get, post } from "../api/client";
import type { Risk } from "../api/types";
import { useView } from "../stream/store";
import { useHotkey } from "../ui/hotkeys";
import { Button, ReasonDialog, Tip } from "../ui/pieces";
import { prefer, usePreferences } from "../ui/preferences";
import CancelAll, { CancelAllContext } from "./CancelAll";
import { PLACES, type Place } from "./places";
import { StatusBar } from "./StatusBar";

const Keys = lazy(() => import("./Keys"));
const Palette = lazy(() => import("./Palette"));

export function useRisk() {
  return useQuery({ queryKey: ["risk"], queryFn: () => get<Risk>("/risk"), refetchInterval: 4_000 });
}

export function Shell(props: { children: ReactNode }) {
  const [open, setOpen] = useState<"palette" | "keys" | "cancel" | null>(null);
  const close = () => setOpen(null);
  const cancelAll = useCallback(() => setOpen("cancel"), []);
  const link = useView((view) => view.link);
  const { theme } = usePreferences();
  const here = useLocation().pathname;
  useHotkey("mod+k", () => setOpen("palette"));
  useHotkey("?", () => setOpen("keys"));
  useHotkey("x", cancelAll);
  useHotkey("t", () => prefer({ theme: theme === "dark" ? "light" : "dark" }));
  useEscape();
  useEffect(() => {
    document.title = `${PLACES.find((each) => here.startsWith(each.path))?.name ?? "Desk"} · Njord`;
  }, [here]);
  return (
    <CancelAllContext.Provider value={cancelAll}>
      <div className="shell">
        <nav className="rail" aria-label="Pages">
          <div className="mark">
            <img src="/njord.svg" alt="Njord" />
          </div>
          {PLACES.map((place) => (
            <RailLink key={place.path} place={place} />
          ))}
        </nav>
        <StatusBar onPalette={() => setOpen("palette")} />
        <Banners />
        <main className={link === "down" ? "cut" : ""} tabIndex={-1}>{props.children}</main>
        <Suspense>
          {open === "palette" && <Palette onClose={close} onKeys={() => setOpen("keys")} />}
          {open === "keys" && <Keys onClose={close} />}
          {open === "cancel" && <CancelAll onClose={close} />}
        </Suspense>
      </div>
    </CancelAllContext.Provider>
  );
}

function RailLink(props: { place: Place }) {
  const { path, name, key, icon } = props.place;
  const go = useNavigate();
  useHotkey(key, () => void go(path));
  return (
    <Tip text={name} hotkey={key}>
      <NavLink to={path} className={path === "/settings" ? "last" : ""}>
        {icon}
        <span>{name}</span>
      </NavLink>
    </Tip>
  );
}

/** Esc leaves a field first; dialogs close themselves. */
function useEscape(): void {
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (event.key === "Escape" && document.activeElement instanceof HTMLElement) document.activeElement.blur();
    };
    window.addEventListener("keydown", onKey);
    return () => window.removeEventListener("keydown", onKey);
  }, []);
}

function Banners() {
  const link = useView((view) => view.link);
  const tripped = useView((view) => view.tripped);
  const risk = useRisk();
  const [clearing, setClearing] = useState(false);
  const own = risk.data?.tripped.filter((each) => each["scope"] === "global") ?? [];
  return (
    <div className="banner" aria-live="polite">
      {link === "down" && <div className="off">Disconnected. What you see is as of the last message; orders are disabled. Connecting again by itself.</div>}
      {own.map((trip) => (
        <div className="stopped" key={trip["scope"]}>
          <span>
            ■ Trading of this account is stopped by {trip["actor"]}: {trip["reason"]}
          </span>
          <Button className="small" onClick={() => setClearing(true)}>
            Clear
          </Button>
        </div>
      ))}
      {!own.length && tripped.length > 0 && <div className="stopped">■ Trading is stopped for all accounts: {tripped.join(", ")}</div>}
      {risk.data?.stopped && <div className="stopped">■ This account does not trade: {risk.data.stopped}</div>}
      <ReasonDialog
        title="Let this account trade again"
        what="Strategies go on quoting and orders are taken again. Orders that were cancelled stay cancelled."
        action="Clear"
        open={clearing}
        onClose={() => setClearing(false)}
        act={async (reason) => {
          await post("/risk/clear", { reason });
          await risk.refetch();
        }}
      />
    </div>
  );
}
