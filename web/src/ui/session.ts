import { createContext, useContext } from "react";
import { useQuery } from "@tanstack/react-query";
import { get } from "../api/client";
import type { Instrument, Me } from "../api/types";
import { gridOf, type Grid } from "../money/exact";
import { useView } from "../stream/store";

export const MeContext = createContext<Me | null>(null);

export function useMe(): Me {
  const me = useContext(MeContext);
  if (!me) throw new Error("nobody is logged in here");
  return me;
}

export function mayOperate(me: Me): boolean {
  return me.role !== "trader";
}

export interface Listed extends Instrument {
  grid: Grid;
}

const NONE: Listed[] = [];

export function useInstruments(): Listed[] {
  const found = useQuery({
    queryKey: ["instruments"],
    queryFn: () => get<Instrument[]>("/instruments"),
    staleTime: Infinity,
    select: withGrids,
  });
  return found.data ?? NONE;
}

let made: { from: Instrument[]; to: Listed[]; by: Map<string, Listed> } | null = null;

function withGrids(given: Instrument[]): Listed[] {
  if (made?.from !== given) {
    const to = given.map((each) => ({ ...each, grid: gridOf(each) }));
    made = { from: given, to, by: new Map(to.map((each) => [each.instrument_id, each])) };
  }
  return made.to;
}

export function useListed(): (name: string) => Listed | undefined {
  useInstruments();
  return (name) => made?.by.get(name);
}

/** Whether what is typed can be sent: not while the link is down. */
export function useLinked(): boolean {
  return useView((view) => view.link === "open");
}

export function short(name: string): string {
  return name.replace(/\.SIM$/, "");
}

/** Where an order is asked about. Ids have slashes, which are part of the path. */
export function orderPath(id: string): string {
  return `/orders/${id.split("/").map(encodeURIComponent).join("/")}`;
}

let keys = 0;

/** A name of an order of one's own: sent twice, it is one order. */
export function orderKey(): string {
  keys += 1;
  return `w${Date.now().toString(36)}${keys.toString(36)}${Math.random().toString(36).slice(2, 6)}`;
}
