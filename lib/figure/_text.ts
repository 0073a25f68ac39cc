/**
 * Text from data and models, made safe for each place where it is shown. Nothing here trusts its
 * input: names, answers and labels may hold markup, formulas or control characters.
 */
import { clean } from "../platform/runtime/quote.ts";

/** `text` on one line. */
export const oneLine = (text: string) => clean(text).replaceAll(/\s+/g, " ");

/** For an svg element's text. */
export function escapeXml(text: string): string {
  const entities: Record<string, string> = {
    "&": "&amp;",
    "<": "&lt;",
    ">": "&gt;",
    '"': "&quot;",
    "'": "&#39;",
  };
  return clean(text).replaceAll(/[&<>"']/g, (character) => entities[character]);
}

/**
 * For an HTML element's text. MathJax, which notebooks run over their outputs, finds a formula only
 * where both its ends are in one piece of text: `$` and the backslash get an element of their own.
 */
export function escapeHtml(text: string): string {
  return escapeXml(text).replaceAll(
    /[$\\]/g,
    (character) => `<span>&#${character.charCodeAt(0)};</span>`,
  );
}

/**
 * For a GitHub markdown table's cell: no markup, no HTML, no links made of bare addresses, no
 * mathematics; a line break becomes `<br>`.
 */
export function escapeMarkdown(text: string): string {
  return clean(text)
    .replaceAll("&", "&amp;").replaceAll("<", "&lt;")
    .replaceAll(/[\\`*~[\]|$]/g, "\\$&")
    .replaceAll(/(?<![\p{L}\p{N}])_|_(?![\p{L}\p{N}])/gu, "\\_")
    .replaceAll("://", "&#58;//").replaceAll(/www\./gi, (www) => `${www.slice(0, 3)}&#46;`)
    .replaceAll(/\r\n?|\n/g, "<br>");
}

/** For plotly, which reads tags, entities and, where MathJax is loaded, `$...$` in every text. */
export function escapePlot(text: string): string {
  return oneLine(text).replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;")
    .replaceAll("$", "&#36;");
}

/** A plotly text without tags and entities. */
export function plainPlot(text: string): string {
  return text.replaceAll(/<br>/g, " ").replaceAll(/<[^>]*>/g, "").replaceAll("&#36;", "$")
    .replaceAll("&gt;", ">").replaceAll("&lt;", "<").replaceAll("&amp;", "&");
}

const characters = new Intl.Segmenter();

/** Lines of at most `width` characters; words longer than that are cut, but no emoji or accented letter. */
export function wrap(text: string, width: number): string[] {
  const lines = [""];
  for (let word of text.trim().split(/\s+/)) {
    while (word.length > width) {
      const { index, segment } = characters.segment(word).containing(width)!;
      const end = index || segment.length;
      lines.push(word.slice(0, end));
      word = word.slice(end);
    }
    const line = lines.at(-1)!;
    if (line && line.length + 1 + word.length > width) lines.push(word);
    else lines[lines.length - 1] = line ? `${line} ${word}` : word;
  }
  return lines.filter((line, i) => line || (i === 0 && lines.length === 1));
}

/** Escaped for plotly, with line breaks at `width` characters. */
export function wrapPlot(text: string, width: number): string {
  return wrap(clean(text), width).map(escapePlot).join("<br>");
}

const formula = /^['\s]*[=+\-@\t\r\n＝＋－＠]/;

/** A csv text cell that a spreadsheet would run as a formula gets a `'` before it (OWASP). */
export function disarm(text: string): string {
  return formula.test(text) ? `'${text}` : text;
}

/** Takes back what {@linkcode disarm} added: the two are each other's inverse. */
export function rearm(text: string): string {
  return text.startsWith("'") && formula.test(text.slice(1)) ? text.slice(1) : text;
}
