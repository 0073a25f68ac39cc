/**
 * Figures and tables as files: svg, png and the figure's JSON; csv and markdown. Drawn without a
 * browser, so that every machine makes the same pictures. Whole files or none.
 */
import { join } from "node:path";
import { exists, writeWhole } from "../platform/runtime/files.ts";
import { escapeXml } from "./_text.ts";
import { titleOf } from "./describe.ts";
import { roundNumbers } from "./number.ts";
import { isStable, writeStable } from "./stable.ts";
import { type Table, toCsv, toMarkdown } from "./table.ts";
import type { FigureDescription } from "./theme.ts";

/** The figure as an svg document. */
export async function toSvg(figure: FigureDescription): Promise<string> {
  const { openBrowser } = await import("./_browser.ts");
  const svg = await (await openBrowser()).draw(figure.data, figure.layout);
  const title = `<title>${escapeXml(titleOf(figure).title)}</title>`;
  // resvg knows neither quoted references nor the style that keeps a heat map's cells sharp.
  return svg
    .replace(/<svg\b[^>]*>/, (opening) => opening + title)
    .replaceAll(/url\((?:'|&quot;)(#[^'&)]*)(?:'|&quot;)\)/g, "url($1)")
    .replaceAll(
      /style="image-rendering: pixelated;/g,
      'image-rendering="optimizeSpeed" style="image-rendering: pixelated;',
    );
}

/** The figure as a png, `scale` times its size in px (default 2, for sharp screens). */
export async function toPng(figure: FigureDescription, scale = 2): Promise<Uint8Array> {
  return await rasterize(await toSvg(figure), scale);
}

async function rasterize(svg: string, scale: number): Promise<Uint8Array> {
  const [{ Resvg }, { fontFiles, openBrowser }] = await Promise.all([
    import("@resvg/resvg-js"),
    import("./_browser.ts"),
  ]);
  // Only for scripts that the font lacks (e.g. Chinese) the machine's own fonts are asked.
  const loadSystemFonts = !(await openBrowser()).hasGlyphs(svg.replaceAll(/<[^>]*>/g, ""));
  const font = { fontFiles, loadSystemFonts, defaultFontFamily: "DejaVu Sans" };
  return new Resvg(svg, { font, fitTo: { mode: "zoom", value: scale } }).render().asPng();
}

/** `name`. @throws unless it is a plain file name: it may come from a model's or a data set's name */
export function fileName(name: string): string {
  if (/^[\p{L}\p{N}_][\p{L}\p{N}_.\-]*$/u.test(name)) return name;
  throw new Error(
    `Cannot save ${JSON.stringify(name)}: expected a file name of letters, digits, "-", "_" and ` +
      `"."; give one without folders and spaces`,
  );
}

/**
 * Writes `folder/name.svg`, `.png` and `.json` (the figure itself), its numbers to six digits; all
 * three are left where they are there and the figure's numbers agree. Gives their paths.
 */
export async function saveFigure(folder: string, name: string, figure: FigureDescription) {
  const path = join(folder, fileName(name));
  const rounded = roundNumbers(figure);
  const [svg, png, json] = ["svg", "png", "json"].map((kind) => `${path}.${kind}`);
  const text = JSON.stringify(rounded) + "\n";
  if (await isStable(json, text) && exists(svg) && exists(png)) return [svg, png, json];
  const picture = await toSvg(rounded);
  const pixels = await rasterize(picture, 2);
  await writeWhole(svg, picture);
  await writeWhole(png, pixels);
  await writeWhole(json, text); // the last: where it is, the pictures are its own
  return [svg, png, json];
}

/** Writes `folder/name.csv` and `.md`; gives their paths. */
export async function saveTable(folder: string, name: string, table: Table): Promise<string[]> {
  const path = join(folder, fileName(name));
  const csv = toCsv(table), markdown = toMarkdown(table);
  // New numbers are never told by an old text, however little it rounds them apart.
  if (await isStable(`${path}.csv`, csv)) await writeStable(`${path}.md`, markdown);
  else {
    await writeWhole(`${path}.md`, markdown);
    await writeWhole(`${path}.csv`, csv); // the last, for the same reason
  }
  return [`${path}.csv`, `${path}.md`];
}
