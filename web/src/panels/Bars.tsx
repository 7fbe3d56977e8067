import { Empty, toneOf } from "../ui/pieces";

/** Values from left and right of a middle, the largest as long as the room. */
export function Bars(props: { rows: readonly (readonly [string, number])[]; empty: string; format: (value: number) => string }) {
  const most = Math.max(...props.rows.map(([, value]) => Math.abs(value)), 1e-9);
  if (!props.rows.length) return <Empty>{props.empty}</Empty>;
  return (
    <ul className="bars">
      {props.rows.map(([name, value]) => (
        <li key={name}>
          <span>{name}</span>
          <span className="bar-middle" aria-hidden="true">
            <i className={value < 0 ? "left" : "right"} style={{ width: `${(Math.abs(value) / most) * 50}%` }} />
          </span>
          <span className={`num ${toneOf(value)}`}>{props.format(value)}</span>
        </li>
      ))}
    </ul>
  );
}
