/**
 * A model's own chat template, rendered by @huggingface/jinja as transformers' apply_chat_template does.
 * It is rendered once with marks in place of the words, which a text may hold twice, and what it puts
 * around them is kept. Filled with the words, that must give its own rendering to the character.
 */
import { compileTemplate, strip } from "./_jinja.ts";
import { type Fields, pairs } from "./fields.ts";
import { quote } from "../platform/runtime/quote.ts";
import { contentOf, specialNames } from "./tokenizer/added.ts";
import type { Message } from "../question.ts";
import type { PaperFormatOptions, PromptFormat, TrainingText } from "../prompt.ts";
import { checkTurns, createPaperFormat } from "../prompt.ts";

export interface ChatTemplate {
  /** What the template puts around the words of one exchange: fixes a study's texts. */
  readonly identity: string;
  /** What ends an assistant's turn. */
  readonly stop: string;
  /** What stands between the prompt and the answer's first word: a space or nothing. */
  readonly space: "" | " ";
  readonly opening: string;
  /** Words of a turn that can neither end it nor start another. */
  escapeSpecialTokens(text: string): string;
  /** The text up to where the assistant answers `text` (without `space`). */
  prompt(text: string): string;
  /**
   * The rendered conversation in parts; the assistant's words and their end are supervised.
   * @throws if the template refuses the conversation or writes other words than the turns'
   */
  trainingTexts(messages: readonly Message[]): TrainingText[];
}

/** The template's text; undefined where the files have none. Of several, the one named default. */
function templateText(files: ReadonlyMap<string, string>, config: Fields): string | undefined {
  const own = files.get("chat_template.jinja");
  if (own !== undefined) return own;
  const given = config.chat_template;
  if (!Array.isArray(given)) return typeof given === "string" ? given : undefined;
  const text = given.find((one) => one?.name === "default")?.template;
  return typeof text === "string" ? text : undefined;
}

/** A day for templates that write one, so that a study's texts don't change overnight. */
const day = pairs("Y=2024 y=24 m=07 B=July b=Jul d=26 A=Friday a=Fri H=00 M=00 S=00 %=%");

const fixedDay = (format: string) =>
  String(format).replace(/%-?([A-Za-z%])/g, (found, letter) => day.get(letter) ?? found);

/** A word that no text has: private characters around its place. */
const mark = (place: number) => `\uE000${place}\uE001`;

const marks = /\uE000\d+\uE001/;

/**
 * The chat template of a tokenizer's files; errors call the model `from`.
 * @throws where there is none, it can't be rendered, or turns have no end or no beginning
 */
export function chatTemplateFromFiles(
  files: ReadonlyMap<string, string>,
  { from = "the model" }: { from?: string } = {},
): ChatTemplate {
  const json = (name: string): Fields => JSON.parse(files.get(name) ?? "{}");
  const config = { ...json("special_tokens_map.json"), ...json("tokenizer_config.json") };
  const text = templateText(files, config);
  const refuse = (expected: string, found: string): never => {
    throw new Error(
      `Cannot use the chat template of ${from}: expected ${expected}; found ${found}; use the ` +
        "template vicuna, or give a folder with another chat_template.jinja",
    );
  };
  if (text === undefined || text.trim() === "") {
    return refuse("one in tokenizer_config.json or chat_template.jinja", "none");
  }
  const tokens = Object.fromEntries(
    specialNames.map((name) => [name, contentOf(config[name])])
      .filter(([, content]) => typeof content === "string"),
  );
  let template: ReturnType<typeof compileTemplate>;
  try {
    template = compileTemplate(text);
  } catch (error) {
    return refuse("Jinja as transformers reads it", (error as Error).message.slice(0, 200));
  }
  const render = (messages: readonly Message[], generate: boolean): string => {
    try {
      return template({
        messages: messages.map(({ role, content }) => ({ role, content })),
        add_generation_prompt: generate,
        strftime_now: fixedDay,
        ...tokens,
      });
    } catch (error) {
      const roles = messages.map(({ role }) => role).join(", ");
      const found = `its refusal: ${(error as Error).message.slice(0, 200)}`;
      return refuse(`a text of the turns ${roles}`, found);
    }
  };

  const around = (turns: number, generate: boolean): string[] => {
    const messages = Array.from({ length: turns }, (_, i): Message => ({
      role: i % 2 === 0 ? "user" : "assistant",
      content: mark(i),
    }));
    const rendered = render(messages, generate);
    const order = [...rendered.matchAll(new RegExp(marks, "g"))].map(([found]) => found);
    if (order.join() !== messages.map(({ content }) => content).join()) {
      refuse(`the words of ${turns} turns, each once and in order`, `${order.length} of them`);
    }
    return rendered.split(marks);
  };

  const { added_tokens: added } = json("tokenizer.json");
  const special = (Array.isArray(added) ? added : []).map(contentOf).filter((content) =>
    typeof content === "string" && content.trim().length > 1
  ) as string[];
  const [opening, between, after] = around(2, false);
  if (opening === "") refuse("something before the user's words", "nothing");
  /** The end of an assistant's turn: the first special token behind it, or else what stands there. */
  const endOf = (text: string): string => {
    const ends = [...special, tokens.eos_token as string | undefined]
      .filter((token) => token !== undefined && text.includes(token))
      .map((token) => text.indexOf(token!) + token!.length);
    return ends.length > 0 ? text.slice(0, Math.min(...ends)) : text.trimEnd();
  };
  const stop = endOf(after);
  if (stop.trim() === "") refuse("an end after the assistant's words", quote(after));
  const [opened, cue] = around(1, true);
  if (opened !== opening || !between.startsWith(cue)) {
    const expected = `its generation prompt to be what stands before an answer, ${quote(between)}`;
    refuse(expected, quote(opened === opening ? cue : opened));
  }
  const space = between.endsWith(" ") ? " " : "";

  // What a text must not hold: special tokens, and bracketed words such as [INST] and <|user|>.
  const bracketed = (opening + between + after).match(/<[^<>\s]+>|\[\/?[A-Z_]+\]/g) ?? [];
  const markers = [...new Set([...special, ...bracketed, stop.trim()])]
    .filter((marker) => marker.length > 1)
    .sort((a, b) => b.length - a.length);
  const escapeSpecialTokens = (text: string): string => {
    let result = text.replace(/[\uE000\uE001]/g, "");
    for (const marker of markers) {
      result = result.replaceAll(marker, `${marker[0]} ${marker.slice(1)}`);
    }
    return result;
  };

  /** Checks the filled parts against the template's own rendering; some templates trim words. */
  const fill = (parts: readonly string[], messages: readonly Message[], generate: boolean) => {
    const whole = render(messages, generate);
    // Qwen 3 takes line breaks alone from the beginnings of answers.
    const trims = [
      (words: string) => words,
      (words: string) => strip(words),
      (words: string) => strip(words, "lstrip", "\n"),
    ];
    for (const user of trims) {
      for (const assistant of trims) {
        const words = messages.map(({ role, content }) =>
          role === "user" ? user(content) : assistant(content)
        );
        const text = parts.map((part, i) => part + (words[i] ?? "")).join("");
        if (text === whole) return words;
      }
    }
    const expected = "the turns' words as they are, and the same around them whatever they say";
    return refuse(expected, quote(whole));
  };

  return {
    identity: JSON.stringify([opening, between, after]),
    stop,
    space,
    opening,
    escapeSpecialTokens,

    prompt(text) {
      const content = escapeSpecialTokens(text);
      const [words] = fill([opened, cue], [{ role: "user", content }], true);
      const whole = opening + words + between;
      return space === "" ? whole : whole.slice(0, -1);
    },

    trainingTexts(messages) {
      const spoken = messages
        .map(({ role, content }) => ({ role, content: escapeSpecialTokens(content) }));
      const parts = around(messages.length, false);
      const words = fill(parts, spoken, false);
      const texts: TrainingText[] = [];
      let before = parts[0];
      words.forEach((word, i) => {
        const next = parts[i + 1];
        if (spoken[i].role === "user") {
          before += word + next;
          return;
        }
        const end = next.startsWith(stop) ? stop : endOf(next);
        texts.push({ text: before, supervised: false }, { text: word + end, supervised: true });
        before = next.slice(end.length);
      });
      if (before !== "") texts.push({ text: before, supervised: false });
      return texts;
    },
  };
}

/**
 * The paper's few-shot texts; in a conversation (the template `vicuna` of `PromptOptions`) the same
 * text is the user's turn in the model's own chat template.
 */
export function createChatFormat(
  template: ChatTemplate,
  options: Omit<PaperFormatOptions, "stop"> = {},
): PromptFormat {
  const paper = createPaperFormat({ ...options, stop: template.stop });
  return {
    ...paper,
    name: "chat",
    usesChatTemplate: true,
    tokenizeWhole: true,
    identity: [template.identity, ...(paper.identity ? [paper.identity] : [])].join("\n"),
    addBos: (text) => !text.startsWith(template.opening),
    probePrompt(question, demonstrations, options = {}) {
      const plain = paper.probePrompt(question, demonstrations, { ...options, template: "plain" });
      return options.template === "vicuna" ? template.prompt(plain) : plain;
    },
    optionTexts(question, options = {}) {
      const texts = paper.optionTexts(question, options);
      if (options.template !== "vicuna") return texts;
      return texts.map((text) => template.space + template.escapeSpecialTokens(text.trimStart()));
    },
    trainingTexts(messages) {
      checkTurns(messages);
      return template.trainingTexts(messages);
    },
  };
}
