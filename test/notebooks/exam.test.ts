/** The paper's setting by the line that a user types, on a tiny model and small exams of a local hub. */
import { join } from "node:path";
import { openBackend } from "../../lib/platform/runtime/backend.ts";
import { smollm2Path } from "../_smollm2.ts";
import { paperHub } from "../unit/_exam_hub.ts";
import { tinyModel } from "../unit/_tiny_model.ts";
import { temporaryFolder } from "./_notebook.ts";
import { endOf, startTask } from "./_task.ts";

import assert from "node:assert/strict";

const task = (...line: Parameters<typeof startTask>) => endOf(startTask(...line));

/** Rows of a CSV file without quotes, by their header. */
async function csvRows(path: string): Promise<Record<string, string>[]> {
  const [header, ...lines] = (await Deno.readTextFile(path)).trim().split("\n")
    .map((line) => line.split(","));
  return lines.map((cells) => Object.fromEntries(header.map((name, i) => [name, cells[i]])));
}

Deno.test("--exam=paper gives the paper's tables, and the other exams theirs, from a hub and then without one", async () => {
  await using folder = await temporaryFolder();
  const model = join(folder.path, "tiny");
  await openBackend();
  const made = tinyModel();
  await made.save(model);
  made.dispose();
  const hub = await paperHub();
  const env = {
    SELF_ALIGNING_CACHE: join(folder.path, "cache"),
    HF_ENDPOINT: hub.endpoint,
    GITHUB_ENDPOINT: hub.endpoint,
  };
  const small = [
    "--minimum-confidence=0",
    "--limit=8",
    "--seeds=1",
    "--epochs=1",
    "--batch-size=4",
  ];
  const output = join(folder.path, "paper");
  const paper = ["--exam=paper", `--model=${model}`, "--domains=history,medicine", "--only=05"];
  const ran = await task("reproduce", [...paper, ...small, `--output=${output}`], env);
  assert.equal(ran.code, 0, ran.error);
  assert.match(ran.out, /Findings: this run/);
  // Told before it starts.
  assert.match(
    ran.out + ran.error,
    /About \d+ thousand tokens, \d+:\d\d to ask the base model, and \d+ thousand tokens, \d/,
  );
  // Two domains with four groups each; 24 questions a domain's tests, and its pool's 86 or less.
  assert.match(ran.out + ran.error, /Results of 8 fine-tuned models take about \d+ kB in /);
  const cells = await csvRows(join(output, "05-evaluation", "cells.csv"));
  const groups = (domain: string) =>
    new Set(cells.filter((row) => row.domain === domain).map(({ group }) => group));
  // Xiezhi has no explanations, so that its CON is left out, by name.
  assert.deepEqual(groups("history"), new Set(["har", "inc", "self"]));
  assert.deepEqual(groups("medicine"), new Set(["har", "inc", "self", "context"]));
  assert.ok(cells.every(({ size, accuracy_n }) => Number(size) > 0 && accuracy_n === "8"));
  for (const test of ["homo", "id", "ood"]) assert.ok(cells.some((row) => row.test === test), test);
  const notebook = await Deno.readTextFile(join(output, "notebooks", "05-evaluation.ipynb"));
  assert.match(notebook, /questions have neither context nor explanation/);
  assert.match(await Deno.readTextFile(join(output, "data-card.md")), /\| medicine +\| +86 \|/);

  // The others, each from its own layout.
  const alone = (exam: string, ...args: string[]) =>
    task("reproduce", [
      ...[`--exam=${exam}`, `--model=${model}`, "--shots=1", `--output=${join(folder.path, exam)}`],
      ...args,
    ], env);
  for (
    const [exam, rows] of [
      ["cmmlu", /\| category +\| China specific +\| +\d+ \|.*\| all +\| cmmlu +\| +67 \|/s],
      ["ceval", /\| category +\| stem +\| +20 \|.*\| all +\| ceval +\| +52 \|/s],
      ["medmcqa", /\| category +\| medicine +\| +20 \|/],
    ] as const
  ) {
    const limit = { cmmlu: 67, ceval: 52, medmcqa: 20 }[exam];
    const { code, out, error } = await alone(exam, `--limit=${limit}`);
    assert.equal(code, 0, error);
    assert.match(out, rows);
    assert.match(error, exam === "ceval" ? /the test files have no labels/ : /./);
  }
  const page = await Deno.readTextFile(join(folder.path, "cmmlu", "cmmlu", "accuracy.md"));
  assert.match(page, /\| subject +\| agronomy +\| +1 \|/);

  // What was had needs no hub.
  await hub[Symbol.asyncDispose]();
  const asked = await alone("mmlu", "--limit=60");
  assert.equal(asked.code, 0, asked.error);
  assert.match(asked.out, /\| category +\| STEM +\| +18 \|/);
  assert.match(asked.out, /\| all +\| mmlu +\| +60 \|/);
  // A graph that is asked alone need not be one that can be trained.
  const graph = ["--exam=mmlu", `--model=onnx:${join(folder.path, "none")}`];
  const unknown = await task("reproduce", graph, env);
  assert.match(unknown.error, /^Cannot \w+ .*none/m);
  assert.doesNotMatch(unknown.error, /can be trained/);
  const exact = ["--exam=mmlu", `--model=${model}`, "--precision=tf32", "--limit=8"];
  const refused = await task("reproduce", exact, { ...env, CUDA_VISIBLE_DEVICES: "-1" });
  assert.match(refused.error, /^Cannot compute in tf32/m);
  const stored = () => [...Deno.readDirSync(join(folder.path, "cache", "study"))].length;
  const before = stored();
  const xiezhi = await alone("xiezhi", "--limit=8", "--shots=0");
  // A run that is stopped goes on.
  assert.ok(stored() > before);
  assert.match(xiezhi.out, /no example, in a conversation.*\| category +\| science +\| +2 \|/s);
  const answers = [...Deno.readDirSync(join(folder.path, "mmlu", "mmlu", "answers"))];
  assert.equal(answers.length, 57);
  // As many examples as were asked for are shown: Xiezhi has ten, MMLU five.
  const shown = await Promise.all([5, 8].map(async (shots) => {
    const output = join(folder.path, `shots-${shots}`);
    const asked = ["--exam=xiezhi", `--model=${model}`, "--limit=4", `--output=${output}`];
    const { out } = await task("reproduce", [...asked, `--shots=${shots}`], env);
    assert.match(out, new RegExp(`, ${shots} examples shown`));
    return await Deno.readTextFile(join(output, "xiezhi", "answers", "history.jsonl"));
  }));
  assert.notEqual(shown[0], shown[1]);
  const checked = await task("data", ["check"], { ...env, HF_HUB_OFFLINE: "1" });
  assert.equal(checked.code, 0, checked.error);
  assert.equal(checked.out.match(/as locked/g)?.length, 6);
  const empty = { ...env, SELF_ALIGNING_CACHE: join(folder.path, "empty"), HF_HUB_OFFLINE: "1" };
  const missing = await task("data", ["get", "ceval"], empty);
  assert.equal(missing.code, 1);
  assert.match(
    missing.error,
    /Cannot get data set ceval: expected a copy in .*HF_HUB_OFFLINE is set/,
  );
});

const smollm2 = await smollm2Path();

Deno.test({
  name: "--exam=paper runs on a real model, with items in every group",
  ignore: smollm2 === undefined,
  async fn() {
    await using folder = await temporaryFolder();
    await using hub = await paperHub();
    const output = join(folder.path, "paper");
    const small = ["--minimum-confidence=0", "--limit=8", "--seeds=1", "--epochs=1"];
    const args = [`--model=${smollm2}`, "--domains=medicine", "--only=05", `--output=${output}`];
    const { code, out, error } = await task("reproduce", ["--exam=paper", ...args, ...small], {
      SELF_ALIGNING_CACHE: join(folder.path, "cache"),
      ...{ HF_ENDPOINT: hub.endpoint, GITHUB_ENDPOINT: hub.endpoint },
    });
    assert.equal(code, 0, error);
    assert.match(out, /Findings: this run/);
    const cells = await csvRows(join(output, "05-evaluation", "cells.csv"));
    assert.deepEqual(
      new Set(cells.map(({ group, test }) => `${group} ${test}`)),
      new Set(
        ["har", "inc", "self", "context"].flatMap((group) =>
          ["homo", "id", "ood"].map((test) => `${group} ${test}`)
        ),
      ),
    );
    for (const { size, accuracy_n, group } of cells) {
      assert.ok(Number(size) > 0, group);
      assert.equal(accuracy_n, "8");
    }
  },
});
