/** The study: a plan, its cells, their results. A finished cell is never computed twice. */
import type { Answer, Example } from "../question.ts";
import { resolveFinetuning } from "../finetune.ts";
import type { Explanation } from "../explanation.ts";
import type { ReadableModel } from "../model/readable_model.ts";
import { type LanguageModel, requireTrainable } from "../model/language_model.ts";
import { dropLora, refuseSecond } from "../model/lora.ts";
import type { Backend } from "../platform/runtime/backend.ts";
import { look, type Stoppable, stoppable } from "../platform/interrupt.ts";
import { clean } from "../platform/runtime/quote.ts";
import type { BaseAnswers, CellContext } from "../experiment.ts";
import { domainOf, examplesOf, runCell } from "../experiment.ts";
import type { Cell, CellResult, Material } from "../cell.ts";
import { allExams, asRows, cellName, cellSchema } from "../cell.ts";
import { answersToExplain, meeting, storedAnswers, storedExplanations } from "./answers.ts";
import { digest, formatDigest, modelDigest } from "./digest.ts";
import { SideBySideCells } from "./side_by_side.ts";
import { Store } from "./store.ts";
import type { BaseResult } from "./base.ts";
import { checkTuned, tunedOf, tunedOnBase } from "./tuned.ts";
import { countCells, planCells, type StudyPlan } from "./plan.ts";
import type { RejectedRow } from "../dataset/_rows.ts";
import type { World } from "../world/world.ts";

/** A model and what it is studied on. */
export interface Subject<Model extends ReadableModel = LanguageModel> {
  model: Model;
  material: Material;
  /** An organism's, which tells what it should know. */
  world?: World;
}

export interface StudyOptions extends Stoppable {
  /** Loads a model of the plans by name. */
  open: (name: string) => Promise<Subject<ReadableModel>>;
  /** Told when no plan needs a model any more; its parameters are the base's. Default: disposes of it. */
  close?: (subject: Subject<ReadableModel>) => void;
  /** The results, or their folder. */
  store: string | Store;
  /** Leaves out cells that another process computes, by their place in the model's list. */
  only?: (index: number) => boolean;
  /** Of exams and explanations, which all processes need: those that this one does first, by their place. */
  first?: (index: number) => boolean;
  onProgress?: (state: StudyProgress) => void;
  /** Told as a base model is asked. */
  onAsk?: (state: AskProgress & { model: string }) => void;
}

/** How far the exams are: `done` with its part of the present one; `found` were stored. */
export type AskProgress = { done: number; found: number; total: number; exam: string };

export interface StudyProgress {
  done: number;
  total: number;
  /** Whether the cell was found finished. */
  reused: boolean;
  cell: Cell;
  /** Its name in the store. */
  key: string;
  note: string;
}

/** What came of one plan. */
export type StudyResult = { bases: BaseResult[]; cells: CellResult[] };

/** Results of several plans, e.g. of small and of large models, as one. */
export interface Study extends StudyResult {
  plans: StudyPlan[];
  backend: Pick<Backend, "name" | "precision">;
}

/** How a study is stopped. */
export const studyWork = (signal: AbortSignal | undefined) => ({
  what: () => "the study",
  then: "finished cells are kept; run the cell again to go on",
  signal,
});

/**
 * Runs what is not finished yet, and returns all results, plan by plan. A model that several plans
 * name stays open.
 * @throws `Interrupted` where it is stopped; models have their bases' weights then
 */
export async function runPlans(
  plans: readonly StudyPlan[],
  options: StudyOptions,
): Promise<StudyResult[]> {
  return await stoppable(studyWork(options.signal), (signal) => run(plans, { ...options, signal }));
}

export async function runPlan(plan: StudyPlan, options: StudyOptions): Promise<StudyResult> {
  return (await runPlans([plan], options))[0];
}

async function run(plans: readonly StudyPlan[], options: StudyOptions): Promise<StudyResult[]> {
  const store = typeof options.store === "string" ? new Store(options.store) : options.store;
  const { close = ({ model }) => model.dispose(), onAsk, onProgress, ...common } = options;
  const results: StudyResult[] = plans.map(() => ({ bases: [], cells: [] }));
  const opened = new Map<string, Subject<ReadableModel>>();
  let before = 0;
  try {
    for (const [number, plan] of plans.entries()) {
      const { bases, cells } = results[number];
      for (const name of plan.models) {
        const subject = opened.get(name) ?? await options.open(name);
        opened.set(name, subject);
        const total = cellsInAll(plans, subject);
        const base = await probeBase(name, subject, {
          ...{ store, first: options.first, signal: options.signal },
          onProgress: (state) => onAsk?.({ ...state, model: name }),
        });
        bases.push(base);
        const found = await runModel(plan, subject, {
          ...{ ...common, store, base },
          onProgress: ({ done, ...state }) =>
            onProgress?.({ ...state, done: before + done, total }),
        });
        cells.push(...found);
        before += found.length;
        if (plans.slice(number + 1).some(({ models }) => models.includes(name))) continue;
        opened.delete(name);
        close(subject);
      }
    }
  } finally {
    for (const subject of opened.values()) close(subject);
  }
  return results;
}

/** How many cells plans have on such material, where they name no domains. */
export function cellsInAll(plans: readonly StudyPlan[], of: Pick<Subject, "material">): number {
  const domains = [...of.material.domains.keys()];
  return plans.reduce((sum, plan) => sum + countCells(plan, domains), 0);
}

/** What the base model answers to every exam of the material (5-shot, plain); each is stored once. */
export async function probeBase(
  name: string,
  { model, material }: Subject<ReadableModel>,
  { store, first, onProgress, signal }: Stoppable & Pick<StudyOptions, "first"> & {
    store: Store;
    onProgress?: (state: AskProgress) => void;
  },
): Promise<BaseResult> {
  const own = await modelDigest(model);
  const exams = allExams(material);
  const answers: Record<string, Answer[]> = Object.fromEntries(exams.map(({ name }) => [name, []]));
  let found = 0;
  for (const [done, place] of meeting(exams.length, first).entries()) {
    const exam = exams[place], { name } = exam;
    const tell = (share: number) =>
      onProgress?.({ done: done + share, found, total: exams.length, exam: name });
    let isFound = true;
    answers[name] = await storedAnswers({ model, digest: own, exam }, {
      ...{ store, signal },
      onStart: () => isFound = false,
      onProgress: tell,
    });
    if (isFound) found++;
    tell(1);
  }
  return { model: name, digest: own, parameters: model.parameterCount, answers };
}

/**
 * Keeps what a model is now, from which every fine-tuning starts: `restore` puts it back, `dispose` lets the
 * copy go.
 */
export function keepBase(model: LanguageModel, lora: unknown) {
  // An adapter leaves the weights as they are: no copy of them is needed then.
  const copy = lora ? undefined : model.snapshot();
  return {
    restore: () => copy ? model.restore(copy) : dropLora(model),
    dispose: () => copy?.values().forEach((tensor) => tensor.dispose()),
  };
}

/**
 * What a model's cells are made from, as each is asked for. A cell trains the model: the base's reasons,
 * where the plan has them explained, are asked for before the first one of each domain.
 */
export function cellContexts(
  { finetuning, minimumConfidence, explanations }: StudyPlan,
  { model, material }: Subject<ReadableModel>,
  { base, store, first, signal }: Stoppable & Pick<StudyOptions, "first"> & {
    base: BaseResult;
    store: Store;
  },
): (cell: Cell, tell?: (note: string) => void) => Promise<CellContext> {
  const answers: BaseAnswers = new Map(Object.entries(base.answers));
  const explained = new Map<string, Explanation[]>();
  const explain = async (cell: Cell, tell: (note: string) => void) => {
    const { pool, released } = domainOf(cell, material);
    if (released !== undefined) return [...released.explanations];
    const wrong = answersToExplain(answers.get(pool.name)!, minimumConfidence);
    const found = explained.get(cell.domain) ??
      await storedExplanations({ model, answers: wrong }, {
        ...{ store, first, signal },
        onProgress: ({ done, total }) => tell(`explanation ${done}/${total}`),
      });
    explained.set(cell.domain, found);
    return found;
  };
  return async (cell, tell = () => {}) => ({
    ...{ model, material, base: answers, finetuning, minimumConfidence },
    ...{ explanations: explanations ? await explain(cell, tell) : undefined },
    ...{ onProgress: tell, signal },
  });
}

async function runModel(
  plan: StudyPlan,
  { model, material }: Subject<ReadableModel>,
  { store, base, only, first, onProgress, signal }:
    & Pick<StudyOptions, "only" | "first" | "signal">
    & {
      store: Store;
      base: BaseResult;
      onProgress: (state: Omit<StudyProgress, "total">) => void;
    },
): Promise<CellResult[]> {
  // Each cell puts on its own, or none.
  refuseSecond(model, "study, beside its adapter,");
  const { finetuning, minimumConfidence, domains = [...material.domains.keys()] } = plan;
  const cells = planCells(plan, base.model, domains);
  const contextOf = cellContexts(plan, { model, material }, { base, store, first, signal });
  // Before any cell is computed.
  for (const cell of cells) {
    domainOf(cell, material);
    const tuned = tunedOf(plan, cell);
    if (tuned) {
      await checkTuned(tuned, { model, base, finetuning }, examplesOf(cell, await contextOf(cell)));
    }
  }
  const results: CellResult[] = [];
  const tuned = plan.tuned
    ? tunedOnBase(plan, model)
    : trainedOnBase(requireTrainable(model), { finetuning, signal });
  const format = formatDigest(model.format), general = digest(material.general);
  const parts = new Map([...material.domains].map(([name, domain]) => [name, digest(domain)]));
  const kinds = digest(material.kinds);
  const keyOf = ({ model: _, ...what }: Cell) =>
    store.key("cell", [
      ...[base.digest, format, parts.get(what.domain), general],
      what.items === undefined ? null : kinds,
      what,
      what.tuned ? null : resolveFinetuning(model, { ...finetuning, seed: what.seed }),
      ...[minimumConfidence ?? 0.5, plan.explanations ?? false],
    ]);
  const own = cells.filter((_, index) => only?.(index) ?? true);
  try {
    for (const [place, cell] of own.entries()) {
      await look(signal);
      const key = await keyOf(cell);
      let result = await store.read(key, cellSchema);
      const reused = result !== undefined;
      const tell = (note: string) => onProgress({ done: results.length, reused, cell, key, note });
      if (result === undefined) {
        const examplesFor = async (later: Cell) => {
          const isDone = await store.read(await keyOf(later), cellSchema) !== undefined;
          return isDone ? [] : examplesOf(later, await contextOf(later, tell)).examples;
        };
        const ready = await tuned.ready(cell, { waiting: own.slice(place), examplesFor, tell });
        result = await runCell(cell, { ...await contextOf(cell, tell), ...ready });
        // One that failed is no result: another run may try again.
        if (result.failed === undefined) await store.write(key, result);
        else console.error(clean(`${cellName(cell)} failed: ${result.failed}`));
      }
      results.push({ ...asRows(result), cell });
      tell("done");
    }
  } finally {
    await tuned.restore();
    tuned.dispose();
  }
  return results;
}

/** Trains a model for its cells from what it is now: some side by side, where that is faster. */
function trainedOnBase(
  model: LanguageModel,
  { finetuning, signal }: Stoppable & Pick<StudyPlan, "finetuning">,
) {
  const together = new SideBySideCells(model, finetuning);
  const kept = keepBase(model, finetuning?.lora);
  return {
    restore: kept.restore,
    /** The model for a cell, and its training where that is done; else it has the base's weights. */
    async ready(cell: Cell, { waiting, examplesFor, tell }: {
      waiting: readonly Cell[];
      examplesFor: (cell: Cell) => Promise<readonly Example[]>;
      tell: (note: string) => void;
    }) {
      await kept.restore();
      await together.fill(waiting, examplesFor);
      const tuned = await together.train(cell, {
        onStep: ({ step, steps, members, loss }) =>
          tell(`step ${step}/${steps} of ${members} cells at once, loss ${loss.toFixed(3)}`),
        signal,
      });
      return { model, tuned };
    },
    dispose() {
      together.dispose();
      kept.dispose();
    },
  };
}

/** A model with its material, and the rows of its files that were set aside. */
export interface OpenedSubject<Model extends ReadableModel = LanguageModel> extends Subject<Model> {
  rejected: RejectedRow[];
  /** Questions of the pool that a test or the demonstrations ask too, and were left out. */
  leaked: number;
}

/** The same of a model that is only asked: it may be an ONNX graph, or behind a server. */
export type ProbedSubject = OpenedSubject<ReadableModel>;
