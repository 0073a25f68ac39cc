/** This project's side of the training benchmark; the same orders as training_peer.py. */
import { openBackend } from "../../lib/platform/runtime/backend.ts";
import type { LanguageModel } from "../../lib/model/language_model.ts";
import { loadLora } from "../../lib/model/files/adapter_folder.ts";
import { loadModel } from "../../lib/model/files/load.ts";
import { Trainer } from "../../lib/model/trainer.ts";
import { lines } from "../../lib/platform/native/_command.ts";
import { productRate } from "./_product.ts";
import type { Answers, Orders } from "./training.ts";

let model: LanguageModel | undefined;
let trainer: Trainer | undefined;
let batch: Orders["open"]["batch"] = { inputIds: [], labels: [] };

function peakBytes(): number | null {
  try {
    const kilobytes = /^VmHWM:\s+(\d+) kB/m.exec(Deno.readTextFileSync("/proc/self/status"));
    return kilobytes && Number(kilobytes[1]) * 1024;
  } catch {
    return null;
  }
}

async function open(order: Orders["open"]): Promise<Answers["open"]> {
  const backend = await openBackend();
  model = await loadModel(order.folder, { tokenizer: false });
  if (order.adapter !== undefined) await loadLora(model, order.adapter);
  trainer = new Trainer(model, { ...order.settings, lora: order.adapter ? {} : undefined });
  batch = order.batch;
  return {
    versions: backend.versions,
    device: `${backend.name}, ${backend.device}`,
    threads: backend.threads ?? null,
  };
}

async function steps(order: Orders["steps"]): Promise<Answers["steps"]> {
  const seconds: number[] = [];
  let last = { loss: NaN, gradientNorm: NaN };
  for (let step = 0; step < order.count; step++) {
    const start = performance.now();
    last = await trainer!.step(batch);
    seconds.push((performance.now() - start) / 1000);
  }
  const { loss, gradientNorm } = last;
  return { seconds, loss, gradientNorm, peakBytes: peakBytes() };
}

for await (const line of lines(Deno.stdin.readable)) {
  const order = JSON.parse(line);
  let answer: unknown;
  try {
    if (order.do === "open") answer = await open(order);
    else if (order.do === "steps") answer = await steps(order);
    else if (order.do === "product") {
      answer = { gigaflopsPerSecond: await productRate(order.size) } satisfies Answers["product"];
    } else if (order.do === "close") answer = {};
    else throw new Error(`unknown order ${order.do}`);
  } catch (error) {
    answer = { error: String(error) };
  }
  console.log(`@ ${JSON.stringify(answer)}`);
  if (order.do === "close") break;
}
