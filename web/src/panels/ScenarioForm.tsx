import { useQueryClient } from "@tanstack/react-query";
import { useMemo, useRef, useState } from "react";
import { post } from "../api/client";
import type { Scenario } from "../api/types";
import { Button, Field, fieldOf, Modal, Said } from "../ui/pieces";
import { short, useInstruments, useLinked } from "../ui/session";
import { useSay } from "../ui/toasts";

/** What can happen, what it is given and what that begins as. `names` is whom it happens to: none is all. */
const ACTIONS: Record<string, { text: string; numbers: Record<string, string>; names?: "underliers" | "instruments" }> = {
  volatility: { text: "Volatility", numbers: { scale: "3" }, names: "underliers" },
  drift: { text: "Drift", numbers: { shift: "-50" }, names: "underliers" },
  liquidity: { text: "Liquidity", numbers: { depth: "0.5", spread: "2" }, names: "instruments" },
  flash_crash: { text: "Flash crash", numbers: { drop: "0.09", fall_s: "60", recovery_s: "300", recovery: "0.9" }, names: "underliers" },
  rates_shift: { text: "Rates shift", numbers: { bp: "100" } },
  halt: { text: "Halt", numbers: {}, names: "instruments" },
  resume: { text: "Resume", numbers: {}, names: "instruments" },
};
const LABELS: Record<string, string> = {
  scale: "Times", shift: "A year, fraction", depth: "Depth, times", spread: "Spread, times", drop: "Falls by, fraction", fall_s: "Falls in, s",
  recovery_s: "Recovers in, s", recovery: "Recovers, share", bp: "Basis points",
};

interface Step {
  id: number;
  at: string;
  type: string;
  numbers: Record<string, string>;
  names: string;
}

function stepsOf(scenario: Scenario | null): Omit<Step, "id">[] {
  if (!scenario) return [{ at: "0", type: "volatility", numbers: ACTIONS["volatility"]!.numbers, names: "" }];
  return scenario.steps.map((each) => {
    const action = each["action"] as Record<string, unknown>;
    const type = String(action["type"]);
    const { numbers, names } = ACTIONS[type]!;
    const kept = Object.fromEntries(Object.keys(numbers).map((key) => [key, String(action[key] ?? numbers[key])]));
    return { at: String(each["at_s"]), type, numbers: kept, names: ((names && (action[names] as string[] | undefined)) ?? []).map(short).join(", ") };
  });
}

/** What is no number goes as it was typed: the server says what is wrong with it. */
const number = (text: string): number | string => (text.trim() !== "" && Number.isFinite(Number(text)) ? Number(text) : text);

export function ScenarioForm(props: { from: Scenario | null; onClose: () => void }) {
  const queries = useQueryClient();
  const instruments = useInstruments();
  const linked = useLinked();
  const say = useSay();
  const made = useRef(0);
  const numbered = (each: Omit<Step, "id">): Step => ({ ...each, id: (made.current += 1) });
  const [name, setName] = useState(props.from ? `${props.from.name}-2` : "");
  const [steps, setSteps] = useState<Step[]>(() => stepsOf(props.from).map(numbered));
  const [error, setError] = useState<unknown>(null);
  const underliers = useMemo(() => [...new Set(instruments.map((each) => each.underlier).filter((each) => each !== null))].sort(), [instruments]);
  const change = (id: number, to: Partial<Step>) => setSteps((before) => before.map((each) => (each.id === id ? { ...each, ...to } : each)));
  const send = async () => {
    setError(null);
    const action = (step: Step) => {
      const { names } = ACTIONS[step.type]!;
      const found = Object.entries(step.numbers).map(([key, text]) => [key, number(text)]);
      const listed = step.names.split(",").map((each) => each.trim()).filter(Boolean);
      // An instrument is meant by its short name too
      const whole = listed.map((each) => (names === "instruments" ? (instruments.find((known) => short(known.instrument_id) === each)?.instrument_id ?? each) : each));
      return { type: step.type, ...Object.fromEntries(found), ...(names && whole.length ? { [names]: whole } : {}) };
    };
    try {
      const kept = await post<Scenario>("/scenarios", { name, steps: steps.map((each) => ({ at_s: number(each.at), action: action(each) })) });
      await queries.invalidateQueries({ queryKey: ["scenarios"] });
      say(`${kept.name} is kept`, "good");
      props.onClose();
    } catch (problem) {
      setError(problem);
    }
  };
  return (
    <Modal wide title={props.from ? `New scenario, from ${props.from.name}` : "New scenario"} open onClose={props.onClose}>
      <form onSubmit={(event) => { event.preventDefault(); void send(); }}>
        <Field label="Name" error={fieldOf(error) === "name" ? error : null}><input name="name" value={name} onChange={(event) => setName(event.target.value)} maxLength={100} required autoFocus /></Field>
        <ol className="scenario-steps" aria-label="Steps">
          {steps.map((each, i) => (
            <StepFields key={each.id} number={i + 1} step={each} onChange={(to) => change(each.id, to)} onRemove={steps.length > 1 ? () => setSteps(steps.filter((other) => other.id !== each.id)) : null} />
          ))}
        </ol>
        <datalist id="scenario-underliers">{underliers.map((each) => <option key={each} value={each} />)}</datalist>
        <datalist id="scenario-instruments">{instruments.map((each) => <option key={each.instrument_id} value={short(each.instrument_id)}>{each.name}</option>)}</datalist>
        {fieldOf(error) !== "name" && <Said error={error} />}
        <div className="actions">
          <Button className="add-step" disabled={steps.length >= 100} onClick={() => setSteps([...steps, numbered({ ...stepsOf(null)[0]!, at: steps.at(-1)!.at })])}>Add a step</Button>
          <Button onClick={props.onClose}>Back</Button>
          <button type="submit" className="button accent" disabled={!linked || !name}>Keep it</button>
        </div>
      </form>
    </Modal>
  );
}

function StepFields(props: { number: number; step: Step; onChange: (to: Partial<Step>) => void; onRemove: (() => void) | null }) {
  const { step, onChange } = props;
  const { names } = ACTIONS[step.type]!;
  return (
    <li aria-label={`Step ${props.number}`}>
      <Field label="After, s"><input className="num" inputMode="decimal" value={step.at} onChange={(event) => onChange({ at: event.target.value })} /></Field>
      <Field label="What happens">
        <select value={step.type} onChange={(event) => onChange({ type: event.target.value, numbers: ACTIONS[event.target.value]!.numbers, names: "" })}>
          {Object.entries(ACTIONS).map(([type, { text }]) => <option key={type} value={type}>{text}</option>)}
        </select>
      </Field>
      {Object.entries(step.numbers).map(([key, value]) => (
        <Field key={key} label={LABELS[key] ?? key}><input className="num" inputMode="decimal" value={value} onChange={(event) => onChange({ numbers: { ...step.numbers, [key]: event.target.value } })} /></Field>
      ))}
      {names && <Field label={names === "underliers" ? "Underliers" : "Instruments"}><input value={step.names} placeholder="all" list={`scenario-${names}`} onChange={(event) => onChange({ names: event.target.value })} /></Field>}
      {props.onRemove && <Button className="small ghost" aria-label={`Remove step ${props.number}`} onClick={props.onRemove}>Remove</Button>}
    </li>
  );
}
