/**
 * The account of every organism: its gate, and what fine-tuning did to it. Of one model intervals
 * are over its questions (correlations: its cells), of all over the models.
 */
import labels from "../../data/labels.json" with { type: "json" };
import { pivot, type Row } from "../figure/rows.ts";
import type { OrganismCard } from "../organism/card.ts";
import { organismCard } from "../organism/folder.ts";
import { wilsonInterval } from "../statistics/proportion.ts";
import { checkGate } from "../world/gate.ts";
import type { CellResult } from "../cell.ts";
import { middleRatioFindings } from "./mixture.ts";
import { isOrganism, modelLabel } from "./labels.ts";
import { mainPlans } from "./plans.ts";
import { runStudy } from "./run.ts";
import type { Settings } from "./settings.ts";
import { type Finding, findings } from "../findings.ts";
import { findingText } from "./report.ts";
import { type Estimate, overModels, plainEstimate, suiteLabels } from "../contrast.ts";

/** The model's place where all models are taken together. */
export const ACROSS = "across models";

/** A gate value (`share`), a difference (points) or a correlation (r); `test`: or what the gate needs. */
type Numbers = { what: string; test: string; estimate: Estimate; unit: Finding["unit"] | "share" };

/** One number of one model, or of all. */
export type AccountRow = Numbers & { model: string };

/**
 * Gate values, then the rule's differences and correlations, of each model that has them and, of
 * several, across them.
 * @param cards of all models
 */
export function accountRows(
  cells: readonly CellResult[],
  cards: ReadonlyMap<string, Gated>,
): AccountRow[] {
  const models = [...new Set(cells.map(({ cell }) => cell.model))];
  const own = models.flatMap((model) => {
    const rows = [
      ...gateRows(cards.get(model)!),
      ...effectRows(cells.filter(({ cell }) => cell.model === model)),
    ];
    return rows.map((row): AccountRow => ({ model: modelLabel(model), ...row }));
  });
  if (models.length < 2) return own;
  const gates = Map.groupBy(own.filter(({ unit }) => unit === "share"), ({ what }) => what);
  const gatesAcross = [...gates.values()].map((list) => {
    const values = list.map(({ estimate }) => estimate.value);
    return { ...list[0], estimate: plainEstimate(overModels(values))! };
  });
  const across = [...gatesAcross, ...effectRows(cells)];
  return [...own, ...across.map((row): AccountRow => ({ ...row, model: ACROSS }))];
}

/** One line for each number, with a text for each model: `+8.4 [+5.2, +11.6]`. */
export function accountTexts(rows: readonly Row[]): Row[] {
  const texts = rows.map(({ model, what, test, estimate, unit }) => {
    // A share reads like a correlation: two digits and no sign.
    const as = unit === "share" ? "r" : unit as Finding["unit"];
    return { model, what, test, text: findingText({ estimate: estimate as Estimate, unit: as }) };
  });
  return pivot(texts, { index: ["what", "test"], columns: "model", values: "text" });
}

/** The account of a run's own organisms and its notes; no rows of a run on another model. */
export async function runAccount(
  settings: Settings,
): Promise<{ rows: AccountRow[]; notes: string[] }> {
  if (!isOrganism(settings.model)) return { rows: [], notes: [] };
  const { cells, plans, caveats } = await runStudy(await mainPlans(settings), { settings });
  const names = plans.flatMap(({ models }) => models);
  const cards = await Promise.all(
    names.map(async (name) => [name, await organismCard(name)] as const),
  );
  const seeds = plans.map(({ models: { length }, seeds }) =>
    `${length} organism${length > 1 ? "s" : ""}: fine-tuning seeds ${seeds.join(", ")}`
  );
  return { rows: accountRows(cells, new Map(cards)), notes: [...seeds, ...caveats] };
}

/** What a card tells of an organism's gate. */
type Gated = Pick<OrganismCard, "gate" | "knowledge">;

function gateRows({ gate: { values, facts }, knowledge }: Gated): Numbers[] {
  const asked = {
    fewShotKnown: knowledge.known.facts,
    chatContext: facts,
    chatKnown: knowledge.known.facts,
    unknownConfidence: knowledge.unknown.facts,
    misconceived: knowledge.misconceived.facts,
  };
  return checkGate(values).checks.map(({ name, needed, value }) => {
    const n = asked[name];
    // Sureness is a mean, of which the card keeps no spread.
    const interval = name === "unknownConfidence" ? {} : {
      interval: wilsonInterval(Math.round(value * n), n),
    };
    const estimate = { value, ...interval, n };
    return { what: labels.accountGate[name], test: needed, estimate, unit: "share" };
  });
}

function effectRows(cells: readonly CellResult[]): Numbers[] {
  const found = [...findings(cells), ...middleRatioFindings(cells)];
  return found.map(({ hypothesis, suite, estimate, unit }) => {
    const what = hypothesis === "middle ratio" ? "best middle r - better end" : hypothesis;
    return { what, test: suiteLabels[suite], estimate: plainEstimate(estimate)!, unit };
  });
}
