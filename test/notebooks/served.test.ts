/** A model behind a server by the lines that a user types: an exam alone, and groups that are explained by a teacher. */
import { join } from "node:path";
import { readAnswers } from "../../lib/dataset/read.ts";
import { openBackend } from "../../lib/platform/runtime/backend.ts";
import { paperHub } from "../unit/_exam_hub.ts";
import { StandIn } from "../unit/_stand_in.ts";
import { tinyModel } from "../unit/_tiny_model.ts";
import { temporaryFolder } from "./_notebook.ts";
import { endOf, startTask } from "./_task.ts";

import assert from "node:assert/strict";

const KEY = "sk-served-0123456789";

const reproduce = (
  args: string[],
  env: Record<string, string>,
  output?: "piped" | "null",
) => startTask("reproduce", args, env, output);

async function ended(child: Deno.ChildProcess) {
  const end = await endOf(child);
  assert.ok(!`${end.out}${end.error}`.includes(KEY));
  return end;
}

async function* textsOf(folder: string): AsyncGenerator<string> {
  for await (const { name, isDirectory, isFile } of Deno.readDir(folder)) {
    if (isDirectory) yield* textsOf(join(folder, name));
    else if (isFile) yield await Deno.readTextFile(join(folder, name));
  }
}

Deno.test("--server gives an exam's answers, also after a kill, and groups with a teacher's knowledge", async () => {
  await using folder = await temporaryFolder();
  const tiny = join(folder.path, "tiny");
  await openBackend();
  const own = tinyModel();
  await own.save(tiny);
  await using hub = await paperHub();
  await using server = new StandIn(own, { delay: 30, says: () => ({ content: "It was so." }) });
  const cache = join(folder.path, "cache");
  const env = {
    ...{ SELF_ALIGNING_CACHE: cache, HF_ENDPOINT: hub.endpoint, GITHUB_ENDPOINT: hub.endpoint },
    ...{ OPENAI_API_KEY: KEY, OPENAI_BASE_URL: server.address },
  };
  const output = (name: string) => join(folder.path, name);
  const served = [`--model=${server.name}`, `--server=${server.address}`, `--tokenizer=${tiny}`];
  const exam = ["--exam=mmlu", "--limit=60", "--shots=1", "--top-logprobs=257"];
  const here = await ended(reproduce(
    ["--exam=mmlu", "--limit=60", "--shots=1", `--model=${tiny}`, `--output=${output("own")}`],
    env,
  ));
  assert.equal(here.code, 0, here.error);
  const line = [...exam, ...served, `--output=${output("served")}`];
  const first = reproduce(line, env, "null");
  while (server.completions.length < 34) await new Promise((resolve) => setTimeout(resolve, 10));
  first.kill("SIGKILL");
  await first.status;
  while (server.underWay > 0) await new Promise((resolve) => setTimeout(resolve, 10));
  const before = server.completions.length;
  assert.ok(before < 60, `killed too late, after ${before}`);
  const again = await ended(reproduce(line, env));
  assert.equal(again.code, 0, again.error);
  assert.match(again.error, /About 60 requests and \d+ thousand tokens to send/);
  const asked = server.completions.length - before;
  assert.ok(asked < 1 + 60 && asked >= 1 + 60 - before, `${asked} asked`);
  const tables = await Promise.all(
    ["own", "served"].map((name) => Deno.readTextFile(join(output(name), "mmlu", "accuracy.md"))),
  );
  const rowsOf = (text: string) => text.split("\n").filter((line) => line.startsWith("|"));
  assert.deepEqual(rowsOf(tables[1]), rowsOf(tables[0]));
  const answers = join("mmlu", "answers", "abstract_algebra.jsonl");
  const [ours, theirs] = await Promise.all(
    ["own", "served"].map(async (name) => (await readAnswers(join(output(name), answers))).answers),
  );
  ours.forEach(({ probabilities }, i) =>
    probabilities.forEach((p, k) => assert.ok(Math.abs(p - theirs[i].probabilities[k]) < 1e-5))
  );
  // Of few tokens the table says what it lacks.
  const short = [
    ...exam.slice(0, 3),
    ...served,
    "--top-logprobs=40",
    `--output=${output("short")}`,
  ];
  assert.match(
    (await ended(reproduce(short, env))).out,
    /\d+ letters of \d+ questions are not among/,
  );
  const capped = [
    ...exam.toSpliced(2, 1),
    "--shots=2",
    ...served,
    "--max-tokens-sent=9000",
    `--output=${output("capped")}`,
  ];
  const stopped = await ended(reproduce(capped, env));
  assert.equal(stopped.code, 1);
  assert.match(stopped.error, /it stops at 9000 tokens.*Cannot go on asking small at/s);

  const paper = ["--exam=paper", "--domains=history", "--limit=12", "--minimum-confidence=0"];
  const training = await ended(reproduce([...paper, ...served], env));
  assert.match(training.error, /Cannot run 00-start.ipynb with small: .*--only=02,03/);
  const groups = ["--only=03", ...paper, ...served, "--teacher=small", "--top-logprobs=257"];
  const made = await ended(reproduce([...groups, `--output=${output("paper")}`], env));
  assert.equal(made.code, 0, made.error);
  const card = await Deno.readTextFile(join(output("paper"), "data-card.md"));
  assert.match(
    card,
    new RegExp(`\\| history \\| small at ${new URL(server.address).host} +\\| +12 \\| +12 \\| 0`),
  );
  const notebook = await Deno.readTextFile(join(output("paper"), "notebooks", "03-groups.ipynb"));
  assert.match(notebook, /It was so\./);
  for await (const text of textsOf(folder.path)) assert.ok(!text.includes(KEY));
  assert.ok(server.asked.every(({ authorization }) => authorization === `Bearer ${KEY}`));
  assert.ok(hub.asked.every(({ authorization }) => authorization === null));
  own.dispose();
});

Deno.test("a served model's groups are exported, and what the server has of models tuned on them joins the tables", async () => {
  await using folder = await temporaryFolder();
  const place = (...names: string[]) => join(folder.path, ...names);
  const [tiny, checkpoint] = [place("tiny"), place("checkpoint")];
  await openBackend();
  const own = tinyModel(), tuned = tinyModel({ seed: 4 });
  await own.save(tiny);
  await tuned.save(checkpoint);
  await using hub = await paperHub();
  await using server = new StandIn(own, { others: { "lora-1": tuned } });
  const env = {
    ...{ SELF_ALIGNING_CACHE: place("cache"), OPENAI_API_KEY: KEY },
    ...{ HF_ENDPOINT: hub.endpoint, GITHUB_ENDPOINT: hub.endpoint },
  };
  const paper = ["--exam=paper", "--domains=history", "--limit=12", "--minimum-confidence=0"];
  const served = [`--server=${server.address}`, `--model=${server.name}`, `--tokenizer=${tiny}`];
  const run = async (name: string, ...args: string[]) => {
    const line = [...paper, "--seeds=1", ...args, `--output=${place(name)}`];
    const { code, out, error } = await ended(reproduce(line, env));
    assert.equal(code, 0, error);
    return out + error;
  };
  const ask = [...served, "--top-logprobs=257"];

  const said = await run("served", ...ask, "--export");
  assert.match(said, /^4 groups for other trainers: .*export; what to do: .*README\.md$/m);
  await run("own", `--model=${tiny}`, "--export");
  const manifestOf = async (name: string, group: string) =>
    JSON.parse(await Deno.readTextFile(place(name, "export", `${group}.json`)));
  for (const group of ["history/har@0", "history/inc@0", "history/self@0", "history/general@0"]) {
    const [theirs, ours] = [await manifestOf("served", group), await manifestOf("own", group)];
    // Its weights were never seen, and its name is all that others find it by.
    assert.deepEqual(Object.keys(theirs.base), ["model", "digest"]);
    assert.equal(theirs.base.model, "small");
    const { base: _, ...same } = theirs, { base: __, ...expected } = ours;
    assert.deepEqual(same, expected);
  }
  const readme = await Deno.readTextFile(place("served", "export", "README.md"));
  assert.ok(readme.includes(`--server=${server.address}`));
  assert.match(readme, /--tuned=history\/inc@0=NAME$/m);

  const rowsOf = async (name: string) => {
    const text = await Deno.readTextFile(place(name, "05-evaluation", "cells.csv"));
    return text.trimEnd().split("\n").slice(1).map((line) => line.split(","));
  };
  const evaluated = await run("back", ...ask, "--tuned=history/inc@0=lora-1");
  for (const number of ["05", "06", "07", "08"]) {
    assert.match(evaluated, new RegExp(`^${number}-[a-z]+\\.ipynb: \\d+ s$`, "m"));
  }
  // The base's pool and tests, and its own tests.
  assert.match(evaluated, /About 84 requests and \d+ thousand tokens to send/);
  assert.match(evaluated, /1 model was tuned elsewhere, .*; not known whether .*: history\/inc@0/);
  await run("here", `--model=${tiny}`, `--tuned=history/inc@0=${checkpoint}`, "--only=05");
  const [theirs, ours] = [await rowsOf("back"), await rowsOf("here")];
  assert.equal(theirs.length, 3);
  for (const [i, row] of theirs.entries()) {
    for (const [k, value] of row.entries()) {
      const expected = ours[i][k],
        isSame = value === expected ||
          value !== "" && Math.abs(Number(value) - Number(expected)) < 1e-5;
      // Its name, and what its weights' digest is here.
      if (k > 0 && k !== 10) assert.ok(isSame, `${value}, expected ${expected}`);
    }
  }
  own.dispose();
  tuned.dispose();
});
