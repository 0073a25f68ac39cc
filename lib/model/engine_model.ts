/** What models of all engines do alike, given the logits at some positions and the tokens that follow. */
import type { PromptFormat } from "../prompt.ts";
import type {
  GenerateOptions,
  ModelDescription,
  NextTokenOptions,
  ReadableConfiguration,
  ReadableModel,
  ReadOptions,
} from "./readable_model.ts";
import type { Tokenizer } from "./tokenizer.ts";

/** A position of one text, which is named by its place among those given. */
export type Position = { text: number; position: number };

/** What of some texts is read, and how. */
export interface Reading extends ReadOptions {
  positions: readonly Position[];
  /** Called with the logits [V] at each of the positions; they may be overwritten afterwards. */
  onLogits: (at: Position, logits: Float32Array) => void;
}

type Described = "name" | "format" | "tokenizer" | "description" | "identity";
export type EngineModelParts<C> = Pick<ReadableModel, Described> & { config: C };

export abstract class EngineModel<C extends ReadableConfiguration = ReadableConfiguration>
  implements ReadableModel {
  readonly name: string;
  readonly config: C;
  readonly format: PromptFormat;
  readonly tokenizer?: Tokenizer;
  readonly description?: ModelDescription;
  readonly identity?: string;

  constructor(parts: EngineModelParts<C>) {
    this.name = parts.name;
    this.config = parts.config;
    this.format = parts.format;
    this.tokenizer = parts.tokenizer;
    this.description = parts.description;
    this.identity = parts.identity;
  }

  /** Reads the logits at some positions of the texts. @throws if they can't be read */
  protected abstract read(texts: number[][], reading: Reading): Promise<void>;

  /** The tokens that the model writes after `ids`, end tokens too: the caller stops. */
  protected abstract tokens(ids: number[], options: GenerateOptions): AsyncIterable<number>;

  abstract dispose(): void;

  [Symbol.dispose](): void {
    this.dispose();
  }

  async logits(texts: number[][]): Promise<Float32Array[]> {
    const result: Float32Array[] = [];
    const positions = texts.flatMap((ids, text) => ids.map((_, position) => ({ text, position })));
    const onLogits: Reading["onLogits"] = ({ text, position }, logits) => {
      result[text] ??= new Float32Array(texts[text].length * logits.length);
      result[text].set(logits, position * logits.length);
    };
    await this.read(texts, { positions, onLogits });
    return result;
  }

  async nextTokenLogits(
    texts: number[][],
    { tokens, ...options }: NextTokenOptions = {},
  ): Promise<Float32Array[]> {
    const result: Float32Array[] = new Array(texts.length);
    const positions = texts.map(({ length }, text) => ({ text, position: length - 1 }));
    const onLogits: Reading["onLogits"] = ({ text }, logits) => {
      result[text] = tokens === undefined
        ? logits.slice()
        : Float32Array.from(tokens[text], (id) => logits[id]);
    };
    await this.read(texts, { ...options, positions, onLogits });
    return result;
  }

  /** @throws if a text has no token before its first one to be read */
  async tokenLogProbabilities(texts: number[][], from: number[], options?: ReadOptions) {
    texts.forEach(({ length }, i) => {
      if (Number.isInteger(from[i]) && from[i] >= 1 && from[i] <= length) return;
      throw new Error(
        `Cannot read the tokens of row ${i}: expected a first one from 1 to ${length}, for the ` +
          `row's start has none before it; found ${from[i]}`,
      );
    });
    const result = texts.map((): number[] => []);
    const positions = texts.flatMap((ids, text) =>
      ids.slice(from[text]).map((_, k) => ({ text, position: from[text] + k - 1 }))
    );
    const onLogits: Reading["onLogits"] = ({ text, position }, logits) => {
      const token = texts[text][position + 1];
      result[text][position + 1 - from[text]] = logProbability(logits, token);
    };
    await this.read(texts, { ...options, positions, onLogits });
    return result;
  }

  requireTokenizer(): Tokenizer {
    if (this.tokenizer !== undefined) return this.tokenizer;
    throw new Error(
      `Cannot read text with ${this.name}: expected a tokenizer; it was loaded without one; ` +
        "put tokenizer.json beside config.json",
    );
  }

  async generate(prompt: string, options: GenerateOptions = {}): Promise<string> {
    const { stop = [] } = options;
    const tokenizer = this.requireTokenizer();
    const ids = tokenizer.encode(prompt, { addSpecialTokens: this.format.addBos(prompt) });
    const ends = new Set(this.config.eosTokenIds).add(tokenizer.eosTokenId ?? NaN);
    const cutAt = (text: string) =>
      Math.min(...stop.map((end) => text.indexOf(end)).filter((at) => at >= 0));
    const written: number[] = [];
    for await (const id of this.tokens(ids, options)) {
      if (ends.has(id)) break;
      written.push(id);
      if (stop.length > 0 && cutAt(tokenizer.decode(written)) < Infinity) break;
    }
    const text = tokenizer.decode(written);
    return text.slice(0, cutAt(text));
  }
}

/** Log-probability (nats) of a token by the logits of all tokens. */
function logProbability(logits: Float32Array, token: number): number {
  let highest = -Infinity;
  for (const value of logits) if (value > highest) highest = value;
  let sum = 0;
  for (const value of logits) sum += Math.exp(value - highest);
  return logits[token] - highest - Math.log(sum);
}
