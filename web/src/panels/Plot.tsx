import { useEffect, useRef } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { usePreferences } from "../ui/preferences";

export interface Line {
  label: string;
  values: readonly (number | null)[];
  token: string;
  fill?: string;
  points?: boolean;
  line?: boolean;
  scale?: string;
  format?: (value: number) => string;
}

/** A line chart of many points. Colours come from the tokens; it is made anew only when those or its shape change. */
export function Plot(props: { x: readonly number[]; series: Line[]; time?: boolean; xLabel?: (value: number) => string }) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const latest = useRef(props);
  const { theme, palette } = usePreferences();
  const shape = props.series.map((each) => each.label).join("|");
  useEffect(() => {
    latest.current = props;
    plot.current?.setData(dataOf(props));
  });
  useEffect(() => {
    const element = box.current;
    if (!element) return undefined;
    const made = new uPlot(optionsOf(latest.current, element), dataOf(latest.current), element);
    plot.current = made;
    const sized = new ResizeObserver(() => made.setSize(sizeOf(element)));
    sized.observe(element);
    return () => {
      sized.disconnect();
      made.destroy();
      plot.current = null;
    };
  }, [theme, palette, shape]);
  return <div ref={box} className="plot" />;
}

const LEGEND = 28;
const sizeOf = (element: HTMLElement) => ({ width: Math.max(100, element.clientWidth), height: Math.max(80, element.clientHeight - LEGEND) });

type Given = Parameters<typeof Plot>[0];

function dataOf(props: Given): uPlot.AlignedData {
  return [props.x as number[], ...props.series.map((each) => each.values as (number | null)[])] as uPlot.AlignedData;
}

// Falls hang in the lowest third, so that they hide nothing of the curve above
function belowTheRest(_plot: uPlot, least: number | null): [number, number] {
  const deepest = Math.min(least ?? 0, -1e-6);
  return [deepest * 1.05, -deepest * 2.4];
}

const iso = (seconds: number) => new Date(seconds * 1_000).toISOString();

/** Marks less than a minute apart would all say the same without their seconds. */
const hours = (found: number[]) => found.map((each) => iso(each).slice(11, (found[1] ?? 60) - (found[0] ?? 0) < 60 ? 19 : 16));

function aboveTheFalls(_plot: uPlot, least: number | null, most: number | null): [number, number] {
  const low = least ?? 0;
  const high = Math.max(most ?? 1, low + Math.max(1e-6, Math.abs(low) * 1e-6));
  return [low - (high - low) * 0.55, high + (high - low) * 0.08];
}

function optionsOf(props: Given, element: HTMLElement): uPlot.Options {
  const style = getComputedStyle(document.documentElement);
  const token = (name: string) => style.getPropertyValue(name).trim();
  const axis = { stroke: token("--muted"), grid: { stroke: token("--s2"), width: 1 }, ticks: { stroke: token("--line"), width: 1 }, font: "11px sans-serif" };
  const scales = [...new Set(props.series.map((each) => each.scale ?? "y"))];
  return {
    ...sizeOf(element),
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1_000), "Etc/UTC"),
    scales: { x: { time: props.time ?? true }, ...(scales.includes("dd") ? { dd: { range: belowTheRest }, y: { range: aboveTheFalls } } : {}) },
    axes: [
      { ...axis, space: 64, values: (_plot: uPlot, found: number[]) => (props.xLabel ? found.map(props.xLabel) : hours(found)) },
      ...scales.map((scale, i) => ({
        ...axis, scale, side: i ? (1 as const) : (3 as const), size: 74, grid: i ? { show: false } : axis.grid,
        values: (_plot: uPlot, found: number[]) => found.map((each) => (scale === "dd" && each > 0 ? "" : each.toLocaleString("en-US", { maximumFractionDigits: 4 }))),
      })),
    ],
    series: [
      {
        label: props.xLabel ? "At" : "Time (UTC)",
        value: (_plot: uPlot, value: number | null) => (value === null ? "–" : props.xLabel ? props.xLabel(value) : iso(value).slice(0, 19).replace("T", " ")),
      },
      ...props.series.map((each) => ({
        label: each.label, scale: each.scale ?? "y", stroke: token(each.token), width: each.line === false ? 0 : 1.5,
        fill: each.fill ? token(each.fill) : undefined, points: { show: each.points ?? false, size: 7 },
        value: (_plot: uPlot, value: number | null) => (value === null || value === undefined ? "–" : (each.format?.(value) ?? String(value))),
      })),
    ],
    legend: { live: true },
  };
}
