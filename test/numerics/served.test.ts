/**
 * Probing a model behind llama-cpp-python's server against the same file in this process. Slower than the
 * other tests, since that server is built from source, so that it runs where it is asked for alone:
 *
 *   SELF_ALIGNING_SERVED=1 deno task test test/numerics/served.test.ts
 *
 * SELF_ALIGNING_LLAMA_PYTHON names a Python that has it; SELF_ALIGNING_SERVED=N asks N questions.
 */
import { join } from "node:path";
import { loadModel, openModel, probe } from "../../lib/mod.ts";
import type { ProbeOptions } from "../../lib/probe.ts";
import { cacheFolder } from "../../lib/platform/cache.ts";
import { downloadSmollm2, smollm2File } from "../../lib/model/files/_smollm2.ts";
import { defaultCacheDirectory } from "../../lib/model/files/source.ts";
import { benchQuestions } from "../bench/_questions.ts";
import { floatGguf, llamaPython, LlamaServer } from "./_llama_server.ts";

import assert from "node:assert/strict";

const asked = Deno.env.get("SELF_ALIGNING_SERVED");
if (!asked) console.log("Served models are not tested: set SELF_ALIGNING_SERVED=1");
const count = Number(asked) > 1 ? Number(asked) : 200;
/** llama-cpp-python sorts its vocabulary for every token of a prompt that it repeats. */
const texts = Math.max(2, Math.floor(count / 25));

interface Case {
  /** Of the file's tensors. */
  kind: "float32" | "float32, start token" | "as published";
  how: Omit<ProbeOptions, "demonstrations">;
  questions: number;
  /** Of the letters or options that must agree, and how far probabilities may differ. */
  agreeing: number;
  tolerance: number;
}

const cases: Case[] = [
  { kind: "float32", how: {}, questions: count, agreeing: 0.995, tolerance: 1e-3 },
  {
    ...{ kind: "float32", how: { template: "vicuna", shots: 0 } },
    ...{ questions: Math.ceil(count / 4), agreeing: 0.995, tolerance: 1e-3 },
  },
  {
    ...{ kind: "float32, start token", how: { formulation: "hybrid", shots: 0 } },
    ...{ questions: texts, agreeing: 0.995, tolerance: 1e-3 },
  },
  {
    ...{ kind: "float32, start token", how: { formulation: "cloze", shots: 0 } },
    ...{ questions: texts, agreeing: 0.995, tolerance: 1e-3 },
  },
  // llama.cpp rounds what goes into a product with 4-bit weights to 8 bits.
  {
    ...{ kind: "as published", how: {}, questions: Math.ceil(count / 4) },
    ...{ agreeing: 0.8, tolerance: 0.1 },
  },
];

Deno.test({
  name: "a served SmolLM2 answers as the same file does in this process",
  ignore: !asked,
  // The server's process outlives a step.
  sanitizeResources: false,
  fn: async (t) => {
    const source = smollm2File(defaultCacheDirectory), folder = cacheFolder("served");
    await downloadSmollm2(defaultCacheDirectory);
    const python = await llamaPython();
    const files = {
      "float32": () => floatGguf(python, { source, target: join(folder, "smollm2-f32.gguf") }),
      "float32, start token": () =>
        floatGguf(python, { source, target: join(folder, "smollm2-f32-bos.gguf"), bos: true }),
      "as published": () => Promise.resolve(source),
    };
    await Deno.mkdir(folder, { recursive: true });
    const { questions, demonstrations } = await benchQuestions(count);
    for (const kind of ["float32", "float32, start token", "as published"] as const) {
      const file = await files[kind]();
      await using server = await LlamaServer.start(python, file, { name: `smollm2 ${kind}` });
      // Where no example is shown, letters are unlikely.
      const serving = { topLogprobs: 20_000 };
      const how = { server: server.address, tokenizer: file, serving };
      const served = await openModel(server.name, how);
      const own = await loadModel(file);
      for (
        const { how, questions: most, agreeing, tolerance } of cases.filter((one) =>
          one.kind === kind
        )
      ) {
        const name = `${kind}, ${how.formulation ?? "letters"}, ${how.template ?? "plain"}`;
        await t.step(name, async () => {
          const options = { demonstrations, ...how }, some = questions.slice(0, most);
          const [ours, theirs] = [
            await probe(own, some, options),
            await probe(served, some, options),
          ];
          const same = ours.filter(({ predicted }, i) => predicted === theirs[i].predicted).length;
          const largest = Math.max(
            ...ours.flatMap(({ probabilities }, i) =>
              probabilities.map((p, k) => Math.abs(p - theirs[i].probabilities[k]))
            ),
          );
          const bounded = theirs.filter((one) => one.bounded).length;
          console.log(
            `${name}: the same option on ${same} of ${some.length}, probabilities within ` +
              `${largest.toExponential(1)}, ${bounded} with letters that are bounded`,
          );
          assert.ok(same >= agreeing * some.length);
          assert.ok(largest <= tolerance);
        });
      }
      if (kind === "float32") {
        // Without a start token this server gives each token's probability as the one behind it: found out.
        await assert.rejects(
          probe(served, questions.slice(0, 1), { formulation: "cloze" }),
          /found -\d+\.\d+ for a token that as the next one has -0\.\d+; give --formulation=letters/,
        );
      }
      own.dispose();
    }
  },
});
