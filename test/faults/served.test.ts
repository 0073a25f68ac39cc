/** A model behind a server: what it tells of letters and texts, and servers that fail, lie or stop. */
import { join } from "node:path";
import { auditProbe } from "../../lib/audit.ts";
import { loadModel, openModel } from "../../lib/model/files/load.ts";
import type { ServingOptions } from "../../lib/model/files/served.ts";
import { lettersAmong } from "../../lib/model/files/named_tokens.ts";
import type { LanguageModel } from "../../lib/model/language_model.ts";
import { openBackend } from "../../lib/platform/runtime/backend.ts";
import { probe } from "../../lib/probe.ts";
import type { Question } from "../../lib/question.ts";
import { exportGroups } from "../../lib/study/export.ts";
import { mainPlans } from "../../lib/study/plans.ts";
import { runStudy } from "../../lib/study/run.ts";
import { parseSettings, type Settings } from "../../lib/study/settings.ts";
import { explainPool, readTeacher } from "../../lib/study/teacher.ts";
import { withVariables } from "../unit/_environment.ts";
import { withFolder } from "../unit/_folder.ts";
import { StandIn, type StandInOptions } from "../unit/_stand_in.ts";
import { tinyModel } from "../unit/_tiny_model.ts";

import assert from "node:assert/strict";

const questions: Question[] = Array.from({ length: 24 }, (_, id) => ({
  ...{ id, domain: "history", question: `Which of ${id * 7919} and ${id}?`, answer: id % 4 },
  choices: ["one", "two or so", "trois é", `four ${id}`],
}));
const demonstrations = questions.slice(20);
const asked = questions.slice(0, 16);

interface Setting {
  own: LanguageModel;
  server: StandIn;
  /** Opens the served model. */
  open: (serving?: ServingOptions & { tokenizer?: string | false }) => ReturnType<typeof openModel>;
  /** With its tokenizer. */
  folder: string;
  /** What is kept. */
  cache: string;
}

/** A tiny model in a folder and behind a stand-in, and an empty cache. */
function served(
  name: string,
  options: StandInOptions,
  body: (setting: Setting) => Promise<void>,
) {
  Deno.test(name, () =>
    withFolder(async (root) => {
      const cache = join(root, "cache"), folder = join(root, "tiny");
      await openBackend();
      const own = tinyModel();
      await own.save(folder);
      const unset = { OPENAI_API_KEY: undefined, OPENAI_BASE_URL: undefined };
      await withVariables({ SELF_ALIGNING_CACHE: cache, ...unset }, async () => {
        await using server = new StandIn(own, options);
        const open: Setting["open"] = ({ tokenizer = folder, ...serving } = {}) =>
          openModel(server.name, {
            ...{ server: server.address, tokenizer, onProgress: () => {} },
            serving: { topLogprobs: 257, ...serving },
          });
        await body({ own, server, open, folder, cache });
      });
      own.dispose();
    }));
}

const largest = (a: number[][], b: number[][]) =>
  Math.max(...a.flatMap((row, i) => row.map((p, k) => Math.abs(p - b[i][k]))));
const probabilitiesOf = (answers: { probabilities: number[] }[]) =>
  answers.map(({ probabilities }) => probabilities);

for (
  const [form, options] of Object.entries({
    "by ids": {},
    "by texts": { texts: true },
    "as llama.cpp's server": { content: true },
  })
) {
  served(
    `a server that names tokens ${form} gives the letters that the model gives`,
    options,
    async ({ own, open, server }) => {
      const model = await open();
      for (const template of ["plain", "vicuna"] as const) {
        const how = { demonstrations, template };
        const [ours, theirs] = [await probe(own, asked, how), await probe(model, asked, how)];
        assert.ok(largest(probabilitiesOf(ours), probabilitiesOf(theirs)) < 1e-5);
        assert.ok(theirs.every(({ bounded }) => bounded === undefined));
      }
      // Plain text, and no other way to ask.
      const prompts = server.completions.map(({ body }) => body.prompt);
      assert.ok(prompts.includes(own.format.probePrompt(asked[0], demonstrations)));
      assert.equal(server.completions[1].body.temperature, 0);
      assert.deepEqual(new Set(server.asked.map(({ path }) => path)).size, 2);
      // What is read off the next token by hand is the same.
      const tokenizer = model.requireTokenizer();
      const ids = tokenizer.encode(own.format.probePrompt(asked[0], demonstrations));
      const [logits] = await model.nextTokenLogits([ids]);
      const [exact] = await own.nextTokenLogits([ids]);
      const [a, b] = ["A", "B"].map((letter) => tokenizer.encode(letter)[0]);
      assert.ok(Math.abs(logits[a] - logits[b] - (exact[a] - exact[b])) < 1e-5);
    },
  );
}

served("options' texts are scored by echo as the model scores them", {}, async ({ own, open }) => {
  const model = await open();
  for (
    const how of [
      { formulation: "hybrid", normalization: "token" },
      { formulation: "cloze", normalization: "pmi" },
      { formulation: "cloze", template: "vicuna" },
    ] as const
  ) {
    const options = { demonstrations, shots: 2, ...how };
    const [ours, theirs] = [await probe(own, asked, options), await probe(model, asked, options)];
    assert.ok(largest(probabilitiesOf(ours), probabilitiesOf(theirs)) < 1e-5, how.formulation);
  }
});

served(
  "letters that are not named are bounded, counted and told",
  { texts: true },
  async ({ own, open }) => {
    const exact = await probe(own, asked, { demonstrations });
    const some = await probe(await open({ topLogprobs: 120 }), asked, { demonstrations });
    const partly = some.filter(({ bounded }) => bounded && bounded.length < 4);
    assert.ok(partly.length > 0);
    for (const [i, answer] of some.entries()) {
      const { bounded = [], predicted, predictedProbability } = answer;
      if (bounded.length === 4) continue;
      assert.equal(predicted, exact[i].predicted);
      // Sure of no more than the model is.
      assert.ok(predictedProbability <= exact[i].predictedProbability + 1e-6);
    }
    const none = await probe(await open({ topLogprobs: 1 }), asked, { demonstrations });
    const silent = none.filter(({ bounded }) => bounded?.length === 4);
    assert.ok(silent.length > 0);
    assert.ok(silent.every(({ probabilities }) => probabilities.every((p) => p === 0.25)));
    const { verdict } = auditProbe(none);
    const letters = none.reduce((sum, { bounded = [] }) => sum + bounded.length, 0);
    assert.match(
      verdict,
      new RegExp(`${letters} letters of ${none.length} questions are not among`),
    );
    assert.match(verdict, new RegExp(`Of .*history/${silent[0].id}.* no letter is`));
    assert.doesNotMatch(auditProbe(exact).verdict, /named/);
  },
);

Deno.test("a letter's token is the one that the tokenizer has for it, spaces counted", () => {
  const named = (tokens: Record<string, number>) =>
    Object.entries(tokens).map(([text, p]) => ({ text, logProbability: Math.log(p) }));
  const values = (tokens: Record<string, number>, letters: string[]) => {
    const { logProbabilities, bounded } = lettersAmong(named(tokens), { letters });
    return [logProbabilities.map((value) => Number(Math.exp(value).toFixed(4))), bounded];
  };
  const tokens = { "A": 0.4, " A": 0.2, " B": 0.1, "Bo": 0.05 };
  assert.deepEqual(values(tokens, ["A", "B"]), [[0.4, 0.05], [1]]);
  assert.deepEqual(values(tokens, [" A", " B"]), [[0.2, 0.1], []]);
  // Nothing more than what the named ones leave.
  assert.deepEqual(values({ "A": 0.6, "x": 0.39 }, ["A", "B"]), [[0.6, 0.01], [1]]);
  // A server that shows no spaces.
  assert.deepEqual(values({ "A": 0.6, "B": 0.3 }, [" A", " B"]), [[0.6, 0.3], []]);
});

served(
  "requests are tried again after 429, 500, cut and broken answers, and no answer is lost",
  {},
  async ({ own, open, server }) => {
    const expected = probabilitiesOf(await probe(own, asked, { demonstrations }));
    const model = await open();
    let faults = 0;
    const first = new Map<string, number>(), waits = new Map<string, number>();
    server.fault = ({ body, path }) => {
      if (path !== "/v1/completions") return;
      const text = String(body.prompt), times = (first.get(text) ?? 0) + 1;
      first.set(text, times);
      if (waits.has(text)) assert.ok(performance.now() - waits.get(text)! >= 990);
      if (times > 1) return;
      faults++;
      switch (faults % 4) {
        case 0:
          // Longer than the first wait is by itself.
          waits.set(text, performance.now());
          return new Response("slow down", { status: 429, headers: { "retry-after": "1" } });
        case 1:
          return Response.json({ error: { message: "busy" } }, { status: 500 });
        case 2:
          return new Response('{"choices": [{"logpro', {
            headers: { "content-type": "application/json" },
          });
        default: {
          const body = new ReadableStream({
            start(controller) {
              controller.enqueue(new TextEncoder().encode('{"choi'));
              controller.error(new Error("gone"));
            },
          });
          return new Response(body, { headers: { "content-type": "application/json" } });
        }
      }
    };
    const answers = probabilitiesOf(await probe(model, asked, { demonstrations }));
    assert.equal(faults, asked.length);
    assert.ok(largest(expected, answers) < 1e-5);
    assert.ok([...first.values()].every((times) => times === 2));
  },
);

served(
  "what can't be mended ends soon, with what was found and what to do",
  { texts: true },
  async ({ own, open, server, folder, cache }) => {
    const key = "sk-secret-0123456789";
    const fails = async (
      fault: StandIn["fault"],
      message: RegExp,
      serving: ServingOptions = {},
    ) => {
      server.fault = fault;
      const count = server.completions.length;
      await withVariables(
        { OPENAI_API_KEY: key },
        () =>
          assert.rejects(open({ attempts: 2, ...serving }), (error: Error) => {
            assert.match(error.message, message);
            assert.ok(!error.message.includes(key) && !(error.stack ?? "").includes(key));
            return true;
          }),
      );
      server.fault = () => undefined;
      return server.completions.length - count;
    };
    const json = (body: unknown, status = 200) => Response.json(body, { status });
    const completion = (fault: StandIn["fault"]): StandIn["fault"] => (asked, n) =>
      asked.path.endsWith("completions") ? fault(asked, n) : undefined;
    const place = `small at ${server.address}/v1`;
    const starts = (rest: string) => new RegExp(`^Cannot ask ${place}: expected ${rest}`);
    const tries = await fails(
      completion(() => json({ error: { message: "down" } }, 503)),
      starts("an answer; found status 503 .*down.*; look at the server's log"),
    );
    assert.equal(tries, 2);
    await fails(
      completion(() => json({ error: { message: "quota" } }, 429)),
      starts(".*429.*smaller --concurrency"),
    );
    await fails(
      completion(() => json({ error: { message: `bad key ${key}` } }, 401)),
      starts(".*401 .*bad key \\.\\.\\..*check OPENAI_API_KEY"),
    );
    await fails(
      completion(() => json({ choices: [{ text: "A", logprobs: null }] })),
      starts("the log-probabilities of the next token; found .*--logits_all true"),
    );
    await fails(
      completion(() => json({ choices: [{ text: "A", logprobs: { top_logprobs: [{}] } }] })),
      starts("the log-prob"),
    );
    await fails(
      completion(() =>
        new Response("<html><title>Log in</title>", { headers: { "content-type": "text/html" } })
      ),
      starts('JSON; found a web page "\\\\?"?Log in.*check the address'),
    );
    await fails(
      completion(() =>
        json({ error: { message: "This model's maximum context length is 512 tokens" } }, 400)
      ),
      starts(".*maximum context.*show fewer demonstrations"),
    );
    await fails(
      completion(() =>
        json({
          error: {
            message: "Requested sample logprobs of 257, which is greater than max allowed: 20",
          },
        }, 400)
      ),
      starts(".*smaller --top-logprobs"),
    );
    await fails(
      ({ path }) => path === "/v1/models" ? json({ data: [{ id: "other" }] }) : undefined,
      /expected a model that is served there; found "other"; give one of these by --model/,
    );
    await fails(
      ({ path }) =>
        json(
          path === "/v1/models" ? { data: [] } : { error: { message: "no such model" } },
          path === "/v1/models" ? 200 : 404,
        ),
      starts("an answer; found status 404 \\(no such model\\); check the model's name"),
    );
    await fails(
      completion(() => new Promise((resolve) => setTimeout(() => resolve(json({})), 400))),
      starts("an answer; found none in 0.1 s, 2 times"),
      { timeout: 0.1 },
    );
    // Another origin gets neither the prompts nor the key.
    await using other = new StandIn(own);
    await fails(
      () =>
        new Response(null, {
          status: 307,
          headers: { location: `${other.address}/v1/completions` },
        }),
      starts(`.*a redirect to ${other.address}/v1/completions; redirects are not followed`),
    );
    assert.equal(other.asked.length, 0);
    const refused = (address: string, message: RegExp) =>
      assert.rejects(openModel("small", { server: address, tokenizer: folder }), message);
    await refused(
      "localhost:8000",
      /expected an address such as http:\/\/127.0.0.1:8000\/v1; found "localhost/,
    );
    await refused("http://me:word@127.0.0.1", /found one with a name or a password in it/);
    const serving = { attempts: 1 };
    await assert.rejects(
      openModel("small", { server: "http://127.0.0.1:9", tokenizer: folder, serving }),
      /expected an answer; found none \(.*check that it runs/,
    );
    await assert.rejects(
      loadModel("small", { server: server.address }),
      /Cannot load small for training: .*--only=02,03/,
    );
    // The key is stored nowhere.
    await withVariables({ OPENAI_API_KEY: key }, async () => await probe(await open(), asked, {}));
    for await (const path of filesOf(cache)) {
      assert.ok(!(await Deno.readTextFile(path)).includes(key));
    }
  },
);

async function* filesOf(folder: string): AsyncGenerator<string> {
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    const path = join(folder, name);
    if (isDirectory) yield* filesOf(path);
    else yield path;
  }
}

served(
  "the key goes to its own origin, and no other variable goes anywhere",
  {},
  async ({ server, open }) => {
    const others = {
      OPENAI_ORG_ID: "org-1",
      OPENAI_PROJECT_ID: "project-1",
      OPENAI_ADMIN_KEY: "admin-1",
      OPENAI_CUSTOM_HEADERS: "x-own: 1",
    };
    await withVariables({ ...others, OPENAI_API_KEY: "sk-1" }, () => open());
    assert.ok(server.asked.every(({ authorization }) => authorization === "Bearer sk-1"));
    for (const { headers } of server.asked) {
      for (const [name, value] of headers) {
        assert.doesNotMatch(
          `${name} ${value}`,
          /org-1|project-1|admin-1|x-own/,
        );
      }
    }
    const count = server.asked.length;
    const elsewhere = { OPENAI_API_KEY: "sk-1", OPENAI_BASE_URL: "https://api.openai.com/v1" };
    await withVariables(elsewhere, () => open());
    assert.ok(server.asked.slice(count).every(({ authorization }) => authorization === null));
    await withVariables({ ...elsewhere, OPENAI_BASE_URL: `${server.address}/v1` }, () => open());
    assert.equal(server.asked.at(-1)!.authorization, "Bearer sk-1");
  },
);

served(
  "a stopped probe goes on where it was, and 16 requests are under way",
  { delay: 20 },
  async ({ own, open, server, cache }) => {
    const many = Array.from(
      { length: 40 },
      (_, id) => ({ ...questions[id % 24], id, question: `${id}?` }),
    );
    const stop = new AbortController();
    server.fault = (_, number) => {
      if (number === 24) stop.abort();
      return undefined;
    };
    const how = { demonstrations, signal: stop.signal };
    await assert.rejects(open().then((model) => probe(model, many, how)), { name: "Interrupted" });
    server.fault = () => undefined;
    while (server.underWay > 0) await new Promise((resolve) => setTimeout(resolve, 10));
    const kept = (await Array.fromAsync(filesOf(join(cache, "served")))).length - 2; // its samples
    assert.ok(kept > 0 && kept < 24, `${kept} answers`);
    const before = server.completions.length;
    server.mostUnderWay = 0;
    const model = await open();
    const answers = await probe(model, many, { demonstrations });
    assert.equal(server.mostUnderWay, 16);
    // Those that were answered are not asked again; opening asks one.
    assert.equal(server.completions.length - before, 1 + many.length - kept);
    const count = server.completions.length;
    assert.deepEqual(await probe(model, many, { demonstrations }), answers);
    assert.equal(server.completions.length, count);
    const ours = await probe(own, many, { demonstrations });
    assert.ok(largest(probabilitiesOf(answers), probabilitiesOf(ours)) < 1e-5);
  },
);

served(
  "a process sends no more tokens than it may, and goes on with a larger limit",
  {},
  async ({ open, server }) => {
    const small = await open({ maxTokensSent: 1e9 });
    await probe(small, asked.slice(0, 4), {});
    const limited = await open({ maxTokensSent: 1 }).catch((error) => error);
    assert.match(
      limited.message,
      /expected to send at most 1 tokens; found \d+ sent and \d+ to come; .*larger --max-tokens-sent/,
    );
    const sentTokens = async () => {
      const { message } = await open({ maxTokensSent: 1 }).catch((error) => error);
      return Number(/found (\d+) sent/.exec(message)![1]);
    };
    const failing = await open({ attempts: 1 }), before = await sentTokens();
    server.fault = ({ path }) =>
      path === "/v1/completions" ? new Response("down", { status: 500 }) : undefined;
    await assert.rejects(probe(failing, asked.slice(4, 8), {}), /found status 500/);
    server.fault = () => undefined;
    assert.equal(await sentTokens(), before);
    const count = server.completions.length;
    await probe(await open(), asked.slice(0, 6), {});
    assert.equal(server.completions.length - count, 1 + 2);
  },
);

served("another model behind the same name is asked anew", {}, async ({ open, server, own }) => {
  await probe(await open(), asked, {});
  const other = tinyModel({ seed: 11 });
  await using changed = new StandIn(other);
  // The same address: the stand-in's model is exchanged.
  const answered = async (request: Request) =>
    await fetch(changed.address + new URL(request.url).pathname, request);
  server.fault = ({ path, body }) =>
    path === "/v1/completions"
      ? answered(
        new Request(`${server.address}${path}`, { method: "POST", body: JSON.stringify(body) }),
      )
      : undefined;
  const answers = await probe(await open(), asked, {});
  assert.ok(
    largest(probabilitiesOf(answers), probabilitiesOf(await probe(other, asked, {}))) < 1e-5,
  );
  server.fault = () => undefined;
  const count = server.completions.length;
  const back = await probe(await open(), asked, {});
  assert.equal(server.completions.length, count + 1);
  assert.ok(largest(probabilitiesOf(back), probabilitiesOf(await probe(own, asked, {}))) < 1e-5);
  other.dispose();
});

served("options' texts are refused where a server passes over echo, or the tokenizer is another", {
  noEcho: true,
}, async ({ open, server, own }) => {
  const model = await open();
  assert.equal(await model.byText!.scoresTexts(), false);
  await assert.rejects(
    probe(model, asked, { formulation: "cloze" }),
    /Cannot score options' texts with small at .*: expected .*\(echo\); found .*give --formulation=letters/,
  );
  const unknown = await open({ tokenizer: false });
  await assert.rejects(probe(unknown, asked, { formulation: "hybrid" }), /give --tokenizer=FOLDER/);
  // Letters are told by their texts.
  const answers = await probe(unknown, asked, { demonstrations });
  assert.ok(
    largest(
      probabilitiesOf(answers),
      probabilitiesOf(await probe(own, asked, { demonstrations })),
    ) < 1e-5,
  );
  assert.equal("return_tokens_as_token_ids" in server.completions.at(-1)!.body, false);
});

Deno.test("a teacher's answer explains, or is set aside by a reason", () => {
  const read = (content: string | null, rest: object = {}) =>
    readTeacher({ message: { content }, finish_reason: "stop", ...rest });
  assert.deepEqual(read("```\nIt is so.\n```"), { explanation: "It is so." });
  assert.deepEqual(read("It is so."), { explanation: "It is so." });
  assert.deepEqual(read("It is", { finish_reason: "length" }), { reason: "cut" });
  assert.deepEqual(read(" \n"), { reason: "empty" });
  assert.deepEqual(read(null), { reason: "empty" });
  assert.deepEqual(read("``` ```"), { reason: "empty" });
  assert.deepEqual(read("I'm sorry, but I can't help."), { reason: "refused" });
  assert.deepEqual(read("x", { finish_reason: "content_filter" }), { reason: "refused" });
  assert.deepEqual(read(null, { message: { content: null, refusal: "No." } }), {
    reason: "refused",
  });
});

served("explainPool() asks for what is missing, once, and leaves out what was set aside", {
  says: (content) => content.includes("of 7919 and") ? { content: "" } : { content: "Because." },
}, async ({ server }) => {
  const pool = [{ ...asked[0], explanation: "Known." }, ...asked.slice(1)];
  const how = { teacher: "teacher", domain: "history", serving: {}, tell: () => {} };
  await assert.rejects(explainPool(pool, how), /OPENAI_BASE_URL/);
  await withVariables({ OPENAI_BASE_URL: server.address, OPENAI_API_KEY: "sk-2" }, async () => {
    const { questions, origin } = await explainPool(pool, how);
    assert.deepEqual(questions.map(({ id }) => id), [0, ...asked.slice(2).map(({ id }) => id)]);
    assert.deepEqual(questions.map(({ explanation }) => explanation).slice(0, 2), [
      "Known.",
      "Because.",
    ]);
    assert.deepEqual([origin.questions, origin.explained, origin.setAside], [15, 14, { empty: 1 }]);
    assert.equal(origin.from, `teacher at ${new URL(server.address).host}`);
    // They come side by side, in any order.
    const sent = server.completions.map(({ body }) =>
      String((body.messages as { content: string }[])[0].content)
    );
    assert.ok(sent.some((text) => /Why is B right\?\n```\n\n# Answer:\n$/.test(text)));
    const count = server.asked.length;
    await explainPool(pool, how);
    assert.equal(server.asked.length, count);
    const strict = { ...how, most: 0.01 };
    await assert.rejects(explainPool(pool, strict), /1 of 15 .*empty/);
  });
});

/** Settings of a run on common facts, of which a few questions are asked. */
const factsOf = ({ server, folder }: Setting, changes: Partial<Settings> = {}) =>
  parseSettings(JSON.stringify({
    ...{ model: server.name, server: server.address, tokenizer: folder, topLogprobs: 257 },
    ...{ formulation: "letters", domains: ["geography"], limit: 8, minimumConfidence: 0 },
    ...{ output: join(folder, "..", "run"), ...changes },
  }));

const study = async (settings: Settings) =>
  await runStudy(await mainPlans(settings), { settings, onProgress: () => {} });

served(
  "tuned models that a server does not have, or were tuned on other rows, are refused",
  {},
  async (setting) => {
    const { server, folder, own } = setting, checkpoint = join(folder, "..", "checkpoint");
    const tuned = tinyModel({ seed: 4 });
    await tuned.save(checkpoint);
    server.options.others = { inc: tuned, [checkpoint]: tuned };
    const back = (...tuned: string[]) => study(factsOf(setting, { tuned }));
    await assert.rejects(
      back("geography/inc=gone"),
      /Cannot ask gone at .*served there; found "small", "inc", .*; give one of these by --model or --tuned/,
    );
    await assert.rejects(
      back("geography/inc=small"),
      /Cannot use the tuned model small: expected a model tuned from small; found that one itself/,
    );
    await assert.rejects(back("inc"), /the tuned model inc: .*--tuned=history\/inc@0=inc$/);
    await assert.rejects(
      back("geography/inc=inc", `geography/inc=${checkpoint}`),
      /expected one model for geography\/inc@0; found inc too/,
    );
    await assert.rejects(
      back("chess/inc=inc"),
      /Cannot run inc in chess: expected one of geography/,
    );
    const { folder: exported } = await exportGroups(factsOf(setting));
    const manifest = await Deno.readTextFile(join(exported, "geography", "inc@0.json"));
    const write = (text: string) =>
      Deno.writeTextFile(join(checkpoint, "self-aligning.json"), text);
    await write(JSON.stringify({ ...JSON.parse(manifest), rows: "0".repeat(64) }));
    await assert.rejects(
      back(checkpoint),
      /this run's geography\/inc@0, rows \w+; found .* rows 000000/,
    );
    await write(manifest);
    const { cells, warnings } = await back(checkpoint);
    assert.deepEqual([cells.length, cells[0].cell.treatment], [1, "inc"]);
    assert.doesNotMatch(warnings.join(), /not known/);
    const again = await back("geography/inc=inc");
    assert.deepEqual(again.cells[0].suites, cells[0].suites);
    assert.notEqual(again.cells[0].cell.tuned, cells[0].cell.tuned);
    assert.match(again.warnings.join(), /not known .*geography\/inc@0/);
    // What the store has is not asked again, but for the samples.
    const count = server.completions.length;
    await back("geography/inc=inc");
    assert.ok(
      server.completions.slice(count).every(({ body }) =>
        body.prompt === "The capital of France is"
      ),
    );
    // Another model behind the name is another cell.
    server.options.others.inc = own;
    const other = await back("geography/inc=inc");
    assert.notEqual(other.cells[0].cell.tuned, again.cells[0].cell.tuned);
    assert.notDeepEqual(other.cells[0].suites, again.cells[0].suites);
    await assert.rejects(
      study(factsOf(setting)),
      /Cannot load small for training: .*--export and then --tuned/,
    );
    tuned.dispose();
  },
);

served(
  "a server that is down when tuned models are asked for can be up later",
  {},
  async (setting) => {
    const { server, own } = setting, settings = factsOf(setting, { tuned: ["geography/inc=inc"] });
    server.options.others = { inc: own };
    server.fault = () => new Response("no", { status: 403 });
    await assert.rejects(mainPlans(settings), /Cannot ask inc at .*status 403/);
    server.fault = () => undefined;
    assert.equal((await mainPlans(settings))[0].tuned!.length, 1);
  },
);

served("letters of a tuned model that are not named are counted and told", {}, async (setting) => {
  const { server } = setting, tuned = tinyModel({ seed: 4 });
  server.options.others = { inc: tuned };
  const run = { tuned: ["geography/inc=inc"] };
  const whole = await study(factsOf(setting, run));
  assert.ok(whole.rows.every((row) => !("bounded" in row)));
  assert.doesNotMatch(whole.warnings.join(), /letters in the tests/);
  const { cells, rows, warnings } = await study(factsOf(setting, { ...run, topLogprobs: 60 }));
  const letters = Object.values(cells[0].suites).reduce((sum, { bounded = 0 }) => sum + bounded, 0);
  assert.ok(letters > 0);
  assert.equal(rows.reduce((sum, { bounded = 0 }) => sum + Number(bounded), 0), letters);
  assert.match(
    warnings.join(),
    new RegExp(`${letters} letters in the tests of tuned models are not`),
  );
  tuned.dispose();
});

served(
  "groups are not exported without the tokenizer, before anything is asked",
  {},
  async (setting) => {
    const { server } = setting;
    await assert.rejects(
      exportGroups(factsOf(setting, { tokenizer: "none" })),
      /Cannot tell tokens of small: expected its tokenizer; found none; give --tokenizer=FOLDER/,
    );
    assert.equal(server.completions.length, 1);
  },
);
