/** The live page's worker: it holds the model, trains it when told, and tells each step. */
import { openFastest } from "./backend.ts";
import type { FromWorker, ToWorker } from "./messages.ts";
import { type ModelFiles, readSubject, type Subject } from "./subject.ts";
import { ask, train } from "./training.ts";

const TOKENIZER = ["tokenizer.json", "tokenizer_config.json"];

class Stopped extends Error {}

let opening: Promise<Subject> | undefined;
/** Stops what was asked for until it is aborted; what is asked for later has another. */
let stopping = new AbortController();
let turn: Promise<void> = Promise.resolve();

const tell = (message: FromWorker) => postMessage(message);

async function open(message: ToWorker & { type: "open" }): Promise<Subject> {
  const { folder, name, world, base } = message;
  const fetched = async (name: string) => {
    const response = await fetch(new URL(name, folder));
    if (response.ok) return response;
    throw new Error(
      `Cannot open the model: expected ${name} at the site; found ${response.status}`,
    );
  };
  const text = async (name: string) => await (await fetched(name)).text();
  const [weights, config, tokenizer] = await Promise.all([
    fetched("model.safetensors").then((response) => response.arrayBuffer()),
    text("config.json"),
    Promise.all(TOKENIZER.map(async (name) => [name, await text(name)] as const)),
  ]);
  const files: ModelFiles = { config, weights: new Uint8Array(weights), tokenizer };
  const read = () => readSubject(files, { name, world, base: JSON.parse(base) });
  const { subject, ...how } = await openFastest({ folder, read }, message.backend);
  tell({ type: "opened", parameters: subject.model.parameterCount, ...how });
  return subject;
}

async function answer(message: ToWorker, signal: AbortSignal): Promise<void> {
  if (message.type === "open") opening = open(message);
  const subject = await opening!;
  if (message.type === "ask") {
    const { questions } = message;
    const probabilities = await ask(subject, questions);
    tell({ type: "asked", ids: questions.map(({ id }) => String(id)), probabilities });
  } else if (message.type === "train") {
    const result = await train(subject, message.settings, message.followed, async (step) => {
      tell({ type: "step", step });
      await new Promise((done) => setTimeout(done)); // a "stop" may be waiting
      signal.throwIfAborted();
    });
    tell({ type: "done", result });
  }
}

addEventListener("message", ({ data }: MessageEvent<ToWorker>) => {
  if (data.type === "stop") {
    stopping.abort(new Stopped());
    stopping = new AbortController();
    return;
  }
  const { signal } = stopping;
  turn = turn.then(() => answer(data, signal)).catch((error) => {
    tell(
      error instanceof Stopped
        ? { type: "stopped" }
        : { type: "failed", message: error instanceof Error ? error.message : String(error) },
    );
  });
});
