import { createContext, useContext, useState } from "react";
import { ask } from "../api/client";
import { now, useView } from "../stream/store";
import { isWorking } from "../stream/view";
import { Button, Modal, Said } from "../ui/pieces";
import { orderPath, useLinked } from "../ui/session";
import { useSay } from "../ui/toasts";

const BY_HAND = "by_hand";
const orders = (count: number) => `${count} ${count === 1 ? "order" : "orders"}`;
export const CancelAllContext = createContext<() => void>(() => undefined);

const byHand = () => Object.values(now().orders).filter((each) => isWorking(each) && each.strategy_id === BY_HAND);

/** Asks once. Orders of strategies are theirs: cancelled, they would only be sent again. */
export default function CancelAll(props: { onClose: () => void }) {
  const count = useView((view) => Object.values(view.orders).filter((each) => isWorking(each) && each.strategy_id === BY_HAND).length);
  const linked = useLinked();
  const say = useSay();
  const [error, setError] = useState<unknown>(null);
  const [busy, setBusy] = useState(false);
  const act = async () => {
    setBusy(true);
    setError(null);
    const working = byHand();
    let failed: unknown = null;
    // One after the other: the server takes so many requests a second, and what it refuses of one is no reason to leave the rest
    for (const order of working) await ask("DELETE", orderPath(order.client_order_id)).catch((problem: unknown) => (failed ??= problem));
    setBusy(false);
    if (failed) return setError(failed);
    say(`Cancelling ${orders(working.length)}`, "good");
    props.onClose();
  };
  return (
    <Modal title="Cancel all orders" open onClose={props.onClose}>
      <p className="muted">{count ? `Cancels ${orders(count)} sent by hand, all that are working.` : "No order that was sent by hand is working."} Strategies keep theirs: stop the strategy, or hold the kill switch.</p>
      <Said error={error} />
      <div className="actions">
        <Button onClick={props.onClose}>Keep them</Button>
        <Button tone="danger" autoFocus disabled={!linked || busy || !count} onClick={() => void act()}>Cancel {orders(count)}</Button>
      </div>
    </Modal>
  );
}

export function CancelAllButton() {
  const open = useContext(CancelAllContext);
  const some = useView((view) => Object.values(view.orders).some((each) => isWorking(each) && each.strategy_id === BY_HAND));
  const linked = useLinked();
  return <Button className="small" tip="Cancel all orders sent by hand" hotkey="X" disabled={!linked || !some} onClick={open}>Cancel all</Button>;
}
