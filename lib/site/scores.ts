/** The three tests before and after, with intervals; and the visit's runs side by side. */
import { suiteNames } from "../evaluate.ts";
import { html, percent, svg } from "./dom.ts";
import { groupText, type Run, runLabel, type TestScores } from "./record.ts";

const LOW = 0.3, HIGH = 0.85, WIDTH = 280;
const x = (share: number) => (Math.min(HIGH, Math.max(LOW, share)) - LOW) / (HIGH - LOW) * WIDTH;

/** What each test asks, by its name. */
export const testTexts = {
  homo: ["HOMO", "the domain's own test"],
  id: ["ID", "the same domain, other wording"],
  ood: ["OOD", "the other three domains"],
} as const;

/** From the base's accuracy to the tuned model's, with its interval; other runs as small marks. */
function dumbbell(
  { baseAccuracy, accuracy, interval }: TestScores,
  { look, others }: { look: string; others: readonly (readonly [look: string, share: number])[] },
): SVGElement {
  const picture = svg("svg", { viewBox: `-5 0 ${WIDTH + 10} 22`, "aria-hidden": "true" });
  picture.append(svg("line", { class: "grid", x1: 0, x2: WIDTH, y1: 11, y2: 11 }));
  for (const [own, share] of others) {
    picture.append(svg("circle", { class: `ring ${own}`, cx: x(share), cy: 11, r: 3.5 }));
  }
  const at = x(baseAccuracy);
  picture.append(svg("line", { class: "before", x1: at, x2: at, y1: 3, y2: 19 }));
  if (accuracy === undefined) return picture;
  const [low, high] = interval!;
  picture.append(
    svg("line", { class: `interval ${look}`, x1: x(low), x2: x(high), y1: 11, y2: 11 }),
    svg("circle", { class: `dot ${look}`, cx: x(accuracy), cy: 11, r: 5 }),
  );
  return picture;
}

export interface RunRow {
  run: Run;
  scores: readonly TestScores[];
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
    const [label, text] = testTexts[name], one = scores[i];
    const { n, baseAccuracy, accuracy, interval, kl, rank } = one;
    const marks = others.map(({ run, scores }) =>
      [run.settings.group, scores[i].accuracy!] as const
    );
    const numbers = accuracy === undefined ? [`${percent(baseAccuracy)} before training`] : [
      `${percent(baseAccuracy)} → `,
      html("b", {}, percent(accuracy)),
      ` [${interval!.map((one) => percent(one, 0)).join(", ")}], KL ${kl!.toFixed(2)} nats, ` +
      `ranks ${rank!.toFixed(2)}`,
    ];
    return html(
      "li",
      { "data-test": name },
      html("div", {}, html("b", {}, label), html("small", {}, ` ${text}, n = ${n}`)),
      dumbbell(one, { look, others: marks }),
      html("div", { class: "numbers" }, ...numbers),
    );
  });
  const legend =
    "Upright line: before. Dot: after, with its 95% interval (Wilson). Rings: other runs. The line goes from 30% to 85%.";
  const text = fit
    ? `It now gives ${percent(fit.share, 0)} of its ${fit.n} training answers. `
    : "";
  host.replaceChildren(
    html("ul", { class: "scores" }, ...tests),
    html("p", { class: "hint" }, text + legend),
  );
}

/** The finished runs of the visit, the last one first; a button shows a run again. */
export function drawRuns(
  host: HTMLElement,
  rows: readonly RunRow[],
  { shown, onShow }: { shown?: Run; onShow: (run: Run) => void },
): void {
  if (rows.length === 0) {
    host.replaceChildren(
      html("p", { class: "hint" }, "Finished runs are listed here, to compare."),
    );
    return;
  }
  const change = ({ accuracy, baseAccuracy }: TestScores) => {
    const points = 100 * (accuracy! - baseAccuracy);
    return `${points > 0 ? "+" : points < 0 ? "−" : ""}${Math.abs(points).toFixed(1)}`;
  };
  const head = ["run", "domain", "HOMO", "ID", "OOD", "fit"].map((name) =>
    html("th", { scope: "col" }, name)
  );
  const lines = rows.map(({ run, scores }) => {
    const { group, domain } = run.settings;
    const button = html(
      "button",
      { type: "button", class: `link ${group}`, "aria-pressed": run === shown },
      `${run === shown ? "▸ " : ""}${runLabel(run)}`,
    );
    button.addEventListener("click", () => onShow(run));
    const { fit, size } = run.result!;
    const about = `${groupText(run.settings)}: ${size} questions`;
    return html(
      "tr",
      { title: about },
      html("td", {}, button),
      html("td", {}, domain),
      ...scores.map((one) => html("td", { class: "number" }, change(one))),
      html("td", { class: "number" }, fit ? percent(fit.share, 0) : ""),
    );
  });
  host.replaceChildren(
    html("table", { class: "runs" }, html("tr", {}, ...head), ...lines),
    html(
      "p",
      { class: "hint" },
      "Points of accuracy after − before; fit: training answers it gives.",
    ),
  );
}
