import { useQuery } from "@tanstack/react-query";
import { get } from "../api/client";
import type { Curve } from "../api/types";
import { Said, Skeleton } from "../ui/pieces";
import { Plot } from "./Plot";

/** The zero curve as a line, par rates at the risk buckets as points. */
export default function CurveView() {
  const curve = useQuery({ queryKey: ["curve"], queryFn: () => get<Curve>("/market/curve"), refetchInterval: 3_000 });
  if (curve.isPending) return <Skeleton rows={8} />;
  if (curve.error) return <Said error={curve.error} />;
  const { years, zeros, par } = curve.data;
  const pars = new Map(par.map(([year, rate]) => [year, rate]));
  return (
    <div className="curve">
      <Plot
        x={years}
        time={false}
        xLabel={(value) => `${value}y`}
        series={[
          { label: "Zero %", values: zeros.map((each) => each * 100), token: "--accent", points: true, format: (v) => v.toFixed(3) },
          { label: "Par %", values: years.map((each) => (pars.has(each) ? pars.get(each)! * 100 : null)), token: "--warn", points: true, line: false, format: (v) => v.toFixed(3) },
        ]}
      />
    </div>
  );
}
