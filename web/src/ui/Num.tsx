import { memo, useEffect, useRef } from "react";

/** A figure that flashes once, shortly, when it changes. The animation is restarted by hand: nothing is mounted anew. */
export const Num = memo(function Num(props: { text: string; value: number; className?: string; title?: string }) {
  const element = useRef<HTMLSpanElement>(null);
  const before = useRef(props.value);
  useEffect(() => {
    const change = props.value - before.current;
    before.current = props.value;
    if (!change || !element.current || matchMedia("(prefers-reduced-motion: reduce)").matches) return;
    element.current.animate?.([{ backgroundColor: change > 0 ? "var(--up-flash)" : "var(--down-flash)" }, { backgroundColor: "transparent" }], 150);
  }, [props.value]);
  return (
    <span ref={element} className={`num ${props.className ?? ""}`} title={props.title}>
      {props.text}
    </span>
  );
});

export const Spark = memo(function Spark(props: { points: readonly number[] }) {
  const { points } = props;
  if (points.length < 2) return <svg className="spark" aria-hidden="true" />;
  const low = Math.min(...points);
  const span = Math.max(...points) - low || 1;
  const path = points.map((each, i) => `${((i / (points.length - 1)) * 56).toFixed(1)},${(15 - ((each - low) / span) * 14).toFixed(1)}`).join(" ");
  const up = points[points.length - 1]! >= points[0]!;
  return (
    <svg className={`spark ${up ? "up" : "down"}`} viewBox="0 0 56 16" aria-hidden="true">
      <polyline points={path} fill="none" stroke="currentColor" strokeWidth="1.1" />
    </svg>
  );
});
