/** The three tests before and after, with intervals; and the visit's runs side by side. */
import { suiteNames } from "../evaluate.ts";
import { html, nothing, percent, render, svg } from "./dom.ts";
import { type Run, runLabel, type TestScores } from "./record.ts";

const LOW = 0.3, HIGH = 0.85, WIDTH = 280;
const x = (share: number) => (Math.min(HIGH, Math.max(LOW, share)) - LOW) / (HIGH - LOW) * WIDTH;

/** What each test asks, by its name. */
export const testTexts = {
  homo: ["HOMO", "the domain’s own test"],
  id: ["ID", "the same domain, other wording"],
  ood: ["OOD", "the other three domains"],
} as const;

export interface RunRow {
  run: Run;
  scores: readonly TestScores[];
}

/** A word that the page's list of terms explains. */
const term = (name: string, text: string) =>
  html`<span class="term" data-term=${name} tabindex="0">${text}</span>`;

/** From the base's accuracy to the tuned model's, with its interval; other runs as rings. */
function dumbbell({ baseAccuracy, accuracy, interval }: TestScores, look: string, rings: unknown) {
  const base = x(baseAccuracy);
  const after = accuracy === undefined ? [] : svg`
    <line class="interval ${look}" x1=${x(interval![0])} x2=${x(interval![1])} y1="11" y2="11" />
    <circle class="dot ${look}" cx=${x(accuracy)} cy="11" r="5" />
  `;
  return html`<svg viewBox="-5 0 ${WIDTH + 10} 22" aria-hidden="true">
    <line class="grid" x1="0" x2=${WIDTH} y1="11" y2="11" />${rings}
    <line class="before" x1=${base} x2=${base} y1="3" y2="19" />${after}</svg>`;
}

export function drawScores(
  host: HTMLElement,
  scores: readonly TestScores[],
  { look, fit, others }: {
    look: string;
    fit?: { n: number; share: number };
    others: readonly RunRow[];
  },
): void {
  const tests = suiteNames.map((name, i) => {
    const [label, text] = testTexts[name];
    const { n, baseAccuracy, accuracy, interval, kl, rank } = scores[i];
    const rings = others.map(({ run, scores }) =>
      svg`<circle class="ring ${run.settings.group}" cx=${
        x(scores[i].accuracy!)
      } cy="11" r="3.5" />`
    );
    const numbers = accuracy === undefined ? html`${percent(baseAccuracy)} before training` : html`
      ${percent(baseAccuracy)} → <b>${percent(accuracy)}</b>
      [${interval!.map((end) => percent(end, 0)).join(", ")}], ${term("kl", "KL")}
      ${kl!.toFixed(2)} nats, ${term("ranks", "ranks")} ${rank!.toFixed(2)}
    `;
    return html`<li data-test=${name}><b>${
      term("tests", label)
    }</b> <small>${text}, n = ${n}</small>
      ${dumbbell(scores[i], look, rings)}<div class="numbers">${numbers}</div></li>`;
  });
  render(
    html`
      <ul class="scores">${tests}</ul>
      <p
        class="hint">${fit
          ? `It now gives ${percent(fit.share, 0)} of its ${fit.n} training answers. `
          : nothing}Upright line: before. Dot: after, with its 95% interval (Wilson). Rings: other runs. The line
            goes from 30% to 85%.</p>
    `,
    host,
  );
}

/** The finished runs of the visit, the last one first; a button shows a run again. */
export function drawRuns(
  host: HTMLElement,
  rows: readonly RunRow[],
  { shown, onShow }: { shown?: Run; onShow: (run: Run) => void },
): void {
  const change = ({ accuracy, baseAccuracy }: TestScores) => {
    const text = (100 * (accuracy! - baseAccuracy)).toFixed(1);
    return Number(text) > 0 ? `+${text}` : text.replace("-", "−").replace("−0.0", "0.0");
  };
  const line = ({ run, scores }: RunRow) =>
    html`<tr><td><button type="button" class="link ${run.settings.group}"
        aria-pressed=${run === shown} @click=${() => onShow(run)}>${run === shown ? "▸ " : ""}${
      runLabel(run)
    }</button></td><td>${run.settings.domain}</td>
      ${scores.map((one) => html`<td class="number">${change(one)}</td>`)}
      <td class="number">${run.result?.fit ? percent(run.result.fit.share, 0) : ""}</td></tr>`;
  const head = ["run", "domain", "HOMO", "ID", "OOD", "fit"];
  const table = html`
    <table class="runs">
        <tr>${head.map((name) => html`<th scope="col">${name}</th>`)}</tr>${rows.map(line)}</table>
    <p class="hint">Points of accuracy after − before; fit: training answers that it gives.</p>
  `;
  render(
    rows.length ? table : html`<p class="hint">Finished runs are listed here, to compare.</p>`,
    host,
  );
}
