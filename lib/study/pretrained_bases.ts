/** Base models that an experiment makes: checkpoints, and other shares of chat exams. */
import { suiteLabels } from "../contrast.ts";
import { evaluate } from "../evaluate.ts";
import { type Progress, progress } from "../figure/progress.ts";
import type { Row } from "../figure/rows.ts";
import { type Table, table } from "../figure/table.ts";
import type { OrganismCard } from "../organism/card.ts";
import { organismCard } from "../organism/folder.ts";
import { variantCard, type VariantPlan, variantsOf } from "../organism/variant.ts";
import { openBackend } from "../platform/runtime/backend.ts";
import type { Interval } from "../statistics/_check.ts";
import { checkGate, gateThresholds, type GateValues } from "../world/gate.ts";
import type { PretrainingSettings } from "../world/settings.ts";
import { withShares, type WorldSettings, worldSizes } from "../world/settings.ts";
import { isOrganism, ORGANISM } from "./labels.ts";
import { gateColumns, gateLabels } from "./organism_rows.ts";
import { organismSettings } from "./plans.ts";
import type { StudyRow } from "./rows.ts";
import type { Settings } from "./settings.ts";
import { openSubject } from "./subjects.ts";
import { makeVariants } from "./variants.ts";

/** What is pretrained. */
export interface BaseSweep {
  /** Shares of the pretraining, %, below 100, after which the usual model is kept too. */
  checkpoints: readonly number[];
  /** Shares of chat exams among the documents, %. */
  chatExams: readonly number[];
  worldSettings?: Partial<WorldSettings>;
  pretraining?: Partial<PretrainingSettings>;
}

const USUAL = 100 * worldSizes.small.chatExamShare;

/** All bases are of this one world. */
const WORLD = 101;

/** Two domains and three eighths of the tokens: what a run of one organism has the time for. */
const SHORT = {
  worldSettings: { domains: ["history", "medicine"] },
  pretraining: { tokens: 1_536_000 },
};

/** What a run is about: the bases that ship where it studies all organisms, else fewer, and shorter ones. */
export function baseSweep({ model }: Settings): BaseSweep {
  const short = model !== ORGANISM && isOrganism(model);
  if (short) return { checkpoints: [25, 50], chatExams: [0, USUAL], ...SHORT };
  return { checkpoints: [25, 50, 75], chatExams: [0, USUAL / 2, USUAL, 2 * USUAL] };
}

/**
 * Pretrains what neither ships nor is there yet (all of it, where the run is a full one), with its progress; by
 * several processes, each once. `shipped`: the study's organism, made by the usual recipe, to see how far
 * chance alone goes; none with other settings. `over`: what intervals are over; `leftOut`: why nothing was pretrained.
 */
export async function pretrainBases(
  settings: Settings,
  { checkpoints, chatExams, worldSettings, pretraining }: BaseSweep,
) {
  const over = `questions of world ${WORLD}`;
  // The one with the most to do first, so that processes end together.
  const shares = [...new Set([...checkpoints.length > 0 ? [USUAL] : [], ...chatExams])];
  const plans = shares.map((share): VariantPlan => {
    const usual = { ...worldSizes.small, ...worldSettings };
    return {
      ...{ name: `small-${WORLD}-chat-${share}`, size: "small", world: WORLD, pretraining },
      ...(share === USUAL
        ? { worldSettings, checkpoints: checkpoints.map((one) => one / 100) }
        : { worldSettings: withShares(usual, { chatExamShare: share / 100 }) }),
      anew: settings.full,
    };
  });
  const variants = await Promise.all(plans.map(variantsOf));
  const isThere = async () =>
    !(await Promise.all(variants.flat().map(variantCard))).includes(undefined);
  const reason = settings.quick
    ? "a quick run has no time for it"
    : (await openBackend()).name !== "tensorflow" && !await isThere()
    ? "without TensorFlow it takes hours; deno task doctor says what is missing"
    : undefined;
  if (reason) {
    const leftOut = `Nothing is pretrained: ${reason}.`;
    return { over, leftOut, checkpoints: [], chatExams: [], shipped: [] };
  }
  let bar: Progress | undefined;
  const cards = await makeVariants(plans, {
    onProgress({ done, found, total, name, loss }) {
      bar ??= progress("pretraining steps", total);
      const note = `${name}${loss === undefined ? "" : ` loss ${loss.toFixed(2)}`}`;
      bar.update(done, note, total, found);
    },
  });
  await bar?.finish("");
  /** The organism of a share of chat exams that has had `share` of its pretraining. */
  const baseOf = (chat: number, share: number, columns: Columns) => {
    const plan = shares.indexOf(chat);
    return described(cards[plan][variants[plan].findIndex((one) => one.share === share)], columns);
  };
  const usual = worldSettings === undefined && pretraining === undefined;
  const kept = checkpoints.length > 0 ? [...checkpoints, 100] : [];
  const asShipped = { chatExams: USUAL, pretrained: "for the study" };
  return {
    over,
    leftOut: undefined,
    checkpoints: kept.map((checkpoint) => baseOf(USUAL, checkpoint / 100, { checkpoint })),
    chatExams: chatExams.map((share) =>
      baseOf(share, 1, { chatExams: share, pretrained: "for this notebook" })
    ),
    shipped: usual ? [described(await organismCard(`small-${WORLD}`), asShipped)] : [],
  };
}

/** What tells a base's rows apart: `checkpoint` or `chatExams` (%), and what the gate says. */
type Columns = Readonly<Record<string, string | number>>;

function described(card: OrganismCard, columns: Columns) {
  const gate = checkGate(card.gate.values).passed ? "passed" : "FAILED";
  return { columns: { ...columns, gate } as Columns, models: [`${ORGANISM}:${card.name}`], card };
}

export type PretrainedBase = ReturnType<typeof described>;

/** What the gate measured of each base, 0 to 1: a row a base, a column a check. */
export function baseGateRows(bases: readonly PretrainedBase[]): StudyRow[] {
  return bases.map(({ columns, card: { gate } }) => ({
    ...columns,
    ...Object.fromEntries(
      gateNames.map((name) => [gateLabels[name], (gate.values as GateValues)[name]]),
    ),
  }));
}

const gateNames = Object.keys(gateThresholds) as (keyof GateValues)[];

/** A table of `baseGateRows` that says what each value must be. */
export function gateTable(rows: readonly Row[], caption: string): Table {
  const needed = new Map(gateNames.map((name, i) => [gateLabels[name], gateColumns[i]]));
  const columns = Object.keys(rows[0] ?? {}).map((key) => ({ ...needed.get(key), key }));
  return table(rows, { columns, caption });
}

/**
 * What untuned bases answer when asked as tuned models are (in chat form, without examples),
 * points: a row for each base and test. OOD asks the questions of ID.
 */
export async function chatAccuracies(
  bases: readonly PretrainedBase[],
  settings: Settings,
): Promise<StudyRow[]> {
  const { domains: _, ...ours } = organismSettings(settings);
  const rows: StudyRow[] = [];
  for (const { columns, models: [name] } of bases) {
    // Whether it passed its gate is a column of its rows.
    const { model: opened, material } = await openSubject(name, ours, { warn: () => {} });
    using model = opened;
    const questions = (suite: "homo" | "id") =>
      [...material.domains.values()].flatMap(({ suites }) =>
        suites[suite]!.flatMap(({ questions }) => [...questions])
      );
    const found = await evaluate(model, { homo: questions("homo"), id: questions("id") });
    for (const suite of ["homo", "id"] as const) {
      const { accuracy, interval: [low, high], n } = found[suite]!;
      const chat = { value: 100 * accuracy, interval: [100 * low, 100 * high] as Interval, n };
      rows.push({ ...columns, test: suiteLabels[suite], chat });
    }
  }
  return rows;
}

/** A table of bases in both forms, untuned, and of what each group makes of them in chat form. */
export function formTable(rows: readonly Row[], varied: readonly string[], caption: string): Table {
  const column = (key: string, label: string) => ({ key, label, unit: "%", digits: 1 });
  const columns = [
    ...[...varied, "gate", "test", column("base", "untuned, exam, 5 examples")],
    column("chat", "untuned, chat"),
    ...["INC", "HAR", "SELF", "CON"].map((group) => column(group, `after ${group}, chat`)),
  ];
  return table(rows, { columns, caption, notes: ["accuracy; OOD asks the questions of ID"] });
}
