/** A real model in a GGUF file against transformers' own loader and the Rust library's tokenizer. */
import { createHash } from "node:crypto";
import { join } from "node:path";
import { readQuestions } from "../../lib/dataset/read.ts";
import { probe, promptIds, softmaxOver } from "../../lib/probe.ts";
import { parameterShapes } from "../../lib/model/architecture.ts";
import { loadModel } from "../../lib/model/files/load.ts";
import { openSource } from "../../lib/model/files/source.ts";
import { smollm2Path } from "../_smollm2.ts";
import { benchQuestions } from "../bench/_questions.ts";
import { largestDifference, readTensors } from "./_fixtures.ts";
import { REASON_WITHOUT_PYTHON, referencePython } from "./_python.ts";

import assert from "node:assert/strict";
import {} from "../unit/_safetensors.ts";

const found = await smollm2Path(), isThere = found !== undefined;
const path = found ?? "";

const { digest, texts, encoded } = JSON.parse(
  Deno.readTextFileSync(new URL("fixtures/smollm2.json", import.meta.url)),
);

Deno.test({
  name: "openSource() reads every number of SmolLM2 as transformers' GGUF loader does",
  ignore: !isThere,
  fn: async () => {
    using source = await openSource(path);
    const names = parameterShapes(source.configuration).map(([name]) => name);
    assert.equal(names.length, 272);
    const hash = createHash("sha256");
    for (const name of names.toSorted()) {
      const { data } = await source.read(name);
      hash.update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    }
    assert.equal(hash.digest("hex"), digest);
  },
});

Deno.test({
  name: "encode() of SmolLM2's tokenizer gives the Rust library's ids for hard texts",
  ignore: !isThere,
  fn: async () => {
    using source = await openSource(path);
    const tokenizer = source.tokenizer!;
    texts.forEach((text: string, i: number) => {
      assert.deepEqual(tokenizer.encode(text), encoded[i], `of ${text}`);
    });
    assert.equal(tokenizer.vocabularySize, source.configuration.vocabularySize);
    assert.equal(tokenizer.decode([tokenizer.eosTokenId!]), "<|im_end|>");
  },
});

Deno.test({
  name: "probe() gives SmolLM2's answers of one question at a time, nothing shared",
  ignore: !isThere,
  fn: async () => {
    const model = await loadModel(path);
    const { questions, demonstrations } = await benchQuestions(6);
    const answers = await probe(model, questions, { demonstrations });
    let worst = 0;
    for (const [i, question] of questions.entries()) {
      const prompt = model.format.probePrompt(question, demonstrations);
      const [logits] = await model.nextTokenLogits([promptIds(model, prompt)]);
      const letters = ["A", "B", "C", "D"].map((letter) => model.tokenizer!.encode(letter).at(-1)!);
      const alone = softmaxOver(logits, letters);
      assert.equal(answers[i].predicted, alone.indexOf(Math.max(...alone)));
      alone.forEach((p, k) => worst = Math.max(worst, Math.abs(p - answers[i].probabilities[k])));
    }
    assert.ok(worst <= 1e-5, `worst difference ${worst}`);
    model.dispose();
  },
});

const domains = ["engineering", "history", "jurisprudence", "medmcqa"];

const exams = new URL("../../../shared/reference-data/source/", import.meta.url).pathname;

const hasExams = await Deno.stat(exams).then(() => true, () => false);

const python = await referencePython();

/** Whether transformers can read GGUF files there. */
const readsGguf = python !== undefined &&
  await new Deno.Command(python, { args: ["-c", "import gguf, transformers"], stderr: "null" })
    .output().then(({ success }) => success, () => false);

const missing = [
  isThere ? "" : "no SmolLM2",
  hasExams ? "" : "the reference exams are not here",
  python === undefined ? REASON_WITHOUT_PYTHON : readsGguf ? "" : `${python} lacks gguf`,
].filter((reason) => reason !== "");
if (missing.length > 0) {
  console.log(`200 prompts of SmolLM2 are not compared: ${missing.join("; ")}`);
}

Deno.test({
  name: "SmolLM2's logits after 200 real prompts are those of transformers' GGUF loader",
  ignore: missing.length > 0,
  fn: async () => {
    const model = await loadModel(path);
    const questions = (await Promise.all(domains.map(async (domain) => {
      const { questions } = await readQuestions(join(exams, domain, "test.jsonl"));
      return questions.slice(0, 50);
    }))).flat();
    const inputIds = questions.map((question) =>
      promptIds(model, model.format.probePrompt(question, []))
    );
    assert.equal(inputIds.length, 200);
    const output = await Deno.makeTempFile({ suffix: ".safetensors" });
    try {
      const child = new Deno.Command(python!, {
        args: [join(import.meta.dirname!, "gguf_logits.py")],
        env: { HF_HUB_OFFLINE: "1" },
        stdin: "piped",
        stdout: "null",
        stderr: "piped",
      }).spawn();
      const writer = child.stdin.getWriter();
      await writer.write(
        new TextEncoder().encode(JSON.stringify({ file: path, inputIds, output })),
      );
      await writer.close();
      const { success, stderr } = await child.output();
      assert.ok(success, new TextDecoder().decode(stderr));
      const theirs = await readTensors(output);
      const ours = await model.nextTokenLogits(inputIds);
      const likeliest = (logits: Float32Array) =>
        logits.reduce((best, value, i) => value > logits[best] ? i : best, 0);
      let worst = 0;
      for (const [i, logits] of ours.entries()) {
        const expected = theirs.get(`logits.${i}`)!.data;
        worst = Math.max(worst, largestDifference(logits, expected));
        assert.equal(likeliest(logits), likeliest(expected), `of prompt ${i}`);
      }
      console.log(`largest difference of a logit: ${worst.toExponential(1)}`);
      assert.ok(worst <= 1e-4, `logits differ by ${worst}`);
    } finally {
      model.dispose();
      await Deno.remove(output);
    }
  },
});
