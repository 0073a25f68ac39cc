/**
 * The study: a plan of models, domains, treatments, ratios and seeds; its cells; their results.
 * A finished cell is never computed twice.
 */
import type { Answer } from "../question.ts";
import type { FinetuneSettings } from "../model/finetune_settings.ts";
import { resolveFinetuning } from "../finetune.ts";
import type { Explanation } from "./explanation.ts";
import type { ProbedModel } from "../model/readable_model.ts";
import type { LanguageModel } from "../model/language_model.ts";
import { dropLora, refuseSecond } from "../model/lora.ts";
import type { SuiteName } from "../evaluate.ts";
import type { Asking } from "../prompt.ts";
import { type Backend, openBackend } from "../platform/runtime/backend.ts";
import {
  asRows,
  type BaseAnswers,
  type Cell,
  cellName,
  type CellResult,
  domainOf,
  runCell,
  type Treatment,
} from "../experiment.ts";
import { storedAnswers } from "./answers.ts";
import { digest, formatDigest, modelDigest } from "./digest.ts";
import { answersToExplain, storedExplanations } from "./explanations.ts";
import type { Exam, ItemKind, Material } from "./material.ts";
import { cellSchema } from "./record.ts";
import { Store } from "./store.ts";

export interface StudyPlan {
  models: readonly string[];
  /** Default: all that a model's material has. */
  domains?: readonly string[];
  treatments: readonly Treatment[];
  /** Shares of SELF of the treatment `mix`. */
  ratios?: readonly number[];
  seeds: readonly number[];
  /** Seeds of the treatment `mix`. Default: `seeds`. */
  mixtureSeeds?: readonly number[];
  /** An answer counts as belief when its probability is above this. Default .5, the paper's. */
  minimumConfidence?: number;
  /** What differs from the model's default settings. */
  finetuning?: Partial<FinetuneSettings>;
  /** Targets are explained, SELF's by the base model itself (paper, section 3.2). Default: false. */
  explanations?: boolean;
  /** Share of each group that is used. Default: all. */
  size?: number;
  /** At most so many items of each group. Default: all. */
  count?: number;
  /** Only answers to such facts are in INC and SELF; organisms alone. Default: all. */
  items?: ItemKind;
}

/** A model and what it is studied on. */
export interface Subject {
  model: LanguageModel;
  material: Material;
}

export interface StudyOptions {
  /** Loads a model of the plan by name. */
  open: (name: string) => Promise<Subject>;
  /** Told when a model's cells are done; its parameters are the base's again. Default: disposes of it. */
  close?: (subject: Subject) => void;
  /** The results, or their folder. */
  store: string | Store;
  /** Leaves out cells that another process computes, by their place in the model's list. */
  only?: (index: number) => boolean;
  onProgress?: (state: StudyProgress) => void;
}

export interface StudyProgress {
  done: number;
  total: number;
  /** Whether the cell was found finished. */
  reused: boolean;
  cell: Cell;
  note: string;
}

/** A base model on the study's exams. */
export interface BaseResult {
  model: string;
  /** Of the model, as `modelDigest` has it. */
  digest: string;
  /** Absent where it can't be told: of some ONNX graphs. */
  parameters?: number;
  /** How it was asked. */
  asking?: Asking;
  /** By exam. */
  answers: Record<string, Answer[]>;
}

export interface StudyResult {
  plan: StudyPlan;
  backend: Pick<Backend, "name" | "device" | "threads" | "precision" | "versions">;
  bases: BaseResult[];
  cells: CellResult[];
  seconds: number;
}

/** The cells of one model, in the order in which they run. */
export function planCells(plan: StudyPlan, model: string, domains: readonly string[]): Cell[] {
  const { size, count, items } = plan;
  const part = {
    ...(size === undefined ? {} : { size }),
    ...(count === undefined ? {} : { count }),
    ...(items === undefined ? {} : { items }),
  };
  const cells: Cell[] = [];
  for (const domain of domains) {
    for (const seed of plan.seeds) {
      for (const treatment of plan.treatments) {
        if (treatment === "mix" && !(plan.mixtureSeeds ?? plan.seeds).includes(seed)) continue;
        const ratios = treatment === "mix" ? plan.ratios ?? [] : [undefined];
        for (const ratio of ratios) {
          // The ends of the mixture are INC and SELF themselves: one cell serves both.
          const same = ratio === 0 ? "inc" : ratio === 1 ? "self" : undefined;
          if (same && plan.treatments.includes(same)) continue;
          cells.push({
            model,
            domain,
            treatment: same ?? treatment,
            ...(ratio === undefined || same ? {} : { ratio }),
            seed,
            ...part,
          });
        }
      }
    }
  }
  return cells;
}

/** How many cells a plan has, where it names its domains; else as many as four domains have. */
export function countCells(plan: StudyPlan): number {
  const domains = plan.domains ?? ["history", "engineering", "jurisprudence", "medicine"];
  return plan.models.reduce((sum, model) => sum + planCells(plan, model, domains).length, 0);
}

/** Results of several plans, e.g. of small and of large models, as one. */
export interface Study extends Omit<StudyResult, "plan"> {
  plans: StudyPlan[];
}

/**
 * Runs what is not finished yet, plan by plan. A model is in one plan only.
 * `seconds` is what its cells took when they were computed.
 */
export async function runPlans(
  plans: readonly StudyPlan[],
  options: StudyOptions,
): Promise<Study> {
  const results: StudyResult[] = [];
  // How many domains a plan has is known when its first model is open.
  const totals = plans.map(countCells);
  for (const [number, plan] of plans.entries()) {
    const before = results.reduce((sum, { cells }) => sum + cells.length, 0);
    results.push(
      await runStudy(plan, {
        ...options,
        onProgress(state) {
          totals[number] = state.total;
          const total = totals.reduce((a, b) => a + b, 0);
          options.onProgress?.({ ...state, done: before + state.done, total });
        },
      }),
    );
  }
  const cells = results.flatMap((one) => one.cells);
  return {
    plans: [...plans],
    backend: results[0].backend,
    bases: results.flatMap(({ bases }) => bases),
    cells,
    seconds: cells.reduce((sum, { seconds }) => sum + seconds, 0),
  };
}

/** Runs what is not finished yet, and returns all results of the plan. */
export async function runStudy(plan: StudyPlan, options: StudyOptions): Promise<StudyResult> {
  const started = performance.now();
  const { name, device, threads, precision, versions } = await openBackend();
  const store = storeOf(options);
  const bases: BaseResult[] = [];
  const cells: CellResult[] = [];
  for (const modelName of plan.models) {
    const subject = await options.open(modelName), { model, material } = subject;
    try {
      const base = await probeBase(modelName, { model, material }, { store });
      bases.push(base);
      const before = cells.length;
      cells.push(
        ...await runModel(plan, { model, material }, {
          ...options,
          store,
          base,
          onProgress: ({ done, total, ...state }) =>
            options.onProgress?.({
              ...state,
              done: before + done,
              total: total * plan.models.length,
            }),
        }),
      );
    } finally {
      if (options.close) options.close(subject);
      else model.dispose();
    }
  }
  const seconds = (performance.now() - started) / 1000;
  const backend = { name, device, threads, precision, versions };
  return { plan, backend, bases, cells, seconds };
}

const storeOf = ({ store }: Pick<StudyOptions, "store">) =>
  typeof store === "string" ? new Store(store) : store;

/** What the base model answers to every exam of the material (5-shot, plain); each is stored once. */
export async function probeBase(
  name: string,
  { model, material }: { model: ProbedModel; material: Material },
  { store, onProgress }: {
    store: Store;
    /** Told before each exam that is not stored yet. */
    onProgress?: (state: { done: number; total: number; exam: string }) => void;
  },
): Promise<BaseResult> {
  const own = await modelDigest(model);
  const exams = new Map<string, Exam>();
  for (const { pool, suites } of material.domains.values()) {
    for (const exam of [pool, ...Object.values(suites).flat()]) exams.set(exam.name, exam);
  }
  const answers: Record<string, Answer[]> = {};
  for (const [name, exam] of exams) {
    const done = Object.keys(answers).length;
    answers[name] = await storedAnswers({ model, digest: own, exam }, {
      store,
      onStart: () => onProgress?.({ done, total: exams.size, exam: name }),
    });
  }
  const { parameterCount: parameters, format: { formulation, normalization } } = model;
  return { model: name, digest: own, parameters, asking: { formulation, normalization }, answers };
}

/** Of a base model's answers those that groups are made from, by domain. */
export function poolAnswers({ answers }: BaseResult, { domains }: Material): Map<string, Answer[]> {
  return new Map([...domains].map(([name, { pool }]) => [name, answers[pool.name]]));
}

/** A base model's answers to the questions of one tested cell, in the record's order. */
export function baseAnswersOf(
  { answers }: BaseResult,
  { cell, suites }: CellResult,
  suite: SuiteName,
): Answer[] {
  const own = answers[`${cell.domain}/${suite}`];
  // OOD of a world has no exam of its own: it is the ID exams of the other domains.
  const found = new Map(
    (own ?? Object.values(answers).flat()).map((answer) => [
      `${answer.domain}/${answer.id}`,
      answer,
    ]),
  );
  return suites[suite]!.items.map((item) => found.get(item)!);
}

async function runModel(
  plan: StudyPlan,
  { model, material }: Subject,
  { store, base, only, onProgress }: Omit<StudyOptions, "store"> & {
    store: Store;
    base: BaseResult;
  },
): Promise<CellResult[]> {
  // Each cell puts on its own, or none.
  refuseSecond(model, "study, beside its adapter,");
  const domains = plan.domains ?? [...material.domains.keys()];
  const answers: BaseAnswers = new Map(Object.entries(base.answers));
  const cells = planCells(plan, base.model, domains);
  // Before any cell is computed.
  for (const cell of cells) domainOf(cell, material);
  const results: CellResult[] = [];
  // A cell trains the model: what the base says is asked for before its first one, of each domain.
  const explained = new Map<string, Explanation[]>();
  const explain = async (cell: Cell, tell: (note: string) => void) => {
    const { pool, released } = domainOf(cell, material);
    if (released !== undefined) return [...released.explanations];
    const found = explained.get(cell.domain) ?? await storedExplanations({
      model,
      answers: answersToExplain(answers.get(pool.name)!, plan.minimumConfidence),
    }, {
      store,
      only,
      onProgress: ({ done, total }) => tell(`explanation ${done}/${total}`),
    });
    explained.set(cell.domain, found);
    return found;
  };
  // An adapter leaves the weights as they are: no copy of them is needed then.
  const snapshot = plan.finetuning?.lora ? undefined : model.snapshot();
  const backToBase = () => snapshot ? model.restore(snapshot) : dropLora(model);
  const digests = {
    format: formatDigest(model.format),
    domains: new Map([...material.domains].map(([name, domain]) => [name, digest(domain)])),
    general: digest(material.general),
    kinds: digest(material.kinds),
  };
  try {
    for (const [index, cell] of cells.entries()) {
      if (only && !only(index)) continue;
      const { model: _, ...what } = cell;
      const key = await store.key("cell", [
        base.digest,
        digests.format,
        digests.domains.get(cell.domain),
        digests.general,
        cell.items === undefined ? null : digests.kinds,
        what,
        resolveFinetuning(model, { ...plan.finetuning, seed: cell.seed }),
        plan.minimumConfidence ?? 0.5,
        plan.explanations ?? false,
      ]);
      let result = await store.read(key, cellSchema);
      const reused = result !== undefined;
      const tell = (note: string) =>
        onProgress?.({ done: results.length, total: cells.length, reused, cell, note });
      if (result === undefined) {
        backToBase();
        result = await runCell(cell, {
          model,
          material,
          base: answers,
          finetuning: plan.finetuning,
          minimumConfidence: plan.minimumConfidence,
          explanations: plan.explanations ? await explain(cell, tell) : undefined,
          onProgress: tell,
        });
        // One that failed is no result: another run may try again.
        if (result.failed === undefined) await store.write(key, result);
        else console.error(`${cellName(cell)} failed: ${result.failed}`);
      }
      results.push({ ...asRows(result), cell });
      tell("done");
    }
  } finally {
    backToBase();
    for (const tensor of snapshot?.values() ?? []) tensor.dispose();
  }
  return results;
}
