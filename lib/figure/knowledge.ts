/** Tables and plots of what a model believes: how sure it is, how right, and how it was asked. */
import { type Answer, optionLetter } from "../question.ts";
import { auditProbe } from "../audit.ts";
import { beliefOf, type Reliability, shareOf } from "../study/belief.ts";
import { panels } from "./panels.ts";
import { groupedBars, linesWithBands } from "./plot.ts";
import { inPoints } from "./number.ts";
import type { Row } from "./rows.ts";
import { type Table, table as makeTable, type TableOptions } from "./table.ts";
import type { AxisOptions, FigureDescription, PlotOptions } from "./theme.ts";

/** Answers that belong together: of one kind of fact, of one way to ask, of one model. */
export interface AnswerGroup {
  name: string;
  answers: readonly Answer[];
}

/** An axis from 0 to 100%, and a little more, so that marks at 100% are drawn whole. */
export function percentAxis(label?: string): AxisOptions {
  return { label, unit: "%", range: [0, 102], ticks: [0, 25, 50, 75, 100] };
}

const right = ({ correct }: Answer) => correct;

export interface ReliabilityOptions extends PlotOptions {
  /** Bins of fewer answers are left out: they say nothing. @default 10 */
  minimumAnswers?: number;
}

/** Right answers over the probability of the chosen option, beside the diagonal where both agree. */
export function reliabilityDiagram(
  { bins }: Reliability,
  { minimumAnswers = 10, ...options }: ReliabilityOptions = {},
): FigureDescription {
  const points = bins.filter(({ n }) => n >= minimumAnswers).map((
    { confidence, accuracy, interval, n },
  ) => ({
    x: 100 * confidence,
    ...inPoints({ value: accuracy, interval, n }),
  }));
  const diagonal = [0, 100].map((x) => ({ x, value: x }));
  const lines = [{ name: "answers", points }, { name: "calibrated", points: diagonal }];
  const figure = linesWithBands(lines, {
    x: percentAxis("Probability of the chosen option"),
    y: percentAxis("Right answers"),
    width: 620,
    colors: { calibrated: "#767676" },
    ...options,
  });
  // Only a line to compare with: its ends are no measurements.
  for (const trace of figure.data) if (trace.name === "calibrated") trace.mode = "lines";
  return figure;
}

export interface OutcomeOptions extends PlotOptions {
  /** Answers above this are sure. @default .5, the paper's */
  minimumConfidence?: number;
}

const outcomeColors = {
  "right, sure": "#009E73",
  "right, unsure": "#8FD1BC",
  "wrong, unsure": "#F2B48A",
  "wrong, sure": "#D55E00",
};

/** For each group: how much of it is right or wrong, sure or unsure, with Wilson's 95% intervals. */
export function outcomeBars(
  groups: readonly AnswerGroup[],
  { minimumConfidence = 0.5, ...options }: OutcomeOptions = {},
): FigureDescription {
  const bars = groups.flatMap(({ name, answers }) =>
    Object.keys(outcomeColors).map((series) => {
      const [isRight, isSure] = [series.startsWith("right"), !series.endsWith("unsure")];
      const share = shareOf(answers, ({ correct, predictedProbability }) =>
        correct === isRight && (predictedProbability > minimumConfidence) === isSure);
      return { category: name, series, ...inPoints(share) };
    })
  );
  return groupedBars(bars, {
    y: percentAxis("Share of the answers"),
    colors: outcomeColors,
    ...options,
  });
}

/** Right answers of each group beside a guess; and how often each place of the list is chosen. */
export function placePanels(
  groups: readonly AnswerGroup[],
  options: Pick<PlotOptions, "title" | "subtitle"> = {},
): FigureDescription {
  const accuracy = groups.flatMap(({ name: category, answers }) => [
    { category, series: "right", ...inPoints(shareOf(answers, right)) },
    { category, series: "a guess", value: 100 * auditProbe(answers).chance },
  ]);
  const most = Math.max(...groups.flatMap(({ answers }) => answers.map((a) => a.choices.length)));
  const places = groups.flatMap(({ name: category, answers }) =>
    Array.from({ length: most }, (_, place) => ({
      category,
      series: `chose ${optionLetter(place)}`,
      ...inPoints(shareOf(answers, ({ predicted }) => predicted === place)),
    }))
  );
  const y = percentAxis("Share of the questions");
  return panels([
    { title: "Right answers", figure: groupedBars(accuracy, { y, colors: guessColors }) },
    { title: "Which place is chosen", figure: groupedBars(places, { y, colors: placeColors }) },
  ], { columns: 2, width: 860, ...options });
}

const guessColors = { right: "#0072B2", "a guess": "#767676" };
const placeColors = {
  "chose A": "#E69F00",
  "chose B": "#56B4E9",
  "chose C": "#CC79A7",
  "chose D": "#8C6D31",
};

export interface BeliefTableOptions extends Omit<TableOptions, "columns"> {
  /** @default .5, the paper's */
  minimumConfidence?: number;
  /** Further shares, by their headings. @default none */
  shares?: Readonly<Record<string, (answer: Answer) => boolean>>;
}

/** A row a group: right, sure, sure and wrong (%, Wilson's 95%), mean probability, mean entropy. */
export function beliefTable(
  groups: readonly AnswerGroup[],
  { minimumConfidence = 0.5, shares = {}, ...options }: BeliefTableOptions = {},
): Table {
  const more = Object.entries(shares);
  const rows = groups.map(({ name, answers }): Row => {
    const belief = beliefOf(answers, { minimumConfidence });
    return {
      answers: name,
      right: inPoints(belief.right),
      sure: inPoints(belief.confident),
      wrong: inPoints(belief.confidentWrong),
      probability: 100 * belief.confidence,
      entropy: belief.entropy,
      ...Object.fromEntries(more.map(([key, fits]) => [key, inPoints(shareOf(answers, fits))])),
    };
  });
  return makeTable(rows, {
    columns: [
      "answers",
      { key: "right", unit: "%", kind: "measurement", showN: true },
      { key: "sure", label: `above ${minimumConfidence}`, unit: "%", kind: "measurement" },
      {
        key: "wrong",
        label: `above ${minimumConfidence} and wrong`,
        unit: "%",
        kind: "measurement",
      },
      { key: "probability", label: "mean probability", unit: "%", digits: 1 },
      { key: "entropy", label: "mean entropy", unit: "nats", digits: 2 },
      ...more.map(([key]) => ({ key, unit: "%", kind: "measurement" as const })),
    ],
    ...options,
  });
}

/** A row a group: is it right more often than a guess, and than one letter always? */
export function auditTable(
  groups: readonly AnswerGroup[],
  options: Omit<TableOptions, "columns"> = {},
): Table {
  const rows = groups.map(({ name, answers }): Row => {
    const { chance, majority, mostPredicted, meaningful } = auditProbe(answers);
    return {
      answers: name,
      right: inPoints(shareOf(answers, right)),
      guess: 100 * chance,
      constant: 100 * majority.rate,
      constantLetter: majority.letter,
      most: 100 * mostPredicted.share,
      mostLetter: mostPredicted.letter,
      knowledge: meaningful ? "yes" : "no",
    };
  });
  return makeTable(rows, {
    columns: [
      "answers",
      { key: "right", unit: "%", kind: "measurement", showN: true },
      { key: "guess", label: "a guess", unit: "%", digits: 1 },
      { key: "constant", label: "one letter always", unit: "%", digits: 1 },
      { key: "constantLetter", label: "which" },
      { key: "most", label: "its most frequent choice", unit: "%", digits: 1 },
      { key: "mostLetter", label: "which" },
      { key: "knowledge", label: "shows knowledge" },
    ],
    ...options,
  });
}
