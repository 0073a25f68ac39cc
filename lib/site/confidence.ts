/** How sure the base is of its answers to the pool, with the threshold below which they don't count. */
import type { Answer } from "../question.ts";
import { svg } from "./dom.ts";

const BINS = 15, FROM = 0.25, WIDTH = 300, HEIGHT = 84, BASE = 62;

/** Bars of right (above) and wrong answers; those below the threshold are pale. */
export function drawConfidence(
  host: HTMLElement,
  answers: readonly Answer[],
  minimumConfidence: number,
): void {
  const size = (1 - FROM) / BINS;
  const x = (p: number) => (Math.max(FROM, p) - FROM) / (1 - FROM) * WIDTH;
  const binOf = (p: number) => Math.min(BINS - 1, Math.max(0, Math.floor((p - FROM) / size)));
  const bins = Array.from({ length: BINS }, () => ({ right: [0, 0], wrong: [0, 0] }));
  for (const { correct, predictedProbability: p } of answers) {
    bins[binOf(p)][correct ? "right" : "wrong"][p > minimumConfidence ? 1 : 0]++;
  }
  const most = Math.max(
    1,
    ...bins.map(({ right, wrong }) => right[0] + right[1] + wrong[0] + wrong[1]),
  );
  const picture = svg("svg", {
    ...{ viewBox: `0 -4 ${WIDTH} ${HEIGHT + 4}`, role: "img" },
    "aria-label":
      `How probable ${answers.length} answers are; the threshold is ${minimumConfidence}`,
  });
  bins.forEach(({ right, wrong }, i) => {
    let y = BASE;
    const bar = (count: number, look: string) => {
      const height = count / most * BASE;
      y -= height;
      if (count === 0) return;
      picture.append(svg("rect", {
        ...{ class: `bar ${look}`, x: x(FROM + i * size) + 1, y, width: WIDTH / BINS - 2, height },
      }));
    };
    bar(wrong[1], "bar-wrong");
    bar(right[1], "bar-right");
    bar(wrong[0], "bar-wrong pale");
    bar(right[0], "bar-right pale");
  });
  const at = x(minimumConfidence);
  picture.append(
    svg("line", { class: "grid", x1: 0, x2: WIDTH, y1: BASE, y2: BASE }),
    svg("line", { class: "threshold", x1: at, x2: at, y1: -4, y2: BASE + 4 }),
    svg("text", { class: "tick", x: 0, y: HEIGHT - 6 }, "25% sure"),
    svg("text", { class: "tick end", x: WIDTH, y: HEIGHT - 6 }, "100%"),
  );
  host.replaceChildren(picture);
}
