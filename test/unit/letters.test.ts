/** Which token stands for a letter, by tokenizers in the shapes of the model families. */
import assert from "node:assert/strict";
import { letterTarget } from "../../lib/letters.ts";
import { probe } from "../../lib/probe.ts";
import { chatTemplateFromFiles, createChatFormat } from "../../lib/model/chat_template.ts";
import type { LanguageModel } from "../../lib/model/language_model.ts";
import type { NextTokenOptions } from "../../lib/model/readable_model.ts";
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
    nextTokenLogits: (_: number[][], { tokens = [] }: NextTokenOptions) =>
      Promise.resolve(tokens.map((ids) => {
        const logits = new Float32Array(tokenizer.vocabularySize).fill(-30);
        for (const [id, value] of Object.entries(favoured)) logits[Number(id)] = value;
        return Float32Array.from(ids, (id) => logits[id]);
      })),
  } as unknown as LanguageModel;
}

Deno.test("probe() scores the letters in the form that is asked for", async () => {
  const tokenizer = tokenizerOf("smollm");
  const bare = idsOf(tokenizer), space = idsOf(tokenizer, "Ġ");
  const model = stub(tokenizer, { [bare[1]]: 5, [space[2]]: 5 });
  const [byDefault] = await probe(model, [question]);
  const [spaced] = await probe(model, [question], { letterForm: "space" });
  assert.deepEqual([byDefault.predicted, spaced.predicted], [1, 2]);
});
