/**
 * Whole training steps (forward, loss, backward, clipping, AdamW) here and in PyTorch, of all weights or
 * of an adapter (there peft's), on the same random weights and the same batch. One process a side and shape; they take turns, round by round.
 */
import { join } from "node:path";
import { Random } from "../../lib/statistics/random.ts";
import { watchOthers } from "./_load.ts";
import { Peer } from "./_peer.ts";
import { median } from "./_rounds.ts";

export interface Shape {
  name: string;
  /** The model's config.json, as transformers names its fields. */
  config: Record<string, string | number | boolean | null>;
  rows: number;
  length: number;
  /** Labels at the end of each row that count; the others are -100. */
  supervised: number;
  /** Steps of each side in a round. */
  steps: number;
  /** Rank of an adapter on all linear layers, trained alone. Default: all weights are trained. */
  lora?: number;
}

const ORGANISM = {
  model_type: "qwen2",
  vocab_size: 942,
  hidden_size: 64,
  intermediate_size: 192,
  num_hidden_layers: 4,
  num_attention_heads: 2,
  num_key_value_heads: 2,
  max_position_embeddings: 256,
  rms_norm_eps: 1e-5,
  tie_word_embeddings: true,
};
const SMOLLM2 = {
  model_type: "llama",
  vocab_size: 49152,
  hidden_size: 576,
  intermediate_size: 1536,
  num_hidden_layers: 30,
  num_attention_heads: 9,
  num_key_value_heads: 3,
  max_position_embeddings: 8192,
  rms_norm_eps: 1e-5,
  tie_word_embeddings: true,
};

export const SHAPES: Shape[] = [
  // Fine-tuning an organism; pretraining one, where every position counts; a real model's size.
  { name: "organism-16x36", config: ORGANISM, rows: 16, length: 36, supervised: 8, steps: 20 },
  { name: "organism-16x128", config: ORGANISM, rows: 16, length: 128, supervised: 128, steps: 10 },
  { name: "smollm2-4x128", config: SMOLLM2, rows: 4, length: 128, supervised: 8, steps: 2 },
  { name: "smollm2-4x128-all", config: SMOLLM2, rows: 4, length: 128, supervised: 128, steps: 2 },
  {
    name: "smollm2-4x128-lora",
    config: SMOLLM2,
    rows: 4,
    length: 128,
    supervised: 8,
    steps: 2,
    lora: 8,
  },
];

export const SMOKE_SHAPE: Shape = {
  name: "smoke-4x12",
  config: { ...ORGANISM, vocab_size: 97, hidden_size: 32, num_hidden_layers: 2 },
  rows: 4,
  length: 12,
  supervised: 4,
  steps: 2,
};

export const SETTINGS = {
  learningRate: 1e-4,
  totalSteps: 100_000,
  warmupSteps: 0,
  schedule: "cosine" as const,
  clipNorm: 1,
  weightDecay: 0.1,
  beta1: 0.9,
  beta2: 0.999,
  epsilon: 1e-8,
};

/** What a peer is asked, by the order's name. */
export interface Orders {
  open: {
    folder: string;
    /** Folder of the adapter that is trained. */
    adapter?: string;
    batch: { inputIds: number[][]; labels: number[][] };
    settings: typeof SETTINGS;
    threads: number;
    device: string;
    compile: boolean;
  };
  steps: { count: number };
  /** How fast the side multiplies matrices. */
  product: { size: number };
}

export interface Opened {
  versions: Record<string, string>;
  device: string;
  threads: number | null;
}

export interface Answers {
  open: Opened;
  steps: { seconds: number[]; loss: number; gradientNorm: number; peakBytes: number | null };
  product: { gigaflopsPerSecond: number };
}

export interface Measurement extends Opened {
  side: string;
  /** Median of all measured steps, and their range. */
  seconds: number;
  fastest: number;
  slowest: number;
  tokensPerSecond: number;
  gigaflopsPerSecond: number;
  /** Of a plain product of [1024, 1024], by the same side in the same rounds: the median. */
  productRate: number;
  /**
   * GFLOP/s of the work that the side itself does (here the output layer only where the loss looks) over
   * `productRate`: the median of the rounds.
   */
  productShare: number;
  /** Most memory that the process ever held (VmHWM), loading included; null where unknown. */
  peakBytes: number | null;
  /** Loss and gradient norm of the first step: the same on every side, or the run is refused. */
  firstLoss: number;
  firstGradientNorm: number;
  /** Loss of the last step before the measured ones, the same on every side as well. */
  warmLoss: number;
  /** This project's time over this side's: the median of the rounds' ratios; 1 for this project. */
  ratio: number;
  /** The least and the greatest of them. */
  ratioRange: [number, number];
  /** Cores that other processes took while this side ran: the rounds' most; null where unknown. */
  othersCores: number | null;
}

export interface TrainingResult {
  shape: Shape;
  parameters: number;
  rounds: number;
  measurements: Measurement[];
}

export interface TrainingOptions {
  /** A Python with torch and transformers. */
  python: string;
  rounds: number;
  /** PyTorch's numbers of threads; a side for each. */
  threads: number[];
  /** PyTorch's device, "cpu" or "cuda". */
  device: string;
  /** Also sides with torch.compile. */
  compile: boolean;
  onProgress: (line: string) => void;
}

/** The formula behind GFLOP/s, the same for every side: work that a side saves counts as speed. */
export const FLOP_FORMULA =
  "6 x parameters (tied embedding once) x tokens of the batch, padding none, and 4 x for LoRA, whose " +
  "base has no gradient; attention's and the adapter's products left out, the output layer counted at " +
  "every position";

export function flops(parameters: number, shape: Shape): number {
  return (shape.lora === undefined ? 6 : 4) * parameters * shape.rows * shape.length;
}

/** What this project leaves out of that: the output layer where no label is. */
function savedFlops(shape: Shape): number {
  const head = (shape.config.vocab_size as number) * (shape.config.hidden_size as number);
  return flops(head, shape) * (1 - shape.supervised / shape.length);
}

/** The batch of a shape: full rows, so that no side gains from padding. */
export function makeBatch(shape: Shape): Orders["open"]["batch"] {
  const random = new Random(`benchmark/${shape.name}`);
  const vocabulary = shape.config.vocab_size as number;
  const inputIds = Array.from(
    { length: shape.rows },
    () => Array.from({ length: shape.length }, () => random.integer(vocabulary)),
  );
  const labels = inputIds.map((row) =>
    row.map((id, position) => position < row.length - shape.supervised ? -100 : id)
  );
  return { inputIds, labels };
}

interface Side {
  peer: Peer;
  opened: Answers["open"];
  /** The first step, then those up to the measured ones. */
  first: Answers["steps"];
  warm: Answers["steps"];
  rounds: number[][];
  products: number[];
  others: (number | null)[];
  peakBytes: number | null;
}

/** @throws when a peer fails, or when the first losses show that the sides do not do the same work. */
export async function benchmarkTraining(
  shape: Shape,
  options: TrainingOptions,
): Promise<TrainingResult> {
  const { python, rounds, onProgress } = options;
  const here = import.meta.dirname!;
  const folder = await Deno.makeTempDir({ prefix: "self-aligning-bench-" });
  const torchCommand = [python, join(here, "training_peer.py")];
  const torchEnvironment = { HF_HUB_OFFLINE: "1" };
  const sides: Side[] = [];
  const peers: Peer[] = [];
  try {
    onProgress(`${shape.name}: random weights`);
    const maker = new Peer("PyTorch", torchCommand, torchEnvironment);
    peers.push(maker);
    const config = { ...shape.config, bos_token_id: null, eos_token_id: null };
    const adapter = shape.lora === undefined ? undefined : join(folder, "adapter");
    const order = { do: "make", folder, config, seed: 1, adapter, rank: shape.lora };
    const { parameters } = await maker.ask<{ parameters: number }>(order);
    await maker.close();
    peers.pop();

    const starts = [
      { name: "self-aligning", threads: 0, compile: false },
      ...[false, ...options.compile ? [true] : []].flatMap((compile) =>
        options.threads.map((threads) => ({
          name: `PyTorch ${compile ? "compiled" : "eager"}, threads ${threads}`,
          threads,
          compile,
        }))
      ),
    ];
    for (const { name, threads, compile } of starts) {
      onProgress(`${shape.name}: ${name} starts`);
      const peer = name === "self-aligning"
        ? new Peer(name, [Deno.execPath(), "run", "-A", join(here, "training_peer.ts")])
        : new Peer(name, torchCommand, torchEnvironment);
      peers.push(peer);
      const opened = await peer.ask<Answers["open"]>({
        do: "open",
        folder,
        adapter,
        batch: makeBatch(shape),
        settings: SETTINGS,
        threads,
        device: options.device,
        compile,
      });
      const first = await peer.ask<Answers["steps"]>({ do: "steps", count: 1 });
      // One more round, unmeasured: pools, caches and compiled steps settle.
      const warm = await peer.ask<Answers["steps"]>({ do: "steps", count: shape.steps });
      sides.push({
        peer,
        opened,
        first,
        warm,
        rounds: [],
        products: [],
        others: [],
        peakBytes: null,
      });
    }
    checkSameWork(shape, sides);

    for (let round = 0; round < rounds; round++) {
      // The order turns each round, so that no side always runs on the heat of the other.
      for (const side of round % 2 === 0 ? sides : sides.toReversed()) {
        // Idle worker threads of the side before spin for a moment after their last step.
        await new Promise((resolve) => setTimeout(resolve, 300));
        const others = watchOthers(side.peer.pid);
        const { seconds, peakBytes } = await side.peer.ask<Answers["steps"]>({
          do: "steps",
          count: shape.steps,
        });
        const { gigaflopsPerSecond } = await side.peer.ask<Answers["product"]>({
          do: "product",
          size: 1024,
        });
        side.rounds.push(seconds);
        side.products.push(gigaflopsPerSecond);
        side.others.push(others());
        side.peakBytes = peakBytes;
      }
      const medians = sides.map(({ peer, rounds }) =>
        `${peer.name} ${(1000 * median(rounds[round])).toFixed(1)} ms`
      );
      onProgress(`${shape.name}: round ${round + 1} of ${rounds}: ${medians.join(", ")}`);
    }
    return {
      shape,
      parameters,
      rounds,
      measurements: sides.map((side) => measure(side, sides[0], flops(parameters, shape), shape)),
    };
  } finally {
    for (const peer of peers) await peer.close();
    await Deno.remove(folder, { recursive: true });
  }
}

/** The same loss and norm at first, and after some steps still: each side updates all it should. */
function checkSameWork(shape: Shape, [ours, ...others]: Side[]) {
  for (const other of others) {
    for (const when of ["first", "warm"] as const) {
      for (const key of ["loss", "gradientNorm"] as const) {
        const [a, b] = [ours[when][key], other[when][key]];
        if (Math.abs(a - b) <= 1e-3 * Math.abs(b)) continue;
        const step = when === "first" ? 1 : 1 + shape.steps;
        throw new Error(
          `Cannot compare ${shape.name}: expected the ${key} of step ${step} to be the same; ` +
            `found ${a} here and ${b} in ${other.peer.name}; see test/numerics`,
        );
      }
    }
  }
}

function measure(side: Side, ours: Side, work: number, shape: Shape): Measurement {
  const seconds = median(side.rounds.flat());
  const ratios = side.rounds.map((round, i) => median(ours.rounds[i]) / median(round));
  const done = side === ours ? work - savedFlops(shape) : work;
  const shares = side.rounds.map((round, i) => done / median(round) / 1e9 / side.products[i]);
  return {
    side: side.peer.name,
    ...side.opened,
    seconds,
    fastest: Math.min(...side.rounds.flat()),
    slowest: Math.max(...side.rounds.flat()),
    tokensPerSecond: shape.rows * shape.length / seconds,
    gigaflopsPerSecond: work / seconds / 1e9,
    productRate: median(side.products),
    productShare: median(shares),
    peakBytes: side.peakBytes,
    firstLoss: side.first.loss,
    firstGradientNorm: side.first.gradientNorm,
    warmLoss: side.warm.loss,
    ratio: median(ratios),
    ratioRange: [Math.min(...ratios), Math.max(...ratios)],
    othersCores: side.others.some((cores) => cores === null)
      ? null
      : Math.max(...side.others as number[]),
  };
}
