/**
 * Tables, figures, rows, frames and texts where they are looked at: in a notebook as mime bundles, in a
 * terminal as text. A figure comes as plotly's JSON (interactive where a viewer knows it), as a png
 * (everywhere else) and as text. JupyterLab gives no picture an alternative text, nor does nbconvert's
 * template "lab", so the words follow in a display of their own; others take them from the metadata.
 * (A picture in HTML could have one, but plotly's extension would add a second copy to the file.)
 */
import { join } from "node:path";
import { kernel } from "../platform/jupyter.ts";
import { clean } from "../platform/runtime/quote.ts";
import { escapeHtml, oneLine } from "./_text.ts";
import { altText, describeFigure, titleOf } from "./describe.ts";
import { fileName, saveFigure, saveTable, toPng } from "./export.ts";
import { type Frame, frameTable, isFrame, rowsOf } from "./frame.ts";
import { toHtml } from "./html_table.ts";
import type { Row } from "./rows.ts";
import { writeStable } from "./stable.ts";
import { type Table, table, toMarkdown } from "./table.ts";
import { type FigureDescription, pngScale } from "./theme.ts";

export type MimeBundle = Record<string, string | object>;
export type Showable = Table | FigureDescription | readonly Row[] | Frame | string;

/** Lets the kernel's queue empty: output still in it when a cell ends may be lost. */
export const settle = () => new Promise<void>((resolve) => setTimeout(resolve, 0));

const isTable = (item: FigureDescription | Table): item is Table => "columns" in item;

/** Everything that a notebook viewer may show of a figure or a table. */
export async function mimeBundle(item: FigureDescription | Table): Promise<MimeBundle> {
  if (isTable(item)) return { "text/html": toHtml(item), "text/plain": toMarkdown(item) };
  return {
    "application/vnd.plotly.v1+json": { data: item.data, layout: item.layout },
    "image/png": (await toPng(item, pngScale)).toBase64(),
    "text/plain": describeFigure(item),
  };
}

export async function display(data: MimeBundle, metadata: Record<string, unknown> = {}) {
  const jupyter = kernel();
  if (!jupyter) return console.log(data["text/plain"]);
  await jupyter.broadcast("display_data", { data, metadata, transient: {} });
  await settle();
}

/** Where a shown item is saved too. */
export interface Place {
  folder: string;
  /** Without an ending, but for a text's. */
  name: string;
}

/**
 * Shows a table, a figure, rows, a data frame or a text now, and saves it where `place` is given: a
 * table as csv and md, a figure as svg, png and json, a text as it is named. An item without anything
 * in it is left out, and a line says so.
 */
export async function show(item: Showable | null | undefined, place?: Place): Promise<void> {
  if (typeof item === "string" && item.trim() !== "") {
    if (place) await writeStable(join(place.folder, fileName(place.name)), item);
    return await display({ "text/plain": clean(item) });
  }
  const made = typeof item === "string" || item === null || item === undefined
    ? undefined
    : isFrame(item)
    ? frameTable(item)
    : Array.isArray(item)
    ? table(item)
    : item as Table | FigureDescription;
  if (made === undefined || isEmpty(made)) return await note(leftOut(made, place));
  if (isTable(made)) {
    const whole = isFrame(item) ? table(rowsOf(item)) : made;
    if (place) await saveTable(place.folder, place.name, whole);
    return await display(await mimeBundle(made));
  }
  if (place) await saveFigure(place.folder, place.name, made);
  if (!kernel()) return console.log(describeFigure(made)); // no picture for nobody
  await display(await mimeBundle(made), pictureMetadata(made));
  await showWords(made);
}

/** Size and alternative text of a figure's picture. */
export function pictureMetadata(figure: FigureDescription): Record<string, unknown> {
  const { width, height } = figure.layout;
  return { "image/png": { width, height, alt: altText(figure) } };
}

/** Shows a figure in words, folded. */
export async function showWords(figure: FigureDescription): Promise<void> {
  const alt = altText(figure);
  await display({
    "text/html": `<details><summary>The figure in words</summary><p>${escapeHtml(alt)}</p>` +
      `<pre>${escapeHtml(describeFigure(figure))}</pre></details>`,
    "text/plain": `In words: ${alt}`,
  });
}

function isEmpty(item: Table | FigureDescription): boolean {
  if (isTable(item)) return item.rows.length === 0;
  const some = (value: unknown): boolean =>
    Array.isArray(value) ? value.some(some) : typeof value === "number";
  return !item.data.some(({ x, y, z }) => some(z ?? y ?? x));
}

function leftOut(item: Table | FigureDescription | undefined, place: Place | undefined): string {
  const title = item && (isTable(item) ? item.caption : titleOf(item).title);
  const which = title || place?.name;
  const what = !item ? "nothing to show" : isTable(item) ? "no rows for it" : "no values to draw";
  const end = /[.?!]$/.test(which ?? "") ? "" : ".";
  return `Left out${which ? `: ${which}` : ""}${end} This run has ${what}.`;
}

/** Shows one sentence that must not be overlooked, in bold; undefined shows nothing. */
export async function note(text: string | undefined): Promise<void> {
  if (text === undefined) return;
  const line = oneLine(text);
  await display({ "text/html": `<p><strong>${escapeHtml(line)}</strong></p>`, "text/plain": line });
}

export type Link = { text: string; address: string };

export async function showLinks(links: readonly Link[]): Promise<void> {
  const items = links.map(({ text, address }) =>
    `<li><a href="${escapeHtml(address)}">${escapeHtml(text)}</a></li>`
  );
  await display({
    "text/html": `<ul>\n${items.join("\n")}\n</ul>`,
    "text/plain": links.map(({ text, address }) => `- ${text} (${address})`).join("\n"),
  });
}

/**
 * Shows the page where one trains a model (lib/site) in a sandboxed frame; `deno task site --serve` serves it.
 * @param state settings of the page, as in its address: `{ group: "self", epochs: "5" }`
 */
export async function showExplorer(state: Record<string, string> = {}): Promise<void> {
  const query = new URLSearchParams(state);
  const address = "http://127.0.0.1:8000/explore.html";
  const line =
    "Nothing here? deno task site --serve, in a terminal, serves it; then run this cell.";
  await display({
    "text/html":
      `<iframe src="${escapeHtml(`${address}?embed&${query}`)}" sandbox="allow-scripts" ` +
      `title="A model is trained in this page" style="border: 0; width: 100%; height: 900px"></iframe>` +
      `<p><small>${line}</small></p>`,
    "text/plain": `${address}?${query}\n${line}`,
  });
}

/**
 * A figure that is drawn again in place while something computes, at most every `interval` ms and for no
 * more than a third of the time; the last one stays.
 */
export function liveFigure({ interval = 500, now = () => performance.now() } = {}) {
  const jupyter = kernel(), display_id = `figure-${crypto.randomUUID()}`;
  let sent = false, drawn = -Infinity, took = 0;
  const send = async (figure: FigureDescription) => {
    const started = now();
    await jupyter!.broadcast(sent ? "update_display_data" : "display_data", {
      data: await mimeBundle(figure),
      metadata: pictureMetadata(figure),
      transient: { display_id },
    });
    await settle();
    [sent, drawn, took] = [true, now(), now() - started];
  };
  return {
    /** Shows what `make` gives, unless the last one was shown just now. Outside a notebook: nothing. */
    async draw(make: () => FigureDescription) {
      if (jupyter && now() - drawn >= Math.max(interval, 2 * took)) await send(make());
    },
    /** Shows the last figure, and saves it where `place` is given. */
    async finish(figure: FigureDescription, place?: Place) {
      // An empty figure, or one for nobody to see, is told as any other is.
      if (!sent) return await show(figure, place);
      if (place) await saveFigure(place.folder, place.name, figure);
      await send(figure);
      await showWords(figure);
    },
  };
}
