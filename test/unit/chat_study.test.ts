/** --template=model from the flag to a cell: conversations of the model's own chat template. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { openBackend } from "../../lib/platform/runtime/backend.ts";
import { chatTemplateFromFiles, createChatFormat } from "../../lib/model/chat_template.ts";
import { probe } from "../../lib/probe.ts";
import { loadModel } from "../../lib/model/files/load.ts";
import { parseRequest } from "../../lib/tasks/reproduce.ts";
import { openSubject } from "../../lib/study/subjects.ts";
import { parseSettings, type Settings } from "../../lib/study/settings.ts";
import { runPlan } from "../../lib/study/study.ts";
import { tinyModel } from "./_tiny_model.ts";

await openBackend();

const template = "{% for m in messages %}<{{ m.role }}>{{ m.content }}</s>{% endfor %}" +
  "{% if add_generation_prompt %}<assistant>{% endif %}";

async function withModel(body: (folder: string) => Promise<void>) {
  const folder = await Deno.makeTempDir();
  const made = tinyModel();
  try {
    await made.save(join(folder, "model"));
    await Deno.writeTextFile(join(folder, "model", "chat_template.jinja"), template);
    await body(folder);
  } finally {
    made.dispose();
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("parseSettings() and parseRequest() take whose conversations, of real models alone", () => {
  const { settings } = parseRequest(["--model=a/b", "--template=model"], "/home/user");
  assert.equal(settings.template, "model");
  const refuses = (settings: object, message: RegExp) =>
    assert.throws(() => parseSettings(JSON.stringify(settings)), message);
  refuses(
    { model: "a/b", template: "chatml" },
    /setting template: expected one of vicuna, model, found/,
  );
  refuses({ template: "model" }, /template with organism: .* leave --template out/);
});

Deno.test("loadModel() takes the model's own chat template where it is asked for, and refuses without", async () => {
  await withModel(async (folder) => {
    const path = join(folder, "model");
    const own = await loadModel(path, { template: "model" });
    const vicuna = await loadModel(path);
    try {
      assert.deepEqual([own.format.name, vicuna.format.name], ["chat", "paper"]);
      assert.equal(own.format.stop, "</s>");
    } finally {
      own.dispose();
      vicuna.dispose();
    }
    await Deno.remove(join(path, "chat_template.jinja"));
    await assert.rejects(
      loadModel(path, { template: "model" }),
      /Cannot use the chat template of .*model: expected one in .*found none; use the template vicuna/,
    );
  });
});

Deno.test("probe() by PMI in a conversation takes off what a text has behind the answer's own line", async () => {
  const model = tinyModel();
  try {
    const files = new Map([...model.tokenizer!.files, [
      "chat_template.jinja",
      template.replaceAll("}}>", "}}>\n").replace("<assistant>", "<assistant>\n"),
    ]]);
    const format = createChatFormat(chatTemplateFromFiles(files));
    const read: string[] = [];
    const own = model.tokenLogProbabilities.bind(model);
    const watched = Object.assign(Object.create(model), { format, tokenizer: model.tokenizer });
    watched.tokenLogProbabilities = (rows: number[][], from: number[]) => {
      read.push(...rows.map((row) => model.tokenizer!.decode(row)));
      return own(rows, from);
    };
    const choices = ["ant", "bee"];
    const question = { id: 1, domain: "history", question: "Who?", choices, answer: 0 };
    await probe(watched, [question], {
      template: "vicuna",
      formulation: "cloze",
      normalization: "pmi",
    });
    const bare = read.filter((text) => !text.includes("Who?"));
    for (const [i, text] of bare.entries()) {
      assert.ok(text.endsWith(`<assistant>\n${choices[i]}`), JSON.stringify(text));
    }
    assert.equal(bare.length, 2);
  } finally {
    model.dispose();
  }
});

Deno.test("runPlan() trains and tests in the model's conversations, in cells of their own that say so", async () => {
  await withModel(async (folder) => {
    const rows = (name: string, count: number) =>
      Array.from({ length: count }, (_, i) =>
        JSON.stringify({
          question: `${name} ${i}?`,
          choices: ["ant", "bee", "cat", "dog"],
          answer: i % 4,
        })).join("\n");
    for (const [name, count] of [["dev", 2], ["test", 4], ["pool", 12]] as const) {
      await Deno.writeTextFile(join(folder, `${name}.jsonl`), rows(name, count));
    }
    const run = async (changes: Partial<Settings>) => {
      const model = join(folder, "model");
      const settings = parseSettings(JSON.stringify({
        model,
        questions: join(folder, "test.jsonl"),
        pool: join(folder, "pool.jsonl"),
        ...changes,
      }));
      const opened = await openSubject(model, settings);
      const asked: number[][] = [];
      const { nextTokenLogits } = opened.model;
      opened.model.nextTokenLogits = function (ids, options) {
        asked.push(...ids);
        return nextTokenLogits.call(this, ids, options);
      };
      const { tokenizer } = opened.model;
      const { cells: [cell] } = await runPlan({
        models: [model],
        treatments: ["inc"],
        seeds: [0],
        minimumConfidence: 0,
        finetuning: { epochs: 1, batchSize: 8 },
      }, { store: join(folder, "store"), open: () => Promise.resolve(opened) });
      return { cell, texts: asked.map((ids) => tokenizer!.decode(ids)) };
    };
    const vicuna = await run({}), own = await run({ template: "model" });
    assert.equal(vicuna.cell.template, undefined);
    assert.equal(own.cell.template, "model");
    assert.ok(vicuna.texts.some((text) => /USER: .* ASSISTANT: $/s.test(text)));
    // The base was asked before, few-shot and plain, for both.
    assert.ok(own.texts.length > 0);
    for (const text of own.texts) assert.match(text, /^<user>The following.*<\/s><assistant>$/s);
    assert.notDeepEqual(
      own.cell.suites.homo!.probabilities,
      vicuna.cell.suites.homo!.probabilities,
    );
    const files = [...Deno.readDirSync(join(folder, "store"))].map(({ name }) => name);
    assert.equal(files.filter((name) => name.startsWith("cell-")).length, 2);
    assert.equal(files.filter((name) => name.startsWith("base-")).length, 2); // pool and test
    const again = await run({ template: "model" });
    assert.deepEqual(again.texts, []);
    assert.deepEqual(again.cell, own.cell);
  });
});
