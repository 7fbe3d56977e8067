import { Dialog, Tooltip } from "radix-ui";
import { useState, type ButtonHTMLAttributes, type ReactNode } from "react";
import { Problem } from "../api/client";
import { giveBack } from "./focus";

export function Panel(props: { title: ReactNode; tools?: ReactNode; children: ReactNode; className?: string; label?: string }) {
  const label = props.label ?? (typeof props.title === "string" ? props.title : undefined);
  return (
    <section className={`panel ${props.className ?? ""}`} aria-label={label}>
      <header className="panel-head">
        <h2>{props.title}</h2>
        <div className="panel-tools">{props.tools}</div>
      </header>
      <div className="panel-body">{props.children}</div>
    </section>
  );
}

export function Tip(props: { text: string; hotkey?: string; children: ReactNode }) {
  return (
    <Tooltip.Root>
      <Tooltip.Trigger asChild>{props.children}</Tooltip.Trigger>
      <Tooltip.Portal>
        <Tooltip.Content className="tip" sideOffset={6} collisionPadding={8}>
          {props.text}
          {props.hotkey && <kbd>{props.hotkey}</kbd>}
        </Tooltip.Content>
      </Tooltip.Portal>
    </Tooltip.Root>
  );
}

type ButtonProps = ButtonHTMLAttributes<HTMLButtonElement> & { tone?: "plain" | "accent" | "buy" | "sell" | "danger" | "ghost"; tip?: string; hotkey?: string };

export function Button({ tone = "plain", tip, hotkey, className = "", ...rest }: ButtonProps) {
  const button = <button type="button" className={`button ${tone} ${className}`} {...rest} />;
  if (!tip && !hotkey) return button;
  return (
    <Tip text={tip ?? ""} hotkey={hotkey}>
      {button}
    </Tip>
  );
}

export function Empty(props: { children: ReactNode }) {
  return <p className="empty">{props.children}</p>;
}

export function Skeleton(props: { rows?: number }) {
  return (
    <div className="skeleton" role="status" aria-label="loading">
      {Array.from({ length: props.rows ?? 6 }, (_, row) => (
        <div key={row} />
      ))}
    </div>
  );
}

/** What the server said, word for word. */
export function Said(props: { error: unknown }) {
  if (!props.error) return null;
  const text = props.error instanceof Error ? props.error.message : String(props.error);
  return (
    <p className="said" role="alert">
      {text}
    </p>
  );
}

export function fieldOf(error: unknown): string | null {
  return error instanceof Problem ? error.field : null;
}

export function Field(props: { label: ReactNode; children: ReactNode; error?: unknown; hint?: ReactNode }) {
  return (
    <label className="field">
      <span className="field-label">{props.label}</span>
      {props.children}
      {props.hint && <span className="field-hint">{props.hint}</span>}
      <Said error={props.error} />
    </label>
  );
}

export function Stat(props: { label: string; children: ReactNode; tone?: -1 | 0 | 1; title?: string }) {
  return (
    <div className="stat" title={props.title}>
      <span className="stat-label">{props.label}</span>
      <span className={`stat-value num ${toneOf(props.tone ?? 0)}`}>{props.children}</span>
    </div>
  );
}

export function toneOf(sign: number): string {
  return sign > 0 ? "up" : sign < 0 ? "down" : "";
}

/** A choice between few things. */
export function Choice<T extends string>(props: { label: string; value: T; options: readonly (readonly [T, string])[]; onChange: (value: T) => void; tone?: string }) {
  return (
    <div className={`choice ${props.tone ?? ""}`} role="radiogroup" aria-label={props.label}>
      {props.options.map(([value, text]) => (
        <button key={value} type="button" role="radio" aria-checked={value === props.value} data-value={value} onClick={() => props.onChange(value)}>
          {text}
        </button>
      ))}
    </div>
  );
}

export function Modal(props: { title: string; open: boolean; onClose: () => void; children: ReactNode; wide?: boolean }) {
  return (
    <Dialog.Root open={props.open} onOpenChange={(open) => !open && props.onClose()}>
      <Dialog.Portal>
        <Dialog.Overlay className="overlay" />
        <Dialog.Content className={`modal ${props.wide ? "wide" : ""}`} aria-describedby={undefined} onCloseAutoFocus={giveBack}>
          <Dialog.Title>{props.title}</Dialog.Title>
          <Dialog.Close className="button ghost modal-close" aria-label="Close (Esc)">
            ×
          </Dialog.Close>
          {props.children}
        </Dialog.Content>
      </Dialog.Portal>
    </Dialog.Root>
  );
}

/** Asks once for a reason, saying what will happen; shows the server's own words where it refuses. */
export function ReasonDialog(props: {
  title: string;
  what: ReactNode;
  action: string;
  open: boolean;
  danger?: boolean;
  flatten?: boolean;
  onClose: () => void;
  act: (reason: string, flatten: boolean) => Promise<unknown>;
}) {
  const [reason, setReason] = useState("");
  const [flatten, setFlatten] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const [busy, setBusy] = useState(false);
  const go = async () => {
    setBusy(true);
    setError(null);
    try {
      await props.act(reason, flatten);
      setReason("");
      props.onClose();
    } catch (problem) {
      setError(problem);
    } finally {
      setBusy(false);
    }
  };
  return (
    <Modal title={props.title} open={props.open} onClose={props.onClose}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void go();
        }}
      >
        <p className="muted">{props.what}</p>
        <Field label="Reason, for the record" error={error}>
          <input name="reason" value={reason} onChange={(event) => setReason(event.target.value)} required maxLength={500} autoFocus />
        </Field>
        {props.flatten && (
          <label className="check">
            <input type="checkbox" checked={flatten} onChange={(event) => setFlatten(event.target.checked)} /> also close what is held, at market
          </label>
        )}
        <div className="actions">
          <Button onClick={props.onClose}>Cancel</Button>
          <button type="submit" className={`button ${props.danger ? "danger" : "accent"}`} disabled={busy || !reason}>
            {props.action}
          </button>
        </div>
      </form>
    </Modal>
  );
}
