/** Which token stands for a letter, by tokenizers in the shapes of the model families. */
import assert from "node:assert/strict";
import { letterMass, letterTarget } from "../../lib/letters.ts";
import { probe } from "../../lib/probe.ts";
import { chatTemplateFromFiles, createChatFormat } from "../../lib/model/chat_template.ts";
import type { LanguageModel } from "../../lib/model/language_model.ts";
import { paperFormat, type PromptFormat } from "../../lib/prompt.ts";
import type { Question } from "../../lib/question.ts";
import { type Tokenizer, tokenizerFromFiles } from "../../lib/model/tokenizer.ts";

const fixtures = new URL("../numerics/fixtures/", import.meta.url);
const json = (name: string) => JSON.parse(Deno.readTextFileSync(new URL(name, fixtures)));
const tokenizerOf = (name: string): Tokenizer =>
  tokenizerFromFiles(
    new Map([["tokenizer.json", JSON.stringify(json(`tokenizers/${name}.json`).tokenizer)]]),
  );
const question: Question = {
  id: 1,
  domain: "history",
  question: "Who?",
  choices: ["a", "b", "c", "d"],
  answer: 1,
};

const idsOf = (tokenizer: Tokenizer, before = "") =>
  ["A", "B", "C", "D"].map((letter) => tokenizer.tokenId(before + letter)!);

Deno.test("letterTarget() gives the paper's ids bare, and after a space the prompt's own next token", () => {
  const tokenizer = tokenizerOf("qwen2");
  const prompt = paperFormat.probePrompt(question, []);
  const texts = paperFormat.optionTexts(question);
  const target = (form: "bare" | "space") =>
    letterTarget({ tokenizer, format: paperFormat }, { prompt, texts, form, template: "plain" });
  assert.deepEqual(target("bare").ids, texts.map((text) => tokenizer.encode(text).at(-1)));
  assert.deepEqual(target("bare").prefix, tokenizer.encode(prompt));
  const spaced = target("space");
  texts.forEach((letter, i) =>
    assert.deepEqual([...spaced.prefix, spaced.ids[i]], tokenizer.encode(`${prompt} ${letter}`))
  );
  assert.notDeepEqual(spaced.ids, target("bare").ids);
});

Deno.test("letterTarget() in a chat template's conversation scores the tokens that are trained", () => {
  for (const { name, config, tokenizer: inner } of json("chat_templates.json")) {
    const files = new Map([
      ["tokenizer.json", JSON.stringify(inner)],
      ["tokenizer_config.json", JSON.stringify(config)],
    ]);
    const tokenizer = tokenizerFromFiles(files);
    const format = createChatFormat(chatTemplateFromFiles(files));
    const how = { template: "vicuna", formulation: "letters" } as const;
    const prompt = format.probePrompt(question, [], how);
    const texts = format.optionTexts(question, how);
    const { prefix, ids } = letterTarget(
      { tokenizer, format },
      { prompt, texts, form: "bare", template: "vicuna" },
    );
    for (const [i, text] of texts.entries()) {
      // This vocabulary joins a letter with the full stop behind it.
      const whole = tokenizer.encode(`${prompt}${text}${name === "mistral" ? "" : ". x"}`);
      assert.deepEqual(whole.slice(0, prefix.length + 1), [...prefix, ids[i]], name);
    }
  }
});

/** Gives each prompt the same logits. */
function stub(tokenizer: Tokenizer, favoured: Record<number, number>): LanguageModel {
  const format: PromptFormat = paperFormat;
  return {
    format,
    tokenizer,
    config: { maxPositions: 1000 },
    requireTokenizer: () => tokenizer,
    nextTokenLogits: (rows: number[][]) =>
      Promise.resolve(rows.map(() => {
        const logits = new Float32Array(tokenizer.vocabularySize).fill(-30);
        for (const [id, value] of Object.entries(favoured)) logits[Number(id)] = value;
        return logits;
      })),
  } as unknown as LanguageModel;
}

Deno.test("letterMass() tells where the probability is, and that what is scored is not it", async () => {
  const tokenizer = tokenizerOf("smollm");
  const bare = idsOf(tokenizer), space = idsOf(tokenizer, "Ġ");
  // 1/10 on a bare B, 8/10 on a spaced C, 1/10 elsewhere.
  const model = stub(tokenizer, { [bare[1]]: 0, [space[2]]: Math.log(8), 7: 0 });
  const mass = await letterMass(model, [question, question]);
  assert.ok(Math.abs(mass.bare - 0.1) < 1e-6 && Math.abs(mass.space - 0.8) < 1e-6);
  assert.equal(mass.shown, mass.bare);
  assert.equal(mass.natural, false);
  assert.match(mass.verdict, /10\.0% .* bare, 80\.0% with a space.*2 questions.*letterForm/);
  assert.equal((await letterMass(model, [question], { form: "space" })).natural, true);
  await assert.rejects(letterMass(model, []), /expected questions/);
});

Deno.test("letterMass() finds nothing of a letter that is no single token", async () => {
  // Demonstrations show B inside a longer token here, and A as another one than is scored.
  const tokenizer = tokenizerOf("llama2"), [bare] = idsOf(tokenizer, "▁");
  const shown = tokenizer.tokenId("A")!;
  const mass = await letterMass(stub(tokenizer, { [bare]: 5, [shown]: 5 }), [question]);
  assert.ok(Math.abs(mass.bare - 0.5) < 1e-6 && Math.abs(mass.shown - 0.5) < 1e-6);
});

Deno.test("probe() scores the letters in the form that is asked for", async () => {
  const tokenizer = tokenizerOf("smollm");
  const bare = idsOf(tokenizer), space = idsOf(tokenizer, "Ġ");
  const model = stub(tokenizer, { [bare[1]]: 5, [space[2]]: 5 });
  const [byDefault] = await probe(model, [question]);
  const [spaced] = await probe(model, [question], { letterForm: "space" });
  assert.deepEqual([byDefault.predicted, spaced.predicted], [1, 2]);
});
