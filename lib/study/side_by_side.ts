/**
 * Cells of one model fine-tuned side by side, in one graph, where a graphics card computes: a small model's step
 * is the launching of its operations there, which is paid once for all of them. They are tested one by one.
 */
import * as tf from "@tensorflow/tfjs";
import type { FinetunePlan, FinetuneResult } from "../finetune.ts";
import { finetuneResult, planFinetuning } from "../finetune.ts";
import type { Cell } from "../cell.ts";
import type { FinetuneSettings } from "../model/finetune_settings.ts";
import type { LanguageModel } from "../model/language_model.ts";
import { roundLength, roundSize } from "../model/batch.ts";
import { neededMemory, trainingMemory } from "../model/memory.ts";
import { SideBySide } from "../model/side_by_side.ts";
import { usesCard } from "../platform/compile/backend.ts";
import type { Stoppable } from "../platform/interrupt.ts";
import type { Example } from "../question.ts";

/** Cells at once on a card; `SELF_ALIGNING_BESIDE` is another number, on every processor. */
const ON_A_CARD = 16;
const VARIABLE = "SELF_ALIGNING_BESIDE";
/** Estimated bytes of all members together: models of which two pass it keep a card busy by themselves. */
const MOST_BYTES = 2e9;

/** How many cells of the model may be trained at once; 1: each alone. @throws if the setting is no number */
function mostAtOnce({ session, config }: LanguageModel): number {
  const asked = Deno.env.get(VARIABLE) ?? "";
  if (asked !== "" && !/^[1-9]\d*$/.test(asked)) {
    throw new Error(
      `Cannot train cells side by side: expected ${VARIABLE} to be a number from 1 up; found ` +
        `${JSON.stringify(asked)}; leave it empty for the default`,
    );
  }
  if (session === undefined || (config.attentionDropout ?? 0) > 0) return 1;
  return asked === "" ? usesCard() ? ON_A_CARD : 1 : Number(asked);
}

/** Of these alone cells are trained together: they take as many steps, of the same sizes and settings. */
const kindOf = ({ steps, length, trainer }: FinetunePlan) =>
  JSON.stringify([steps, roundLength(length), trainer]);

const rowsOf = ({ batches }: FinetunePlan) =>
  Math.max(...batches.map(({ inputIds }) => inputIds.length));

type Trained = { weights: Map<string, tf.Tensor>; result: FinetuneResult };

/** Trains a model's cells in groups, as each is asked for; those that can't be are left to be trained alone. */
export class SideBySideCells {
  readonly #most: number;
  readonly #waiting = new Map<Cell, FinetunePlan>();
  readonly #trained = new Map<Cell, Trained>();
  /** Of a group, some of them empty where it is smaller: each number is a graph. Undefined until it is filled. */
  #places?: number;

  /** @param model trained from the weights that it has when a cell is asked for */
  constructor(readonly model: LanguageModel, readonly finetuning?: Partial<FinetuneSettings>) {
    this.#most = mostAtOnce(model);
  }

  /** Takes what is to be trained; once, and not at all where each cell is trained alone. */
  async fill(
    cells: readonly Cell[],
    examplesOf: (cell: Cell) => Promise<readonly Example[]>,
  ): Promise<void> {
    if (this.#places !== undefined || this.#most < 2) return;
    for (const cell of cells) {
      const examples = await examplesOf(cell);
      if (examples.length === 0) continue;
      const plan = planFinetuning(this.model, examples, { ...this.finetuning, seed: cell.seed });
      const { lora, batchTokens } = plan.settings;
      const fits = lora === undefined && rowsOf(plan) * plan.length <= batchTokens;
      if (fits) this.#waiting.set(cell, plan);
    }
    const kinds = Map.groupBy(this.#waiting.values(), kindOf);
    const largest = Math.max(1, ...kinds.values().map(({ length }) => length));
    this.#places = Math.min(this.#most, roundSize(largest, 1));
  }

  /**
   * The result of a cell's training, whose weights the model has then: it and those that wait and train alike
   * are trained, unless they are already. A member's seconds are its share of the group's.
   * @returns undefined where it must be trained alone: it has no like, or its training was not finite
   * @throws if it is stopped, or TensorFlow reports an error
   */
  async train(
    cell: Cell,
    { onStep, signal }: Stoppable & {
      onStep?: (state: { step: number; steps: number; members: number; loss: number }) => void;
    },
  ): Promise<FinetuneResult | undefined> {
    const plan = this.#waiting.get(cell);
    if (plan !== undefined) {
      const kind = kindOf(plan), places = this.#placesFor(plan);
      // A cell that is asked for comes first of those that wait.
      const group = [...this.#waiting].filter(([, other]) => kindOf(other) === kind)
        .slice(0, places);
      if (group.length > 1) await this.#trainGroup(group, { places, onStep, signal });
      this.#waiting.delete(cell);
    }
    const trained = this.#trained.get(cell);
    if (trained === undefined) return undefined;
    this.model.restore(trained.weights);
    this.#trained.delete(cell);
    tf.dispose([...trained.weights.values()]);
    return trained.result;
  }

  #placesFor(plan: FinetunePlan): number {
    const { length } = plan, batchTokens = rowsOf(plan) * length;
    const estimate = trainingMemory(this.model.config, { batchTokens, length });
    const { bytes } = neededMemory(estimate);
    return Math.min(this.#places!, Math.floor(MOST_BYTES / bytes));
  }

  async #trainGroup(
    group: [Cell, FinetunePlan][],
    { places, onStep, signal }: Parameters<SideBySideCells["train"]>[1] & { places: number },
  ): Promise<void> {
    const started = performance.now();
    const trainer = new SideBySide(this.model.config, places);
    const [[, { trainer: options, steps }]] = group;
    const losses: number[][] = group.map(() => []), norms: number[][] = group.map(() => []);
    try {
      const batches = group.map(([, { batches }]) => batches);
      trainer.begin(batches, options, group.map(() => this.model.parameters));
      for (let step = 1; step <= steps; step++) {
        const done = await trainer.step({ signal });
        losses.forEach((own, i) => own.push(done.losses[i]));
        norms.forEach((own, i) => own.push(done.gradientNorms[i]));
        onStep?.({ step, steps, members: group.length, loss: done.losses[0] });
      }
      const seconds = (performance.now() - started) / 1000 / group.length;
      for (const [i, weights] of trainer.weights().entries()) {
        const isFinite = i < group.length && [...losses[i], ...norms[i]].every(Number.isFinite);
        if (isFinite) {
          const [cell, plan] = group[i];
          const measured = { losses: losses[i], gradientNorms: norms[i], seconds };
          this.#trained.set(cell, { weights, result: finetuneResult(plan, measured) });
        } else tf.dispose([...weights.values()]);
      }
    } finally {
      trainer.dispose();
    }
    for (const [cell] of group) this.#waiting.delete(cell);
  }

  dispose(): void {
    tf.dispose([...this.#trained.values()].flatMap(({ weights }) => [...weights.values()]));
    this.#trained.clear();
  }
}
