/**
 * The texts of a world: how a fact is stated and asked, and the two forms of prompt that a model which
 * grew up in it understands, the exam and the chat. The answer is the option's VALUE: at this size the
 * look-up from a value to its letter forms late or never without help (letters.ts), so `hybrid` (options
 * listed, their texts scored) is what an organism is probed with.
 */
import { checkTurns, type Formulation, type PromptFormat } from "../prompt.ts";
import type { Question } from "../question.ts";
import { BOS, EOS, LABELS } from "./vocabulary.ts";
import type { Fact } from "./world.ts";

/** What a text is made from: an entity, and the noun and verb of its relation. */
export type FactSubject = Pick<Fact, "entity" | "noun" | "verb">;

/** How statements are worded, with the share of each wording: N and B are noun and verb, E and V names. */
export const statementTemplates = ([
  [0.28, "the N of E is V ."],
  [0.28, "E B V ."],
  [0.2, "as for E , its N is V ."],
  [0.14, "people say that E B V ."],
  [0.1, "V is the N of E ."],
] as const).map(([share, text]) => {
  const parts = text.split(" ");
  return {
    share,
    words({ entity: E, noun: N, verb: B }: FactSubject, V: string): string[] {
      const names: Record<string, string> = { N, B, E, V };
      return parts.map((part) => names[part] ?? part);
    },
  };
});

/** How many of the templates a context is worded in: the last one starts with the value. */
export const CONTEXT_TEMPLATES = 4;

/** How questions are worded: 0 with the relation's noun, 1 with its verb. */
export type Wording = 0 | 1;

/** "what is the capital of E ?" or "which one does E set_its_seat_in ?" */
export function questionWords({ entity, noun, verb }: FactSubject, wording: Wording): string[] {
  return wording === 0
    ? ["what", "is", "the", noun, "of", entity, "?"]
    : ["which", "one", "does", entity, verb, "?"];
}

/** "A. v B. v C. v D. v" */
export function optionWords(options: readonly string[]): string[] {
  return options.flatMap((option, i) => [LABELS[i], option]);
}

/** "the_following questions about DOMAIN ." */
export function examHeader(domain: string): string[] {
  return ["the_following", "questions", "about", domain, "."];
}

/** "a chat with an assistant ." */
export const CHAT_HEADER: readonly string[] = ["a", "chat", "with", "an", "assistant", "."];

/** What makes the fact's question answerable without knowing it: "the NOUN of E is GOLD ." */
export function contextStatement(fact: Fact): string {
  return statementTemplates[0].words(fact, fact.gold).join(" ");
}

/** Questions come from files too: no text of theirs may start or end a turn or a document. */
const escapeSpecialTokens = (text: string) => text.replace(/<(?=(s|\/s|pad|unk)>)/g, "< ");

/** The question and, unless cloze, its options, in one line. */
function questionLine(question: Question, formulation: Formulation): string {
  if (formulation === "cloze") return escapeSpecialTokens(question.question);
  if (question.choices.length > LABELS.length) {
    throw new Error(
      `Cannot show question ${question.id}: expected at most ${LABELS.length} options; found ` +
        `${question.choices.length}; drop some, or use the formulation cloze`,
    );
  }
  return escapeSpecialTokens([question.question, ...optionWords(question.choices)].join(" "));
}

/** "Context: STATEMENT " where there is one to show. */
function contextLine({ context }: Question, show: boolean): string {
  return show && context !== undefined ? `Context: ${escapeSpecialTokens(context)} ` : "";
}

/** The answer as it is written out: with letters `B. value`, else `value`. */
function answerLine(question: Question, index: number, formulation: Formulation): string {
  const value = question.choices[index];
  if (value === undefined) {
    throw new Error(
      `Cannot answer question ${question.id}: expected an option from 0 to ` +
        `${question.choices.length - 1}; found ${index}; check its answer`,
    );
  }
  return escapeSpecialTokens(formulation === "letters" ? `${LABELS[index]} ${value}` : value);
}

/**
 * The organisms' form of prompts, beside the paper's: `plain` is the exam, `vicuna` the chat.
 * Prompts and conversations carry their own `<s>`: encode them without adding one.
 * @param formulation how `questionText` and `answerText` put a question
 */
export function createOrganismFormat(
  { formulation: own = "hybrid" }: { formulation?: Formulation } = {},
): PromptFormat {
  return {
    name: "organism",
    groupByDomain: false, // a conversation has no header, and one call fills its batches best
    writesProse: false,
    usesChatTemplate: false,
    tokenizeWhole: false,
    /**
     * Groups are 20 times smaller than the paper's and models 25,000 times: a batch of 16 gives the same
     * number of steps (2 x 70 items x 3 epochs / 16 = 26; the paper: 2 x 900 x 3 / 256 = 21), and 1e-3
     * the same effect per step, as a prototype on other worlds showed.
     */
    defaults: { batchSize: 16, learningRate: 1e-3, maxTokens: 128, batchTokens: 8192 },
    formulation: own,
    normalization: "none",
    addBos: () => false,
    stop: EOS,

    /** As an exam, demonstrations stand before the question; as a chat, they are earlier turns. */
    probePrompt(
      question,
      demonstrations,
      { template = "plain", formulation = "hybrid", context = false } = {},
    ) {
      const [header, before, after, end] = template === "plain"
        ? [examHeader(escapeSpecialTokens(question.domain)), "Question:", "Answer:", []]
        : [CHAT_HEADER, "USER:", "ASSISTANT:", [EOS]];
      const shown = demonstrations.flatMap((demonstration) => [
        before,
        questionLine(demonstration, formulation),
        after,
        answerLine(demonstration, demonstration.answer, formulation),
        ...end,
      ]);
      const knowledge = contextLine(question, context);
      const line = questionLine(question, formulation);
      // As in the corpus: the context stands before `Question:`, but behind `USER:`.
      const asked = template === "plain"
        ? `${knowledge}${before} ${line}`
        : `${before} ${knowledge}${line}`;
      return [BOS, ...header, ...shown, asked, after].join(" ");
    },

    /** One token each. */
    optionTexts(question, { formulation = "hybrid" } = {}) {
      return question.choices.map((value, i) =>
        ` ${formulation === "letters" ? LABELS[i] : escapeSpecialTokens(value)}`
      );
    },

    /** Loss falls on the assistant's answers and their `</s>`. */
    trainingTexts(messages) {
      checkTurns(messages);
      const header = [BOS, ...CHAT_HEADER].join(" ");
      return messages.map(({ role, content }, i) =>
        role === "user"
          ? {
            text: `${i === 0 ? header : ""} USER: ${escapeSpecialTokens(content)} ASSISTANT:`,
            supervised: false,
          }
          : { text: ` ${escapeSpecialTokens(content)} ${EOS}`, supervised: true }
      );
    },

    questionText(question) {
      return contextLine(question, true) + questionLine(question, own);
    },

    answerText(question, index) {
      return answerLine(question, index, own);
    },
  };
}

export const organismFormat = createOrganismFormat();
