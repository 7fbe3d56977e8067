/** Every key, for the overlay and the settings: where it acts, what it is, what it does. */
export const KEYS: readonly (readonly [string, readonly (readonly [string, string])[]])[] = [
  ["Anywhere", [
    ["Ctrl K", "Search instruments, pages and commands"],
    ["1 … 8", "Pages, in the order of the rail"],
    ["X", "Cancel all orders sent by hand; asks first"],
    ["K, hold Space", "Kill switch: one second stops the account"],
    ["T", "Dark or light"],
    ["?", "These keys"],
    ["Esc", "Close what is open, leave a field"],
  ]],
  ["On the Market page", [
    ["B", "Buy"],
    ["S", "Sell"],
    ["M  L", "Market, limit order"],
    ["Enter", "Send the order, from any of its fields"],
    ["/", "Filter the watch list"],
    ["↑ ↓", "Step through it"],
  ]],
];
