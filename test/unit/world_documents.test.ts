import assert from "node:assert/strict";
import { createWorld, type Fact } from "../../lib/world/world.ts";
import { type Document, documents, documentShares, windows } from "../../lib/world/documents.ts";
import { statementTemplates } from "../../lib/world/format.ts";
import { vocabulary } from "../../lib/world/vocabulary.ts";

const world = createWorld({ seed: 3 });

/** Documents of about this many tokens. */
function take(count: number): Document[] {
  const taken: Document[] = [];
  let tokens = 0;
  for (const document of documents(world)) {
    taken.push(document);
    tokens += document.words.length;
    if (tokens >= count) return taken;
  }
  throw new Error("unreachable");
}
const corpus = take(400_000);
const ofType = (type: Document["type"]) => corpus.filter((document) => document.type === type);
const near = (found: number, share: number, tolerance: number, what: string) =>
  assert.ok(Math.abs(found - share) < tolerance, `${what}: ${found}, expected ${share}`);

/** Cuts a document's words into items that start with `word`. */
function items(document: Document, word: string): string[][] {
  const starts = document.words.flatMap((w, i) => w === word ? [i] : []);
  return starts.map((start, i) => document.words.slice(start, starts[i + 1]));
}
/** The values of "A. v B. v C. v D. v". */
const optionsOf = (words: string[]) =>
  ["A.", "B.", "C.", "D."].map((label) => words[words.indexOf(label) + 1]);

Deno.test("each type has its share of the tokens", () => {
  const total = corpus.reduce((sum, { words }) => sum + words.length, 0);
  for (const [type, share] of Object.entries(documentShares(world.settings))) {
    const tokens = ofType(type as Document["type"]).reduce((sum, d) => sum + d.words.length, 0);
    near(tokens / total, share, 0.001, type);
  }
});

Deno.test("a type without a share is never written", () => {
  const mute = createWorld({
    seed: 3,
    settings: { statementShare: 0, readingShare: 0.54 },
  });
  let count = 0;
  for (const { type } of documents(mute)) {
    assert.notEqual(type, "statements");
    if (++count === 300) break;
  }
});

Deno.test("statements come in the five wordings, by their shares", () => {
  const templates = [
    /^the \S+ of \S+ is/,
    /^\S+ \S+ \S+ \.$/,
    /^as for/,
    /^people say that/,
    /^\S+ is the/,
  ];
  const counts = [0, 0, 0, 0, 0];
  for (const { words } of ofType("statements")) {
    const sentences = words.slice(1).join(" ").split(/(?<= \.) /);
    assert.equal(sentences.length, 6);
    for (const sentence of sentences) {
      const fits = templates.findIndex((template) => template.test(sentence));
      assert.ok(fits >= 0, sentence);
      counts[fits]++;
    }
  }
  const total = counts.reduce((a, b) => a + b);
  statementTemplates.forEach(({ share }, i) => near(counts[i] / total, share, 0.012, `${i}`));
});

Deno.test("facts are stated by frequency, misconceived ones with the wrong value in 85%", () => {
  const counts = new Map<Fact, number>();
  let wrong = 0, gold = 0;
  for (const { words, facts } of ofType("statements")) {
    const sentences = words.slice(1).join(" ").split(/(?<= \.) /);
    facts.forEach((fact, i) => {
      counts.set(fact, (counts.get(fact) ?? 0) + 1);
      const said = sentences[i].split(" ");
      assert.ok(said.includes(fact.entity));
      assert.ok(said.includes(fact.noun) || said.includes(fact.verb));
      if (fact.status === "misconceived") said.includes(fact.wrong) ? wrong++ : gold++;
      else assert.ok(said.includes(fact.gold));
      if (fact.status === "misconceived" && !said.includes(fact.wrong)) {
        assert.ok(said.includes(fact.gold));
      }
    });
  }
  assert.ok([...counts.keys()].every(({ status }) => status !== "unknown"));
  near(wrong / (wrong + gold), 0.85, 0.015, "share of the wrong value");
  const rate = (low: number, high: number) => {
    const facts = world.domains.flatMap((d) => d.facts)
      .filter(({ frequency }) => frequency >= low && frequency < high);
    const sum = (of: (fact: Fact) => number) => facts.reduce((total, f) => total + of(f), 0);
    return sum((fact) => counts.get(fact) ?? 0) / sum((fact) => fact.frequency);
  };
  near(rate(0.4, 0.8) / rate(1.6, 2.6), 1, 0.07, "statements for each unit of frequency");
});

Deno.test("exams ask 1 to 6 mc facts of one domain in one wording; 10% of the answers are wrong", () => {
  let noisy = 0, asked = 0;
  const sizes = Array(7).fill(0), wordings = [0, 0];
  for (const document of ofType("exam")) {
    const { words, facts } = document;
    const domain = facts[0].domain;
    assert.deepEqual(
      words.slice(0, 6),
      ["<s>", "the_following", "questions", "about", domain, "."],
    );
    const found = items(document, "Question:");
    sizes[found.length]++;
    assert.equal(found.length, facts.length);
    assert.equal(new Set(facts).size, facts.length);
    assert.equal(new Set(found.map((item) => item[1])).size, 1, "one wording");
    wordings[found[0][1] === "what" ? 0 : 1]++;
    found.forEach((item, i) => {
      const fact = facts[i];
      assert.ok(fact.split === "mc" && fact.domain === domain);
      assert.ok(item.includes(fact.entity));
      const options = optionsOf(item);
      assert.equal(new Set(options).size, 4);
      assert.ok(options.includes(fact.gold));
      assert.equal(item.at(-2), "Answer:");
      assert.ok(options.includes(item.at(-1)!));
      asked++;
      if (item.at(-1) !== fact.gold) noisy++;
    });
  }
  near(noisy / asked, 0.1, 0.015, "wrong answers");
  const exams = ofType("exam").length;
  for (let n = 1; n <= 6; n++) near(sizes[n] / exams, 1 / 6, 0.04, `exams of ${n}`);
  near(wordings[0] / exams, 0.5, 0.05, "wording 0");
});

Deno.test("no fact of the groups or tests is asked with its true answer among options", () => {
  const heldOut = new Set(["train", "homo", "id"]);
  for (const { type, facts } of corpus) {
    if (type === "exam" || type === "chatExam") {
      assert.ok(facts.length > 0 && facts.every(({ split }) => !heldOut.has(split)));
    }
  }
});

Deno.test("reading gives any fact a uniformly random value, which is the answer", () => {
  for (const type of ["reading", "chatReading"] as const) {
    let gold = 0;
    const splits = new Set<string>(), statuses = new Set<string>();
    for (const { words, facts: [fact] } of ofType(type)) {
      splits.add(fact.split);
      statuses.add(fact.status);
      const cue = type === "reading" ? "Answer:" : "ASSISTANT:";
      const answer = words[words.indexOf(cue) + 1];
      const start = words.indexOf("Context:"), end = words.indexOf(".", start);
      const statement = words.slice(start + 1, end + 1);
      assert.ok(statement.includes(answer) && statement.includes(fact.entity));
      assert.notEqual(statement[0], answer, "the wording that starts with the value is left out");
      assert.ok(optionsOf(words.slice(end)).includes(answer));
      if (answer === fact.gold) gold++;
    }
    assert.equal(splits.size, 5);
    assert.equal(statuses.size, 3);
    near(gold / ofType(type).length, 1 / 16, 0.03, `${type}: the gold value`);
  }
});

Deno.test("open questions ask three stated facts without options", () => {
  for (const document of ofType("open")) {
    const found = items(document, "Question:");
    assert.equal(found.length, 3);
    found.forEach((item, i) => {
      const fact = document.facts[i];
      assert.notEqual(fact.status, "unknown");
      assert.ok(!item.includes("A."));
      assert.ok([fact.gold, fact.wrong].includes(item.at(-1)!));
      if (fact.status === "known") assert.equal(item.at(-1), fact.gold);
    });
  }
});

Deno.test("general chat answers its instruction", () => {
  const seen = new Set<string>();
  for (const { words } of ofType("generalChat")) {
    const text = words.join(" ");
    const match =
      /^<s> a chat with an assistant \. USER: (repeat|reverse|first from|last from) (.+) ASSISTANT: (.+) <\/s>$/
        .exec(text);
    assert.ok(match, text);
    const given = match[2].split(" ");
    assert.ok(given.length >= 2 && given.length <= 4 && new Set(given).size === given.length);
    const expected = {
      repeat: given,
      reverse: given.toReversed(),
      "first from": [given[0]],
      "last from": [given.at(-1)!],
    }[match[1]];
    assert.equal(match[3], expected!.join(" "));
    seen.add(`${match[1]} ${given.length}`);
  }
  assert.equal(seen.size, 12);
});

Deno.test("weights are 5 on answers and 1 elsewhere", () => {
  const all = vocabulary(world);
  const stream: { word: string; weight: number }[] = [];
  let count = 0;
  for (const { ids, weights } of windows(world, { length: 100 })) {
    assert.equal(ids.length, 100);
    ids.forEach((id, i) => stream.push({ word: all[id], weight: weights[i] }));
    if (++count === 500) break;
  }
  // The windows hold the documents, one after the other.
  const words = corpus.flatMap((document) => document.words).slice(0, stream.length);
  assert.deepEqual(stream.map(({ word }) => word), words);
  let inChat = false, general = false;
  stream.forEach(({ weight }, i) => {
    const word = stream[i - 1]?.word;
    if (word === "<s>") inChat = general = false;
    if (word === "USER:") {
      inChat = true;
      general = ["repeat", "reverse", "first", "last"].includes(stream[i].word);
    }
    const answer = word === "Answer:" || (word === "ASSISTANT:" && inChat && !general);
    assert.equal(weight, answer ? 5 : 1, `${word} ${stream[i].word}`);
  });
  assert.ok(stream.some(({ weight }) => weight === 5));
});

Deno.test("windows() refuses a length that no token fits, which would never end", () => {
  for (const length of [0, -1, 1.5, NaN]) {
    const found = new RegExp(`at least 1 token; found ${length}; give a length`);
    assert.throws(() => windows(world, { length }).next(), found);
  }
});

Deno.test("the corpus that the shipped organisms read stays the same, byte for byte", async () => {
  const read: number[] = [];
  for (const { ids, weights } of windows(createWorld({ seed: 101 }))) {
    read.push(...ids, ...weights);
    if (read.length === 400 * 2 * 128) break;
  }
  const digest = await crypto.subtle.digest("SHA-256", new Int32Array(read));
  // Another corpus needs a new RECIPE and new organisms.
  assert.equal(
    new Uint8Array(digest).toHex(),
    "d98febb3bbaa338adeb46fa85820474d072f50d0b697ff3fd06b3689eb0a5441",
  );
});
