import { useSyncExternalStore } from "react";

const query = matchMedia("(max-width: 720px)");

export function useSmall(): boolean {
  return useSyncExternalStore(
    (listener) => {
      query.addEventListener("change", listener);
      return () => query.removeEventListener("change", listener);
    },
    () => query.matches,
  );
}
