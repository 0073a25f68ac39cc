/**
 * The study: a plan of models, domains, treatments, ratios and seeds; its cells; their results.
 * A finished cell is never computed twice.
 */
import type { Answer } from "../answer.ts";
import { defaultFinetuning, type FinetuneSettings } from "../finetune/mod.ts";
import { type Explanation, probe } from "../knowledge/mod.ts";
import type { ProbedModel } from "../model/engine.ts";
import type { LanguageModel } from "../model/language_model.ts";
import { dropLora } from "../model/lora.ts";
import type { SuiteName } from "../evaluation.ts";
import { type Asking, askingOf } from "../prompt.ts";
import { type Backend, openBackend, type Precision } from "../runtime/backend.ts";
import { type BaseAnswers, type Cell, type CellResult, runCell, type Treatment } from "./cell.ts";
import { answersToExplain, explanationForm, storedExplanations } from "./explanations.ts";
import type { Exam, ItemKind, Material } from "./material.ts";
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
  /** Folder of the results. */
  store: string;
  /** Leaves out cells that another process computes, by their place in the model's list. */
  only?: (index: number) => boolean;
  onProgress?: (state: StudyProgress) => void;
}

export interface StudyProgress {
  done: number;
  total: number;
  /** Cells that were found finished. */
  reused: number;
  cell: Cell;
  note: string;
}

/** A base model on the study's exams. */
export interface BaseResult {
  model: string;
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
  backend: Pick<Backend, "name" | "device" | "threads" | "versions"> & { precision?: Precision };
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
  const store = new Store(options.store);
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

/** What the base model answers to every exam of the material (5-shot, plain); stored once. */
export async function probeBase(
  name: string,
  { model, material }: { model: ProbedModel; material: Material },
  { store, onProgress }: {
    store: Store;
    /** Told before each exam. */
    onProgress?: (state: { done: number; total: number; exam: string }) => void;
  },
): Promise<BaseResult> {
  const digest = model.description?.digest ?? "";
  const asking = askingOf(model.format);
  const key = await store.key("base", [
    ...[digest, material.identity, [...material.domains.keys()]],
    ...(asking ? [asking] : []),
  ]);
  const found = await store.read<BaseResult>(key);
  if (found !== undefined) return { ...found, model: name };
  const exams = new Map<string, Exam>();
  for (const { pool, suites } of material.domains.values()) {
    for (const exam of [pool, ...Object.values(suites).flat()]) exams.set(exam.name, exam);
  }
  const answers: Record<string, Answer[]> = {};
  for (const [exam, { questions, demonstrations }] of exams) {
    onProgress?.({ done: Object.keys(answers).length, total: exams.size, exam });
    answers[exam] = await probe(model, questions, { demonstrations: [...demonstrations] });
  }
  const { formulation, normalization } = model.format;
  const result = {
    ...{ model: name, digest, parameters: model.parameterCount },
    asking: { formulation, normalization },
    answers,
  };
  await store.write(key, result);
  return result;
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
  const domains = plan.domains ?? [...material.domains.keys()];
  const answers: BaseAnswers = new Map(Object.entries(base.answers));
  const cells = planCells(plan, base.model, domains);
  const results: CellResult[] = [];
  // A cell trains the model: what the base says is asked for before its first one, of each domain.
  const explained = new Map<string, Explanation[]>();
  const explain = async (cell: Cell, tell: (note: string) => void) => {
    const { pool, released } = material.domains.get(cell.domain)!;
    if (released !== undefined) return [...released.explanations];
    const found = explained.get(cell.domain) ?? await storedExplanations({
      model,
      answers: answersToExplain(answers.get(pool.name)!, plan.minimumConfidence),
    }, {
      store,
      only,
      digest: base.digest,
      onProgress: ({ done, total }) => tell(`explanation ${done}/${total}`),
    });
    explained.set(cell.domain, found);
    return found;
  };
  // An adapter leaves the weights as they are: no copy of them is needed then.
  const snapshot = plan.finetuning?.lora ? undefined : model.snapshot();
  const backToBase = () => snapshot ? model.restore(snapshot) : dropLora(model);
  let reused = 0;
  try {
    for (const [index, cell] of cells.entries()) {
      if (only && !only(index)) continue;
      const { model: _, ...what } = cell;
      const key = await store.key("cell", [
        base.digest,
        material.identity,
        what,
        { ...defaultFinetuning(model, plan.finetuning), ...plan.finetuning },
        plan.minimumConfidence ?? null,
        ...(plan.explanations ? [explanationForm] : []),
        ...(model.format.identity === undefined ? [] : [model.format.identity]),
      ]);
      let result = await store.read<CellResult>(key);
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
        await store.write(key, result);
      } else reused++;
      results.push({ ...result, cell });
      tell("done");
    }
  } finally {
    backToBase();
    for (const tensor of snapshot?.values() ?? []) tensor.dispose();
  }
  return results;
}
