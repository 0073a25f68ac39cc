/**
 * WebAssembly: whole training steps of a small model, as GFLOP/s beside the backend's own plain product of
 * two matrices, for who has no native library.
 */
import * as tf from "@tensorflow/tfjs";
import { paperFormat } from "../../lib/prompt.ts";
import { openBackend } from "../../lib/platform/runtime/backend.ts";
import { Trainer } from "../../lib/model/trainer.ts";
import { parameterShapes } from "../../lib/model/architecture.ts";
import { parseConfiguration } from "../../lib/model/configuration.ts";
import { LanguageModel } from "../../lib/model/language_model.ts";
import { makeBatch, type Shape } from "./training.ts";
import { productRate } from "./_product.ts";
import { attendedBy, type Comparison, forwardFlops, interleave } from "./_rounds.ts";

const SHAPE: Shape = {
  name: "wasm-8x64",
  config: {
    model_type: "qwen2",
    vocab_size: 1024,
    hidden_size: 256,
    intermediate_size: 768,
    num_hidden_layers: 4,
    num_attention_heads: 4,
    num_key_value_heads: 2,
    max_position_embeddings: 256,
    rms_norm_eps: 1e-5,
    tie_word_embeddings: true,
  },
  rows: 8,
  length: 64,
  supervised: 16,
  steps: 1,
};

/** Side of the square matrices that are multiplied. */
const SIZE = 512;

export async function benchmarkWasm(
  { rounds, onProgress }: { rounds: number; onProgress: (line: string) => void },
): Promise<Comparison> {
  const { name, device, versions } = await openBackend("wasm");
  const config = parseConfiguration(SHAPE.config);
  const parameters = new Map(
    parameterShapes(config).map(([key, shape]) => [
      key,
      tf.tidy(() =>
        tf.variable(
          shape.length === 1 ? tf.ones(shape) : tf.randomNormal(shape, 0, 0.02, "float32", 1),
        )
      ),
    ]),
  );
  const model = new LanguageModel({ name: SHAPE.name, config, parameters, format: paperFormat });
  try {
    const { rows, length, supervised } = SHAPE;
    const trainer = new Trainer(model, { learningRate: 1e-4, totalSteps: 1000, clipNorm: 1 });
    const batch = makeBatch(SHAPE);
    const work = 3 * forwardFlops(config, {
      tokens: rows * length,
      attended: rows * attendedBy(0, length),
      heads: rows * supervised,
    });
    const about = `Deno ${versions.deno}, ${versions.package}, ${device}, 1 thread`;
    const sides = await interleave([
      {
        name: "training step",
        pid: Deno.pid,
        about,
        units: work / 1e9,
        flops: work,
        run: async () => void await trainer.step(batch),
      },
      {
        name: `plain product of [${SIZE}, ${SIZE}]`,
        pid: Deno.pid,
        about,
        units: 1,
        flops: 1e9,
        // Its own median: a single product is short.
        run: async () => 1 / await productRate(SIZE),
      },
    ], { rounds, unit: "GFLOP/s", onProgress: (line) => onProgress(`wasm: ${line}`) });
    return {
      name: "wasm",
      unit: "GFLOP/s",
      rounds,
      sides,
      notes: [
        `${model.parameterCount.toLocaleString("en-US")} parameters (width ${config.hiddenSize}, ` +
        `${config.layers} layers), ${rows} rows x ${length} tokens, loss on ${supervised} a row; ` +
        `forward, backward, clipping and AdamW on ${name}; the ratio is the step's share of the ` +
        `plain product's rate`,
      ],
    };
  } finally {
    model.dispose();
  }
}
