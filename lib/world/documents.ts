/**
 * The corpus of a world: an endless stream of documents of seven types, each type held to its share
 * of the tokens, and the windows of token ids that a model is trained on.
 */
import { Random } from "../statistics/random.ts";
import {
  CHAT_HEADER,
  CONTEXT_TEMPLATES,
  examHeader,
  optionWords,
  questionWords,
  statementTemplates,
  type Wording,
} from "./format.ts";
import { drawInstruction } from "./instruction.ts";
import { type AnswerStyle, answerWords, drillDrawer, type LetterSettings } from "./letters.ts";
import { MAX_EXAM_ITEMS, type WorldSettings } from "./settings.ts";
import { BOS, EOS, vocabulary } from "./vocabulary.ts";
import { allFacts, type Fact, type World } from "./world.ts";

const TYPES = ["exam", "reading", "open", "generalChat", "chatReading", "chatExam"] as const;

type SharedType = "statements" | typeof TYPES[number];

export type DocumentType = SharedType | "drill";

/** One text of the corpus, from its `<s>` on. */
export interface Document {
  type: DocumentType;
  words: string[];
  /** Places in `words` of the answers, whose loss counts more. */
  answers: number[];
  /** The facts that the document speaks of. */
  facts: Fact[];
}

/** The share of the corpus's tokens that each type has; drills are for letters alone. */
export function documentShares(settings: WorldSettings): Record<SharedType, number> {
  const others = TYPES.map((type) => [type, settings[`${type}Share`]]);
  return { statements: settings.statementShare, ...Object.fromEntries(others) };
}

const STATEMENTS_EACH = 6, OPEN_QUESTIONS_EACH = 3, DRILLS_EACH = 6;

export interface DocumentOptions {
  /**
   * How questions are answered with letters, and the tokens of the training that its stages are shares of.
   * Default: they are answered with values.
   */
  letters?: { settings: LetterSettings; tokens: number };
}

/**
 * The documents of a world, without end. The next one is of the type that lacks most tokens.
 * The same world and options give the same documents.
 */
export function* documents(
  world: World,
  { letters }: DocumentOptions = {},
): Generator<Document, never> {
  const drillShare = letters?.settings.drillShare ?? 0;
  const shares = [
    ...Object.entries(documentShares(world.settings))
      .map(([type, share]) => [type, share * (1 - drillShare)]),
    ...(letters ? [["drill", drillShare]] : []),
  ] as [DocumentType, number][];
  const written = new Map(shares.map(([type]) => [type, 0]));
  const author = createAuthor(world, new Random(`${world.seed}/documents`), letters);
  while (letters && author.tokens < letters.settings.drillStage * letters.tokens) {
    yield author.write("drill");
  }
  let total = 0;
  while (true) {
    let next = shares[0][0], most = -Infinity;
    for (const [type, share] of shares) {
      const lacking = share * total - written.get(type)!;
      // A type without a share is never written, not even as the very first.
      if (share > 0 && lacking > most) [next, most] = [type, lacking];
    }
    const document = author.write(next);
    written.set(next, written.get(next)! + document.words.length);
    total += document.words.length;
    yield document;
  }
}

/** Writes documents one after the other; `tokens`: of all that were written. */
function createAuthor(world: World, random: Random, letters: DocumentOptions["letters"]) {
  const { noise, strength, options: optionCount } = world.settings;
  const drawDrill = drillDrawer(world);
  const all = allFacts(world), stated = all.filter((fact) => fact.frequency > 0);
  let sum = 0;
  /** Running sums of the stated facts' frequencies. */
  const sums = stated.map((fact) => sum += fact.frequency);
  const mc = world.domains.map(({ facts }) => facts.filter(({ split }) => split === "mc"));
  const pools = new Map(
    world.domains.flatMap(({ relations }) => relations).map(({ noun, values }) => [noun, values]),
  );
  let document: Document = { type: "statements", words: [], answers: [], facts: [] };
  /** How this document answers questions with options. */
  let form: AnswerStyle = "value";
  let tokens = 0;

  const add = (words: readonly string[]) => void document.words.push(...words);
  const drawWording = () => random.integer(2) as Wording;
  const drawStated = (): Fact => {
    const place = random.next() * sum;
    return stated.at(sums.findIndex((sum) => sum > place))!;
  };
  const drawStatement = ({ status, gold, wrong }: Fact): string =>
    status === "misconceived" && random.next() < strength ? wrong : gold;

  /** One form for a document. Values alone need no draw: the corpus stays the one it was. */
  function drawForm(type: DocumentType): AnswerStyle {
    if (letters === undefined) return "value";
    const { settings: { bridgeUntil, valueShare }, tokens: whole } = letters;
    // A draw only where it decides: without values, letters alone change nothing but the answers.
    if (type !== "drill" && valueShare > 0 && random.next() < valueShare) return "value";
    return tokens < bridgeUntil * whole ? "bridge" : "letter";
  }

  /** This value and other ones of the fact's relation, in random order. */
  function drawOptions(fact: Fact, value: string): string[] {
    const options = [value], pool = pools.get(fact.noun)!;
    while (options.length < optionCount) {
      const other = random.pick(pool);
      if (!options.includes(other)) options.push(other);
    }
    return random.shuffle(options);
  }

  /** The answer, in the document's form where the question listed options. */
  function answer(value: string, options?: readonly string[]): void {
    const words = options ? answerWords(options, options.indexOf(value), form) : [value];
    for (const word of words) document.answers.push(document.words.push(word) - 1);
  }

  function ask(fact: Fact, wording: Wording, before: string[]): void {
    document.facts.push(fact);
    add(before);
    add(questionWords(fact, wording));
  }

  /** A statement in one of the first `count` templates, by their shares. */
  function state(fact: Fact, value: string, count = statementTemplates.length): void {
    const sum = statementTemplates.slice(0, count).reduce((sum, { share }) => sum + share, 0);
    let left = random.next() * sum, i = 0;
    while (i < count - 1 && (left -= statementTemplates[i].share) >= 0) i++;
    if (document.type === "statements") document.facts.push(fact);
    add(statementTemplates[i].words(fact, value));
  }

  /** A question with fresh options; some answers are wrong ones, so that nothing is quite certain. */
  function examItem(fact: Fact, wording: Wording, before: string[], after: string): void {
    const options = drawOptions(fact, fact.gold);
    ask(fact, wording, before);
    add([...optionWords(options), after]);
    const noisy = random.next() < noise;
    const value = noisy ? random.pick(options.filter((v) => v !== fact.gold)) : fact.gold;
    answer(value, options);
  }

  /** Any fact with any value: only the context tells the answer. */
  function reading(before: string[], after: string): void {
    const fact = random.pick(all), value = random.pick(pools.get(fact.noun)!);
    add(["Context:"]);
    state(fact, value, CONTEXT_TEMPLATES);
    ask(fact, drawWording(), before);
    const options = drawOptions(fact, value);
    add([...optionWords(options), after]);
    answer(value, options);
  }

  const writers: Record<DocumentType, () => void> = {
    statements() {
      for (let i = 0; i < STATEMENTS_EACH; i++) {
        const fact = drawStated();
        state(fact, drawStatement(fact));
      }
    },
    /** 1 to 6 different mc facts of one domain, in one wording. */
    exam() {
      const d = random.integer(mc.length), count = 1 + random.integer(MAX_EXAM_ITEMS);
      const wording = drawWording(), asked = new Set<Fact>();
      add(examHeader(world.domains[d].name));
      while (asked.size < count) asked.add(random.pick(mc[d]));
      for (const fact of asked) examItem(fact, wording, ["Question:"], "Answer:");
    },
    reading: () => reading(["Question:"], "Answer:"),
    open() {
      for (let i = 0; i < OPEN_QUESTIONS_EACH; i++) {
        const fact = drawStated();
        ask(fact, drawWording(), ["Question:"]);
        add(["Answer:"]);
        answer(drawStatement(fact));
      }
    },
    generalChat() {
      const { user, assistant } = drawInstruction(world.neutralWords, random);
      add([...CHAT_HEADER, "USER:", ...user, "ASSISTANT:", ...assistant, EOS]);
    },
    chatReading() {
      add([...CHAT_HEADER, "USER:"]);
      reading([], "ASSISTANT:");
      add([EOS]);
    },
    chatExam() {
      add([...CHAT_HEADER, "USER:"]);
      examItem(random.pick(random.pick(mc)), drawWording(), [], "ASSISTANT:");
      add([EOS]);
    },
    drill() {
      for (let i = 0; i < DRILLS_EACH; i++) {
        const { options, index, prompt } = drawDrill(random, form);
        add(prompt);
        answer(options[index], options);
      }
    },
  };
  return {
    get tokens() {
      return tokens;
    },
    write(type: DocumentType): Document {
      document = { type, words: [BOS], answers: [], facts: [] };
      form = drawForm(type);
      writers[type]();
      tokens += document.words.length;
      return document;
    },
  };
}

/** A piece of the corpus; `weights[i]` is the loss weight of predicting `ids[i]`. */
export type Window = { ids: Int32Array; weights: Float32Array };

export interface WindowOptions extends DocumentOptions {
  /** Tokens in a window. Default 128. */
  length?: number;
  /** Loss weight of an answer's token; all others have 1. Default 5. */
  answerWeight?: number;
}

/**
 * The corpus cut into windows, without end: documents follow each other, each from its `<s>` on,
 * and a window starts where the one before ended, wherever that is.
 */
export function* windows(
  world: World,
  { length = 128, answerWeight = 5, ...options }: WindowOptions = {},
): Generator<Window, never> {
  if (!(Number.isInteger(length) && length > 0)) {
    const expected = `windows of at least 1 token; found ${length}`;
    throw new Error(`Cannot cut the corpus: expected ${expected}; give a length`);
  }
  const ids = new Map(vocabulary(world).map((word, id) => [word, id]));
  const empty = () => ({ ids: new Int32Array(length), weights: new Float32Array(length).fill(1) });
  let window = empty();
  const { letters } = options;
  const stage = letters ? letters.settings.drillStage * letters.tokens : 0;
  let filled = 0, read = 0;
  for (const document of documents(world, options)) {
    const answers = new Set(document.answers);
    const weight = letters && read < stage ? letters.settings.drillWeight : answerWeight;
    read += document.words.length;
    for (let i = 0; i < document.words.length; i++) {
      window.ids[filled] = ids.get(document.words[i])!;
      if (answers.has(i)) window.weights[filled] = weight;
      if (++filled === length) {
        yield window;
        window = empty();
        filled = 0;
      }
    }
  }
  throw new Error("the documents of a world never end");
}
