/** How sure the base is of its answers to the pool, with the threshold below which they don't count. */
import type { Answer } from "../question.ts";
import { html, render, svg } from "./dom.ts";

const BINS = 15, FROM = 0.25, WIDTH = 300, BASE = 62;

/** Bars of wrong and, above them, right answers; those below the threshold are pale and on top. */
export function drawConfidence(
  host: HTMLElement,
  answers: readonly Answer[],
  minimumConfidence: number,
): void {
  const place = (p: number) => Math.max(0, (p - FROM) / (1 - FROM));
  const bins = Map.groupBy(
    answers,
    ({ predictedProbability: p }) => Math.min(BINS - 1, Math.floor(place(p) * BINS)),
  );
  const most = Math.max(...[...bins.values()].map(({ length }) => length));
  const lookOf = ({ correct, predictedProbability }: Answer) =>
    `${predictedProbability > minimumConfidence ? "" : "pale "}bar-${correct ? "right" : "wrong"}`;
  const bars = [...bins].map(([bin, own]) => {
    let y = BASE;
    return ["bar-wrong", "bar-right", "pale bar-wrong", "pale bar-right"].map((look) => {
      const height = own.filter((answer) => lookOf(answer) === look).length / most * BASE;
      y -= height;
      return svg`
        <rect class=${look} x=${bin * WIDTH / BINS + 1} y=${y}
          width=${WIDTH / BINS - 2} height=${height} />
      `;
    });
  });
  const at = place(minimumConfidence) * WIDTH;
  render(
    html`
      <svg viewBox="0 -4 ${WIDTH} 88" role="img"
        aria-label="How sure ${answers.length} answers are; the threshold is ${minimumConfidence}">
            ${bars}
            <line class="grid" x1="0" x2=${WIDTH} y1=${BASE} y2=${BASE} />
            <line class="threshold" x1=${at} x2=${at} y1="-4" y2=${BASE + 4} />
            <text class="tick" x="0" y="78">25% sure</text>
            <text class="tick end" x=${WIDTH} y="78">100%</text></svg>
    `,
    host,
  );
}
