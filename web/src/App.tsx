import { useQuery, useQueryClient } from "@tanstack/react-query";
import { lazy, Suspense, useEffect, useState } from "react";
import { Navigate, Route, Routes } from "react-router";
import { get, post, Problem, useToken as takeToken, whenLoggedOut } from "./api/client";
import type { Me } from "./api/types";
import { Login } from "./pages/Login";
import { Shell } from "./shell/Shell";
import { Connection, connection } from "./stream/connection";
import { forget } from "./stream/store";
import { Skeleton } from "./ui/pieces";
import { MeContext } from "./ui/session";
import { Toasts } from "./ui/toasts";

const Market = lazy(() => import("./pages/Market"));
const Portfolio = lazy(() => import("./pages/Portfolio"));
const Strategies = lazy(() => import("./pages/Strategies"));
const Backtests = lazy(() => import("./pages/Backtests"));
const Scenarios = lazy(() => import("./pages/Scenarios"));
const Risk = lazy(() => import("./pages/Risk"));
const Audit = lazy(() => import("./pages/Audit"));
const Settings = lazy(() => import("./pages/Settings"));

// Asked once: in development React runs effects twice, and a ticket is no reason to log in twice
let arriving: Promise<Me | null> | null = null;

function arrive(): Promise<Me | null> {
  const ticket = /^#ticket=(.+)$/.exec(location.hash)?.[1];
  if (!ticket) return current();
  // Out of the address bar before anything else, so that it is in no history and no screenshot
  history.replaceState(null, "", location.pathname + location.search);
  return post<Me>("/auth/ticket", { ticket }).catch(current);
}

async function current(): Promise<Me | null> {
  try {
    return await get<Me>("/auth/me");
  } catch (error) {
    if (error instanceof Problem && error.status === 401) return null;
    throw error;
  }
}

export function App() {
  const queries = useQueryClient();
  const me = useQuery({ queryKey: ["me"], queryFn: () => (arriving ??= arrive().finally(() => (arriving = null))), staleTime: Infinity });
  useEffect(() => whenLoggedOut(() => queries.setQueryData(["me"], null)), [queries]);
  if (me.isPending) return <Skeleton />;
  if (me.isError) return <Unreachable again={() => void me.refetch()} />;
  if (!me.data) {
    return (
      <Login
        onIn={(found) => {
          // Of whoever was here before; the question who is here stays, as the page waits for its answer
          queries.removeQueries({ predicate: (each) => each.queryKey[0] !== "me" });
          queries.setQueryData(["me"], found);
        }}
      />
    );
  }
  takeToken(me.data.csrf);
  return (
    <MeContext.Provider value={me.data}>
      <Desk key={me.data.session_id} />
    </MeContext.Provider>
  );
}

function Desk() {
  const [linked, setLinked] = useState(false);
  useEffect(() => {
    const link = new Connection();
    connection.current = link;
    link.start();
    setLinked(true);
    return () => {
      link.stop();
      connection.current = null;
      forget();
    };
  }, []);
  if (!linked) return null; // Pages say what they watch as soon as they are there
  return (
    <Toasts>
      <Shell>
        <Suspense fallback={<Skeleton rows={12} />}>
          <Routes>
            <Route path="/market" element={<Market />} />
            <Route path="/portfolio" element={<Portfolio />} />
            <Route path="/strategies" element={<Strategies />} />
            <Route path="/backtests" element={<Backtests />} />
            <Route path="/scenarios" element={<Scenarios />} />
            <Route path="/risk" element={<Risk />} />
            <Route path="/audit" element={<Audit />} />
            <Route path="/settings" element={<Settings />} />
            <Route path="*" element={<Navigate to="/market" replace />} />
          </Routes>
        </Suspense>
      </Shell>
    </Toasts>
  );
}

function Unreachable(props: { again: () => void }) {
  useEffect(() => {
    const timer = setInterval(props.again, 3_000);
    return () => clearInterval(timer);
  });
  return <p className="empty">The server cannot be reached. Trying again every three seconds.</p>;
}
