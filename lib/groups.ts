/**
 * The groups that are trained on (paper, section 3.2), built from one model's answers:
 * HAR (harmonious): answered right, trained on the gold answer;
 * INC (incompatible): answered wrong, trained on the gold answer, against the model's belief;
 * SELF (self-aligning): INC's queries, trained on the model's own wrong answer.
 * Mixtures of INC and SELF, INC with the knowledge in the query, and general instructions.
 */
import { defined } from "./platform/defined.ts";
import { paperFormat, type PromptFormat } from "./prompt.ts";
import type { Answer, Example, Question } from "./question.ts";
import { Random } from "./statistics/random.ts";

export type { Example } from "./question.ts";

/** How groups are built. */
export interface GroupOptions {
  /** Which items are drawn when a group is cut. */
  seed: number | string;
  /** An answer counts as knowledge when its probability is above this. Default: 0.5, the paper's. */
  minimumConfidence?: number;
  /** Texts of the conversations. Default: the paper's. */
  format?: PromptFormat;
  /**
   * The model's explanation of its own answer, for SELF. When given, every output is explained (HAR
   * and INC by the question's explanation), and items that lack one are left out of all groups, so
   * that groups differ in what is said and not in form. Default: nothing is explained.
   */
  selfExplanation?: (answer: Answer) => string | undefined;
}

/** The filter that left too little, when there are no groups. */
export interface EmptyReason {
  filter: "answers" | "confidence" | "right" | "wrong" | "explanation";
  message: string;
}

/** What each filter left. */
export interface GroupSizes {
  /** Answers given. */
  answers: number;
  /** Of these, with a prediction above the minimum confidence. */
  confident: number;
  /** Of the confident ones, the model's right and wrong answers. */
  right: number;
  wrong: number;
  /** Right and wrong ones with the explanations that were asked for. */
  explainedRight: number;
  explainedWrong: number;
  /** Final sizes: one number for all three. */
  har: number;
  inc: number;
  self: number;
  /** The group that set the size; HAR only when it is smaller than INC. */
  limitedBy?: "har" | "inc";
  /** Why there are no groups. */
  emptiedBy?: EmptyReason;
}

/** The three groups, of one size in each domain. */
export interface Groups {
  har: Example[];
  inc: Example[];
  self: Example[];
  /** Sums over the domains, and each domain's own. */
  sizes: GroupSizes & { domains: Record<string, GroupSizes> };
}

/** The question alone, without the model's answer to it. */
function plainQuestion(answer: Question): Question {
  const { id, domain, subject, question, choices, explanation, context } = answer;
  const further = defined({ subject, explanation, context });
  return { id, domain, question, choices, answer: answer.answer, ...further };
}

/** `count` items, drawn by `random`, in their own order. */
function sample<T>(items: readonly T[], count: number, random: Random): T[] {
  if (count === items.length) return items.slice();
  const drawn = new Set(random.shuffle(items.map((_, i) => i)).slice(0, count));
  return items.filter((_, i) => drawn.has(i));
}

function why(sizes: GroupSizes, minimumConfidence: number): EmptyReason {
  const { answers, confident, right, wrong, explainedRight, explainedWrong } = sizes;
  if (answers === 0) return { filter: "answers", message: "No answers were given." };
  if (confident === 0) {
    return {
      filter: "confidence",
      message: `None of ${answers} answers has a probability above ${minimumConfidence}.`,
    };
  }
  if (wrong === 0) {
    return {
      filter: "wrong",
      message: `All ${confident} confident answers are right: INC and SELF need wrong ones.`,
    };
  }
  if (right === 0) {
    return {
      filter: "right",
      message: `All ${confident} confident answers are wrong: HAR needs right ones.`,
    };
  }
  return {
    filter: "explanation",
    message: `Explanations are there for ${explainedRight} of ${right} right and ` +
      `${explainedWrong} of ${wrong} wrong answers.`,
  };
}

const counts = [
  "answers",
  "confident",
  "right",
  "wrong",
  "explainedRight",
  "explainedWrong",
  "har",
  "inc",
  "self",
] as const;

function total(all: GroupSizes[]): GroupSizes {
  return Object.fromEntries(
    counts.map((key) => [key, all.reduce((sum, sizes) => sum + sizes[key], 0)]),
  ) as unknown as GroupSizes;
}

/**
 * HAR, INC and SELF from the answers of one model, all of one size in each domain: the number of
 * confident wrong answers, or of right ones where these are fewer (then INC and SELF are cut too;
 * `sizes.limitedBy` says which). Too little left is no error: `sizes.emptiedBy` names the filter.
 * A question's context is not shown here; see `withContext`.
 */
export function constructGroups(answers: readonly Answer[], options: GroupOptions): Groups {
  const { minimumConfidence = 0.5, format = paperFormat } = options;
  if (!(minimumConfidence >= 0 && minimumConfidence <= 1)) {
    throw new RangeError(
      `Cannot construct groups: expected minimumConfidence from 0 to 1; found ${minimumConfidence}`,
    );
  }
  const explain = options.selfExplanation;
  const random = new Random(options.seed);
  const groups: Groups = { har: [], inc: [], self: [], sizes: { ...total([]), domains: {} } };

  const make = (group: "har" | "inc" | "self", answer: Answer): Example => {
    const question = plainQuestion(answer);
    const { context: _, ...asked } = question;
    const target = group === "self" ? answer.predicted : answer.answer;
    const explanation = !explain ? undefined : group === "self" ? explain(answer) : answer
      .explanation;
    return {
      id: answer.id,
      domain: answer.domain,
      messages: [
        { role: "user", content: format.questionText(asked) },
        { role: "assistant", content: format.answerText(asked, target, { explanation }) },
      ],
      group,
      question,
      target,
    };
  };

  for (const [domain, given] of Map.groupBy(answers, (answer) => answer.domain)) {
    const confident = given.filter((a) => a.predictedProbability > minimumConfidence);
    const right = confident.filter((a) => a.predicted === a.answer);
    const wrong = confident.filter((a) => a.predicted !== a.answer);
    const usableRight = explain ? right.filter((a) => a.explanation) : right;
    const usableWrong = explain ? wrong.filter((a) => a.explanation && explain(a)) : wrong;
    const size = Math.min(usableRight.length, usableWrong.length);
    const sizes: GroupSizes = {
      answers: given.length,
      confident: confident.length,
      right: right.length,
      wrong: wrong.length,
      explainedRight: usableRight.length,
      explainedWrong: usableWrong.length,
      har: size,
      inc: size,
      self: size,
    };
    if (size === 0) sizes.emptiedBy = why(sizes, minimumConfidence);
    else sizes.limitedBy = usableRight.length < usableWrong.length ? "har" : "inc";
    groups.sizes.domains[domain] = sizes;
    const har = sample(usableRight, size, random.fork(`har/${domain}`));
    const inc = sample(usableWrong, size, random.fork(`inc/${domain}`));
    groups.har.push(...har.map((answer) => make("har", answer)));
    groups.inc.push(...inc.map((answer) => make("inc", answer)));
    groups.self.push(...inc.map((answer) => make("self", answer)));
  }

  const { domains } = groups.sizes;
  const each = Object.entries(domains);
  groups.sizes = { ...total(Object.values(domains)), domains };
  if (each.length === 0) {
    groups.sizes.emptiedBy = why(groups.sizes, minimumConfidence);
  } else if (each.length === 1) {
    groups.sizes = { ...each[0][1], domains };
  } else if (groups.sizes.inc === 0) {
    groups.sizes.emptiedBy = {
      filter: each[0][1].emptiedBy!.filter,
      message: each.map(([domain, sizes]) => `${domain}: ${sizes.emptiedBy!.message}`).join(" "),
    };
  }
  return groups;
}

const key = ({ domain, id }: Example) => JSON.stringify([domain, id]);

/**
 * INC's queries, a share `ratio` of them with SELF's output (paper, section 5.2): `ratio` times the
 * count, rounded half up. In INC's order. With one seed, a larger ratio's SELF items hold all of a
 * smaller one's, so neighbouring mixtures differ as little as they can.
 * Throws when the two groups don't ask the same questions, or `ratio` is not from 0 to 1.
 */
export function mixGroups(
  inc: readonly Example[],
  self: readonly Example[],
  ratio: number,
  seed: number | string,
): Example[] {
  if (!(ratio >= 0 && ratio <= 1)) {
    throw new RangeError(`Cannot mix groups: expected a ratio from 0 to 1; found ${ratio}`);
  }
  const own = new Map(self.map((example) => [key(example), example]));
  const missing = inc.filter((example) => !own.has(key(example)));
  if (
    missing.length > 0 || own.size !== inc.length || self.length !== inc.length ||
    new Set(inc.map(key)).size !== inc.length
  ) {
    throw new Error(
      `Cannot mix groups: expected INC and SELF to ask the same questions once; found ${inc.length} ` +
        `and ${self.length}, ${missing.length} of INC's not in SELF; build both from the same answers`,
    );
  }
  // 1e-9: 0.29 x 50 comes out as 14.499999999999998, and must round as 14.5 does.
  const count = Math.floor(ratio * inc.length + 0.5 + 1e-9);
  const drawn = new Set(
    new Random(seed).fork("mixture").shuffle(inc.map((_, i) => i)).slice(0, count),
  );
  return inc.map((example, i) => drawn.has(i) ? own.get(key(example))! : example);
}

/** What a question's query may be given to know: its context, else its explanation; blank is none. */
export const knowledgeFor = ({ context, explanation }: Question): string | undefined =>
  [context, explanation].find((text) => text?.trim());

/**
 * The same examples with the knowledge in the query, before the question (paper, section 4.3: CON);
 * targets stay. Examples without a question (general instructions) are left as they are. Throws when a
 * question has none: a group with and without would show neither.
 */
export function withContext(
  examples: readonly Example[],
  { format = paperFormat }: { format?: PromptFormat } = {},
): Example[] {
  const lacking = examples.filter(({ question }) => question && !knowledgeFor(question));
  if (lacking.length > 0) {
    throw new Error(
      `Cannot put knowledge into ${examples.length} examples: expected a context for each; found ` +
        `none for ${lacking.length}, first for ${JSON.stringify(lacking[0].id)}; give these ` +
        "questions a context, or leave them out",
    );
  }
  return examples.map((example) => {
    if (!example.question) return example;
    const question = { ...example.question, context: knowledgeFor(example.question) };
    const [, ...rest] = example.messages;
    return {
      ...example,
      messages: [{ role: "user", content: format.questionText(question) }, ...rest],
      group: "context",
      question,
    };
  });
}

/** So many general instructions, drawn without repetition. @throws where there are fewer */
export function drawGeneral(general: readonly Example[], count: number, random: Random): Example[] {
  if (general.length < count) {
    throw new Error(
      `Cannot mix in general instructions: expected at least ${count}; found ` +
        `${general.length}; give more (--general=FILE)`,
    );
  }
  return random.shuffle(general).slice(0, count);
}

/** Examples and as many general instructions (see `drawGeneral`), in random order. */
export function withGeneral(
  examples: readonly Example[],
  general: readonly Example[],
  seed: number | string,
): Example[] {
  const random = new Random(seed).fork("general");
  return random.shuffle([...examples, ...drawGeneral(general, examples.length, random)]);
}

/** Rows of chat messages, as transformers and TRL read them. */
export function toMessages(
  examples: readonly Example[],
): { id: string; messages: { role: "user" | "assistant"; content: string }[] }[] {
  return examples.map(({ id, messages }) => ({
    id: String(id),
    messages: messages.map(({ role, content }) => ({ role, content })),
  }));
}

/** Alpaca's rows; throws for a conversation of more than one exchange, which they can't hold. */
export function toAlpaca(
  examples: readonly Example[],
): { instruction: string; input: string; output: string }[] {
  return examples.map(({ id, messages }) => {
    if (messages.length !== 2) {
      throw new Error(
        `Cannot write example ${JSON.stringify(id)} for Alpaca: expected two turns; found ` +
          `${messages.length}; use toMessages or toShareGpt`,
      );
    }
    return { instruction: messages[0].content, input: "", output: messages[1].content };
  });
}

/** ShareGPT's rows, as FastChat (the authors' trainer) reads them. */
export function toShareGpt(
  examples: readonly Example[],
): { id: string; conversations: { from: "human" | "gpt"; value: string }[] }[] {
  return examples.map(({ id, messages }) => ({
    id: String(id),
    conversations: messages.map(({ role, content }) => ({
      from: role === "user" ? "human" : "gpt",
      value: content,
    })),
  }));
}
