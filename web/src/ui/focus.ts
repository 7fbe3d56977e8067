const DIALOGS = "[role=dialog],[role=alertdialog]";

// What had the focus last outside of any dialog: where it goes when one closes. Dialogs here are opened by keys and
// from tables too, so there is no one trigger to go back to
let last: HTMLElement | null = null;

function outside(target: EventTarget | null): HTMLElement | null {
  return target instanceof HTMLElement && !target.closest(DIALOGS) ? target : null;
}

/** Begin to remember. Once, for the page. */
export function followFocus(): void {
  document.addEventListener("focusin", (event) => {
    last = outside(event.target) ?? last;
  });
  document.addEventListener("focusout", (event) => {
    // Left for nothing: a dialog that opens now came from nowhere
    if (outside(event.target) && event.relatedTarget === null && document.hasFocus()) last = null;
  });
}

/** For a dialog's onCloseAutoFocus. */
export function giveBack(event: Event): void {
  event.preventDefault();
  if (last?.isConnected) last.focus();
  else document.querySelector<HTMLElement>("main")?.focus();
}
