import type { Param } from "../api/types";
import { Field } from "../ui/pieces";

export type Values = Record<string, string | boolean>;

export function valuesOf(params: Param[], given: Record<string, unknown>): Values {
  return Object.fromEntries(params.map((each) => {
    const value = given[each.name] ?? each.default;
    return [each.name, typeof value === "boolean" ? value : value == null ? "" : String(value)];
  }));
}

/** What differs from the defaults, in the types the server asks for. Bounds are the server's to say. */
export function given(params: Param[], values: Values): Record<string, boolean | number | string> {
  const found: Record<string, boolean | number | string> = {};
  for (const each of params) {
    const value = values[each.name];
    if (value === undefined || value === "") continue;
    const typed = typeof value === "boolean" ? value : each.type === "int" || each.type === "float" ? Number(value) : value;
    if (typed !== each.default) found[each.name] = typed;
  }
  return found;
}

export function ParamFields(props: { params: Param[]; values: Values; onChange: (values: Values) => void }) {
  const set = (name: string, value: string | boolean) => props.onChange({ ...props.values, [name]: value });
  return (
    <div className="params">
      {props.params.map((each) => {
        const value = props.values[each.name] ?? "";
        const label = each.name.replaceAll("_", " ");
        return typeof value === "boolean" || each.type === "bool" ? (
          <label key={each.name} className="check">
            <input type="checkbox" checked={value === true} onChange={(event) => set(each.name, event.target.checked)} /> {label}
          </label>
        ) : (
          <Field key={each.name} label={label}>
            <input name={each.name} className={each.type === "str" ? "" : "num"} inputMode={each.type === "str" ? "text" : "decimal"} value={value} placeholder={each.default == null ? "none" : String(each.default)} onChange={(event) => set(each.name, event.target.value)} />
          </Field>
        );
      })}
    </div>
  );
}
