/**
 * Five-shot probing by this project's engine and by ONNX graphs of the same model, round by round:
 *
 *   deno run -A test/bench/onnx.ts --source=HuggingFaceTB/SmolLM2-135M-Instruct --dtypes=fp32,q4
 *
 *   --source      a hub id or a folder that holds both safetensors and onnx/model*.onnx
 *   --dtypes      kinds of numbers of the graphs; default fp32,q4
 *   --count=64    questions a round         --rounds=5    interleaved rounds
 *   --questions   a file of questions, with dev.jsonl beside it
 */
import { parseArgs } from "node:util";
import { type Answer, loadModel, openBackend, openModel, probe } from "../../lib/mod.ts";
import type { ReadableModel } from "../../lib/mod.ts";
import { promptIds } from "../../lib/probe.ts";
import { benchQuestions } from "./_questions.ts";
import { attendedBy, comparisonsToMarkdown, forwardFlops, interleave } from "./_rounds.ts";

const { values } = parseArgs({
  options: {
    source: { type: "string" },
    dtypes: { type: "string", default: "fp32,q4" },
    count: { type: "string", default: "64" },
    rounds: { type: "string", default: "5" },
    questions: { type: "string" },
  },
});
if (!values.source) throw new Error("Cannot measure: expected --source=FOLDER or a hub id");
const { source } = values, count = Number(values.count), rounds = Number(values.rounds);
const { name, threads } = await openBackend();
const own = await loadModel(source);
const { questions, demonstrations, from } = await benchQuestions(count, values.questions);
const ask = (model: ReadableModel) => probe(model, questions, { demonstrations });

const prompts = questions.map((question) =>
  promptIds(own, own.format.probePrompt(question, demonstrations))
);
const shared = prompts[0].findIndex((id, t) => prompts.some((row) => row[t] !== id));
const flops = forwardFlops(own.config, {
  tokens: prompts.reduce((sum, row) => sum + row.length - shared, shared),
  attended: prompts.reduce(
    (sum, row) => sum + attendedBy(shared, row.length),
    attendedBy(0, shared),
  ),
  heads: count,
});

const expected = await ask(own);
const sides = [side("self-aligning", own, `${name}, ${threads ?? "all"} threads, fp32`)];
const notes = [`${source}; ${from}; 5 shots, letters; ${shared} tokens the same in all prompts`];
for (const dtype of values.dtypes.split(",")) {
  const model = await openModel(`onnx:${source}@${dtype}`);
  notes.push(`${dtype}: ${agreement(await ask(model), dtype === "fp32" ? 1e-3 : 1)}`);
  sides.push(side(`onnxruntime, ${dtype}`, model, "transformers.js, onnxruntime's own threads"));
}
const measured = await interleave(sides, {
  rounds,
  unit: "questions/s",
  onProgress: (line) => console.error(line),
});
const comparison = { name: "probing", unit: "questions/s", rounds, sides: measured, notes };
console.log(comparisonsToMarkdown([comparison]));

function side(name: string, model: ReadableModel, about: string) {
  const run = async () => void await ask(model);
  return { name, about, pid: Deno.pid, units: count, flops, run };
}

/** @throws where probabilities differ by more than `tolerance` */
function agreement(answers: Answer[], tolerance: number): string {
  let largest = 0;
  answers.forEach(({ probabilities }, i) =>
    probabilities.forEach((p, k) =>
      largest = Math.max(largest, Math.abs(p - expected[i].probabilities[k]))
    )
  );
  if (!(largest <= tolerance)) {
    throw new Error(
      `Cannot compare: expected probabilities within ${tolerance}; found ${largest}; are the ` +
        "graph and the safetensors of one model?",
    );
  }
  const agreeing = answers.filter(({ predicted }, i) => predicted === expected[i].predicted);
  return `the same option as ours on ${agreeing.length} of ${count} questions, probabilities ` +
    `within ${largest.toExponential(1)}`;
}
