/**
 * Probing a model behind a server, by letters with five examples shown, round by round beside the server's
 * own time: SmolLM2 in float32 behind llama-cpp-python, which takes one question at a time, and the same
 * questions asked of `llama_cpp.Llama` in its own process, without HTTP. Then requests under way at a
 * stand-in that answers side by side.
 *
 *   deno run -A test/bench/served.ts --count=32 --rounds=3
 *
 * SELF_ALIGNING_LLAMA_PYTHON names a Python with llama-cpp-python[server]; without it one is built.
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { openModel, probe } from "../../lib/mod.ts";
import { downloadSmollm2, smollm2File } from "../../lib/model/files/_smollm2.ts";
import { defaultCacheDirectory } from "../../lib/model/files/source.ts";
import { cacheFolder } from "../../lib/platform/cache.ts";
import { floatGguf, llamaPython, LlamaServer } from "../numerics/_llama_server.ts";
import { StandIn } from "../unit/_stand_in.ts";
import { Peer } from "./_peer.ts";
import { processorSeconds } from "./_load.ts";
import { benchQuestions } from "./_questions.ts";
import { comparisonsToMarkdown, interleave, median } from "./_rounds.ts";

const { values } = parseArgs({
  options: {
    count: { type: "string", default: "32" },
    rounds: { type: "string", default: "3" },
    threads: { type: "string", default: String(navigator.hardwareConcurrency) },
  },
});
const count = Number(values.count), rounds = Number(values.rounds);
const threads = Number(values.threads);

await standIn();
await llama();

/** Requests under way at a server that answers each after 50 ms. */
async function standIn() {
  const cache = await Deno.makeTempDir();
  const { questions, demonstrations } = await benchQuestions(160);
  await using server = new StandIn(undefined, { delay: 50, next: { A: -1, B: -2, C: -3, D: -4 } });
  const serving = { answersDirectory: cache };
  const model = await openModel("small", { server: server.address, tokenizer: false, serving });
  const started = performance.now();
  await probe(model, questions, { demonstrations });
  const seconds = (performance.now() - started) / 1000;
  console.log(
    `Stand-in, 50 ms a request: ${server.mostUnderWay} requests under way, ${questions.length} in ` +
      `${seconds.toFixed(2)} s; 16 at once take at least ${
        (questions.length / 16 * 0.05).toFixed(2)
      } s\n`,
  );
  await Deno.remove(cache, { recursive: true });
}

async function llama() {
  await downloadSmollm2(defaultCacheDirectory);
  const source = smollm2File(defaultCacheDirectory), python = await llamaPython();
  const target = cacheFolder("served", "smollm2-f32.gguf");
  await Deno.mkdir(cacheFolder("served"), { recursive: true });
  const file = await floatGguf(python, { source, target });
  const { questions, demonstrations, from } = await benchQuestions(count);
  await using server = await LlamaServer.start(python, file, { name: "smollm2", threads });
  const caches: string[] = [];
  /** Nothing is kept from another round. */
  const open = async () => {
    const answersDirectory = await Deno.makeTempDir();
    caches.push(answersDirectory);
    const how = { server: server.address, tokenizer: file, serving: { answersDirectory } };
    return await openModel("smollm2", how);
  };
  const first = await open();
  const prompts = questions.map((question) => first.format.probePrompt(question, demonstrations));
  const script = join(import.meta.dirname!, "served_peer.py");
  const peer = new Peer("llama-cpp-python", [python, script], {});
  await peer.ask({ do: "open", file, threads });
  const about = `${threads} threads, float32, keys and values too`;
  const work = { units: count, flops: 0 };
  /** Processor time of processes a question, ms, by round. */
  const used = new Map<string, number[]>();
  const watched = async (pids: Record<string, number>, run: () => Promise<number>) => {
    const before = Object.values(pids).map(processorSeconds);
    const seconds = await run();
    Object.entries(pids).forEach(([name, pid], i) =>
      used.getOrInsert(name, []).push(1000 * (processorSeconds(pid) - before[i]) / count)
    );
    return seconds;
  };
  const sides = await interleave([
    {
      ...{ name: "self-aligning, by the server", about, pid: server.pid, ...work },
      run: async () => {
        const model = await open();
        return await watched(
          { "this project's": Deno.pid, "the server's": server.pid },
          async () => {
            const started = performance.now();
            await probe(model, questions, { demonstrations });
            return (performance.now() - started) / 1000;
          },
        );
      },
    },
    {
      ...{ name: "llama-cpp-python, in its own process", about, pid: peer.pid, ...work },
      run: async () => {
        // As opening a served model does: the examples shown are to be read anew.
        await peer.ask({ do: "ask", prompts: ["The capital of France is"] });
        return await watched({ "llama-cpp-python's alone": peer.pid }, async () => {
          return (await peer.ask<{ seconds: number }>({ do: "ask", prompts })).seconds;
        });
      },
    },
  ], { rounds, unit: "questions/s", onProgress: (line) => console.error(line) });
  const notes = [
    `SmolLM2-135M-Instruct; ${from}; 5 shots, letters, 20 log-probabilities`,
    "processor time a question: " +
    [...used].map(([name, all]) => `${name} process ${median(all).toFixed(0)} ms`).join(", "),
  ];
  const comparison = { name: "served", unit: "questions/s", rounds, sides, notes };
  console.log(comparisonsToMarkdown([comparison]));
  await peer.close();
  for (const folder of caches) await Deno.remove(folder, { recursive: true }).catch(() => {});
}
