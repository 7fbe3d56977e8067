import { useSyncExternalStore } from "react";
import { EMPTY, reduce, type View, type ViewEvent } from "./view";

type Listener = () => void;

let view: View = EMPTY;
const listeners = new Set<Listener>();

export function dispatch(event: ViewEvent): void {
  view = reduce(view, event);
  for (const listener of listeners) listener();
}

export function forget(): void {
  view = EMPTY;
  for (const listener of listeners) listener();
}

export const now = (): View => view;

function subscribe(listener: Listener): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Follow a piece of the view. The piece must be one that stays the same object while it says the same. */
export function useView<T>(piece: (view: View) => T): T {
  return useSyncExternalStore(subscribe, () => piece(view));
}

// Blotters of an account that trades hundreds of times a minute are read at a person's pace
let slow: View = EMPTY;
const slowListeners = new Set<Listener>();
setInterval(() => {
  if (slow === view) return;
  slow = view;
  for (const listener of slowListeners) listener();
}, 400);

function subscribeSlowly(listener: Listener): () => void {
  slowListeners.add(listener);
  return () => slowListeners.delete(listener);
}

export function useSlowView<T>(piece: (view: View) => T): T {
  return useSyncExternalStore(subscribeSlowly, () => piece(slow === EMPTY ? view : slow));
}
