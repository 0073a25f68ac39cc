/**
 * A causal language model as an ONNX graph, run by transformers.js (onnxruntime); it can't be
 * trained. Quantized graphs (q8) round activations by the largest one of a batch: there, answers
 * depend a little on what is asked together.
 */
import { DynamicCache, type PreTrainedModel, Tensor } from "@huggingface/transformers";
import { look } from "../../platform/interrupt.ts";
import { Random } from "../../statistics/random.ts";
import { checkRows } from "../batch.ts";
import type { EngineModelParts, Position, Reading } from "../engine_model.ts";
import { EngineModel } from "../engine_model.ts";
import { checkPrompt, sample } from "../generate.ts";
import type { GenerateOptions, ReadableConfiguration } from "../readable_model.ts";

export interface OnnxModelParts extends EngineModelParts<ReadableConfiguration> {
  parameterCount?: number;
  graph: PreTrainedModel;
  /** Tokens that go through the graph at once, padding counted. Default: 4,096. */
  batchTokens?: number;
  /** Numbers of one head, for graphs that don't name them. */
  headDimension?: number;
  /** Several tokens after read ones go for one row alone (onnxruntime's GroupQueryAttention). */
  oneByOne?: boolean;
}

/** What is still to be read of a row, up to the last token whose logits are wanted. */
interface Rest {
  positions: Position[];
  /** The first wanted position, counted from the rest's start. */
  first: number;
  ids: number[];
}

const DEFAULT_BATCH_TOKENS = 4096;
/** Beginnings that are shorter, or save fewer tokens, are not worth a pass of their own. */
const LEAST_PREFIX = 16;
const LEAST_SAVED = 64;
/** Numbers of a batch's logits (128 MiB), and of its copies of a prefix's keys and values. */
const NUMBERS_AT_ONCE = 2 ** 25;

export class OnnxModel extends EngineModel {
  readonly parameterCount?: number;
  readonly #graph: PreTrainedModel;
  readonly #batchTokens: number;
  readonly #oneByOne: boolean;
  /** The graph computes the logits of the last tokens alone, where asked. */
  readonly #keepsLast: boolean;

  constructor(parts: OnnxModelParts) {
    super(parts);
    this.#batchTokens = parts.batchTokens ?? DEFAULT_BATCH_TOKENS;
    this.parameterCount = parts.parameterCount;
    this.#graph = parts.graph;
    this.#oneByOne = parts.oneByOne ?? false;
    const { inputNames, outputNames, inputMetadata } = this.#session;
    this.#keepsLast = inputNames.includes("num_logits_to_keep");
    const fits = inputNames.includes("input_ids") && outputNames.includes("logits") &&
      inputNames.some((name) => name.startsWith("past")) &&
      outputNames.some((name) => name.startsWith("present"));
    if (!fits) {
      throw new Error(
        `Cannot use ${this.name}: expected a graph from input_ids and past_key_values to logits ` +
          `and present keys and values; found ${inputNames.join(", ").slice(0, 80)} to ` +
          `${outputNames.join(", ").slice(0, 80)}; export it once more by optimum's task ` +
          "text-generation-with-past",
      );
    }
    // Exports of onnxruntime-genai name the width of a head, which transformers.js takes for 0.
    for (const { name, shape } of inputMetadata) {
      const isNamed = name.startsWith("past_key_values.") && typeof shape?.[3] === "string";
      if (isNamed) shape[3] = parts.headDimension ?? shape[3];
    }
  }

  /** What training would change. @throws always: a graph's weights are fixed */
  get trained(): never {
    throw new Error(
      `Cannot train ${this.name}: expected weights that can change; found an ONNX graph, which can ` +
        "be probed and can write but not learn; load the model's safetensors: loadModel of its hub " +
        "id or folder, without onnx:",
    );
  }

  get #session(): Session {
    return (this.#graph.sessions as { model: Session }).model;
  }

  dispose(): void {
    // The sessions are freed at once; only the answer comes later.
    this.#graph.dispose().catch(() => {});
  }

  /** The tokens written after `ids`; drawn by our own sampling, so that a seed means the same everywhere. */
  protected async *tokens(
    ids: number[],
    { maxNewTokens = 64, temperature = 0, topP = 1, seed = 0, signal }: GenerateOptions,
  ): AsyncGenerator<number> {
    checkPrompt(this.config, ids, maxNewTokens);
    const random = new Random(seed).fork("sampling");
    let read = await this.#readAll(ids);
    for (let n = 0; n < maxNewTokens; n++) {
      await look(signal);
      const logits = numbersOf(read.logits, 0, read.logits.dims[1] - 1);
      const next = sample(logits, { temperature, topP, random });
      yield next;
      if (n + 1 < maxNewTokens) read = await this.#run([[next]], { past: read.past, keep: 1 });
    }
  }

  /** Reads logits at positions of the rows; what rows start with together is read once. */
  protected async read(
    rows: number[][],
    { positions, onLogits, batchTokens = this.#batchTokens, ...options }: Reading,
  ): Promise<void> {
    checkRows(rows, this.config.vocabularySize);
    const rests = [...Map.groupBy(positions, ({ text }) => text)].map(
      ([text, positions]): Rest => {
        const places = positions.map(({ position }) => position);
        const last = places.reduce((a, b) => Math.max(a, b));
        const first = places.reduce((a, b) => Math.min(a, b));
        return { positions, first, ids: rows[text].slice(0, last + 1) };
      },
    );
    let done = 0;
    const onLook = async (read: number) => {
      if (read > 0) options.onProgress?.((done += read) / positions.length);
      await look(options.signal);
    };
    const read = async (rests: Rest[], past?: DynamicCache) => {
      const alone: Rest[] = [];
      for (const { shared, members } of clusters(rests)) {
        if ((members.length - 1) * shared < LEAST_SAVED) {
          alone.push(...members);
          continue;
        }
        const { past: more } = await this.#readAll(members[0].ids.slice(0, shared), past);
        const behind = members.map(({ positions, first, ids }) => ({
          ...{ positions, first: first - shared, ids: ids.slice(shared) },
        }));
        await read(behind, more);
      }
      await this.#readApart(alone, { past, batchTokens, onLogits, onLook });
    };
    await read(rests);
  }

  /** Reads what rows have of their own, in batches of like length. */
  async #readApart(
    rests: readonly Rest[],
    { past, batchTokens, onLogits, onLook }: {
      past?: DynamicCache;
      batchTokens: number;
      onLogits: Reading["onLogits"];
      /** Called between batches with the positions that the last one gave. */
      onLook: (read: number) => Promise<void>;
    },
  ): Promise<void> {
    const before = past?.get_seq_length() ?? 0;
    const cached = past === undefined ? 1 : sizeOf(past);
    const sorted = rests.toSorted((a, b) => b.ids.length - a.ids.length);
    for (let start = 0; start < sorted.length;) {
      const { length } = sorted[start].ids;
      const most = past !== undefined && this.#oneByOne && length > 1 ? 1 : Math.min(
        batchTokens / length,
        NUMBERS_AT_ONCE / (length * this.config.vocabularySize),
        NUMBERS_AT_ONCE / cached,
      );
      const part = sorted.slice(start, start + Math.max(1, Math.floor(most)));
      const { logits } = await this.#run(part.map(({ ids }) => ids), {
        past: past && repeated(past, part.length),
        keep: length - Math.min(...part.map(({ first }) => first)),
      });
      const skipped = before + length - logits.dims[1];
      part.forEach(({ positions }, b) => {
        for (const at of positions) onLogits(at, numbersOf(logits, b, at.position - skipped));
      });
      start += part.length;
      await onLook(part.reduce((sum, { positions }) => sum + positions.length, 0));
    }
  }

  /** Reads one long row, in parts so that the logits of no part are many; those of the last are given. */
  async #readAll(ids: readonly number[], past?: DynamicCache): Promise<Read> {
    const { vocabularySize } = this.config;
    const most = this.#keepsLast ? ids.length : Math.ceil(NUMBERS_AT_ONCE / vocabularySize);
    let read: Read | undefined;
    for (let start = 0; start < ids.length; start += most) {
      const part = ids.slice(start, start + most);
      read = await this.#run([part], { past: read?.past ?? past, keep: 1 });
    }
    return read!;
  }

  /** Reads rows, padded on the right, after `past`; gives at least the last `keep` logits. */
  async #run(
    rows: readonly (readonly number[])[],
    { past, keep }: { past?: DynamicCache; keep: number },
  ): Promise<Read> {
    const length = Math.max(...rows.map((row) => row.length));
    const before = past?.get_seq_length() ?? 0;
    const ids = new BigInt64Array(rows.length * length);
    const mask = new BigInt64Array(rows.length * (before + length));
    rows.forEach((row, b) => {
      row.forEach((id, t) => ids[b * length + t] = BigInt(id));
      const start = b * (before + length);
      mask.fill(1n, start, start + before + row.length);
    });
    const outputs: Record<string, Tensor> = await this.#graph.forward({
      input_ids: new Tensor("int64", ids, [rows.length, length]),
      attention_mask: new Tensor("int64", mask, [rows.length, before + length]),
      past_key_values: past ?? null,
      num_logits_to_keep: new Tensor("int64", [BigInt(keep)], []),
    });
    const { logits, ...rest } = outputs;
    // As transformers.js names them between steps: present_conv.0 -> past_conv.0 and the like.
    const kept = Object.entries(rest).filter(([name]) => name.startsWith("present")).map((
      [name, tensor],
    ) => [name.replace(/^present_/, "past_").replace(/^present/, "past_key_values"), tensor]);
    return { logits, past: new DynamicCache(Object.fromEntries(kept)) };
  }
}

interface Read {
  /** [rows, columns, vocabulary]: the last columns, at least as many as asked for. */
  logits: Tensor;
  past: DynamicCache;
}

interface Session {
  inputNames: string[];
  outputNames: string[];
  /** A shape has numbers, and names of sizes that can change. */
  inputMetadata: { name: string; shape?: (number | string)[] }[];
}

/** Neighbours that start alike, by at least `LEAST_PREFIX` tokens before any wanted position. */
function clusters(rests: readonly Rest[]): { shared: number; members: Rest[] }[] {
  const result: { shared: number; members: Rest[] }[] = [];
  for (const rest of rests) {
    const last = result.at(-1);
    if (last !== undefined) {
      const most = Math.min(last.shared, rest.first);
      let same = 0;
      while (same < most && rest.ids[same] === last.members[0].ids[same]) same++;
      if (same >= LEAST_PREFIX) {
        last.shared = same;
        last.members.push(rest);
        continue;
      }
    }
    result.push({ shared: rest.first, members: [rest] });
  }
  return result;
}

const sizeOf = (past: DynamicCache) =>
  Object.values<Tensor>(past).reduce((sum, { size }) => sum + size, 0);

/** What one row left, for each of a batch. */
function repeated(past: DynamicCache, times: number): DynamicCache {
  if (times === 1) return past;
  return new DynamicCache(Object.fromEntries(
    Object.entries<Tensor>(past).map(([name, { type, data, dims }]) => {
      const one = data as Float32Array;
      const all = new (one.constructor as Float32ArrayConstructor)(times * one.length);
      for (let b = 0; b < times; b++) all.set(one, b * one.length);
      return [name, new Tensor(type, all, [times, ...dims.slice(1)])];
    }),
  ));
}

/** One row's logits at one column, as 32-bit numbers of their own. */
function numbersOf({ dims, data, type }: Tensor, row: number, column: number): Float32Array {
  const [, columns, vocabulary] = dims;
  const start = (row * columns + column) * vocabulary;
  const part = (data as Float32Array).slice(start, start + vocabulary);
  if (type === "float32") return part;
  // Where the runtime has no 16-bit floats, their bits come as integers.
  const bits = part as unknown as Uint16Array<ArrayBuffer> | Float16Array;
  return Float32Array.from(bits instanceof Uint16Array ? new Float16Array(bits.buffer) : bits);
}
