/**
 * A table as HTML for notebooks. A wide one scrolls, by keyboard too, and keeps its first columns in
 * sight; cells break between a value and its interval only; rows over all models or domains come first,
 * those of single ones fold away. Styles stand in the cells, since viewers take style sheets away.
 */
import { escapeHtml } from "./_text.ts";
import { formatCell, headerOf } from "./column.ts";
import type { Row } from "./rows.ts";
import type { Table } from "./table.ts";

const short = 24; // letters of a text that stays on one line, and of all columns that stay in sight
const narrow = 45; // letters of a table that a telephone shows without scrolling
const foldable = 8; // rows that are worth folding
const pooled = /^all (models|domains)$/;

/** An HTML table; every text in it is escaped. */
export function toHtml(table: Table): string {
  const { rows, caption = "" } = table;
  const texts = table.columns.filter(({ kind }) => kind === "text");
  const over = texts.find(({ key }) => rows.some((row) => pooled.test(String(row[key]))));
  const [whole, parts] = [true, false].map((wanted) =>
    rows.filter((row) => !over || pooled.test(String(row[over.key])) === wanted)
  );
  const styles = stylesOf(table);
  const notes = (table.notes ?? []).map((note) => `<p><small>${escapeHtml(note)}</small></p>`);
  if (!over || parts.length < foldable) {
    return [part(table, rows, styles, caption), ...notes, ""].join("\n");
  }
  const summary = escapeHtml(`the other ${parts.length} rows, by ${over.label}`);
  const first = part(table, whole, styles, caption), others = part(table, parts, styles);
  const folded = [`<details><summary>${summary}</summary>`, others, "</details>"];
  return [first, ...folded, ...notes, ""].join("\n");
}

/** How each column's cells are laid out. */
function stylesOf({ columns, rows }: Table): string[] {
  const letters = columns.map((column) =>
    Math.max(
      ...headerOf(column).split(" ").map(({ length }) => length),
      ...rows.map((row) => formatCell(row[column.key], column).length),
    )
  );
  const wide = letters.reduce((sum, n) => sum + n + 2, 0) > narrow;
  let left = 0, inSight = wide;
  return columns.map(({ kind }, i) => {
    if (kind !== "text" || letters[i] > short) inSight = false;
    if (kind !== "text") return "text-align: right";
    if (letters[i] > short) return "text-align: left; min-width: 14em";
    const width = 0.65 * letters[i]; // em, at least what the letters take
    if (left + width > 0.65 * short) inSight = false;
    const at = left;
    left += width + 1;
    const style = "text-align: left; white-space: nowrap";
    if (!inSight) return style;
    return `${style}; position: sticky; left: ${at.toFixed(1)}em; ` +
      `min-width: ${width.toFixed(1)}em; background: inherit`;
  });
}

function part({ columns }: Table, rows: readonly Row[], styles: readonly string[], caption = "") {
  const line = (tag: "th" | "td", cells: readonly string[], style = "") => {
    const parts = cells.map((cell, i) => `<${tag} style="${styles[i]}">${cell}</${tag}>`);
    return `<tr${style}>${parts.join("")}</tr>`;
  };
  // A number stays in one piece, and so do the bounds of its interval.
  const unbroken = (text: string) => text.replaceAll(/ (?!\[|\(n)/g, "\u00a0");
  const paper = ' style="background: var(--jp-layout-color0, Canvas)"';
  return [
    '<div style="overflow-x: auto" tabindex="0"><table>',
    ...(caption ? [`<caption style="text-align: left">${escapeHtml(caption)}</caption>`] : []),
    `<thead>${line("th", columns.map((column) => escapeHtml(headerOf(column))), paper)}</thead>`,
    "<tbody>",
    ...rows.map((row) =>
      line(
        "td",
        columns.map((column) => {
          const text = escapeHtml(formatCell(row[column.key], column));
          return column.kind === "text" ? text : unbroken(text);
        }),
      )
    ),
    "</tbody>",
    "</table></div>",
  ].join("\n");
}
