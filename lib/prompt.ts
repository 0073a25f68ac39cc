/**
 * The texts that a model reads: few-shot prompts of the probe, and conversations to train on.
 *
 * Choices made where the paper and its code leave room:
 * - In training, the user's turn of a question is what the 0-shot evaluation shows (header, options,
 *   `Answer:`), and the assistant's turn starts like a demonstration's answer, `B. text`; an
 *   explanation follows on the next line, so that the scored letter always comes first.
 * - A conversation's segments meet where the evaluation's prompt ends, so a segment encoded by
 *   itself gives the tokens that the evaluation scores. For letters that is after `ASSISTANT: `.
 * - For option texts (hybrid, cloze) prompts end without a space and options start with one, since
 *   most tokenizers join a space to the word behind it.
 */
import { cevalSubjects, cmmluSubjects, mmluSubjects } from "./dataset/subjects.ts";
import { domainName, type Message, optionLetter, type Question } from "./question.ts";

export type { Message } from "./question.ts";

/**
 * How a question is put (OLMES and lighteval: MCF, hybrid, CF): `letters`, options listed and their
 * letters scored, as in the paper; `hybrid`, options listed and their texts scored; `cloze`,
 * options not listed and their texts scored.
 */
export const formulations = ["letters", "hybrid", "cloze"] as const;

export type Formulation = typeof formulations[number];

/**
 * How likelihoods of options' texts are made comparable: `none` sums over tokens, `token` and `character`
 * divide the sum by its length, `pmi` takes off the text's own likelihood, without the question.
 */
export const normalizations = ["none", "token", "character", "pmi"] as const;

export type Normalization = typeof normalizations[number];

/** How a question is put and its options are compared. */
export type Asking = { formulation: Formulation; normalization: Normalization };

/**
 * Few-shot text, or the same inside a user's turn of a conversation: Vicuna's, or the model's own where
 * its format is made from its chat template.
 */
export type Template = "plain" | "vicuna";

/** A part of a conversation's text; the loss falls on the tokens of supervised parts. */
export type TrainingText = { text: string; supervised: boolean };

/** How a prompt is made. */
export interface PromptOptions {
  /** Default: `plain`. */
  template?: Template;
  /** Default: `letters`. */
  formulation?: Formulation;
  /** Show the asked question's context, where it has one (demonstrations': never). Default: false. */
  context?: boolean;
}

/** The texts of one kind of model: the paper's, those of its own chat template, or an organism's. */
export interface PromptFormat {
  readonly name: "paper" | "chat" | "organism";
  /** Whether all prompts of a domain start alike, so that one domain is read at a time. */
  readonly groupByDomain: boolean;
  /** Whether the model writes prose, so that it can explain its answers. */
  readonly writesProse: boolean;
  /** Whether conversations follow the model's own chat template. */
  readonly usesChatTemplate: boolean;
  /**
   * Whether a conversation is encoded as a whole, not part by part: a letter is then the token that
   * stands behind the prompt, which need not be the letter's token by itself.
   */
  readonly tokenizeWhole: boolean;
  /** Fine-tuning settings that fit such models. Absent: the paper's. */
  readonly defaults?: Readonly<
    { batchSize: number; learningRate: number; maxTokens: number; batchTokens: number }
  >;
  /** How the model is asked and trained unless told otherwise. */
  readonly formulation: Formulation;
  /** How its options' texts are compared unless told otherwise; letters need none. */
  readonly normalization: Normalization;
  /**
   * What sets these texts apart from others of the same name, for the keys of results. Absent: the
   * name says it all.
   */
  readonly identity?: string;
  /** Whether the tokenizer puts its own start (`<s>`) before `text`: not where a text brings it along. */
  addBos(text: string): boolean;
  /** The text up to where the answer starts, after `demonstrations` in the given order. */
  probePrompt(question: Question, demonstrations: Question[], options?: PromptOptions): string;
  /**
   * What is scored after the prompt, one text an option. A bare letter stands for one token: the
   * last id of the letter encoded by itself.
   */
  optionTexts(question: Question, options?: PromptOptions): string[];
  /** Segments of one conversation; together they are its whole text. */
  trainingTexts(messages: Message[]): TrainingText[];
  /** The user's turn for a question, its context shown where it has one. */
  questionText(question: Question): string;
  /** The assistant's turn that gives option `index`. */
  answerText(question: Question, index: number, options?: { explanation?: string }): string;
  /** What ends an assistant's turn. */
  readonly stop: string;
}

/** What the paper's format leaves to the model and the exam. */
export interface PaperFormatOptions {
  /** Language of header and answer cue. Default: `en`. */
  language?: "en" | "zh";
  /** How `questionText` and `answerText` put a question. Default: `letters`. */
  formulation?: Formulation;
  /** How options' texts are compared. Default: `none`; of letters always. */
  normalization?: Normalization;
  /** The text of the tokenizer's end-of-sequence token. Default: `</s>`, Llama's and Mistral's. */
  stop?: string;
}

const SYSTEM = "A chat between a curious user and an artificial intelligence assistant. " +
  "The assistant gives helpful, detailed, and polite answers to the user's questions.";

const CUE = { en: "\nAnswer:", zh: "\n答案：" };

/**
 * What the header names: the domain, or a benchmark's subject. The authors' code puts a space
 * before each word of an MMLU subject, so that two stand before the first; kept, for equal prompts.
 */
function topic(question: Question, language: "en" | "zh"): string {
  const subject = question.subject ?? "";
  if (language === "zh") {
    const found = cmmluSubjects.get(subject) ?? cevalSubjects.get(subject);
    return found?.chinese ?? domainName(question.domain);
  }
  if (mmluSubjects.has(subject)) return subject.split("_").map((word) => ` ${word}`).join("");
  if (question.domain === "truthfulqa") return "true or false statements";
  return domainName(question.domain);
}

function header(question: Question, language: "en" | "zh"): string {
  const name = topic(question, language);
  return language === "zh"
    ? `以下是中国关于${name}的单项选择题，请选出其中的正确答案。\n\n`
    : `The following are multiple choice questions about ${name}. Please choose the correct answer. \n\n`;
}

/** @throws where turns of user and assistant do not follow each other, the assistant's last */
export function checkTurns(messages: readonly Message[]): void {
  const right = messages.length > 0 && messages.length % 2 === 0 &&
    messages.every(({ role }, i) => role === (i % 2 === 0 ? "user" : "assistant"));
  if (right) return;
  const found = messages.map(({ role }) => role).join(", ") || "none";
  throw new Error(
    "Cannot write a conversation: expected turns of user and assistant by turns, the " +
      `assistant's last; found ${found}; check the messages`,
  );
}

/** The paper's texts (its section 3 and code), byte for byte; see `PaperFormatOptions`. */
export function createPaperFormat(options: PaperFormatOptions = {}): PromptFormat {
  const { language = "en", formulation: own = "letters", stop = "</s>" } = options;
  const normalization = own === "letters" ? "none" : options.normalization ?? "none";
  if (stop.length < 2) {
    throw new Error(
      "Cannot make the paper's prompts: expected stop to be an end token's text; found " +
        `${JSON.stringify(stop)}; give e.g. </s>`,
    );
  }

  /** An exam may hold the end token's text: spelled apart, it can't end a turn. */
  const escapeSpecialTokens = (text: string) =>
    text.replaceAll(stop, `${stop[0]} ${stop.slice(1)}`);

  /** One question up to its answer cue. */
  const item = (question: Question, formulation: Formulation, withContext: boolean): string => {
    const { context: knowledge } = question;
    const context = withContext && knowledge !== undefined ? `${knowledge}\n\n` : "";
    const listed = formulation === "cloze"
      ? ""
      : question.choices.map((choice, i) => `\n${optionLetter(i)}. ${choice}`).join("");
    return `${context}${question.question}${listed}${CUE[language]}`;
  };
  const answer = (question: Question, index: number, formulation: Formulation): string =>
    formulation === "letters"
      ? `${optionLetter(index)}. ${question.choices[index]}`
      : question.choices[index];
  const opening = (formulation: Formulation) =>
    formulation === "letters" ? "ASSISTANT: " : "ASSISTANT:";
  const space = (formulation: Formulation) => formulation === "letters" ? "" : " ";

  return {
    name: "paper",
    groupByDomain: true, // the header names it
    writesProse: true,
    usesChatTemplate: false,
    tokenizeWhole: false,
    formulation: own,
    normalization,
    ...(own === "letters" ? {} : { identity: `${own}/${normalization}` }),
    addBos: () => true,
    stop,

    probePrompt(question, demonstrations, options = {}) {
      const { template = "plain", formulation = "letters", context = false } = options;
      const shown = demonstrations.map((demonstration) =>
        item(demonstration, formulation, false) + space(formulation) +
        answer(demonstration, demonstration.answer, formulation) + "\n\n"
      );
      const text = escapeSpecialTokens(
        header(question, language) + shown.join("") + item(question, formulation, context),
      );
      return template === "plain" ? text : `${SYSTEM} USER: ${text} ${opening(formulation)}`;
    },

    optionTexts(question, { formulation = "letters" } = {}) {
      return question.choices.map((choice, i) =>
        formulation === "letters" ? optionLetter(i) : ` ${escapeSpecialTokens(choice)}`
      );
    },

    trainingTexts(messages) {
      checkTurns(messages);
      return messages.map(({ role, content }, i) =>
        role === "user"
          ? {
            text: `${i === 0 ? `${SYSTEM} ` : ""}USER: ${escapeSpecialTokens(content)} ${
              opening(own)
            }`,
            supervised: false,
          }
          : { text: `${space(own)}${escapeSpecialTokens(content)}${stop}`, supervised: true }
      );
    },

    questionText(question) {
      return header(question, language) + item(question, own, true);
    },

    answerText(question, index, { explanation } = {}) {
      const text = answer(question, index, own);
      return explanation === undefined ? text : `${text}\n${explanation}`;
    },
  };
}

/** The paper's format: English, letters, `</s>`. */
export const paperFormat: PromptFormat = createPaperFormat();
