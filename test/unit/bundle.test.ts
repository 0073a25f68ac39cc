/** What computes runs in a browser: as a bundle without files, Node or Deno it gives the numbers of lib. */
import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { loadModel } from "../../lib/model/files/load.ts";
import { openBackend } from "../../lib/platform/runtime/backend.ts";
import type { Question } from "../../lib/question.ts";
import { type ModelFiles, probeAndTrain } from "../browser/entry.ts";
import { tinyModel } from "./_tiny_model.ts";

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

const questions: Question[] = ["red", "blue"].map((colour, id) => ({
  ...{ id, domain: "history", question: `Which flag is ${colour}?`, answer: id },
  choices: ["the first", "the second", "the third"],
}));

/** The bundle of an entry for a browser, as JavaScript. */
async function bundle(entry: string, folder: string): Promise<string> {
  const output = join(folder, "bundle.js");
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["bundle", "--quiet", "--platform=browser", `--output=${output}`, join(root, entry)],
    cwd: root,
  }).output();
  assert.ok(success, new TextDecoder().decode(stderr));
  return await Deno.readTextFile(output);
}

/** What the bundle's `visit` gives in a worker that has what a page has, and neither Deno nor Node. */
async function runAsPage(code: string, files: ModelFiles): Promise<unknown> {
  const script = `
    for (const name of ["Deno", "process", "Buffer", "global", "require"]) delete globalThis[name];
    addEventListener("message", async ({ data: [files, questions] }) => {
      const missing = ["Deno", "process", "Buffer"].filter((name) => name in globalThis);
      try {
        postMessage({ missing, ...await visit(files, questions) });
      } catch (error) {
        postMessage({ error: String(error?.stack ?? error) });
      }
    });
    ${code.replace(/^export \{[^}]*\};?$/gm, "")}`;
  const url = URL.createObjectURL(new Blob([script], { type: "text/javascript" }));
  const worker = new Worker(url, { type: "module" });
  try {
    return await new Promise((resolve, reject) => {
      worker.onmessage = ({ data }) => resolve(data);
      worker.onerror = (event) => {
        event.preventDefault();
        reject(new Error(event.message));
      };
      worker.postMessage([files, questions]);
    });
  } finally {
    worker.terminate();
    URL.revokeObjectURL(url);
  }
}

Deno.test("a model from bytes is probed and trained in a page with the numbers of lib", async () => {
  await openBackend();
  const folder = await Deno.makeTempDir();
  try {
    const made = tinyModel();
    await made.save(folder);
    made.dispose();
    const model = await loadModel(folder);
    const expected = await probeAndTrain(model, questions);
    model.dispose();

    const code = await bundle("test/browser/entry.ts", folder);
    assert.deepEqual(code.match(/\bDeno\.\w+|["']node:\w+|^import .*|\brequire\(.*/gm), null);
    const read = (name: string) => Deno.readTextFile(join(folder, name));
    const found = await runAsPage(code, {
      config: await read("config.json"),
      weights: await Deno.readFile(join(folder, "model.safetensors")),
      tokenizer: [
        ["tokenizer.json", await read("tokenizer.json")],
        ["tokenizer_config.json", await read("tokenizer_config.json")],
      ],
    }) as typeof expected & { missing: string[]; error?: string };
    assert.equal(found.error, undefined);
    assert.deepEqual(found.missing, []);
    const numbers = (
      { probabilities, losses }: typeof expected,
    ) => [...probabilities.flat(), ...losses];
    numbers(expected).forEach((number, i) =>
      assert.ok(Math.abs(numbers(found)[i] - number) < 1e-4 * Math.abs(number), `number ${i}`)
    );
    assert.ok(expected.losses[2] < expected.losses[0]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("in a page, saving to a folder is refused with what to do instead", async () => {
  const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "eval",
      `import { requireStorage } from "${import.meta.resolve("../../lib/model/storage.ts")}";
       try { requireStorage("save tiny"); } catch ({ message }) { console.log(message); }`,
    ],
    cwd: root,
  }).output();
  assert.match(
    new TextDecoder().decode(stdout),
    /^Cannot save tiny: expected code that reads and writes folders; found none, .*attach\.ts/,
    new TextDecoder().decode(stderr),
  );
});
