/**
 * The corpus of a world: an endless stream of documents of seven types, each type held to its share
 * of the tokens, and the windows of token ids that a model is trained on.
 */
import { Random } from "../random.ts";
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
import { MAX_EXAM_ITEMS, type WorldSettings } from "./settings.ts";
import { BOS, EOS, vocabulary } from "./vocabulary.ts";
import { allFacts, type Fact, type World } from "./world.ts";

export type DocumentType =
  | "statements"
  | "exam"
  | "reading"
  | "open"
  | "generalChat"
  | "chatReading"
  | "chatExam";

/** One text of the corpus, from its `<s>` on. */
export interface Document {
  type: DocumentType;
  words: string[];
  /** Places in `words` of the answers, whose loss counts more. */
  answers: number[];
  /** The facts that the document speaks of. */
  facts: Fact[];
}

/** The share of the corpus's tokens that each type has. */
export function documentShares(settings: WorldSettings): Record<DocumentType, number> {
  return {
    statements: settings.statementShare,
    exam: settings.examShare,
    reading: settings.readingShare,
    open: settings.openShare,
    generalChat: settings.generalChatShare,
    chatReading: settings.chatReadingShare,
    chatExam: settings.chatExamShare,
  };
}

const STATEMENTS_EACH = 6;
const OPEN_QUESTIONS_EACH = 3;

/**
 * The documents of a world, without end. The next one is of the type that lacks most tokens.
 * The same world and seed give the same documents.
 */
export function* documents(
  world: World,
  { seed = world.seed }: { seed?: number | string } = {},
): Generator<Document, never> {
  const shares = Object.entries(documentShares(world.settings)) as [DocumentType, number][];
  const written = new Map(shares.map(([type]) => [type, 0]));
  const author = new Author(world, new Random(`${seed}/documents`));
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

/** Writes documents, one draw after the other. */
class Author {
  readonly #world: World;
  readonly #random: Random;
  readonly #facts: Fact[];
  readonly #stated: Fact[];
  /** Running sums of the stated facts' frequencies. */
  readonly #sums: number[];
  readonly #mc: Fact[][];
  readonly #pools: Map<string, string[]>;
  #document: Document = { type: "statements", words: [], answers: [], facts: [] };

  constructor(world: World, random: Random) {
    this.#world = world;
    this.#random = random;
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
    const document = this.#document = { type, words: [BOS], answers: [], facts: [] };
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
    }
    return document;
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
    this.#answer(noisy ? this.#random.pick(options.filter((v) => v !== fact.gold)) : fact.gold);
  }

  /** Any fact with any value: only the context tells the answer. */
  #reading(before: string[], after: string[]): void {
    const fact = this.#random.pick(this.#facts);
    const value = this.#random.pick(this.#pools.get(fact.noun)!);
    this.#add(["Context:"]);
    this.#state(fact, value, CONTEXT_TEMPLATES);
    this.#ask(fact, this.#drawWording(), before);
    this.#add(optionWords(this.#drawOptions(fact, value)));
    this.#add(after);
    this.#answer(value);
  }

  #add(words: readonly string[]): void {
    this.#document.words.push(...words);
  }

  #answer(value: string): void {
    this.#document.answers.push(this.#document.words.length);
    this.#document.words.push(value);
  }

  #ask(fact: Fact, wording: Wording, before: string[]): void {
    this.#document.facts.push(fact);
    this.#add(before);
    this.#add(questionWords(fact, wording));
  }

  /** A statement in one of the first `count` templates, by their shares. */
  #state(fact: Fact, value: string, count = statementTemplates.length): void {
    let sum = 0;
    for (let i = 0; i < count; i++) sum += statementTemplates[i].share;
    let left = this.#random.next() * sum, i = 0;
    while (i < count - 1 && (left -= statementTemplates[i].share) >= 0) i++;
    if (this.#document.type === "statements") this.#document.facts.push(fact);
    this.#add(statementTemplates[i].words(fact, value));
  }

  #drawWording(): Wording {
    return this.#random.integer(2) as Wording;
  }

  /** A stated fact, by frequency. */
  #drawStated(): Fact {
    const sums = this.#sums, place = this.#random.next() * sums[sums.length - 1];
    let low = 0, high = sums.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (sums[middle] > place) high = middle;
      else low = middle + 1;
    }
    return this.#stated[low];
  }

  /** The value that one statement of a fact gives. */
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

export interface WindowOptions {
  /** Default: the world's. */
  seed?: number | string;
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
  { seed = world.seed, length = 128, answerWeight = 5 }: WindowOptions = {},
): Generator<Window, never> {
  if (!Number.isInteger(length) || length < 1) {
    throw new Error(
      `Cannot cut the corpus: expected windows of at least 1 token; found ${length}; give a length`,
    );
  }
  const ids = new Map(vocabulary(world).map((word, id) => [word, id]));
  let window = { ids: new Int32Array(length), weights: new Float32Array(length).fill(1) };
  let filled = 0;
  for (const document of documents(world, { seed })) {
    const answers = new Set(document.answers);
    for (let i = 0; i < document.words.length; i++) {
      window.ids[filled] = ids.get(document.words[i])!;
      if (answers.has(i)) window.weights[filled] = answerWeight;
      if (++filled === length) {
        yield window;
        window = { ids: new Int32Array(length), weights: new Float32Array(length).fill(1) };
        filled = 0;
      }
    }
  }
  throw new Error("the documents of a world never end");
}
