/**
 * The backends that run steps uncompiled against PyTorch's numbers (fixtures/models), and against each
 * other in what PyTorch was not asked: adapters, what is computed again, parts of a batch, what was saved.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { largestDifference, readReference, relativeDifference, withPrefix } from "./_fixtures.ts";

type Found = Record<string, number[]>;

/** In a process of its own: a graphics driver and TensorFlow do not bear each other. */
async function compute(backend: string, fixture: string): Promise<Found | { skipped: string }> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", join(import.meta.dirname!, "_backend_check.ts")]
      .concat(backend, fixture),
  }).output();
  const text = new TextDecoder();
  assert.equal(code, 0, text.decode(stderr));
  return JSON.parse(text.decode(stdout).trim().split("\n").at(-1)!);
}

for (const fixture of ["qwen2", "llama-tied"]) {
  Deno.test(`cpu, wasm and webgpu train and read ${fixture} alike, as PyTorch`, async (t) => {
    const { loss, runs: { cosine }, tensors } = await readReference(fixture);
    const rows = [...withPrefix(tensors, "logits").values()].map(({ data }) => data);
    const expected: Found = {
      logits: rows.flatMap((row) => [...row]),
      loss: [loss],
      "trained losses": cosine.losses,
      "trained norms": cosine.gradientNorms,
      ...Object.fromEntries(
        [...withPrefix(tensors, "gradient")].map(([name, { data }]) => [
          `gradient ${name}`,
          [...data],
        ]),
      ),
    };
    let first: Found | undefined;
    for (const backend of ["cpu", "wasm", "webgpu"]) {
      await t.step(backend, async () => {
        const found = await compute(backend, fixture);
        if ("skipped" in found) return console.log(`not tested: ${found.skipped}`);
        for (const [name, values] of Object.entries(expected)) {
          const difference = relativeDifference(found[name], values);
          assert.ok(difference <= 1e-3, `${name} differs from PyTorch's by ${difference}`);
        }
        assert.ok(largestDifference(found.logits, expected.logits) <= 1e-4);
        assert.deepEqual(found.refused, [1], "a step that isn't finite is refused");
        for (const [one, other] of [["saved", "trained"], ["saved adapter", "adapter"]]) {
          assert.deepEqual(found[`${one} logits`], found[`${other} logits`], `${one}`);
        }
        assert.deepEqual(found["resumed losses"], found["trained losses"].slice(3));
        assert.deepEqual(found["resumed logits"], found["trained logits"]);
        assert.ok(relativeDifference(found["next tokens"], found["next tokens apart"]) <= 1e-4);
        for (const way of ["accumulated", "checkpointed"]) {
          const difference = relativeDifference(
            found[`${way} losses`],
            found["trained losses"].slice(0, 3),
          );
          assert.ok(difference <= 1e-5, `${way}: ${difference}`);
        }
        first ??= found;
        assert.deepEqual(found.generated, first.generated);
        assert.deepEqual(Object.keys(found), Object.keys(first));
        for (const [name, values] of Object.entries(first)) {
          const difference = relativeDifference(found[name], values);
          // After ten steps: AdamW turns rounding of a gradient near zero into whole steps.
          const most = /^(trained|saved|resumed) logits/.test(name) ? 1e-3 : 1e-4;
          assert.ok(difference <= most, `${name} differs from cpu's by ${difference}`);
        }
      });
    }
  });
}
