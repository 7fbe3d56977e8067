import { flexRender, getCoreRowModel, getSortedRowModel, useReactTable, type ColumnDef, type SortingState } from "@tanstack/react-table";
import { useVirtualizer } from "@tanstack/react-virtual";
import { useRef, useState } from "react";

const ROW = 28;

export type Column<T> = ColumnDef<T, unknown> & { meta?: { num?: boolean; width?: string } };

/** Where there is room for few columns, these come first and `act` stays in sight; the others are a swipe away. */
export function phoneOrder<T>(columns: Column<T>[], first: readonly string[]): Column<T>[] {
  const rank = (each: Column<T>) => (each.id === "act" ? columns.length + 1 : first.includes(each.id!) ? first.indexOf(each.id!) : columns.length);
  return [...columns].sort((a, b) => rank(a) - rank(b));
}

/** A table that sorts by its headings and draws only the rows in sight. */
export function DataTable<T>(props: { rows: T[]; columns: Column<T>[]; id: (row: T) => string; label: string }) {
  const [sorting, setSorting] = useState<SortingState>([]);
  const scroller = useRef<HTMLDivElement>(null);
  const table = useReactTable({
    data: props.rows, columns: props.columns, state: { sorting }, onSortingChange: setSorting, getRowId: props.id,
    getCoreRowModel: getCoreRowModel(), getSortedRowModel: getSortedRowModel(),
  });
  const rows = table.getRowModel().rows;
  const virtual = useVirtualizer({ count: rows.length, getScrollElement: () => scroller.current, estimateSize: () => ROW, overscan: 10 });
  const items = virtual.getVirtualItems();
  const before = items[0]?.start ?? 0;
  const after = virtual.getTotalSize() - (items.at(-1)?.end ?? 0);
  return (
    <div ref={scroller} className="table-scroll" tabIndex={0} role="region" aria-label={props.label}>
      <table>
        <thead>
          {table.getHeaderGroups().map((group) => (
            <tr key={group.id}>
              {group.headers.map((header) => {
                const sorted = header.column.getIsSorted();
                return (
                  <th key={header.id} className={(header.column.columnDef as Column<T>).meta?.num ? "num" : ""} aria-sort={sorted ? (sorted === "asc" ? "ascending" : "descending") : undefined}>
                    {header.column.getCanSort() ? (
                      <button type="button" onClick={header.column.getToggleSortingHandler()}>
                        {flexRender(header.column.columnDef.header, header.getContext())}
                        {sorted === "asc" ? " ↑" : sorted === "desc" ? " ↓" : ""}
                      </button>
                    ) : (
                      flexRender(header.column.columnDef.header, header.getContext())
                    )}
                  </th>
                );
              })}
            </tr>
          ))}
        </thead>
        <tbody>
          {before > 0 && <tr style={{ height: before }} />}
          {items.map((item) => {
            const row = rows[item.index]!;
            return (
              <tr key={row.id} data-id={row.id}>
                {row.getVisibleCells().map((cell) => (
                  <td key={cell.id} className={(cell.column.columnDef as Column<T>).meta?.num ? "num" : ""}>
                    {flexRender(cell.column.columnDef.cell, cell.getContext())}
                  </td>
                ))}
              </tr>
            );
          })}
          {after > 0 && <tr style={{ height: after }} />}
        </tbody>
      </table>
    </div>
  );
}

/** Save rows as a file that a spreadsheet opens. A text that begins like a formula is kept a text. */
export function saveCsv(name: string, head: string[], rows: (string | number | null | undefined)[][]): void {
  const cell = (value: string | number | null | undefined) => {
    const text = String(value ?? "");
    const safe = typeof value === "string" && /^[=+@]|^-\D/.test(text) ? `'${text}` : text;
    return /[",\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  };
  saveText(`${name}.csv`, [head, ...rows].map((row) => row.map(cell).join(",")).join("\n"), "text/csv");
}

/** Hand a text to the browser as a file. */
export function saveText(name: string, text: string, type: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1_000);
}
