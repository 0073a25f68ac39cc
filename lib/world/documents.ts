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

/** The share of the corpus's tokens that each type has; drills are for letters alone. */
export function documentShares(settings: WorldSettings): Record<SharedType, number> {
  const others = TYPES.map((type) => [type, settings[`${type}Share`]]);
  return { statements: settings.statementShare, ...Object.fromEntries(others) };
}

/** What stands before a question and before its answer; in a chat `USER:` stands before the context. */
type Frame = readonly [before: readonly string[], after: string];
const EXAM: Frame = [["Question:"], "Answer:"], CHAT: Frame = [[], "ASSISTANT:"];

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
  const shares = Object.entries(documentShares(world.settings))
    .map(([type, share]) => [type, share * (1 - drillShare)] as [DocumentType, number]);
  // A type without a share is never written, not even as the very first.
  const types = [...shares, ["drill", drillShare] as const].filter(([, share]) => share > 0)
    .map(([type, share]) => ({ type, share, written: 0 }));
  const random = new Random(`${world.seed}/documents`), writers = writersOf(world, random);
  let tokens = 0;
  const write = (type: DocumentType): Document => {
    const document = new Document(type, drawForm(type, { letters, tokens, random }));
    writers[type](document);
    tokens += document.words.length;
    return document;
  };
  while (letters && tokens < letters.settings.drillStage * letters.tokens) yield write("drill");
  const start = tokens;
  while (true) {
    const lacking = ({ share, written }: typeof types[0]) => share * (tokens - start) - written;
    const next = types.reduce((most, one) => lacking(one) > lacking(most) ? one : most);
    const document = write(next.type);
    next.written += document.words.length;
    yield document;
  }
}

/** One form for a document. Values alone need no draw: the corpus stays the one it was. */
function drawForm(
  type: DocumentType,
  { letters, tokens, random }: DocumentOptions & { tokens: number; random: Random },
): AnswerStyle {
  if (letters === undefined) return "value";
  const { settings: { bridgeUntil, valueShare }, tokens: whole } = letters;
  // A draw only where it decides: without values, letters alone change nothing but the answers.
  if (type !== "drill" && valueShare > 0 && random.next() < valueShare) return "value";
  return tokens < bridgeUntil * whole ? "bridge" : "letter";
}

/** One text of the corpus, from its `<s>` on. */
export class Document {
  readonly words: string[] = [BOS];
  /** Places in `words` of the answers, whose loss counts more. */
  readonly answers: number[] = [];
  /** The facts that the document speaks of. */
  readonly facts: Fact[] = [];

  /** @param form how it answers questions with options */
  constructor(readonly type: DocumentType, readonly form: AnswerStyle) {}

  ask(fact: Fact, wording: Wording, before: readonly string[]): void {
    this.facts.push(fact);
    this.words.push(...before, ...questionWords(fact, wording));
  }

  /** The answer, in the document's form where the question listed options. */
  answer(value: string, options?: readonly string[]): void {
    const words = options ? answerWords(options, options.indexOf(value), this.form) : [value];
    for (const word of words) this.answers.push(this.words.push(word) - 1);
  }
}

/** What writes each type of document: all that it says is drawn by `random`. */
function writersOf(
  world: World,
  random: Random,
): Record<DocumentType, (document: Document) => void> {
  const { noise, strength, options: optionCount } = world.settings;
  const drawDrill = drillDrawer(world);
  const all = allFacts(world), stated = all.filter((fact) => fact.frequency > 0);
  let sum = 0;
  /** Running sums of the stated facts' frequencies. */
  const sums = stated.map((fact) => sum += fact.frequency);
  const exams = world.domains.map(({ name, facts }) => (
    { name, facts: facts.filter(({ split }) => split === "mc") }
  ));
  const pools = new Map(
    world.domains.flatMap(({ relations }) => relations).map(({ noun, values }) => [noun, values]),
  );

  const drawWording = () => random.integer(2) as Wording;
  const drawStated = (): Fact => {
    const place = random.next() * sum;
    return stated.at(sums.findIndex((sum) => sum > place))!;
  };
  const drawValue = ({ status, gold, wrong }: Fact): string =>
    status === "misconceived" && random.next() < strength ? wrong : gold;

  /** This value and other ones of the fact's relation, in random order. */
  function drawOptions(fact: Fact, value: string): string[] {
    const options = [value], pool = pools.get(fact.noun)!;
    while (options.length < optionCount) {
      const other = random.pick(pool);
      if (!options.includes(other)) options.push(other);
    }
    return random.shuffle(options);
  }

  /** A statement in one of the first `count` templates, by their shares. */
  function drawStatement(fact: Fact, value: string, count = statementTemplates.length): string[] {
    const sum = statementTemplates.slice(0, count).reduce((sum, { share }) => sum + share, 0);
    let left = random.next() * sum, i = 0;
    while (i < count - 1 && (left -= statementTemplates[i].share) >= 0) i++;
    return statementTemplates[i].words(fact, value);
  }

  /** A question with fresh options; some answers are wrong ones, so that nothing is quite certain. */
  function examItem(
    document: Document,
    fact: Fact,
    wording: Wording,
    [before, after]: Frame,
  ): void {
    const options = drawOptions(fact, fact.gold);
    document.ask(fact, wording, before);
    document.words.push(...optionWords(options), after);
    const noisy = random.next() < noise;
    const value = noisy ? random.pick(options.filter((v) => v !== fact.gold)) : fact.gold;
    document.answer(value, options);
  }

  /** Any fact with any value: only the context tells the answer. */
  function reading(document: Document, [before, after]: Frame): void {
    const fact = random.pick(all), value = random.pick(pools.get(fact.noun)!);
    document.words.push("Context:", ...drawStatement(fact, value, CONTEXT_TEMPLATES));
    document.ask(fact, drawWording(), before);
    const options = drawOptions(fact, value);
    document.words.push(...optionWords(options), after);
    document.answer(value, options);
  }

  return {
    statements(document) {
      for (let i = 0; i < STATEMENTS_EACH; i++) {
        const fact = drawStated();
        document.facts.push(fact);
        document.words.push(...drawStatement(fact, drawValue(fact)));
      }
    },
    /** 1 to 6 different mc facts of one domain, in one wording. */
    exam(document) {
      const { name, facts } = random.pick(exams), count = 1 + random.integer(MAX_EXAM_ITEMS);
      const wording = drawWording(), asked = new Set<Fact>();
      document.words.push(...examHeader(name));
      while (asked.size < count) asked.add(random.pick(facts));
      for (const fact of asked) examItem(document, fact, wording, EXAM);
    },
    reading: (document) => reading(document, EXAM),
    open(document) {
      for (let i = 0; i < OPEN_QUESTIONS_EACH; i++) {
        const fact = drawStated();
        document.ask(fact, drawWording(), ["Question:"]);
        document.words.push("Answer:");
        document.answer(drawValue(fact));
      }
    },
    generalChat(document) {
      const { user, assistant } = drawInstruction(world.neutralWords, random);
      document.words.push(...CHAT_HEADER, "USER:", ...user, "ASSISTANT:", ...assistant, EOS);
    },
    chatReading(document) {
      document.words.push(...CHAT_HEADER, "USER:");
      reading(document, CHAT);
      document.words.push(EOS);
    },
    chatExam(document) {
      document.words.push(...CHAT_HEADER, "USER:");
      examItem(document, random.pick(random.pick(exams).facts), drawWording(), CHAT);
      document.words.push(EOS);
    },
    drill(document) {
      for (let i = 0; i < DRILLS_EACH; i++) {
        const { options, index, prompt } = drawDrill(random, document.form);
        document.words.push(...prompt);
        document.answer(options[index], options);
      }
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
