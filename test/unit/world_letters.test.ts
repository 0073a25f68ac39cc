import assert from "node:assert/strict";
import { Random } from "../../lib/statistics/random.ts";
import {
  answerWords,
  checkLetterSettings,
  drillDrawer,
  type LetterSettings,
  plainLetters,
} from "../../lib/world/letters.ts";
import { measureLetterGate } from "../../lib/world/gate.ts";
import { createWorld } from "../../lib/world/world.ts";
import { type Document, documents, documentShares, windows } from "../../lib/world/documents.ts";
import { exam } from "../../lib/world/exam.ts";
import { initialParameters } from "../../lib/organism/initial.ts";
import { organismFormat } from "../../lib/world/format.ts";
import { pretrainingSizes } from "../../lib/world/settings.ts";
import { checkGate, type LetterGateValues, type ScoredPrompt } from "../../lib/world/gate.ts";

const world = createWorld({ seed: 3 });
const LABELS = ["A.", "B.", "C.", "D."];

/** Documents of a corpus that answers with letters, up to so many tokens. */
function take(count: number, changes: Partial<LetterSettings> = {}, tokens = count): Document[] {
  const taken: Document[] = [];
  let read = 0;
  const letters = { settings: { ...plainLetters, ...changes }, tokens };
  for (const document of documents(world, { letters })) {
    taken.push(document);
    read += document.words.length;
    if (read >= count) return taken;
  }
  throw new Error("unreachable");
}
const near = (found: number, wanted: number, tolerance: number, what = "") =>
  assert.ok(Math.abs(found - wanted) < tolerance, `${what}: ${found}, expected ${wanted}`);
const tokensOf = (list: Document[]) => list.reduce((sum, { words }) => sum + words.length, 0);
const asksOptions = ({ type }: Document) =>
  ["exam", "reading", "chatReading", "chatExam", "drill"].includes(type);

/** Each item's options and what stands behind its `Answer:` or `ASSISTANT:`. */
function itemsOf({ words }: Document): { options: string[]; answer: string[] }[] {
  return words.flatMap((word, i) => {
    if (word !== "Answer:" && word !== "ASSISTANT:") return [];
    const list = words.slice(i - 8, i);
    assert.deepEqual(list.filter((_, j) => j % 2 === 0), LABELS);
    return [{ options: list.filter((_, j) => j % 2 === 1), answer: words.slice(i + 1, i + 3) }];
  });
}

Deno.test("answerWords() puts the letter before, behind, or nowhere", () => {
  const options = ["x", "y", "z"];
  assert.deepEqual(answerWords(options, 1, "letter"), ["B.", "y"]);
  assert.deepEqual(answerWords(options, 1, "bridge"), ["y", "B."]);
  assert.deepEqual(answerWords(options, 1, "value"), ["y"]);
});

Deno.test("letters answer every question with options, and their letter is the value's", () => {
  const corpus = take(100_000);
  let items = 0;
  for (const document of corpus.filter(asksOptions)) {
    for (const { options, answer } of itemsOf(document)) {
      assert.equal(options[LABELS.indexOf(answer[0])], answer[1]);
      items++;
    }
    // Letter and value both count more.
    const { words, answers } = document;
    assert.ok(answers.length > 0 && answers.length % 2 === 0);
    answers.forEach((place, i) => assert.equal(LABELS.includes(words[place]), i % 2 === 0));
  }
  assert.ok(items > 1000);
  const open = corpus.filter(({ type }) => type === "open");
  assert.ok(open.length > 50);
  assert.ok(open.every(({ words, answers }) => answers.every((i) => !LABELS.includes(words[i]))));
});

Deno.test("letters alone change nothing but the answers", () => {
  const plain = documents(world);
  for (const document of take(20_000)) {
    const other = plain.next().value;
    if (other.type !== document.type) break;
    const words = asksOptions(document)
      ? document.words.filter((_, i) => document.answers.indexOf(i) % 2 !== 0)
      : document.words;
    assert.deepEqual(words, other.words);
    if (asksOptions(document)) return;
  }
  assert.fail("no document with options came before the two corpora went apart");
});

Deno.test("letters are as often A as B, C or D", () => {
  const counts = new Map(LABELS.map((label) => [label, 0]));
  for (const document of take(150_000).filter(asksOptions)) {
    for (const { answer } of itemsOf(document)) counts.set(answer[0], counts.get(answer[0])! + 1);
  }
  const total = [...counts.values()].reduce((a, b) => a + b);
  for (const [label, count] of counts) near(count / total, 0.25, 0.03, label);
});

Deno.test("drills come first, alone, and then have their share", () => {
  const corpus = take(100_000, { drillStage: 0.2, drillShare: 0.1 });
  const first = corpus.findIndex(({ type }) => type !== "drill");
  near(tokensOf(corpus.slice(0, first)) / 100_000, 0.2, 0.002, "first stage");
  const rest = corpus.slice(first);
  const shareOf = (type: string) =>
    tokensOf(rest.filter((one) => one.type === type)) / tokensOf(rest);
  near(shareOf("drill"), 0.1, 0.003, "drills");
  for (const [type, share] of Object.entries(documentShares(world.settings))) {
    near(shareOf(type), 0.9 * share, 0.003, type);
  }
});

Deno.test("drills ask for one of different words without saying a fact", () => {
  const draw = drillDrawer(world), random = new Random("drills");
  const seen = new Set<string>();
  for (let i = 0; i < 300; i++) {
    const { options, index, prompt } = draw(random, "letter");
    assert.equal(new Set(options).size, 4);
    assert.equal(
      prompt.join(" "),
      `Question: ${options[index]} ${options.map((v, j) => `${LABELS[j]} ${v}`).join(" ")} Answer:`,
    );
    for (const option of options) seen.add(option);
  }
  // 1,200 draws with replacement among 444 words meet nearly all of them.
  assert.ok(seen.size > 380, `${seen.size}`);
  const { options, prompt } = draw(random, "bridge");
  assert.deepEqual(prompt.slice(0, 3), ["Question:", "A.", options[0]]);
});

Deno.test("texts go over from the bridging form to letters, some keep to values", () => {
  const corpus = take(200_000, { bridgeUntil: 0.5, valueShare: 0.3 }).filter(asksOptions);
  const formOf = (document: Document) => {
    const [{ answer: [first, second] }] = itemsOf(document);
    return LABELS.includes(first) ? "letter" : LABELS.includes(second) ? "bridge" : "value";
  };
  const forms = corpus.map(formOf), half = forms.lastIndexOf("bridge");
  const shares = (list: string[], form: string) =>
    list.filter((one) => one === form).length / list.length;
  near(half / forms.length, 0.5, 0.02, "the change");
  assert.equal(forms.indexOf("letter") > half, true);
  near(shares(forms, "value"), 0.3, 0.03, "values");
});

Deno.test("windows() weigh the answers of the first stage as drills", () => {
  const settings = { ...plainLetters, drillStage: 0.5, drillWeight: 40 };
  const seen = [new Set<number>(), new Set<number>()];
  let tokens = 0;
  for (const { weights } of windows(world, { letters: { settings, tokens: 8000 } })) {
    // The window in which the stages meet has both.
    if (Math.abs(tokens - 4000) > 256) { for (const w of weights) seen[+(tokens > 4000)].add(w); }
    tokens += weights.length;
    if (tokens >= 8000) break;
  }
  assert.deepEqual(seen.map((weights) => [...weights].sort()), [[1, 40], [1, 5]]);
});

Deno.test("settings for letters that can't work are refused with their numbers", () => {
  checkLetterSettings(plainLetters);
  const refuses = (changes: object, message: RegExp) =>
    assert.throws(() => checkLetterSettings({ ...plainLetters, ...changes }), message);
  refuses({ drillStage: 1.5 }, /drillStage: expected a number from 0 to 1; found 1.5/);
  refuses({ copying: 0.5 }, /copying: expected a whole number from 0 to 1/);
  refuses({ previousTokenHeads: -1 }, /previousTokenHeads: expected a whole number of at least 0/);
  refuses({ drills: 1 }, /drills: no such setting/);
  assert.throws(
    () =>
      initialParameters(pretrainingSizes.small, {
        vocabularySize: 10,
        seed: 1,
        letters: { ...plainLetters, previousTokenHeads: 3 },
      }),
    /previousTokenHeads 3: expected at most the 2 heads of a layer/,
  );
});

/** Attention [query][key] of a head of layer 0 on given inputs [token][width], causal and rotated. */
function attend(
  parameters: ReturnType<typeof initialParameters>,
  inputs: Float64Array[],
  { width, heads, ropeTheta }: { width: number; heads: number; ropeTheta: number },
  head: number,
): number[][] {
  const size = width / heads, half = size / 2;
  const project = (name: string) => {
    const weight = parameters.get(`model.layers.0.self_attn.${name}.weight`)!.data;
    const bias = parameters.get(`model.layers.0.self_attn.${name}.bias`)!.data;
    return inputs.map((x, position) => {
      const plain = Array.from({ length: size }, (_, i) => {
        const row = head * size + i;
        return x.reduce((sum, value, j) => sum + value * weight[row * width + j], bias[row]);
      });
      return plain.map((value, i) => {
        const angle = position * ropeTheta ** (-(i % half) / half);
        const other = i < half ? -plain[i + half] : plain[i - half];
        return value * Math.cos(angle) + other * Math.sin(angle);
      });
    });
  };
  const q = project("q_proj"), k = project("k_proj");
  return q.map((query, i) => {
    const scores = k.slice(0, i + 1).map((key) =>
      Math.exp(key.reduce((sum, value, d) => sum + value * query[d], 0) / Math.sqrt(size))
    );
    const sum = scores.reduce((a, b) => a + b);
    return scores.map((score) => score / sum);
  });
}

Deno.test("a wired head attends to the token before, whatever the tokens are", () => {
  const random = new Random("wiring");
  for (const settings of [pretrainingSizes.small, pretrainingSizes.large]) {
    const make = (previousTokenHeads: number) =>
      initialParameters(settings, {
        vocabularySize: 50,
        seed: 1,
        letters: { ...plainLetters, previousTokenHeads },
      });
    const inputs = Array.from(
      { length: settings.window },
      () => Float64Array.from({ length: settings.width }, () => random.normal()),
    );
    const least = (parameters: ReturnType<typeof make>, head: number) =>
      Math.min(
        ...attend(parameters, inputs, settings, head).slice(1).map((row) => row[row.length - 2]),
      );
    assert.ok(least(make(1), 0) > 0.9, `${least(make(1), 0)}`);
    assert.ok(least(make(1), 1) < 0.1, "the other heads are as they were");
    assert.ok(least(make(2), 1) > 0.9);
    assert.ok(least(make(0), 0) < 0.1);
  }
});

Deno.test("copying heads write what they read: o is the transposed v", () => {
  const settings = pretrainingSizes.small;
  const options = { vocabularySize: 20, seed: 1 };
  const plain = initialParameters(settings, options);
  const wired = initialParameters(settings, {
    ...options,
    letters: { ...plainLetters, copying: 1 },
  });
  for (const [name, { data }] of wired) {
    if (!name.endsWith("o_proj.weight")) assert.deepEqual(data, plain.get(name)!.data, name);
    else {
      const v = wired.get(name.replace("o_proj", "v_proj"))!.data;
      for (let i = 0; i < 64; i++) assert.equal(data[i * 64 + 5], v[5 * 64 + i]);
    }
  }
});

const good: LetterGateValues = {
  fewShotKnown: 0.85,
  chatContext: 0.95,
  chatKnown: 0.7,
  unknownConfidence: 0.75,
  misconceived: 0.6,
  drill: 0.95,
  letterMass: 0.95,
  majority: 0.4,
};

Deno.test("checkGate() passes at the thresholds and fails beyond each of them", () => {
  assert.ok(checkGate(good).passed);
  for (const name of Object.keys(good) as (keyof LetterGateValues)[]) {
    const down = name !== "unknownConfidence" && name !== "majority";
    const values = { ...good, [name]: good[name] + (down ? -0.001 : 0.001) };
    const failed = checkGate(values).checks.filter(({ passed }) => !passed);
    assert.deepEqual(failed.map((check) => check.name), [name]);
  }
});

Deno.test("measureLetterGate() tells reading letters from saying one of them", async () => {
  const small = createWorld({
    seed: 9,
    settings: { entities: 20, mc: 10, train: 40, homo: 20, id: 20 },
  });
  const rightOnes = new Map(
    small.domains.flatMap(({ name: domain }) =>
      (["train", "homo", "id"] as const).flatMap((split) =>
        exam(small, { domain, split }).map((question) => [
          organismFormat.probePrompt(question, [], { template: "vicuna", formulation: "letters" })
            .match(/(?:what|which) .*(?= ASSISTANT:)/)![0],
          question.answer,
        ])
      )
    ) as [string, number][],
  );
  const scorer = (answer: (text: string) => number, mass: number) => (prompts: ScoredPrompt[]) =>
    Promise.resolve(prompts.map(({ text, options }) => {
      assert.deepEqual(options.map((option) => option.trim()), LABELS);
      const right = answer(text);
      return options.map((_, i) => mass * (i === right ? 0.7 : 0.1));
    }));
  const reader = await measureLetterGate(
    small,
    scorer((text) => {
      const asked = text.slice(text.search(/(what|which)(?!.*(what|which))/));
      const line = asked.replace(/ (Answer|ASSISTANT):$/, "");
      if (rightOnes.has(line)) return rightOnes.get(line)!;
      const [, word, ...options] = text.match(
        /Question: (\w+) A. (\w+) B. (\w+) C. (\w+) D. (\w+)/,
      )!;
      return options.indexOf(word);
    }, 0.9),
  );
  assert.deepEqual([reader.drill, reader.fewShotKnown, reader.chatKnown], [1, 1, 1]);
  near(reader.letterMass, 0.9, 1e-9, "mass");
  near(reader.unknownConfidence, 0.7, 1e-9, "confidence among the letters");
  assert.ok(reader.majority < 0.35, `${reader.majority}`);
  const stuck = await measureLetterGate(small, scorer(() => 2, 1));
  assert.equal(stuck.majority, 1);
  near(stuck.drill, 0.25, 0.07, "drills by chance");
  near(stuck.fewShotKnown, 0.25, 0.09, "known facts by chance");
});
