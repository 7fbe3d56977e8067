import { Toast } from "radix-ui";
import { createContext, useCallback, useContext, useState, type ReactNode } from "react";

type Tone = "plain" | "good" | "bad";
const Say = createContext<(text: string, tone?: Tone) => void>(() => undefined);

export function useSay() {
  return useContext(Say);
}

let made = 0;

export function Toasts(props: { children: ReactNode }) {
  const [shown, setShown] = useState<{ id: number; text: string; tone: Tone }[]>([]);
  const say = useCallback((text: string, tone: Tone = "plain") => {
    made += 1;
    const id = made;
    setShown((before) => [...before.slice(-3), { id, text, tone }]);
  }, []);
  return (
    <Say.Provider value={say}>
      <Toast.Provider duration={5_000} swipeDirection="right">
        {props.children}
        {shown.map((each) => (
          <Toast.Root key={each.id} className={`toast ${each.tone}`} onOpenChange={(open) => !open && setShown((before) => before.filter((other) => other.id !== each.id))}>
            <Toast.Description>{each.text}</Toast.Description>
          </Toast.Root>
        ))}
        <Toast.Viewport className="toasts" />
      </Toast.Provider>
    </Say.Provider>
  );
}
