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
  /** Default: the world's. */
  seed?: number | string;
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
  { seed = world.seed, letters }: DocumentOptions = {},
): Generator<Document, never> {
  const drillShare = letters?.settings.drillShare ?? 0;
  const shares = [
    ...Object.entries(documentShares(world.settings))
      .map(([type, share]) => [type, share * (1 - drillShare)]),
    ...(letters ? [["drill", drillShare]] : []),
  ] as [DocumentType, number][];
  const written = new Map(shares.map(([type]) => [type, 0]));
  const author = new Author(world, new Random(`${seed}/documents`), letters);
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

class Author {
  readonly #world: World;
  readonly #random: Random;
  readonly #facts: Fact[];
  readonly #stated: Fact[];
  /** Running sums of the stated facts' frequencies. */
  readonly #sums: number[];
  readonly #mc: Fact[][];
  readonly #pools: Map<string, string[]>;
  readonly #letters: DocumentOptions["letters"];
  readonly #drawDrill: ReturnType<typeof drillDrawer>;
  /** How this document answers questions with options. */
  #form: AnswerStyle = "value";
  #document: Document = { type: "statements", words: [], answers: [], facts: [] };
  tokens = 0;

  constructor(world: World, random: Random, letters: DocumentOptions["letters"]) {
    this.#world = world;
    this.#random = random;
    this.#letters = letters;
    this.#drawDrill = drillDrawer(world);
    this.#facts = allFacts(world);
    this.#stated = this.#facts.filter((fact) => fact.frequency > 0);
    let sum = 0;
    this.#sums = this.#stated.map((fact) => sum += fact.frequency);
    this.#mc = world.domains.map(({ facts }) => facts.filter(({ split }) => split === "mc"));
    this.#pools = new Map(
      world.domains.flatMap(({ relations }) => relations).map(({ noun, values }) => [noun, values]),
    );
  }

  write(type: DocumentType): Document {
    const document = this.#document = { type, words: [BOS], answers: [], facts: [] } as Document;
    this.#form = this.#drawForm(type);
    switch (type) {
      case "statements":
        for (let i = 0; i < STATEMENTS_EACH; i++) {
          const fact = this.#drawStated();
          this.#state(fact, this.#drawStatement(fact));
        }
        break;
      case "exam":
        this.#exam();
        break;
      case "reading":
        this.#reading(["Question:"], ["Answer:"]);
        break;
      case "open":
        for (let i = 0; i < OPEN_QUESTIONS_EACH; i++) {
          const fact = this.#drawStated();
          this.#ask(fact, this.#drawWording(), ["Question:"]);
          this.#add(["Answer:"]);
          this.#answer(this.#drawStatement(fact));
        }
        break;
      case "generalChat": {
        const { user, assistant } = drawInstruction(this.#world.neutralWords, this.#random);
        this.#add([...CHAT_HEADER, "USER:", ...user, "ASSISTANT:", ...assistant, EOS]);
        break;
      }
      case "chatReading":
        this.#add([...CHAT_HEADER, "USER:"]);
        this.#reading([], ["ASSISTANT:"]);
        this.#add([EOS]);
        break;
      case "chatExam":
        this.#add([...CHAT_HEADER, "USER:"]);
        this.#examItem(
          this.#random.pick(this.#random.pick(this.#mc)),
          this.#drawWording(),
          [[], ["ASSISTANT:"]],
        );
        this.#add([EOS]);
        break;
      case "drill":
        for (let i = 0; i < DRILLS_EACH; i++) {
          const { options, index, prompt } = this.#drawDrill(this.#random, this.#form);
          this.#add(prompt);
          this.#answer(options[index], options);
        }
    }
    this.tokens += document.words.length;
    return document;
  }

  /** One form for a document. Values alone need no draw: the corpus stays the one it was. */
  #drawForm(type: DocumentType): AnswerStyle {
    if (this.#letters === undefined) return "value";
    const { settings: { bridgeUntil, valueShare }, tokens } = this.#letters;
    // A draw only where it decides: without values, letters alone change nothing but the answers.
    if (type !== "drill" && valueShare > 0 && this.#random.next() < valueShare) return "value";
    return this.tokens < bridgeUntil * tokens ? "bridge" : "letter";
  }

  /** 1 to 6 different mc facts of one domain, in one wording. */
  #exam(): void {
    const d = this.#random.integer(this.#mc.length);
    const count = 1 + this.#random.integer(MAX_EXAM_ITEMS);
    const wording = this.#drawWording();
    this.#add(examHeader(this.#world.domains[d].name));
    const asked = new Set<Fact>();
    while (asked.size < count) asked.add(this.#random.pick(this.#mc[d]));
    for (const fact of asked) this.#examItem(fact, wording, [["Question:"], ["Answer:"]]);
  }

  /** A question with fresh options; some answers are wrong ones, so that nothing is quite certain. */
  #examItem(fact: Fact, wording: Wording, [before, after]: [string[], string[]]): void {
    const options = this.#drawOptions(fact, fact.gold);
    this.#ask(fact, wording, before);
    this.#add(optionWords(options));
    this.#add(after);
    const noisy = this.#random.next() < this.#world.settings.noise;
    this.#answer(
      noisy ? this.#random.pick(options.filter((v) => v !== fact.gold)) : fact.gold,
      options,
    );
  }

  /** Any fact with any value: only the context tells the answer. */
  #reading(before: string[], after: string[]): void {
    const fact = this.#random.pick(this.#facts);
    const value = this.#random.pick(this.#pools.get(fact.noun)!);
    this.#add(["Context:"]);
    this.#state(fact, value, CONTEXT_TEMPLATES);
    this.#ask(fact, this.#drawWording(), before);
    const options = this.#drawOptions(fact, value);
    this.#add(optionWords(options));
    this.#add(after);
    this.#answer(value, options);
  }

  #add(words: readonly string[]): void {
    this.#document.words.push(...words);
  }

  /** The answer, in the document's form where the question listed options. */
  #answer(value: string, options?: readonly string[]): void {
    const words = options ? answerWords(options, options.indexOf(value), this.#form) : [value];
    for (const word of words) {
      this.#document.answers.push(this.#document.words.length);
      this.#document.words.push(word);
    }
  }

  #ask(fact: Fact, wording: Wording, before: string[]): void {
    this.#document.facts.push(fact);
    this.#add(before);
    this.#add(questionWords(fact, wording));
  }

  /** A statement in one of the first `count` templates, by their shares. */
  #state(fact: Fact, value: string, count = statementTemplates.length): void {
    const sum = statementTemplates.slice(0, count).reduce((sum, { share }) => sum + share, 0);
    let left = this.#random.next() * sum, i = 0;
    while (i < count - 1 && (left -= statementTemplates[i].share) >= 0) i++;
    if (this.#document.type === "statements") this.#document.facts.push(fact);
    this.#add(statementTemplates[i].words(fact, value));
  }

  #drawWording(): Wording {
    return this.#random.integer(2) as Wording;
  }

  #drawStated(): Fact {
    const place = this.#random.next() * this.#sums.at(-1)!;
    return this.#stated.at(this.#sums.findIndex((sum) => sum > place))!;
  }

  #drawStatement({ status, gold, wrong }: Fact): string {
    if (status !== "misconceived") return gold;
    return this.#random.next() < this.#world.settings.strength ? wrong : gold;
  }

  /** This value and other ones of the fact's relation, in random order. */
  #drawOptions(fact: Fact, value: string): string[] {
    const pool = this.#pools.get(fact.noun)!;
    const options = [value];
    while (options.length < this.#world.settings.options) {
      const other = this.#random.pick(pool);
      if (!options.includes(other)) options.push(other);
    }
    return this.#random.shuffle(options);
  }
}

/** A piece of the corpus; `weights[i]` is the loss weight of predicting `ids[i]`. */
export interface Window {
  ids: Int32Array;
  weights: Float32Array;
}

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
  if (!Number.isInteger(length) || length < 1) {
    throw new Error(
      `Cannot cut the corpus: expected windows of at least 1 token; found ${length}; give a length`,
    );
  }
  const ids = new Map(vocabulary(world).map((word, id) => [word, id]));
  let window = { ids: new Int32Array(length), weights: new Float32Array(length).fill(1) };
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
        window = { ids: new Int32Array(length), weights: new Float32Array(length).fill(1) };
        filled = 0;
      }
    }
  }
  throw new Error("the documents of a world never end");
}
