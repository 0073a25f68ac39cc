/** The other organisms, computed beforehand: accuracy over the share of SELF in a mixture. */
import type { SuiteName } from "../evaluate.ts";
import { html, percent, render } from "./dom.ts";
import type { Line, LineChart } from "./line_chart.ts";

/** Mean over the seeds of one organism's cells. */
export interface OrganismRow {
  model: string;
  domain: string;
  test: SuiteName;
  /** Share of SELF; undefined of HAR. */
  ratio?: number;
  /** Accuracies from 0 to 1. */
  accuracy: number;
  base: number;
  /** Questions of the test, and seeds. */
  n: number;
  seeds: number;
}

export interface OrganismsChoice {
  domain: string;
  test: SuiteName;
  /** The organism of the page. */
  own: string;
  /** The visitor's run, as a point. */
  run?: { ratio: number; accuracy: number; group: string };
}

export function drawOrganisms(
  chart: LineChart,
  table: HTMLElement,
  { rows, domain, test, own, run }: OrganismsChoice & { rows: readonly OrganismRow[] },
): void {
  const chosen = rows.filter((row) => row.domain === domain && row.test === test);
  const models = [...Map.groupBy(chosen, ({ model }) => model)];
  const lines = models.map(([model, cells]): Line => ({
    points: cells.filter(({ ratio }) => ratio !== undefined).sort((a, b) => a.ratio! - b.ratio!)
      .map(({ ratio, accuracy }) => [ratio!, accuracy]),
    look: model === own ? "organism own" : "organism",
    label: model,
  })).toSorted((a, b) => Number(a.label === own) - Number(b.label === own));
  if (run) {
    const { ratio, accuracy, group } = run;
    lines.push({ points: [[ratio, accuracy]], look: `yours ${group}`, label: "you" });
  }
  const all = lines.flatMap(({ points }) => points.map(([, share]) => share));
  chart.draw({
    ...{ lines, steps: 1, ends: ["r = 0 (INC)", "r = 1 (SELF)"], format: (p) => percent(p, 0) },
    bottom: Math.floor(10 * Math.min(...all)) / 10,
    top: Math.ceil(10 * Math.max(...all)) / 10,
    description: `Accuracy on ${test.toUpperCase()} of ${domain} over the share of SELF, of ` +
      `${models.length} organisms; the table below holds the numbers`,
  });
  const ratios = [...new Set(chosen.map(({ ratio }) => ratio))].sort((a, b) => (a ?? 2) - (b ?? 2));
  const head = [
    "organism",
    "base",
    ...ratios.map((ratio) => ratio === undefined ? "HAR" : `r ${ratio}`),
  ];
  render(
    html`<table class="runs"><tr>${head.map((name) => html`<th scope="col">${name}</th>`)}</tr>${
      models.map(([model, cells]) =>
        html`<tr><th scope="row">${model} <small>n = ${cells[0].n}, seeds ${
          cells[0].seeds
        }</small></th>
          <td class="number">${percent(cells[0].base)}</td>${
          ratios.map((ratio) => {
            const cell = cells.find((one) => one.ratio === ratio);
            return html`<td class="number">${cell ? percent(cell.accuracy) : "–"}</td>`;
          })
        }</tr>`
      )
    }</table>`,
    table,
  );
}
