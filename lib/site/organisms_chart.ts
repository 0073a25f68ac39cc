/** The other organisms, computed beforehand: accuracy over the share of SELF in a mixture. */
import { type SuiteName, suiteNames } from "../evaluate.ts";
import { percent } from "../figure/number.ts";
import { html, render } from "./dom.ts";
import { drawLines, type Line } from "./line_chart.ts";
import type { OrganismRow } from "./organism_rows.ts";
import type { Run } from "./record.ts";
import type { Visit } from "./visit.ts";

/** Draws the organisms on one test of the chosen domain, with the run as a point. */
export function drawOrganisms(
  chart: HTMLElement,
  table: HTMLElement,
  { visit, run, test }: { visit: Visit; run?: Run; test: SuiteName },
): void {
  const { group, domain, ratio: share } = visit.settingsOf(run);
  const chosen = visit.organisms.filter((row) => row.domain === domain && row.test === test)
    .sort((a, b) => (a.ratio ?? 2) - (b.ratio ?? 2));
  const models = [...Map.groupBy(chosen, ({ model }) => model)];
  const lines = models.map(([label, cells]): Line => ({
    points: cells.flatMap(({ ratio, accuracy }) => ratio === undefined ? [] : [[ratio, accuracy]]),
    look: label === visit.name ? "organism own" : "organism",
    label,
  })).sort((a, b) => Number(a.label === visit.name) - Number(b.label === visit.name));
  const ratio = { har: undefined, inc: 0, self: 1, mix: share }[group];
  const { accuracy } = visit.scores(run)[suiteNames.indexOf(test)];
  if (ratio !== undefined && accuracy !== undefined) {
    lines.push({ points: [[ratio, accuracy]], look: `yours ${group}`, label: "you" });
  }
  const all = lines.flatMap(({ points }) => points.map(([, share]) => share));
  drawLines(chart, {
    ...{ lines, steps: 1, ends: ["r = 0 (INC)", "r = 1 (SELF)"], format: (p) => percent(p, 0) },
    ...{ height: 260, right: 84 },
    bottom: Math.floor(10 * Math.min(...all)) / 10,
    top: Math.ceil(10 * Math.max(...all)) / 10,
    description: `Accuracy on ${test.toUpperCase()} of ${domain} over the share of SELF, of ` +
      `${models.length} organisms; the table below holds the numbers`,
  });
  const ratios = [...new Set(chosen.map(({ ratio }) => ratio))];
  const names = ratios.map((ratio) => ratio === undefined ? "HAR" : `r ${ratio}`);
  const line = ([model, cells]: [string, OrganismRow[]]) =>
    html`<tr><th scope="row">${model} <small>n = ${cells[0].n}, seeds ${cells[0].seeds}</small></th>
      <td class="number">${percent(cells[0].base)}</td>${
      ratios.map((ratio) => cells.find((one) => one.ratio === ratio)).map((cell) =>
        html`<td class="number">${cell ? percent(cell.accuracy) : "–"}</td>`
      )
    }</tr>`;
  render(
    html`<table class="runs"><tr>${
      ["organism", "base", ...names].map((name) => html`<th scope="col">${name}</th>`)
    }</tr>${models.map(line)}</table>`,
    table,
  );
}
