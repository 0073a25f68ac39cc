/**
 * An executed notebook as a page of the site. Own code, since nbconvert's pages load MathJax, require.js
 * and fonts from other hosts; markdown-it reads the text and DOMPurify cleans all markup.
 */
import DOMPurify from "dompurify";
import { JSDOM } from "jsdom";
import MarkdownIt from "markdown-it";
import { escapeXml } from "../figure/_text.ts";
import { joined, type Notebook, type Output } from "../platform/notebook/notebook.ts";

/** A part of a page that a search finds, from one heading to the next. */
export interface Section {
  /** The page's address, with the heading's anchor. */
  address: string;
  title: string;
  text: string;
}

const purify = DOMPurify(new JSDOM("").window);
const markdown = new MarkdownIt({ html: true, linkify: false });

/** Markup that may be shown: no scripts, no handlers, no forms, nothing that loads. */
const cleaned = (markup: string) =>
  purify.sanitize(markup, { FORBID_TAGS: ["style", "form", "input", "button", "img", "iframe"] });

const anchorOf = (heading: string) =>
  heading.toLowerCase().replaceAll(/[^\p{L}\p{N}]+/gu, "-").replaceAll(/^-|-$/g, "");

/** A page's title, body and sections. @param name of the notebook's file, without its ending */
export function notebookPage(notebook: Notebook, name: string) {
  /** By their names in the page's folder. */
  const pictures = new Map<string, Uint8Array>();
  const sections: Section[] = [];
  const textOf = (part: unknown) => joined(part as string | string[]);
  const pre = (text: string) => `<pre tabindex="0">${escapeXml(text)}</pre>`;
  const output = (output: Output): string => {
    if (output.output_type === "stream") return pre(textOf(output.text));
    if (output.output_type === "error") return pre(output.evalue);
    const { data } = output, text = textOf(data["text/plain"] ?? "");
    if ("application/vnd.plotly.v1+json" in data && "image/png" in data) {
      // A figure keeps plotly's data beside its picture; a button of the page draws it.
      const picture = `${name}-${pictures.size + 1}.png`;
      pictures.set(picture, Uint8Array.fromBase64(textOf(data["image/png"]).replaceAll(/\s/g, "")));
      const plot = JSON.stringify(data["application/vnd.plotly.v1+json"]).replaceAll(
        "<",
        "\\u003c",
      );
      return `<figure class="plot"><img src="${picture}" alt="${escapeXml(text)}" loading="lazy">` +
        `<script type="application/json">${plot}</script></figure>`;
    }
    const html = data["text/html"];
    if (html === undefined) return pre(text);
    const region = `<div class="output" tabindex="0" role="region" aria-label="Result">`;
    return `${region}${cleaned(textOf(html))}</div>`;
  };
  const cell = (cell: Notebook["cells"][number]): string => {
    const source = textOf(cell.source);
    if (cell.cell_type !== "code") return withAnchors(markdown.render(source), name, sections);
    const text = `<pre tabindex="0"><code>${escapeXml(source)}</code></pre>`;
    const code = `<details class="code"><summary>Code</summary>${text}</details>`;
    return code + cell.outputs.map(output).join("\n");
  };
  const body = notebook.cells.map(cell).join("\n");
  return {
    ...{ title: sections[0]?.title ?? name, pictures, sections },
    body: body.replaceAll(/(href="[\w-]+)\.ipynb/g, "$1.html"), // links to other notebooks
  };
}

/** Cleaned markup whose headings have anchors; its text goes into the sections. */
function withAnchors(markup: string, name: string, sections: Section[]): string {
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
