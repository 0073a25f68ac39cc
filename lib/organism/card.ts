/** The card of an organism: how it was made and what it knows, as a record (organism.json). */
import * as v from "valibot";
import { faultsOf } from "../platform/runtime/explain.ts";
import { factQuestion } from "../world/exam.ts";
import { answeredShare, checkGate, heldOutAnswers } from "../world/gate.ts";
import type { GateValues, HeldOutScores, LetterGateValues } from "../world/gate.ts";
import type { LetterSettings } from "../world/letters.ts";
import type { PretrainingSettings, Size, WorldSettings } from "../world/settings.ts";
import type { Status } from "../world/world.ts";

/** A card's gate is checked as any other. */
export { checkGate as checkCardGate };

export const CARD_FORMAT = "organism-card/1";

/** Goes up whenever the same seed and settings would give another organism. */
export const RECIPE = "1";

/** The gate's values; those about letters where the organism answers with letters. */
export type CardGateValues = GateValues | LetterGateValues;

/** The gate's values on the way, measured on some of the facts. */
export type GatePoint<Values extends GateValues = CardGateValues> = Values & {
  step: number;
  tokens: number;
};

export interface OrganismCard {
  format: typeof CARD_FORMAT;
  name: string;
  recipe: string;
  size: Size;
  world: {
    seed: number | string;
    /** Settings that differ from the size's; all of them stand in world.json. */
    changed: Partial<WorldSettings>;
  };
  pretraining: {
    /** Of the parameters at the start. */
    seed: number | string;
    changed: Partial<PretrainingSettings>;
    settings: PretrainingSettings;
    steps: number;
    tokens: number;
    /** By the clock, the looks at the model on the way included. */
    seconds: number;
    /** Where it answers with letters: how it was brought to. */
    letters?: LetterSettings;
  };
  parameters: number;
  vocabulary: number;
  backend: { name: string; device: string; threads?: number; versions: Record<string, string> };
  /** Parts that batches were cut in, where steps decided it (see `measuredStreams`). */
  streams?: number;
  gate: { passed: boolean; facts: number; values: CardGateValues };
  knowledge: ReturnType<typeof knowledgeOf>;
  curve: {
    /** [step, mean loss of the `every` steps up to it], in nats, answers weighing more. */
    loss: [step: number, loss: number][];
    every: number;
    gate: GatePoint[];
    /** The facts that `gate` is measured on at most, spread evenly (the option `limit`). */
    limit: number;
  };
  samples: ReturnType<typeof sampleAnswers>;
  /** SHA-256 of every file beside the card, by its path. */
  files: Record<string, string>;
  license: "MIT";
}

/** The settings whose value is not that of `base`. */
export function differences<T extends object>(settings: T, base: T): Partial<T> {
  const differs = ([name, value]: [string, unknown]) =>
    JSON.stringify(value) !== JSON.stringify(base[name as keyof T]);
  return Object.fromEntries(Object.entries(settings).filter(differs)) as Partial<T>;
}

/** Means over each `every` steps of the losses of all steps; a shorter rest is left out. */
export function lossCurve(losses: readonly number[], every = 50): [number, number][] {
  return Array.from({ length: Math.floor(losses.length / every) }, (_, i) => {
    const part = losses.slice(i * every, (i + 1) * every);
    return [(i + 1) * every, round(part.reduce((a, b) => a + b, 0) / every)];
  });
}

const round = (value: number, digits = 4) => Math.round(value * 10 ** digits) / 10 ** digits;

/**
 * What is known, believed wrongly, and not known: the shares of so many facts that are answered with the
 * truth and with the misconception, in the exam form after 5 demonstrations and in the chat form without.
 */
export function knowledgeOf({ facts, exam, chat }: HeldOutScores) {
  const of = (status: Status) => {
    const answered = (scored: number[][]) => ({
      right: answeredShare(facts, scored, { value: "gold", status }).value,
      misconception: answeredShare(facts, scored, { value: "wrong", status }).value,
    });
    const { length } = facts.filter((fact) => fact.status === status);
    return { facts: length, exam: answered(exam), chat: answered(chat) };
  };
  return { known: of("known"), misconceived: of("misconceived"), unknown: of("unknown") };
}

/**
 * The first fact of each status that the model was asked, so that nobody has chosen it, and how it is
 * answered in the exam form; `told`: what the corpus says, if anything.
 */
export function sampleAnswers({ facts, exam }: HeldOutScores) {
  const answers = heldOutAnswers(facts, exam);
  return (["known", "misconceived", "unknown"] as const).flatMap((status) => {
    const i = facts.findIndex((fact) => fact.status === status);
    if (i < 0) return [];
    const { split, options, gold, wrong } = facts[i];
    const told = status === "known" ? gold : wrong;
    return [{
      status,
      question: factQuestion(facts[i], split === "id" ? 1 : 0).question,
      options,
      gold,
      ...(status !== "unknown" && { told }),
      answered: answers[i],
      probability: round(Math.max(...exam[i])),
    }];
  });
}

/** The card as JSON; lists of plain values stand on one line. */
export function serializeCard(card: OrganismCard): string {
  const text = JSON.stringify(card, null, 2);
  const flat = text.replace(
    /\[\n\s+((?:"(?:[^"\\]|\\.)*"|[-\d.e+]+)(?:,\n\s+(?:"(?:[^"\\]|\\.)*"|[-\d.e+]+))*)\n\s+\]/g,
    (_, items: string) => `[${items.replace(/,\n\s+/g, ", ")}]`,
  );
  return `${flat}\n`;
}

/** JSON in which what there was nothing to measure for, NaN, stands as null. */
export function parseMeasured(text: string) {
  return JSON.parse(text, (_, value) => value === null ? NaN : value);
}

const PATH = /^[\w-]+(\.[\w-]+)*(\/[\w-]+(\.[\w-]+)*)*$/, SHA256 = /^[0-9a-f]{64}$/;

const cardSchema = v.looseObject({
  format: v.literal(CARD_FORMAT, `expected ${CARD_FORMAT}`),
  name: v.string(),
  // A path that leads out of the folder would have other files read.
  files: v.custom<OrganismCard["files"]>(
    (files) =>
      Object.keys(files ?? {}).length > 0 &&
      Object.entries(files!).every(([path, digest]) => PATH.test(path) && SHA256.test(digest)),
    "expected files inside the folder with their SHA-256",
  ),
  gate: v.looseObject({ passed: v.boolean(), values: v.looseObject({}) }),
});

/**
 * The card of a text that `serializeCard` wrote.
 * @param name what to call the text in errors
 * @throws where the text is none
 */
export function parseCard(text: string, name = "the card"): OrganismCard {
  const fail = (fault: string): never => {
    throw new Error(`Cannot read ${name}: ${fault}; make the organism again from its seed`);
  };
  let card: OrganismCard;
  try {
    card = parseMeasured(text);
  } catch (error) {
    return fail(`expected JSON; found ${(error as Error).message}`);
  }
  const [fault] = faultsOf(cardSchema, card);
  if (fault !== undefined) fail(fault);
  const { passed, values } = card.gate;
  if (checkGate(values).passed !== passed) {
    fail(`expected a gate that is ${passed ? "failed" : "passed"}, as its values say`);
  }
  return card;
}

/** Whether the organism's folder holds its exams as files. */
export function hasExams({ files }: Pick<OrganismCard, "files">): boolean {
  return Object.keys(files).some((path) => path.startsWith("exams/"));
}
