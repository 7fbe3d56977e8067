import type { ReactNode } from "react";

export interface Place {
  path: string;
  name: string;
  key: string;
  icon: ReactNode;
}

function icon(path: string): ReactNode {
  return (
    <svg viewBox="0 0 20 20" fill="none" stroke="currentColor" strokeWidth="1.5" strokeLinecap="round" strokeLinejoin="round" aria-hidden="true">
      <path d={path} />
    </svg>
  );
}

export const PLACES: readonly Place[] = [
  { path: "/market", name: "Market", key: "1", icon: icon("M5 3v14M3 6h4v7H3zM14 2v16M12 8h4v5h-4z") },
  { path: "/portfolio", name: "Portfolio", key: "2", icon: icon("M3 7h14v9H3zM7 7V4h6v3M3 11h14") },
  { path: "/strategies", name: "Strategies", key: "3", icon: icon("M4 15l4-5 3 3 5-8M12 5h4v4") },
  { path: "/backtests", name: "Backtests", key: "4", icon: icon("M4 10a6 6 0 1 0 2-4.500M6 2v4h4M10 7v3l2 2") },
  { path: "/scenarios", name: "Scenarios", key: "5", icon: icon("M11 2L5 11h5l-1 7 6-9h-5z") },
  { path: "/risk", name: "Risk", key: "6", icon: icon("M10 2l7 3v5c0 4-3 7-7 8-4-1-7-4-7-8V5z") },
  { path: "/audit", name: "Audit", key: "7", icon: icon("M5 2h7l4 4v12H5zM8 9h5M8 12h5M8 15h3") },
  { path: "/settings", name: "Settings", key: "8", icon: icon("M3 6h8M15 6h2M3 14h2M9 14h8M13 4v4M7 12v4") },
];
