import { useEffect, useRef } from "react";

/** Keys that act wherever one is, except while typing. `mod` is Ctrl, or Command on a Mac. */
export function useHotkey(key: string, act: () => void, enabled = true): void {
  const latest = useRef(act);
  useEffect(() => {
    latest.current = act;
  });
  useEffect(() => {
    if (!enabled) return undefined;
    const mod = key.startsWith("mod+");
    const wanted = mod ? key.slice(4) : key;
    const onKey = (event: KeyboardEvent) => {
      const pressed = event.ctrlKey || event.metaKey;
      if (pressed !== mod || event.altKey || event.key.toLowerCase() !== wanted.toLowerCase()) return;
      if (!mod && (isTyping(event.target) || document.querySelector("[role=dialog],[role=alertdialog]"))) return;
      event.preventDefault();
      latest.current();
    };
    window.addEventListener("keydown", onKey);
    return () => window.removeEventListener("keydown", onKey);
  }, [key, enabled]);
}

function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName));
}
