/** Requests to a hub: its address alone gets the token; what may succeed later is repeated. */
import { setTimeout as delay } from "node:timers/promises";
import { HubApiError } from "@huggingface/hub";
import type { Stoppable } from "../../platform/interrupt.ts";
import { pageText, reasonOf, shownText, webAddress } from "../../platform/runtime/web.ts";

/** The hub does not answer at all: another way to a model can be tried. */
export class HubUnreachable extends Error {}

/** A request that ended without a whole answer: no connection, one that was cut, or a timeout. */
export class Break extends Error {}

/** Something other than the hub answered: a login page, a proxy. */
class Foreign extends Error {}

/** Attempts and seconds; without a network the first question should fail sooner. */
const STEADY = { attempts: 5, seconds: 120 };
export const FIRST = { attempts: 2, seconds: 15 };

/** What is asked for, as errors call it. */
export interface Wanted {
  /** `open model`, `get data set`. */
  action: string;
  id: string;
  /** Its page below the hub's address. */
  page: string;
  revision: string;
  /** What helps where nothing answers. */
  otherwise: string;
  /** The variable that names another address. Default: HF_ENDPOINT. */
  variable?: string;
}

export interface ConnectionOptions extends Stoppable {
  /** Called with lines of progress; default prints to stderr. */
  onProgress?: (line: string) => void;
  /** The hub's address, the only one that gets the token; default HF_ENDPOINT or https://huggingface.co. */
  endpoint?: string;
  /** For what needs a login; default HF_TOKEN. */
  token?: string;
  /** Seconds before the first repetition of a failed request, doubled each time; default 1. */
  patience?: number;
  /** Seconds that the hub may be silent; default 120. */
  timeout?: number;
}

/** What a question to the hub is asked with: the address, and a fetch that knows the token. */
export type Access = { hubUrl: string; fetch: typeof fetch };

/** An answer whose bytes come one after the other; each must come in time. */
export type Answer = { status: number; headers: Headers; chunks: AsyncIterable<Uint8Array> };

export class HubConnection {
  readonly endpoint: string;
  /** Empty: none. */
  readonly #token: string;
  readonly #options: ConnectionOptions;
  readonly say: (line: string) => void;
  /** `open model owner/name`, for errors. */
  readonly what: string;
  /** What the last answer said besides its status. */
  #last = { retryAfter: 0, code: "", by: "" };

  constructor(readonly wanted: Wanted, options: ConnectionOptions) {
    this.#options = options;
    this.say = options.onProgress ?? ((line) => console.error(line));
    this.what = `${wanted.action} ${wanted.id}`;
    const given = (options.endpoint ?? Deno.env.get("HF_ENDPOINT") ?? "").trim() ||
      "https://huggingface.co";
    const { variable = "HF_ENDPOINT" } = wanted;
    this.endpoint = webAddress(given, {
      action: this.what,
      expected: `${variable} to be an address such as https://huggingface.co`,
      advice: "write it with https:// before it; a login goes into HF_TOKEN",
    });
    const token = (options.token ?? Deno.env.get("HF_TOKEN") ?? "").trim();
    if (!/^[\w.~+/=-]*$/.test(token)) {
      throw new Error(
        `Cannot ${this.what}: expected an access token without spaces and line breaks in it; found ` +
          `another; set HF_TOKEN to one of ${this.endpoint}/settings/tokens`,
      );
    }
    this.#token = token;
  }

  /**
   * Asks the hub, again after a while where that can help.
   * @throws `HubUnreachable` without an answer, else what answered and what to do about it
   */
  async ask<T>(
    what: string,
    question: (access: Access) => Promise<T>,
    { attempts, seconds: most } = STEADY,
  ): Promise<T> {
    const { patience = 1, signal } = this.#options;
    for (let attempt = 1;; attempt++) {
      this.#last = { retryAfter: 0, code: "", by: "" };
      try {
        return await question({
          hubUrl: this.endpoint,
          fetch: async (input, init) => {
            const { status, headers, chunks } = await this.#send(input, init ?? {}, most);
            const bytes = await bytesOf(chunks);
            if (status < 300) this.#checkJson(bytes);
            return new Response(bytes, { status, headers });
          },
        });
      } catch (error) {
        signal?.throwIfAborted();
        const status = error instanceof HubApiError ? error.statusCode : undefined;
        const passing = status === undefined
          ? error instanceof Break
          : status === 408 || status === 429 || status >= 500;
        if (!passing || attempt >= attempts) throw this.#explain(what, error, status);
        const seconds = Math.max(patience * 2 ** (attempt - 1), this.#last.retryAfter);
        const found = status ?? shownText((error as Error).message, this.#token);
        this.say(`${what} of ${this.wanted.id}: ${found}; again in ${seconds} s`);
        await delay(seconds * 1000, undefined, { signal });
      }
    }
  }

  /**
   * The bytes of `address` from `from` to before `to` (all that follow by default), or all of it
   * where something between drops the range.
   */
  async range(address: string, from: number, to = Infinity): Promise<Answer> {
    const headers = { range: `bytes=${from}-${to < Infinity ? to - 1 : ""}` };
    const answer = await this.#send(address, { headers }, STEADY.seconds);
    if (answer.status === 200 || answer.status === 206) return answer;
    const said = textOf(await bytesOf(answer.chunks));
    const message = jsonOf(said)?.error ?? `for ${address.split("/").at(-1)}`;
    throw new HubApiError(address, answer.status, undefined, String(message));
  }

  /** What answered where it was no hub's file; `start` is what came first. */
  foreign(headers: Headers, start: Uint8Array = new Uint8Array()): Error | undefined {
    const packed = headers.get("content-encoding") ?? "identity";
    const found = /^text\/html/i.test(headers.get("content-type") ?? "")
      ? "a web page"
      : packed !== "identity"
      ? `bytes packed by ${packed}, which were not asked for`
      : textOf(start.subarray(0, 40)).startsWith("version https://git-lfs")
      ? "a pointer of Git LFS in place of the file"
      : undefined;
    return found === undefined ? undefined : new Foreign(found + this.#last.by);
  }

  async #send(input: RequestInfo | URL, init: RequestInit, most: number): Promise<Answer> {
    const address = new URL(input instanceof Request ? input.url : input);
    const headers = new Headers(init.headers);
    // A list may go on at another address: the token stays here.
    headers.delete("authorization");
    if (this.#token !== "" && address.origin === new URL(this.endpoint).origin) {
      headers.set("authorization", `Bearer ${this.#token}`);
    }
    const { timeout = STEADY.seconds, signal: stopped } = this.#options;
    const stop = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const wait = () => {
      clearTimeout(timer);
      const late = () => stop.abort(new DOMException("Signal timed out.", "TimeoutError"));
      timer = setTimeout(late, 1000 * Math.min(most, timeout));
    };
    const broken = (error: unknown) => {
      clearTimeout(timer);
      return new Break(reasonOf(error));
    };
    wait();
    const signal = AbortSignal.any([stop.signal, ...stopped ? [stopped] : []]);
    const response = await fetch(address, { ...init, headers, signal })
      .catch((error) => {
        throw broken(error);
      });
    const other = response.url !== "" && new URL(response.url).host !== address.host;
    this.#last = {
      retryAfter: secondsOf(response.headers.get("retry-after")),
      code: response.headers.get("x-error-code") ?? "",
      by: other ? ` from ${new URL(response.url).host}` : "",
    };
    async function* chunks(): AsyncGenerator<Uint8Array> {
      const reader = response.body?.getReader();
      try {
        while (reader !== undefined) {
          const { value, done } = await reader.read().catch((error) => {
            throw broken(error);
          });
          if (done) break;
          wait();
          yield value;
        }
      } finally {
        clearTimeout(timer);
        await reader?.cancel().catch(() => {});
      }
    }
    return { status: response.status, headers: response.headers, chunks: chunks() };
  }

  #checkJson(bytes: Uint8Array): void {
    const text = textOf(bytes);
    if (jsonOf(text) !== undefined) return;
    throw new Foreign(pageText(text) + this.#last.by);
  }

  #explain(what: string, error: unknown, status?: number): Error {
    // Of a full disk, or a file of another size: what to do is in it already.
    const isTold = error instanceof Error && !(error instanceof TypeError);
    if (isTold && /^Cannot \w/.test(error.message)) return error;
    const said = (error instanceof Error ? error.message : `${error}`).replace(/\. URL: .*$/s, "");
    const message = shownText(said, this.#token);
    const { revision, otherwise, variable = "HF_ENDPOINT" } = this.wanted;
    const start = `Cannot ${this.what}: expected its ${what} from ${this.endpoint}`;
    if (status === undefined) {
      if (error instanceof Foreign || error instanceof TypeError) {
        const found = error instanceof Foreign ? message : "an answer of another form";
        return new Error(
          `${start}; found ${found}; something between here and the hub answered: log in to the ` +
            `network, or check the proxy and ${variable}`,
        );
      }
      if (!(error instanceof Break)) return new Error(`${start}; found ${message}`);
      return new HubUnreachable(
        `${start}; found no answer (${message}); check the network and ${variable}, or ` +
          `${otherwise}; a file of the hub goes on where it stopped`,
      );
    }
    const page = `${this.endpoint}/${this.wanted.page}`;
    const gated = this.#last.code === "GatedRepo";
    const advice = status === 401 && !gated
      ? `check the spelling, or that ${page} exists; if it needs a login, set HF_TOKEN`
      : status === 401 || status === 403
      ? `ask for access on ${page}, then set HF_TOKEN`
      : status === 404
      ? `check the spelling, and that ${page} has revision ${revision}`
      : status === 407
      ? "the proxy wants a login: check HTTP_PROXY and HTTPS_PROXY"
      : status === 429
      ? "wait some minutes, or set HF_TOKEN, which allows more; the download goes on then"
      : status === 416
      ? "the file there is shorter than the hub's list says: run it again later, or ask its owner"
      : status >= 500
      ? "the server is in trouble: try again later; a file of the hub goes on where it stopped"
      : `check ${variable}`;
    return new Error(`${start}; found status ${status}${this.#last.by} (${message}); ${advice}`);
  }
}

const bytesOf = async (chunks: AsyncIterable<Uint8Array>) =>
  await new Blob(await Array.fromAsync(chunks) as BlobPart[]).bytes();
const textOf = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

/** What a text says as JSON; undefined where it is none. */
function jsonOf(text: string): { error?: unknown } | undefined {
  try {
    return JSON.parse(text) ?? {};
  } catch {
    return undefined;
  }
}

/** Seconds or a date, as a Retry-After says it; at most what is worth waiting for in one go. */
function secondsOf(text: string | null): number {
  const seconds = Number(text);
  const wait = Number.isNaN(seconds) ? (Date.parse(text!) - Date.now()) / 1000 : seconds;
  return Math.max(0, Math.min(60, wait || 0));
}
