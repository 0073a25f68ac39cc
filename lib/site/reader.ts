/** What pages of notebooks do in the browser: a search over all of them, and figures to point at. */
import { html, render } from "lit-html";
import type { Section } from "./notebook_page.ts";

/** Where the site's root is, seen from this page. */
const root = document.documentElement.dataset.root ?? "";

/** Loads a script of the site: unlike fetch, this works from a folder of files too. */
function load(address: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = root + address;
    script.addEventListener("load", () => resolve());
    script.addEventListener("error", () => reject(new Error(`Cannot load ${address}`)));
    document.head.append(script);
  });
}

declare global {
  var searchSections: Section[] | undefined;
  var Plotly: { newPlot(host: Element, data: unknown, layout: object, config: object): unknown };
}

/** The sections that hold every word; those with more of them in the title first. */
function findSections(sections: readonly Section[], query: string): Section[] {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0) return [];
  const inTitle = ({ title }: Section) =>
    words.filter((word) => title.toLowerCase().includes(word)).length;
  return sections
    .filter(({ title, text }) => {
      const all = `${title} ${text}`.toLowerCase();
      return words.every((word) => all.includes(word));
    })
    .sort((a, b) => inTitle(b) - inTitle(a));
}

/** The text around the first word that was found. */
function excerpt({ text }: Section, query: string): string {
  const at = text.toLowerCase().indexOf(query.toLowerCase().trim().split(/\s+/)[0]);
  const from = Math.max(0, at - 60);
  return `${from ? "…" : ""}${text.slice(from, from + 160).trim()}…`;
}

const field = document.querySelector<HTMLInputElement>("#search");
const results = document.querySelector<HTMLElement>("#results");
field?.addEventListener("input", async () => {
  if (!globalThis.searchSections) await load("search.js");
  const found = findSections(globalThis.searchSections!, field.value).slice(0, 12);
  const item = (section: Section) =>
    html`<li><a href="${root}notebooks/${section.address}">${section.title}</a>
      <small>${excerpt(section, field.value)}</small></li>`;
  const none = field.value.trim() && found.length === 0;
  render(none ? html`<li>Nothing found.</li>` : found.map(item), results!);
});

for (const figure of document.querySelectorAll("figure.plot")) {
  const button = document.createElement("button");
  Object.assign(button, { type: "button", className: "link", textContent: "Point at the numbers" });
  button.addEventListener("click", async () => {
    button.disabled = true;
    await load("plotly.js");
    const { data, layout } = JSON.parse(figure.querySelector("script")!.textContent!);
    const host = document.createElement("div");
    figure.querySelector("img")!.replaceWith(host);
    globalThis.Plotly.newPlot(host, data, layout, { displaylogo: false, responsive: true });
    button.remove();
  });
  figure.append(button);
}
