import { useMemo } from "react";
import { useSlowView } from "../stream/store";
import { Empty } from "../ui/pieces";
import { Plot } from "./Plot";

/** Equity and how far below its peak it is. */
export default function NavChart(props: { since?: number }) {
  const navs = useSlowView((view) => view.navs);
  const { since = 0 } = props;
  const [x, y, below] = useMemo(() => {
    const shown = navs.filter(([time]) => time >= since);
    let peak = -Infinity;
    const falls = shown.map(([, nav]) => {
      peak = Math.max(peak, nav);
      return peak > 0 ? (nav / peak - 1) * 100 : 0;
    });
    return [shown.map(([time]) => time), shown.map(([, nav]) => nav), falls];
  }, [navs, since]);
  if (x.length < 2) return <Empty>The curve begins with the second valuation, in a second or two.</Empty>;
  return (
    <Plot
      x={x}
      series={[
        { label: "NAV", values: y, token: "--accent", format: (v) => v.toLocaleString("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 2 }) },
        { label: "Drawdown %", values: below, token: "--down", fill: "--down-soft", scale: "dd", format: (v) => v.toFixed(4) },
      ]}
    />
  );
}
