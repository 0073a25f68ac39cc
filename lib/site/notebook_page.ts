/**
 * An executed notebook as a page of the site. Own code, since nbconvert's pages load MathJax, require.js
 * and fonts from other hosts; markdown-it reads the text and DOMPurify cleans all markup.
 */
import DOMPurify from "dompurify";
import { JSDOM } from "jsdom";
import MarkdownIt from "markdown-it";
import { escapeXml } from "../figure/_text.ts";
import type { Notebook, Output } from "../platform/notebook/notebook.ts";

/** A part of a page that a search finds, from one heading to the next. */
export interface Section {
  /** The page's address, with the heading's anchor. */
  address: string;
  title: string;
  text: string;
}

export interface NotebookPage {
  title: string;
  /** The page's body. */
  body: string;
  /** Pictures by their names in the page's folder. */
  pictures: Map<string, Uint8Array>;
  sections: Section[];
}

const purify = DOMPurify(new JSDOM("").window);
const markdown = new MarkdownIt({ html: true, linkify: false });

const textOf = (source: string | readonly string[]) => [source].flat().join("");

/** Markup that may be shown: no scripts, no handlers, no forms, nothing that loads. */
const cleaned = (markup: string) =>
  purify.sanitize(markup, { FORBID_TAGS: ["style", "form", "input", "button", "img", "iframe"] });

const anchorOf = (heading: string) =>
  heading.toLowerCase().replaceAll(/[^\p{L}\p{N}]+/gu, "-").replaceAll(/^-|-$/g, "");

/** Figures keep plotly's data beside their picture; a button of the page draws it. */
function figure(
  data: Record<string, unknown>,
  { name, keep }: { name: string; keep: (bytes: Uint8Array) => void },
): string {
  keep(Uint8Array.fromBase64(textOf(data["image/png"] as string).replaceAll(/\s/g, "")));
  const description = escapeXml(textOf(data["text/plain"] as string));
  const plot = JSON.stringify(data["application/vnd.plotly.v1+json"]).replaceAll("<", "\\u003c");
  return `<figure class="plot"><img src="${name}" alt="${description}" loading="lazy">` +
    `<script type="application/json">${plot}</script></figure>`;
}

/** @param name of the notebook's file, without its ending */
export function notebookPage(notebook: Notebook, name: string): NotebookPage {
  const pictures = new Map<string, Uint8Array>();
  const sections: Section[] = [];
  const output = (output: Output): string => {
    if (output.output_type === "stream") {
      return `<pre tabindex="0">${escapeXml(textOf(output.text))}</pre>`;
    }
    if (output.output_type === "error") {
      return `<pre tabindex="0">${escapeXml(output.evalue)}</pre>`;
    }
    const { data } = output;
    if ("application/vnd.plotly.v1+json" in data && "image/png" in data) {
      const picture = `${name}-${pictures.size + 1}.png`;
      return figure(data, { name: picture, keep: (bytes) => pictures.set(picture, bytes) });
    }
    const html = data["text/html"] as string | string[] | undefined;
    if (html !== undefined) {
      return `<div class="output" tabindex="0" role="region" aria-label="Result">${
        cleaned(textOf(html))
      }</div>`;
    }
    return `<pre tabindex="0">${escapeXml(textOf(data["text/plain"] as string ?? ""))}</pre>`;
  };
  const cell = (cell: Notebook["cells"][number]): string => {
    const source = textOf(cell.source);
    if (cell.cell_type === "code") {
      const code = `<details class="code"><summary>Code</summary><pre tabindex="0"><code>${
        escapeXml(source)
      }</code></pre></details>`;
      return code + cell.outputs.map(output).join("\n");
    }
    return withAnchors(markdown.render(source), { name, sections });
  };
  const parts = notebook.cells.map(cell);
  const title = sections[0]?.title ?? name;
  return { title, body: withLinks(parts.join("\n")), pictures, sections };
}

/** Cleaned markup whose headings have anchors; its text goes into the sections. */
function withAnchors(
  markup: string,
  { name, sections }: { name: string; sections: Section[] },
): string {
  const { document } = new JSDOM(cleaned(markup)).window;
  for (const element of document.body.children) {
    if (/^H[1-3]$/.test(element.tagName)) {
      const title = element.textContent!;
      element.id = anchorOf(title);
      sections.push({ address: `${name}.html#${element.id}`, title, text: "" });
    } else if (sections.length) {
      sections.at(-1)!.text += ` ${element.textContent!.replaceAll(/\s+/g, " ").trim()}`;
    }
  }
  return document.body.innerHTML;
}

/** Links to notebooks go to their pages. */
const withLinks = (html: string) => html.replaceAll(/(href="[\w-]+)\.ipynb/g, "$1.html");
