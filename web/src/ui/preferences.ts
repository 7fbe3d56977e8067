import { useSyncExternalStore } from "react";
import { INDICATORS } from "../panels/indicators";
import { z } from "../strict";

const shape = z.object({
  theme: z.enum(["dark", "light"]).catch("dark"),
  palette: z.enum(["standard", "colour-blind"]).catch("standard"),
  indicators: z.array(z.enum(INDICATORS)).catch([]),
});
export type Preferences = z.infer<typeof shape>;

const PLACE = "njord.preferences";
const listeners = new Set<() => void>();
let current: Preferences = read();

function read(): Preferences {
  try {
    return shape.parse(JSON.parse(localStorage.getItem(PLACE) ?? "{}"));
  } catch {
    return shape.parse({});
  }
}

export function apply(): void {
  document.documentElement.dataset["theme"] = current.theme;
  document.documentElement.dataset["palette"] = current.palette;
}

export function prefer(change: Partial<Preferences>): void {
  current = { ...current, ...change };
  localStorage.setItem(PLACE, JSON.stringify(current));
  apply();
  for (const listener of listeners) listener();
}

export function usePreferences(): Preferences {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => current,
  );
}
