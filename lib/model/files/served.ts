/** A model behind a server, which reads text, names the likeliest tokens and may score a prompt's own. */
import { join } from "node:path";
import * as v from "valibot";
import { cacheFolder } from "../../platform/cache.ts";
import { sha256OfText } from "../../platform/runtime/digest.ts";
import { writeWhole } from "../../platform/runtime/files.ts";
import { FileAccess } from "../../platform/runtime/random_access.ts";
import { countTokens } from "../encode.ts";
import { EngineModel, type EngineModelParts } from "../engine_model.ts";
import type {
  GenerateOptions,
  NextTokenOptions,
  ReadableConfiguration,
  ReadOptions,
  TextEnd,
  TextReader,
} from "../readable_model.ts";
import { type Tokenizer, tokenizerFromGguf } from "../tokenizer.ts";
import { openGguf } from "./gguf.ts";
import { downloadModel, isHubId } from "./hub.ts";
import { boundOf, lettersAmong, type NamedToken, nextTokens, textOf } from "./named_tokens.ts";
import { Refused, Server, type ServerOptions, some } from "./server.ts";
import { chooseTokenizer, defaultCacheDirectory, type SourceOptions } from "./source.ts";

export interface ServingOptions extends ServerOptions {
  /** Tokens whose log-probabilities are asked for. Default 20, as many as vLLM gives by itself. */
  topLogprobs?: number;
  /** The model whose tokenizer it has, where none is named. Default: its own name. */
  tokenizerOf?: string;
}

const echoSchema = v.object({
  choices: some(v.object({
    logprobs: v.object(
      { tokens: v.array(v.string()), token_logprobs: v.array(v.nullable(v.number())) },
      "the log-probabilities of the prompt's tokens",
    ),
  })),
});
const writtenSchema = v.object({ choices: some(v.object({ text: v.string() })) });

/** Asked first: whether the server works, and whether it has the model whose answers are kept. */
const SAMPLE = "The capital of France is";
/** Log-probabilities of one model that differ by less: servers round, and what is asked together differs. */
const SAME = 0.25;

export interface ServedModelParts extends EngineModelParts<ReadableConfiguration> {
  server: Server;
  topLogprobs: number;
}

export class ServedModel extends EngineModel {
  readonly byText: TextReader;
  readonly #server: Server;
  readonly #top: number;
  #echo?: Promise<string | undefined>;

  constructor(parts: ServedModelParts) {
    super(parts);
    this.#server = parts.server;
    this.#top = parts.topLogprobs;
    this.byText = {
      letters: (asked, how) =>
        this.#server.all(asked, async (one) => {
          const named = await this.#next(one.prompt, how?.signal);
          return lettersAmong(named, one, this.tokenizer);
        }, how),
      ends: (texts, how) => this.#ends(texts, how),
      scoresTexts: async () => !!this.tokenizer && await this.#echoFault() === undefined,
    };
  }

  /** @throws where none is known */
  override requireTokenizer(): Tokenizer {
    if (this.tokenizer !== undefined) return this.tokenizer;
    throw new Error(
      `Cannot tell tokens of ${this.name}: expected its tokenizer; found none; give ` +
        "--tokenizer=FOLDER (or a hub id), or --formulation=letters",
    );
  }

  /** @throws always: all tokens' logits can't be had; see `byText` */
  protected read(): never {
    throw new Error(
      `Cannot read the logits of ${this.#server.what}: expected a model in this process; found a ` +
        "server, which names the likeliest tokens alone; use probe(), or load the model itself",
    );
  }

  protected tokens(): never {
    return this.read();
  }

  /** Log-probabilities in the logits' place; tokens that are not named have the most that they can have. */
  override async nextTokenLogits(texts: number[][], { tokens, ...how }: NextTokenOptions = {}) {
    const tokenizer = this.requireTokenizer();
    const every = Array.from({ length: tokenizer.vocabularySize }, (_, id) => id);
    const asked = texts.map((ids, i) => ({ ids, wanted: tokens?.[i] ?? every }));
    return await this.#server.all(asked, async ({ ids, wanted }) => {
      const text = tokenizer.decode(ids, { skipSpecialTokens: true });
      const named = await this.#next(text, how.signal);
      const byText = new Map(named.map(({ id, ...one }) => [id ?? one.text, one.logProbability]));
      const bound = boundOf(named);
      return Float32Array.from(
        wanted,
        (id) => byText.get(id) ?? byText.get(textOf(id, tokenizer)) ?? bound,
      );
    }, how);
  }

  override async generate(prompt: string, options: GenerateOptions = {}): Promise<string> {
    const { maxNewTokens = 64, temperature = 0, topP = 1, seed = 0, stop = [], signal } = options;
    const { choices: [{ text }] } = await this.#server.ask("/completions", {
      ...{ prompt, max_tokens: maxNewTokens, temperature, top_p: topP, seed },
      ...(stop.length > 0 && { stop }),
    }, { schema: writtenSchema, tokens: countTokens(prompt, this.tokenizer), signal });
    return text;
  }

  dispose(): void {}

  #next(prompt: string, signal?: AbortSignal): Promise<NamedToken[]> {
    const top = this.#top, tokens = countTokens(prompt, this.tokenizer);
    return nextTokens(this.#server, prompt, { top, tokens, ids: !!this.tokenizer, signal });
  }

  async #ends(texts: readonly TextEnd[], how: ReadOptions = {}): Promise<number[][]> {
    const fault = await this.#echoFault(how.signal);
    if (fault === undefined) {
      return await this.#server.all(texts, (one) => this.#end(one, how), how);
    }
    throw new Error(
      `Cannot score options' texts with ${this.#server.what}: expected the log-probabilities of a ` +
        `prompt's tokens (echo); found ${fault}; give --formulation=letters, or take a server that ` +
        "has them: vLLM, SGLang, llama-cpp-python with --logits_all true",
    );
  }

  /** The log-probabilities of a text's last tokens, by letting the server repeat the text. */
  async #end({ text, ids, from }: TextEnd, { signal }: ReadOptions): Promise<number[]> {
    const tokenizer = this.requireTokenizer(), last = ids.at(-1)!;
    const { choices: [{ logprobs: { tokens, token_logprobs: values } }] } = await this.#server.ask(
      "/completions",
      {
        ...{ prompt: text, max_tokens: 1, temperature: 0, logprobs: 1, echo: true },
        return_tokens_as_token_ids: true,
      },
      { schema: echoSchema, tokens: ids.length, signal },
    );
    // Some servers show the start token, some not; behind the last token mostly stands the one written.
    const start = tokenizer.encode("", { addSpecialTokens: true }).length;
    const says = (token = "") =>
      token === `token_id:${last}` || token.trim() === tokenizer.decode([last]).trim();
    const end = [tokens.length - 1, tokens.length].find((end) =>
      [ids.length, ids.length - start].includes(end) && says(tokens[end - 1])
    );
    const found = end === undefined ? [] : values.slice(end - ids.length + from, end);
    if (found.length > 0 && found.every((one) => Number.isFinite(one))) return found as number[];
    throw new Refused(
      `Cannot score options' texts with ${this.#server.what}: expected the ${ids.length} tokens of its ` +
        `tokenizer with their log-probabilities; found ${tokens.length} of the server's; give the ` +
        "served model's tokenizer by --tokenizer, or --formulation=letters",
    );
  }

  /** What is wrong with the log-probabilities of a prompt's tokens, tried once. */
  #echoFault(signal?: AbortSignal): Promise<string | undefined> {
    return this.#echo ??= this.#tryEcho(signal).catch((error) => {
      this.#echo = undefined;
      throw error;
    });
  }

  /** That of a token in a prompt must be what it was as the next one: some servers are off by one token. */
  async #tryEcho(signal?: AbortSignal): Promise<string | undefined> {
    const tokenizer = this.requireTokenizer(), from = tokenizer.encode(SAMPLE).length;
    for (const { id, text: shown, logProbability } of await this.#next(SAMPLE, signal)) {
      const text = SAMPLE + (id === undefined ? shown : textOf(id, tokenizer));
      const ids = tokenizer.encode(text);
      if (ids.length !== from + 1 || id !== undefined && id !== ids[from]) continue;
      try {
        const [found] = await this.#end({ text, ids, from }, { signal });
        if (Math.abs(found - logProbability) <= SAME) return undefined;
        const [a, b] = [found, logProbability].map((value) => value.toFixed(3));
        return `${a} for a token that as the next one has ${b}`;
      } catch (error) {
        if (!(error instanceof Refused) || [401, 403, 429].includes(error.status!)) throw error;
        return `that it can't: ${error.message}`;
      }
    }
    return "no token that could be tried";
  }
}

/** The tokenizer of a served model: by the options, or by its name where that is a place. */
async function servedTokenizer(name: string, { tokenizer, ...options }: SourceOptions) {
  const where = tokenizer ?? name;
  if (where === false) return undefined;
  const here = await Deno.stat(where).catch(() => undefined);
  if (here?.isFile) {
    using access = await FileAccess.open(where);
    return tokenizerFromGguf((await openGguf(access)).metadata, { from: where });
  }
  if (!isHubId(where)) {
    const given = tokenizer === undefined && !here?.isDirectory ? false : where;
    return await chooseTokenizer({ tokenizer: given }, () => undefined);
  }
  const { cacheDirectory = defaultCacheDirectory, revision, onProgress, signal } = options;
  const how = { cacheDirectory, revision, onProgress, signal, tokenizerOnly: true };
  const { folder } = await downloadModel(where, how).catch((error) => {
    const advice = "give --tokenizer=FOLDER, or --tokenizer=none to tell letters by their texts";
    throw new Error(`${error.message}; or ${advice}`, { cause: error });
  });
  return await chooseTokenizer({ tokenizer: folder }, () => undefined);
}

/**
 * Opens a model behind a server, by the name that the server has for it.
 * @throws naming what the server answers, and what to do, where it can't be used
 */
export async function openServed(
  name: string,
  address: string,
  { topLogprobs = 20, tokenizerOf = name, ...options }: SourceOptions & ServingOptions,
): Promise<Omit<ServedModelParts, "format"> & Required<Pick<ServedModelParts, "description">>> {
  const { signal, onProgress = console.error, answersDirectory = cacheFolder("served") } = options;
  const tokenizer = await servedTokenizer(tokenizerOf, options);
  const server = new Server(address, name, options);
  const about = await server.about();
  const tokens = countTokens(SAMPLE), how = { top: topLogprobs, ids: !!tokenizer, fresh: true };
  const now = await nextTokens(server, SAMPLE, { ...how, tokens, signal });
  const place = sha256OfText(`${server.address} ${name}`).slice(0, 16);
  const file = join(answersDirectory, `${place}.json`);
  const before: NamedToken[][] = await Deno.readTextFile(file).then(JSON.parse).catch(() => []);
  let same = before.find((one) => isSame(one, now));
  if (same === undefined) {
    if (before.length > 0) {
      onProgress(`${server.what} answers otherwise than before: all is asked again`);
    }
    await writeWhole(file, JSON.stringify([...before, same = now]));
  }
  server.identity = sha256OfText(JSON.stringify([server.address, name, same]));
  // Of more tokens fewer letters are bounded.
  const identity = sha256OfText(`${server.identity} ${topLogprobs}`);
  const { vocabularySize = 0 } = tokenizer ?? {}, maxPositions = about?.max_model_len ?? Infinity;
  return {
    ...{ name, tokenizer, server, topLogprobs, identity },
    description: { source: name, kind: "served", digest: identity },
    config: { vocabularySize, maxPositions, eosTokenIds: [] },
  };
}

/** Whether two lists of likeliest tokens can be one model's. */
function isSame(before: readonly NamedToken[], now: readonly NamedToken[]): boolean {
  const known = new Map(before.map(({ text, logProbability }) => [text, logProbability]));
  return now.slice(0, 5).every((one) =>
    Math.abs((known.get(one.text) ?? Infinity) - one.logProbability) <= SAME
  );
}
