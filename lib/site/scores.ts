/** The three tests before and after, with intervals; and the visit's runs side by side. */
import { suiteNames } from "../evaluate.ts";
import { html, percent, svg } from "./dom.ts";
import { groupText, type Run, runLabel, type TestScores } from "./record.ts";

const LOW = 0.2, HIGH = 0.9, WIDTH = 150;
const x = (share: number) => (Math.min(HIGH, Math.max(LOW, share)) - LOW) / (HIGH - LOW) * WIDTH;

/** What each test asks, by its name. */
export const testTexts = {
  homo: ["HOMO", "the domain's own test"],
  id: ["ID", "the same domain, other wording"],
  ood: ["OOD", "the other three domains"],
} as const;

/** From the base's accuracy to the tuned model's, with its interval. */
function dumbbell({ baseAccuracy, accuracy, interval }: TestScores, look: string): SVGElement {
  const picture = svg("svg", { viewBox: `-4 0 ${WIDTH + 8} 20`, "aria-hidden": "true" });
  picture.append(
    svg("line", { class: "grid", x1: 0, x2: WIDTH, y1: 10, y2: 10 }),
    svg("line", { class: "before", x1: x(baseAccuracy), x2: x(baseAccuracy), y1: 3, y2: 17 }),
  );
  if (accuracy === undefined) return picture;
  const [low, high] = interval!;
  picture.append(
    svg("line", { class: `interval ${look}`, x1: x(low), x2: x(high), y1: 10, y2: 10 }),
    svg("circle", { class: `dot ${look}`, cx: x(accuracy), cy: 10, r: 4.5 }),
  );
  return picture;
}

export function drawScores(
  host: HTMLElement,
  scores: readonly TestScores[],
  { look, fit }: { look: string; fit?: { n: number; share: number } },
): void {
  const rows = suiteNames.map((name, i) => {
    const [label, text] = testTexts[name], one = scores[i];
    const { n, baseAccuracy, accuracy, interval, kl, rank } = one;
    return html(
      "tr",
      { "data-test": name },
      html("th", { scope: "row" }, label, html("small", {}, `${text}, n = ${n}`)),
      html("td", { class: "bell" }, dumbbell(one, look)),
      html(
        "td",
        { class: "numbers" },
        percent(baseAccuracy),
        ...accuracy === undefined ? [] : [
          html("b", {}, ` → ${percent(accuracy)}`),
          html("small", {}, `95%: ${interval!.map((one) => percent(one, 0)).join(" to ")}`),
          html("small", {}, `KL ${kl!.toFixed(3)} nats, ranks ${rank!.toFixed(2)}`),
        ],
      ),
    );
  });
  const fitText = fit
    ? `It now gives ${percent(fit.share, 0)} of its ${fit.n} training answers.`
    : "Bars: 95% intervals (Wilson). Upright line: before training.";
  host.replaceChildren(
    html("table", { class: "scores" }, ...rows),
    html("p", { class: "hint" }, fitText),
  );
}

export interface RunRow {
  run: Run;
  scores: readonly TestScores[];
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
