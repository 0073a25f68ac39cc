/**
 * A server that speaks OpenAI's protocol (vLLM, SGLang, llama.cpp): asked side by side, again where that
 * can help, and never twice what it has answered. Requests go by the `openai` package, which is well kept
 * and brings attempts, Retry-After and time limits; of the environment that it reads nothing but the key goes out.
 */
import { join } from "node:path";
import { APIConnectionError, APIConnectionTimeoutError, APIError, OpenAI } from "openai";
import pLimit from "p-limit";
import * as v from "valibot";
import { cacheFolder } from "../../platform/cache.ts";
import { defined } from "../../platform/defined.ts";
import { pageText, reasonOf, shownText, webAddress } from "../../platform/runtime/web.ts";
import { sha256OfText } from "../../platform/runtime/digest.ts";
import { writeWhole } from "../../platform/runtime/files.ts";
import { valuesOf } from "../../platform/runtime/settled.ts";
import { quote } from "../../platform/runtime/quote.ts";
import type { ReadOptions } from "../readable_model.ts";

export interface ServerOptions {
  /** Requests under way at once. Default 16. */
  concurrency?: number;
  /** How often a request is tried that fails by 408, 409, 429, 5xx, time or a broken connection. Default 8. */
  attempts?: number;
  /** Seconds that one attempt may take. Default 600. */
  timeout?: number;
  /** Tokens of prompts that this process may have answered, by all servers together. Default: no limit. */
  maxTokensSent?: number;
  /** Bearer token. Default: OPENAI_API_KEY, unless OPENAI_BASE_URL says that it belongs to another origin. */
  key?: string;
  /** Where answers are kept. Default: `served` in the cache. */
  answersDirectory?: string;
}

/** What is asked once: `tokens`, about so many; `fresh`, though it may have been answered before. */
export interface ServerQuestion<T> extends Pick<ReadOptions, "signal"> {
  schema: v.GenericSchema<unknown, T>;
  tokens: number;
  fresh?: boolean;
}

/** The server answered, but not to what it was asked. */
export class Refused extends Error {
  constructor(message: string, readonly status?: number) {
    super(message);
  }
}

/** Tokens of prompts that this process sent, and that were answered or are under way. */
let sent = 0;

/** A list that is not empty. */
export const some = <T>(one: v.GenericSchema<unknown, T>) => v.pipe(v.array(one), v.minLength(1));

const models = v.object({
  data: v.array(v.object({ id: v.string(), max_model_len: v.nullish(v.number()) })),
});

export class Server {
  /** With its path, mostly /v1. */
  readonly address: string;
  /** What the server's answers depend on besides the questions. */
  identity = "";
  readonly #client: OpenAI;
  readonly #key?: string;
  readonly #options: Required<Omit<ServerOptions, "key">>;
  readonly #limit: ReturnType<typeof pLimit>;
  #kept = 0;

  /** @throws where the address has another form @param model what the server calls it */
  constructor(address: string, readonly model: string, options: ServerOptions = {}) {
    this.address = addressOf(address);
    this.#key = options.key ?? keyOf(this.address);
    this.#options = {
      ...{ concurrency: 16, attempts: 8, timeout: 600, maxTokensSent: Infinity },
      answersDirectory: cacheFolder("served"),
      ...defined(options),
    };
    const { attempts, concurrency, timeout } = this.#options;
    this.#limit = pLimit(concurrency);
    this.#client = new OpenAI({
      ...{ baseURL: this.address, apiKey: "set below", adminAPIKey: null, logLevel: "off" },
      ...{ organization: null, project: null, maxRetries: attempts - 1, timeout: 1000 * timeout },
      fetch: (address, init) => this.#fetch(address, init),
    });
  }

  /** The name of the server and its model, for errors. */
  get what(): string {
    return `${this.model} at ${this.address}`;
  }

  /** What it says of the model. @throws where it serves others */
  async about() {
    const answer = await this.#client.get("/models", { maxRetries: 0 }).catch(() => undefined);
    const all = v.is(models, answer) ? answer.data : [];
    const found = all.find(({ id }) => id === this.model);
    if (found || all.length === 0) return found;
    const names = all.slice(0, 8).map(({ id }) => quote(id)).join(", ");
    throw new Error(
      `Cannot ask ${this.what}: expected a model that is served there; found ${names}; give one of these ` +
        "by --model or --tuned (its tokenizer by --tokenizer)",
    );
  }

  /**
   * What the server answers, which is kept on disk under all that it depends on.
   * @throws naming what was found and what to do, or where the limit of tokens is reached
   */
  async ask<T>(path: string, body: object, question: ServerQuestion<T>): Promise<T> {
    const { schema, tokens, fresh, signal } = question;
    const { answersDirectory, maxTokensSent } = this.#options;
    const asked = { model: this.model, ...body };
    const key = sha256OfText(JSON.stringify([this.address, this.identity, path, asked]));
    const file = join(answersDirectory, key.slice(0, 2), `${key}.json`);
    const found = fresh
      ? undefined
      : await Deno.readTextFile(file).then(JSON.parse).catch(() => {});
    if (v.is(schema, found)) return v.parse(schema, found);
    if (sent + tokens > maxTokensSent) {
      throw new Error(
        `Cannot go on asking ${this.what}: expected to send at most ${maxTokensSent} tokens; found ` +
          `${sent} sent and ${tokens} to come; what was answered is kept: run it again to go on, ` +
          "or give a larger --max-tokens-sent",
      );
    }
    sent += tokens;
    const answer = await this.#client.post(path, { body: asked, signal }).catch((error) => {
      sent -= tokens;
      signal?.throwIfAborted();
      throw this.#explain(error);
    });
    const { success, output, issues } = v.safeParse(schema, answer);
    if (!success) throw this.#explainForm(answer, issues[0].message);
    const { usage } = answer as { usage?: { prompt_tokens?: unknown } };
    if (Number.isSafeInteger(usage?.prompt_tokens)) sent += Number(usage!.prompt_tokens) - tokens;
    await writeWhole(file, JSON.stringify(output));
    this.#kept++;
    return output;
  }

  /** Does all of a list; what is under way at an error ends first, so that it is kept. */
  async all<Item, T>(
    items: readonly Item[],
    ask: (item: Item) => Promise<T>,
    { onProgress }: Pick<ReadOptions, "onProgress"> = {},
  ): Promise<T[]> {
    let done = 0, failed = false;
    const tried = await Promise.allSettled(items.map((item) =>
      this.#limit(async () => {
        if (failed) throw new Error("not asked after an error"); // which stands before it
        const result = await ask(item).catch((error) => {
          failed = true;
          throw error;
        });
        onProgress?.(++done / items.length);
        return result;
      })
    ));
    return valuesOf(tried);
  }

  /** One attempt: no redirect is followed, and an answer that is cut counts as a broken connection. */
  async #fetch(address: string | URL | Request, init: RequestInit = {}): Promise<Response> {
    const headers = new Headers({ accept: "application/json", "content-type": "application/json" });
    if (this.#key) headers.set("authorization", `Bearer ${this.#key}`);
    const response = await fetch(address, { ...init, headers, redirect: "manual" });
    const text = await response.text();
    const isJson = /json/.test(response.headers.get("content-type") ?? "");
    if (response.ok && isJson) JSON.parse(text);
    const { status } = response;
    return new Response(text || null, { status, headers: response.headers });
  }

  #refuse(found: string, advice: string, status?: number, expected = "an answer"): Refused {
    const kept = this.#kept > 0 ? `; ${this.#kept} answers of this run are kept` : "";
    const text = `Cannot ask ${this.what}: expected ${expected}; found ${found}; ${advice}${kept}`;
    return new Refused(text, status);
  }

  #explainForm(answer: unknown, expected: string): Refused {
    if (typeof answer === "string") {
      const found = pageText(shownText(answer, this.#key, Infinity));
      return this.#refuse(found, "check the address, which mostly ends in /v1", 200, "JSON");
    }
    const advice = /log-prob/.test(expected)
      ? "start it so that it gives them (llama-cpp-python: --logits_all true), or take another " +
        "server: vLLM, SGLang or llama.cpp's"
      : "check the address and the server's version";
    const { choices } = (answer ?? {}) as { choices?: unknown };
    return this.#refuse(shownText(quote(choices ?? answer), this.#key), advice, 200, expected);
  }

  #explain(error: unknown): Error {
    if (error instanceof APIConnectionTimeoutError) {
      const { timeout, attempts } = this.#options;
      const found = `none in ${timeout} s, ${attempts} times`;
      return this.#refuse(found, "look at its log, or give a smaller --concurrency");
    }
    if (error instanceof APIConnectionError) {
      const found = `none (${shownText(reasonOf(error), this.#key)})`;
      return this.#refuse(found, "check that it runs and can be reached from here");
    }
    if (!(error instanceof APIError)) return error as Error;
    const { status, headers } = error;
    const said = shownText(error.message.replace(/^\d+ /, ""), this.#key);
    const found = `status ${status} (${said})`;
    if (status >= 300 && status < 400) {
      const to = headers?.get("location") ?? "";
      const base = URL.canParse(to, this.address) ? new URL(to, this.address) : undefined;
      const place = base ? base.origin + base.pathname : "nowhere";
      const advice = "redirects are not followed, with a key or without: give the address itself";
      return this.#refuse(`a redirect to ${shownText(place, this.#key)}`, advice, status);
    }
    if (status === 401 || status === 403) {
      const set = this.#key ? "check OPENAI_API_KEY" : "set OPENAI_API_KEY to the server's key";
      const own = Deno.env.get("OPENAI_BASE_URL");
      const other = own && !this.#key ? ", and OPENAI_BASE_URL to this address or to none" : "";
      return this.#refuse(found, set + other, status);
    }
    const advice = status === 404
      ? "check the model's name and the address, which mostly ends in /v1"
      : status === 429
      ? "wait, or give a smaller --concurrency; then run it again"
      : status >= 500
      ? "look at the server's log; then run it again"
      : /logprob|log_prob/i.test(said)
      ? "give a smaller --top-logprobs, or start the server with more (vLLM: --max-logprobs)"
      : /context|too long|length|maximum|exceed/i.test(said)
      ? "a prompt is too long: show fewer demonstrations, or start the server with a longer context"
      : "check the model and the server's version";
    return this.#refuse(found, advice, status);
  }
}

/** With the path that servers mostly have, where none is given. */
function addressOf(text: string): string {
  const address = webAddress(text, {
    action: "use the server",
    expected: "an address such as http://127.0.0.1:8000/v1",
    advice: "a key goes into OPENAI_API_KEY",
  });
  return address === new URL(address).origin ? `${address}/v1` : address;
}

/** The key of the environment belongs to OPENAI_BASE_URL's origin where that is set. */
function keyOf(address: string): string | undefined {
  const key = Deno.env.get("OPENAI_API_KEY")?.trim(), own = Deno.env.get("OPENAI_BASE_URL");
  if (!key || own && !(URL.canParse(own) && new URL(own).origin === new URL(address).origin)) {
    return;
  }
  return key;
}
