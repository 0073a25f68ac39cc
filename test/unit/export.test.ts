import assert from "node:assert/strict";
import { join } from "node:path";
import type { CellResult } from "../../lib/cell.ts";
import { examplesOf } from "../../lib/experiment.ts";
import { type Example, finetune, runStudy } from "../../lib/mod.ts";
import { encodeConversation } from "../../lib/model/encode.ts";
import { chatTemplateFromFiles, createChatFormat } from "../../lib/model/chat_template.ts";
import { addLora } from "../../lib/model/lora.ts";
import { saveLora } from "../../lib/model/files/adapter_folder.ts";
import { openBackend } from "../../lib/platform/runtime/backend.ts";
import { sha256OfText } from "../../lib/platform/runtime/digest.ts";
import { exportGroups } from "../../lib/study/export.ts";
import { modelDigest } from "../../lib/study/digest.ts";
import { groupName, parseGroupName, planCells } from "../../lib/study/plan.ts";
import { contextPlans, mainPlans, mixturePlans, studyPlan } from "../../lib/study/plans.ts";
import { accuracies, cellRows, movement } from "../../lib/study/rows.ts";
import { parseSettings, type Settings, storePath } from "../../lib/study/settings.ts";
import { Store } from "../../lib/study/store.ts";
import { cellContexts, probeBase, runPlan } from "../../lib/study/study.ts";
import { openSubject } from "../../lib/study/subjects.ts";
import { trainingRows } from "../../lib/study/training_rows.ts";
import { MANIFEST, splitTuned, tunedCells } from "../../lib/study/tuned.ts";
import { notebooksOf, parseRequest } from "../../lib/tasks/reproduce.ts";
import { tinyModel } from "./_tiny_model.ts";

await openBackend();

const scratch = await Deno.makeTempDir();
addEventListener("unload", () => Deno.removeSync(scratch, { recursive: true }));

const settings = (changes: Partial<Settings> = {}) =>
  parseSettings(JSON.stringify({
    ...{ model: "organism:small-101", domains: ["history"], seeds: 1, limit: 60 },
    ...{ output: join(scratch, "run"), ...changes },
  }));

const read = async (path: string) => JSON.parse(await Deno.readTextFile(path));

const { folder, names, left } = await exportGroups(settings(), {
  flags: ["--model=organism:small-101"],
});

/** The run's subject, and its examples of history/inc@0. */
async function openInc() {
  const run = settings(), plan = await studyPlan(run);
  const subject = await openSubject(run.model, run), store = new Store(storePath());
  const base = await probeBase(run.model, subject, { store });
  const cell = planCells(plan, run.model, ["history"]).find(({ treatment }) =>
    treatment === "inc"
  )!;
  const context = await cellContexts(plan, subject, { store, base })(cell);
  return { ...subject, plan, cell, base, ...examplesOf(cell, context) };
}

Deno.test("exportGroups() writes every group of the run's plan, and general instructions alone", async () => {
  const [plan] = await mainPlans(settings());
  const cells = planCells(plan, "organism:small-101", ["history"]);
  assert.deepEqual(names, [...cells.map(groupName), "history/general@0"]);
  assert.ok(names.includes("history/mix-0.4@0") && left.length === 0);
  const info = await read(join(folder, "dataset_info.json"));
  for (const name of names) {
    const rows = (await Deno.readTextFile(join(folder, `${name}.jsonl`))).trimEnd().split("\n");
    const manifest = await read(join(folder, `${name}.json`));
    assert.equal(manifest.group, name);
    assert.equal(manifest.rows, sha256OfText(`${rows.join("\n")}\n`));
    assert.equal(manifest.examples, rows.length);
    assert.deepEqual(manifest.orders.map((order: number[]) => order.toSorted((a, b) => a - b)), [
      ...Array(3).fill(rows.map((_, i) => i)),
    ]);
    for (const ending of ["", ".alpaca", ".sharegpt"]) {
      const { file_name, formatting = "exact" } = info[name + ending];
      const text = await Deno.readTextFile(join(folder, file_name));
      const list = formatting === "exact" ? rows : JSON.parse(text);
      assert.equal(list.length, rows.length, file_name);
    }
  }
  assert.equal(Object.keys(info).length, 3 * names.length);
});

Deno.test("exportGroups() fills scripts and configurations with the run's recipe", async () => {
  for (const { name } of Deno.readDirSync(folder)) {
    if (!/\.(py|yaml|md|json)$/.test(name)) continue;
    const text = await Deno.readTextFile(join(folder, name));
    assert.doesNotMatch(text, /undefined|NaN|\$\{\w+\}/, name);
  }
  const full = await Deno.readTextFile(join(folder, "llamafactory-full.yaml"));
  const lora = await Deno.readTextFile(join(folder, "llamafactory-lora.yaml"));
  assert.match(full, /^learning_rate: 0\.001$/m);
  assert.match(lora, /^learning_rate: 0\.01$/m);
  assert.match(lora, /^lora_target: q_proj,k_proj,/m);
  for (const text of [full, lora]) {
    const [rows, times] = ["per_device_train_batch_size", "gradient_accumulation_steps"]
      .map((key) => Number(new RegExp(`^${key}: (\\d+)$`, "m").exec(text)![1]));
    assert.equal(rows * times, 16);
  }
  const { base, recipe, lora: adapter } = await read(join(folder, "history/inc@0.json"));
  assert.deepEqual([recipe.batchSize, recipe.epochs, recipe.lora], [16, 3, undefined]);
  assert.deepEqual([adapter.rank, adapter.alpha, adapter.targets.length], [8, 16, 7]);
  // An organism is on no hub: it goes along.
  assert.equal(base.model, "base");
  assert.equal((await read(join(folder, "base/config.json"))).model_type, "qwen2");
});

Deno.test("exportGroups() refuses several models, and tuned ones", async () => {
  await assert.rejects(exportGroups(parseSettings()), /one base model; found organism; .*--model=/);
  await assert.rejects(
    exportGroups(settings({ tuned: ["a/inc=/x"] })),
    /found tuned ones.*without/,
  );
});

Deno.test("trainingRows() has the texts and the tokens that are trained on here", () => {
  const model = tinyModel(), tokenizer = model.requireTokenizer();
  const turn = (user: string, assistant: string) => [
    { role: "user" as const, content: user },
    { role: "assistant" as const, content: assistant },
  ];
  const examples: Example[] = [
    { id: 1, domain: "d", messages: turn("Which?\u2028A. one", "A. one"), group: "har" },
    {
      id: 2,
      domain: "d",
      messages: [...turn("Hi", "Yes </s>"), ...turn("And?", "No")],
      group: "general",
    },
  ];
  try {
    const [one, two] = trainingRows(model, examples, 4096).split("\n").filter(Boolean)
      .map((line) => JSON.parse(line));
    assert.deepEqual([one.group, two.group], ["har", "general"]);
    for (const [i, row] of [one, two].entries()) {
      const { messages } = examples[i], { format } = model;
      const own = encodeConversation(messages, { tokenizer, format, maxTokens: 4096 });
      assert.deepEqual([row.input_ids, row.labels], [own.ids, own.labels]);
      assert.deepEqual(tokenizer.encode(row.prompt + row.completion), own.ids);
      assert.deepEqual(row.messages, messages);
    }
    assert.equal(one.completion, "A. one</s>");
    assert.match(one.prompt, /^A chat between .* USER: Which\?\u2028A\. one ASSISTANT: $/s);
    assert.equal(two.completion, "No</s>");
    const cut = JSON.parse(trainingRows(model, examples.slice(0, 1), 190));
    assert.equal(cut.input_ids.length, 190);
  } finally {
    model.dispose();
  }
});

Deno.test("trainingRows() follows a model's own chat template, what stands behind an answer included", () => {
  const model = tinyModel(), tokenizer = model.requireTokenizer();
  const chat_template =
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n" +
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";
  const files = new Map([["tokenizer_config.json", JSON.stringify({ chat_template })]]);
  const format = createChatFormat(chatTemplateFromFiles(files));
  const messages = [
    { role: "user" as const, content: "Which?" },
    { role: "assistant" as const, content: "A. one" },
  ];
  const examples: Example[] = [{ id: 1, domain: "d", messages, group: "har" }];
  try {
    const own = { format, requireTokenizer: () => tokenizer };
    const row = JSON.parse(trainingRows(own, examples, 4096));
    assert.equal(row.prompt, "<|im_start|>user\nWhich?<|im_end|>\n<|im_start|>assistant\n");
    assert.equal(tokenizer.decode(row.input_ids), `${row.prompt}${row.completion}\n`);
    const trained = row.labels.filter((label: number) => label >= 0);
    assert.equal(tokenizer.decode(trained), row.completion);
    assert.match(row.completion, /^A\. one<\|im_end\|>/);
  } finally {
    model.dispose();
  }
});

Deno.test("trainingRows() begins a prompt with the token that the tokenizer puts first", async () => {
  const { model, examples } = await openInc();
  try {
    const [row] = trainingRows(model, examples, 128).split("\n").map((line) =>
      line && JSON.parse(line)
    );
    assert.match(row.prompt, /^<s> /);
    assert.deepEqual(model.requireTokenizer().encode(row.prompt + row.completion), row.input_ids);
  } finally {
    model.dispose();
  }
});

Deno.test("groupName() is read back, whatever a domain is called, and stays within its folder", () => {
  for (const domain of ["history", "a b", "../x", "..", "历史", "a/b", "a=b@1,c", "100%"]) {
    const cell = { domain, treatment: "context-har" as const, seed: 2 };
    assert.deepEqual(parseGroupName(groupName(cell)), cell);
    assert.match(groupName(cell), /^[^./][^/]*\/context-har@2$/);
  }
  const mixture = { domain: "history", treatment: "mix" as const, ratio: 0.05, seed: 1 };
  assert.equal(groupName(mixture), "history/mix-0.05@1");
  assert.deepEqual(parseGroupName("history/mix-0.05@1"), mixture);
  assert.deepEqual(parseGroupName("history/inc"), { domain: "history", treatment: "inc", seed: 0 });
  for (
    const name of ["inc", "history/none", "history/mix", "history/inc-0.2", "%/inc", "a/b/inc"]
  ) {
    assert.equal(parseGroupName(name), undefined, name);
  }
});

/** Tunes as `finetuning` says and saves the model, or its adapter, with the group's manifest. */
async function tuneTo(target: string, { lora }: { lora?: true } = {}) {
  const { model, examples, plan, cell } = await openInc();
  try {
    if (lora) addLora(model, { rank: 4, seed: 0 });
    await finetune(model, examples, {
      ...plan.finetuning,
      ...(lora && { lora: {} }),
      seed: cell.seed,
    });
    await (lora ? saveLora(model, target) : model.save(target));
    await Deno.copyFile(join(folder, "history/inc@0.json"), join(target, MANIFEST));
    return target;
  } finally {
    model.dispose();
  }
}

const checkpoint = await tuneTo(join(scratch, "inc")),
  adapter = await tuneTo(join(scratch, "lora"), { lora: true });

const back = async (...tuned: string[]) => {
  const run = settings({ tuned });
  return await runStudy(await mainPlans(run), { settings: run });
};

const numbers = ({ suites, fit }: CellResult) => ({ suites, fit });

Deno.test("a tuned checkpoint gives the numbers of the cell that is tuned here, under a key of its own", async () => {
  const run = settings({ groups: ["inc"] });
  const here = await runStudy(await studyPlan(run), { settings: run });
  const there = await back(checkpoint);
  assert.deepEqual(numbers(there.cells[0]), numbers(here.cells[0]));
  assert.equal(there.cells.length, 1);
  const [{ cell, finetuning }] = there.cells;
  assert.deepEqual([cell.treatment, cell.seed, finetuning], ["inc", 0, undefined]);
  assert.match(cell.tuned!, /^[0-9a-f]{64}$/);
  const labels = new Set([...accuracies(there), ...movement(there)].map(({ group }) => group));
  assert.deepEqual([...labels], ["base", "INC (tuned elsewhere)"]);
  assert.equal(cellRows(there.cells)[0].tuned, cell.tuned!.slice(0, 12));
  assert.match(there.warnings.join(), /nothing was trained here: 1 model was tuned elsewhere/);
  assert.ok(!("tuned" in cellRows(here.cells)[0]));
  assert.doesNotMatch(here.warnings.join(), /elsewhere/);
  // Found in the store, and again beside another.
  const again = await back(checkpoint);
  assert.deepEqual(again.cells, there.cells);
});

Deno.test("a folder that is tuned into again is another model, whatever its files' times say", async () => {
  const folder = await tuneTo(join(scratch, "again")), path = join(folder, "model.safetensors");
  const digestNow = async () => (await tunedCells([folder]))[0].digest;
  const [plan] = await mainPlans(settings({ tuned: [folder] })), first = await digestNow();
  const bytes = await Deno.readFile(path), { mtime } = await Deno.stat(path);
  bytes[bytes.length - 1] ^= 1;
  await Deno.writeFile(path, bytes);
  await Deno.utime(path, mtime!, mtime!);
  assert.notEqual(await digestNow(), first);
  // A plan of before does not store the new model's numbers under the old one's name.
  await assert.rejects(
    runStudy(plan, { settings: settings({ tuned: [folder] }), store: join(scratch, "stale") }),
    /Cannot use the tuned model .*another one there since; make the plan again/,
  );
});

Deno.test("a tuned adapter is put on the base, and taken off", async () => {
  const name = `history/self@0=${adapter}`;
  await Deno.remove(join(adapter, MANIFEST));
  await Deno.writeTextFile(join(adapter, "chat_template.jinja"), "{{ messages }}"); // and no tokenizer.json
  const { cells, warnings } = await back(checkpoint, name);
  // The checkpoint's weights are no longer below it; stores of their own, so that nothing is found.
  const run = settings({ tuned: [name] });
  const alone = await runStudy(await mainPlans(run), {
    settings: run,
    store: join(scratch, "alone"),
  });
  assert.deepEqual(numbers(alone.cells[0]), numbers(cells[1]));
  assert.deepEqual(cells.map(({ cell }) => cell.treatment), ["inc", "self"]);
  assert.ok(cells[1].suites.homo!.kl > 0);
  assert.notDeepEqual(cells[0].suites, cells[1].suites);
  assert.match(
    warnings.join(),
    /2 models were tuned elsewhere, by an unnamed trainer; not known.*history\/self@0/,
  );
});

Deno.test("a model that its opener keeps has the base's weights after tuned ones", async () => {
  const run = settings({ tuned: [checkpoint] }), [plan] = await mainPlans(run);
  const subject = await openSubject(run.model, run), { model } = subject;
  // By digests: where they differ, a comparison of whole arrays would write them out.
  const before = await modelDigest(model);
  const open = () => Promise.resolve(subject);
  await runPlan(plan, { store: join(scratch, "kept"), open, close: () => {} });
  assert.equal(await modelDigest(model), before);
  model.dispose();
});

Deno.test("plans of a run with tuned models have their cells alone", async () => {
  const run = settings({ tuned: [checkpoint, `history/mix-0.4@1=${adapter}`], groups: ["har"] });
  const kinds = async (plans: Awaited<ReturnType<typeof mainPlans>>) =>
    await Promise.all(plans.map((plan) => planCells(plan, run.model, ["history"]).map(groupName)));
  assert.deepEqual(await kinds(await mainPlans(run)), [["history/inc@0", "history/mix-0.4@1"]]);
  assert.deepEqual(await kinds(await mixturePlans(run)), [["history/inc@0", "history/mix-0.4@1"]]);
  assert.deepEqual(await kinds(await contextPlans(run)), [["history/inc@0"]]);
});

Deno.test("tuned models that are not this run's are refused", async () => {
  const copy = async (
    from: string,
    name: string,
    changes: Record<string, (text: string) => string> = {},
  ) => {
    const target = join(scratch, name);
    await Deno.mkdir(target);
    for (const { name: file } of Deno.readDirSync(from)) {
      await Deno.copyFile(join(from, file), join(target, file));
    }
    for (const [file, change] of Object.entries(changes)) {
      await Deno.writeTextFile(
        join(target, file),
        change(await Deno.readTextFile(join(target, file))),
      );
    }
    return target;
  };
  const manifest = (changes: object) => (text: string) =>
    JSON.stringify({ ...JSON.parse(text), ...changes });
  const other = "0".repeat(64);
  const cases: [RegExp, string | Promise<string>][] = [
    [/expected a folder; found none; check the path/, join(scratch, "nowhere")],
    [
      /expected a model tuned from organism:small-101; found another base: digest 000000000000, here/,
      copy(checkpoint, "base", { [MANIFEST]: manifest({ base: { digest: other } }) }),
    ],
    [
      /expected a model tuned on this run's history\/inc@0, rows \w+; found one tuned on rows 0000/,
      copy(checkpoint, "rows", { [MANIFEST]: manifest({ rows: other }) }),
    ],
    [
      /self-aligning\.json: expected JSON/,
      copy(checkpoint, "cut", { [MANIFEST]: (text) => text.slice(0, -9) }),
    ],
    [
      /expected what the export wrote; found rows: expected a SHA-256/,
      copy(checkpoint, "short", { [MANIFEST]: manifest({ rows: "ab" }) }),
    ],
    [
      /found group: .*copy the group's \.json/,
      copy(checkpoint, "group", { [MANIFEST]: manifest({ group: 5 }) }),
    ],
    [/expected a group such as history\/inc@0.*found "history\/inca"/, `history/inca=${adapter}`],
    [
      /expected the group that it was tuned on, in self-aligning\.json; found none; .*--tuned=history\/inc@0/,
      adapter,
    ],
    [
      /expected a model tuned on history\/har@0; found one tuned on "history\/inc@0"/,
      `history/har@0=${checkpoint}`,
    ],
    [/Cannot run inc in chess: expected one of history/, `chess/inc=${adapter}`],
    [
      /tuned from organism:small-101; found vocabularySize \d+, here \d+/,
      (async () => {
        const target = join(scratch, "other");
        const { model } = await openSubject(
          "organism:medium-202",
          settings({ model: "organism:medium-202" }),
        );
        await model.save(target);
        model.dispose();
        return `history/inc=${target}`;
      })(),
    ],
    [
      /the tokenizer of organism:small-101; found one that numbers "USER:" otherwise/,
      copy(checkpoint, "tokens", {
        "tokenizer.json": (text) => text.replace('"USER:"', '"USEr:"'),
      }),
    ],
  ];
  for (const [message, tuned] of cases) await assert.rejects(back(await tuned), message);
  await assert.rejects(
    back(checkpoint, await copy(checkpoint, "twice")),
    /one model for history\/inc@0; found .* too/,
  );
  const bare = await copy(checkpoint, "bare");
  await Deno.remove(join(bare, "model.safetensors"));
  await assert.rejects(back(bare), /expected model\.safetensors or .*found/);
  const thin = await copy(adapter, "thin");
  await Deno.remove(join(thin, "adapter_model.safetensors"));
  await assert.rejects(
    back(`history/inc=${thin}`),
    /expected adapter_model\.safetensors; found none/,
  );
});

Deno.test("an adapter that names another base of a hub is refused where no manifest tells", async () => {
  const run = settings(), { model, base, examples, sizes, group } = await openInc();
  try {
    const path = join(adapter, "adapter_config.json"), text = await Deno.readTextFile(path);
    await Deno.writeTextFile(
      path,
      text.replace(/"base_model_name_or_path": "[^"]*"/, '"base_model_name_or_path": "a/other"'),
    );
    const { checkTuned } = await import("../../lib/study/tuned.ts");
    const named = Object.create(model, { name: { value: "a/model" } });
    const check = async () => {
      const [cell] = await tunedCells([`history/inc=${adapter}`]);
      await checkTuned(cell, { model: named, base }, { examples, sizes, group });
    };
    await assert.rejects(check, /tuned from a\/model; found an adapter of a\/other/);
    assert.equal(run.model, "organism:small-101");
    await Deno.writeTextFile(path, text);
    await check();
  } finally {
    model.dispose();
  }
});

Deno.test("--tuned and --export are read, with paths from where the user stands", () => {
  const { settings, export: isExport, standard } = parseRequest(
    ["--model=a/b", "--tuned=x,history/inc@0=y/z,/q,./a/b=c"],
    "/home/user",
  );
  assert.deepEqual(settings.tuned, [
    "/home/user/x",
    "history/inc@0=/home/user/y/z",
    "/q",
    "/home/user/a/b=c",
  ]);
  assert.deepEqual([isExport, standard], [false, false]);
  // A server's names are its own.
  const names = ["--model=a/b", "--server=http://localhost:8000", "--tuned=history/inc@0=a/c,/q"];
  assert.deepEqual(parseRequest(names, "/home").settings.tuned, ["history/inc@0=a/c", "/q"]);
  const out = parseRequest(["--model=a/b", "--export"], "/home/user");
  assert.deepEqual([out.export, out.standard, "export" in out.settings], [true, false, false]);
  // The run that takes them back has the same folder as the one that exported.
  assert.equal(out.settings.output, parseRequest(["--model=a/b"], "/").settings.output);
  assert.deepEqual(splitTuned("/a=b/c"), { source: "/a=b/c" });
  for (const flag of ["--export", "--tuned=a"]) {
    const asked = ["--model=a/b", "--exam=mmlu", flag];
    assert.throws(
      () => parseRequest(asked, "/"),
      /with -*exam=mmlu: .*groups; .*give --exam=paper/,
    );
  }
  assert.throws(() => parseRequest(["--tuned=a,a"], "/"), /tuned: expected .*each once/);
});

Deno.test("with tuned models only the notebooks that evaluate run, unless others are asked for", () => {
  const all = [
    "00-start.ipynb",
    "04-finetuning.ipynb",
    "05-evaluation.ipynb",
    "08-consistency.ipynb",
  ];
  const asked = { model: "a/b", tuned: ["x"] };
  const { run, left } = notebooksOf(all, asked);
  assert.deepEqual([run, left.length], [all.slice(2), 1]);
  assert.deepEqual(notebooksOf(all, { ...asked, only: ["04"] }).run, all);
});
