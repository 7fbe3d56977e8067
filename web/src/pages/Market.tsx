import { Tabs } from "radix-ui";
import { lazy, Suspense, useEffect, useState } from "react";
import { Group, Panel as Pane, Separator, useDefaultLayout } from "react-resizable-panels";
import { useSearchParams } from "react-router";
import { get } from "../api/client";
import type { Order, Trade } from "../api/types";
import { DealerLadder } from "../panels/DealerLadder";
import { Ladder } from "../panels/Ladder";
import { OrderBlotter } from "../panels/OrderBlotter";
import { FillBlotter } from "../panels/FillBlotter";
import { Positions } from "../panels/Positions";
import { Tape } from "../panels/Tape";
import { Ticket, type Wish } from "../panels/Ticket";
import { WatchList } from "../panels/WatchList";
import { CancelAllButton } from "../shell/CancelAll";
import { connection } from "../stream/connection";
import { dispatch, now, useView } from "../stream/store";
import { isWorking } from "../stream/view";
import { Panel, Skeleton } from "../ui/pieces";
import { short, useInstruments, type Listed } from "../ui/session";
import { useSmall } from "../ui/small";

const PriceChart = lazy(() => import("../panels/PriceChart"));
const OptionChain = lazy(() => import("../panels/OptionChain"));
const CurveView = lazy(() => import("../panels/CurveView"));

const QUEUE_EVERY_MS = 3_000;

export default function Market() {
  const instruments = useInstruments();
  const [params, setParams] = useSearchParams();
  const small = useSmall();
  const wanted = params.get("i");
  const shown = instruments.find((each) => each.instrument_id === wanted) ?? instruments[0];
  const [wish, setWish] = useState<Wish | null>(null);
  const choose = (name: string) => setParams((before) => {
    const next = new URLSearchParams(before);
    next.set("i", name);
    next.delete("view");
    return next;
  });
  useMarketFeed(instruments, shown);
  if (!shown) return <Skeleton rows={16} />;
  const parts = { shown, instruments, choose, wish, setWish };
  return small ? <Phone {...parts} /> : <Desk {...parts} />;
}

interface Parts {
  shown: Listed;
  instruments: Listed[];
  choose: (name: string) => void;
  wish: Wish | null;
  setWish: (wish: Wish) => void;
}

function useMarketFeed(instruments: Listed[], shown: Listed | undefined): void {
  useEffect(() => {
    if (instruments.length) connection.current?.watch(instruments.map((each) => each.instrument_id));
  }, [instruments]);
  const name = shown?.instrument_id;
  useEffect(() => {
    if (!name) return undefined;
    connection.current?.show(name);
    get<Trade[]>(`/market/trades?instrument=${encodeURIComponent(name)}`)
      .then((trades) => dispatch({ kind: "trades", instrument: name, trades }))
      .catch(() => undefined);
    const timer = setInterval(() => {
      const view = now();
      if (view.link !== "open" || document.hidden) return;
      if (!Object.values(view.orders).some((each) => each.instrument_id === name && isWorking(each))) return;
      get<Order[]>("/orders?working=true")
        .then((orders) => dispatch({ kind: "queues", orders }))
        .catch(() => undefined);
    }, QUEUE_EVERY_MS);
    return () => clearInterval(timer);
  }, [name]);
  useEffect(() => () => connection.current?.show(null), []);
}

function Desk(parts: Parts) {
  const columns = useDefaultLayout({ id: "market-columns" });
  const middle = useDefaultLayout({ id: "market-middle" });
  const right = useDefaultLayout({ id: "market-right" });
  const { shown, instruments, choose, wish, setWish } = parts;
  return (
    <Group orientation="horizontal" className="desk" defaultLayout={columns.defaultLayout} onLayoutChanged={columns.onLayoutChanged}>
      <Pane id="watch" defaultSize="30%" minSize="240px">
        <WatchList instruments={instruments} shown={shown.instrument_id} onChoose={choose} />
      </Pane>
      <Separator className="split" />
      <Pane id="middle" defaultSize="43%" minSize="320px">
        <Group orientation="vertical" defaultLayout={middle.defaultLayout} onLayoutChanged={middle.onLayoutChanged}>
          <Pane id="chart" defaultSize="66%" minSize="160px">
            <Picture {...parts} />
          </Pane>
          <Separator className="split" />
          <Pane id="blotters" defaultSize="34%" minSize="100px">
            <Blotters />
          </Pane>
        </Group>
      </Pane>
      <Separator className="split" />
      <Pane id="right" defaultSize="27%" minSize="270px">
        <Group orientation="vertical" defaultLayout={right.defaultLayout} onLayoutChanged={right.onLayoutChanged}>
          <Pane id="ticket" defaultSize="342px" minSize="200px" groupResizeBehavior="preserve-pixel-size">
            <Ticket key={shown.instrument_id} shown={shown} wish={wish} />
          </Pane>
          <Separator className="split" />
          <Pane id="depth" minSize="140px">
            <Book {...parts} onWish={setWish} />
          </Pane>
        </Group>
      </Pane>
    </Group>
  );
}

function Picture({ shown, instruments, choose }: Parts) {
  const [params, setParams] = useSearchParams();
  const optionable = instruments.some((each) => each.kind === "option" && each.underlier === shown.underlier && shown.underlier);
  const rates = shown.over_the_counter;
  const asked = params.get("view");
  const view = asked === "chain" && optionable ? "chain" : asked === "curve" ? "curve" : "chart";
  const turn = (to: string) =>
    setParams((before) => {
      const next = new URLSearchParams(before);
      next.set("i", shown.instrument_id);
      next.set("view", to);
      return next;
    });
  return (
    <Tabs.Root value={view} onValueChange={turn} className="fill">
      <Panel
        label={`${short(shown.instrument_id)} chart`}
        title={
          <>
            {short(shown.instrument_id)} <span className="muted" style={{ fontWeight: 400 }}>{shown.name}</span>
          </>
        }
        tools={
          <Tabs.List className="tabs" aria-label="View">
            <Tabs.Trigger value="chart">Chart</Tabs.Trigger>
            {optionable && <Tabs.Trigger value="chain">Options</Tabs.Trigger>}
            {(rates || view === "curve") && <Tabs.Trigger value="curve">Curve</Tabs.Trigger>}
          </Tabs.List>
        }
      >
        <Suspense fallback={<Skeleton rows={8} />}>
          <Tabs.Content value="chart" className="fill">
            <PriceChart key={shown.instrument_id} shown={shown} />
          </Tabs.Content>
          <Tabs.Content value="chain" className="fill">
            {optionable && <OptionChain underlier={shown.underlier!} onChoose={choose} />}
          </Tabs.Content>
          <Tabs.Content value="curve" className="fill">
            <CurveView />
          </Tabs.Content>
        </Suspense>
      </Panel>
    </Tabs.Root>
  );
}

function Book(props: Parts & { onWish: (wish: Wish) => void }) {
  const { shown, onWish } = props;
  if (shown.over_the_counter) return <DealerLadder shown={shown} />;
  return (
    <div className="book">
      <Ladder shown={shown} onPick={(ticks, side) => onWish({ ticks, side, at: performance.now() })} />
      <Tape shown={shown} />
    </div>
  );
}

function Blotters() {
  const [tab, setTab] = useState("working");
  const working = useView((view) => view.number && Object.values(view.orders).filter(isWorking).length);
  return (
    <Tabs.Root value={tab} onValueChange={setTab} className="fill">
      <Panel
        label="Blotters"
        title={
          <Tabs.List className="tabs" aria-label="Blotters">
            <Tabs.Trigger value="working">Working {working > 0 && <span className="tag">{working}</span>}</Tabs.Trigger>
            <Tabs.Trigger value="positions">Positions</Tabs.Trigger>
            <Tabs.Trigger value="orders">Orders</Tabs.Trigger>
            <Tabs.Trigger value="fills">Fills</Tabs.Trigger>
          </Tabs.List>
        }
        tools={tab === "working" && <CancelAllButton />}
      >
        {tab === "working" && <OrderBlotter only="working" />}
        {tab === "positions" && <Positions />}
        {tab === "orders" && <OrderBlotter only="all" />}
        {tab === "fills" && <FillBlotter />}
      </Panel>
    </Tabs.Root>
  );
}

function Phone(parts: Parts) {
  const [tab, setTab] = useState("watch");
  const { shown, instruments, choose, wish, setWish } = parts;
  return (
    <Tabs.Root value={tab} onValueChange={setTab} className="fill phone">
      <Tabs.List className="tabs" aria-label="Market">
        <Tabs.Trigger value="watch">Watch</Tabs.Trigger>
        <Tabs.Trigger value="chart">Chart</Tabs.Trigger>
        <Tabs.Trigger value="trade">Trade</Tabs.Trigger>
        <Tabs.Trigger value="blotters">Orders</Tabs.Trigger>
      </Tabs.List>
      <Tabs.Content value="watch" className="fill">
        <WatchList
          instruments={instruments}
          shown={shown.instrument_id}
          onChoose={(name) => {
            choose(name);
            setTab("trade");
          }}
        />
      </Tabs.Content>
      <Tabs.Content value="chart" className="fill">
        <Picture {...parts} />
      </Tabs.Content>
      <Tabs.Content value="trade" className="phone-trade">
        <Ticket key={shown.instrument_id} shown={shown} wish={wish} />
        <Book {...parts} onWish={setWish} />
      </Tabs.Content>
      <Tabs.Content value="blotters" className="fill">
        <Blotters />
      </Tabs.Content>
    </Tabs.Root>
  );
}
