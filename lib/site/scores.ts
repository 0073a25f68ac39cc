/** The three tests before and after, with intervals; and the visit's runs side by side. */
import { suiteLabels } from "../contrast.ts";
import { suiteNames } from "../evaluate.ts";
import { percent, signed } from "../figure/number.ts";
import { html, nothing, render, svg } from "./dom.ts";
import { type Run, runLabel, type TestScores, testTexts } from "./record.ts";
import type { Visit } from "./visit.ts";

const LOW = 0.3, HIGH = 0.85, WIDTH = 280;
const x = (share: number) => (Math.min(HIGH, Math.max(LOW, share)) - LOW) / (HIGH - LOW) * WIDTH;

/** A word that the page's list of terms explains. */
const term = (name: string, text: string) =>
  html`<span class="term" data-term=${name} tabindex="0">${text}</span>`;

/** From the base's accuracy to the tuned model's, with its interval; other runs as rings. */
function dumbbell({ baseAccuracy, accuracy, interval }: TestScores, look: string, rings: unknown) {
  const base = x(baseAccuracy);
  const after = accuracy === undefined ? nothing : svg`
    <line class="interval ${look}" x1=${x(interval![0])} x2=${x(interval![1])} y1="11" y2="11" />
    <circle class="dot ${look}" cx=${x(accuracy)} cy="11" r="5" />
  `;
  return html`<svg viewBox="-5 0 ${WIDTH + 10} 22" aria-hidden="true">
    <line class="grid" x1="0" x2=${WIDTH} y1="11" y2="11" />${rings}
    <line class="before" x1=${base} x2=${base} y1="3" y2="19" />${after}</svg>`;
}

/** The tests of the run that is looked at, or of the untrained model. */
export function drawScores(host: HTMLElement, visit: Visit): void {
  const { current, others } = visit.runsBeside(), { group } = visit.settingsOf(current);
  const scores = visit.scores(current), fit = current?.result?.fit;
  const beside = others.map((run) => ({ look: run.settings.group, scores: visit.scores(run) }));
  const tests = suiteNames.map((name, i) => {
    const { n, baseAccuracy, accuracy, interval, kl, rank } = scores[i];
    const rings = beside.map(({ look, scores }) =>
      svg`<circle class="ring ${look}" cx=${x(scores[i].accuracy!)} cy="11" r="3.5" />`
    );
    const numbers = accuracy === undefined ? html`${percent(baseAccuracy)} before training` : html`
      ${percent(baseAccuracy)} → <b>${percent(accuracy)}</b>
      [${interval!.map((end) => percent(end, 0)).join(", ")}], ${term("kl", "KL")}
      ${kl!.toFixed(2)} nats, ${term("ranks", "ranks")} ${rank!.toFixed(2)}
    `;
    return html`<li><b>${term("tests", suiteLabels[name])}</b> <small>${
      testTexts[name]
    }, n = ${n}</small>
      ${dumbbell(scores[i], group, rings)}<div class="numbers">${numbers}</div></li>`;
  });
  const given = fit && `It now gives ${percent(fit.share, 0)} of its ${fit.n} training answers. `;
  render(
    html`
      <ul class="scores">${tests}</ul>
      <p class="hint">${given}Upright line: before. Dot: after, with its 95% interval (Wilson).
              Rings: other runs. The line goes from 30% to 85%.</p>
    `,
    host,
  );
}

/** The finished runs of the visit, the last one first; a button shows a run again. */
export function drawRuns(host: HTMLElement, visit: Visit): void {
  const { current } = visit.runsBeside();
  const finished = visit.runs.filter(({ result }) => result).reverse();
  const line = (run: Run) => {
    const { result, settings: { group, domain } } = run, isShown = run === current;
    return html`<tr><td><button type="button" class="link ${group}" aria-pressed=${isShown}
      @click=${() => visit.show(run)}>${isShown ? "▸ " : ""}${
      runLabel(run)
    }</button> <small>${domain}</small></td>${
      visit.scores(run).map(({ accuracy, baseAccuracy }) =>
        html`<td class="number">${signed(100 * (accuracy! - baseAccuracy))}</td>`
      )
    }<td class="number">${result?.fit ? percent(result.fit.share, 0) : ""}</td></tr>`;
  };
  const head = ["run", ...Object.values(suiteLabels), "fit"]
    .map((name) => html`<th scope="col">${name}</th>`);
  render(
    finished.length
      ? html`
        <table class="runs"><tr>${head}</tr>${finished.map(line)}</table>
        <p class="hint">Points of accuracy after − before; fit: training answers that it gives.</p>
      `
      : html`<p class="hint">Finished runs are listed here, to compare.</p>`,
    host,
  );
}
