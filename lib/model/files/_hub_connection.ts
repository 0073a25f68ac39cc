/** Requests to a hub: its address alone gets the token; what may succeed later is repeated. */
import { setTimeout as delay } from "node:timers/promises";

/** The hub does not answer at all: another way to a model can be tried. */
export class HubUnreachable extends Error {}

/** A request that ended without a whole answer: no connection, one that was cut, or a timeout. */
export class Break extends Error {}

/** An answer whose status says that it was refused. */
class Refusal extends Error {
  constructor(readonly status: number, message: string) {
    super(message);
  }
}

/** Attempts and seconds; without a network the first question should fail sooner. */
const STEADY = { attempts: 5, seconds: 120 };
export const FIRST = { attempts: 2, seconds: 15 };

export interface ConnectionOptions {
  endpoint?: string;
  token?: string;
  patience?: number;
  timeout?: number;
  say: (line: string) => void;
  signal?: AbortSignal;
}

/** What a question to the hub is asked with: the address, and a fetch that knows the token. */
export interface Access {
  hubUrl: string;
  fetch: typeof fetch;
}

export class HubConnection {
  readonly endpoint: string;
  readonly #token: string;
  readonly #options: ConnectionOptions;
  /** What the last answer said besides its status. */
  #last = { retryAfter: 0, code: "", by: "" };

  constructor(readonly id: string, readonly revision: string, options: ConnectionOptions) {
    const given = (options.endpoint ?? Deno.env.get("HF_ENDPOINT") ?? "").trim() ||
      "https://huggingface.co";
    const address = /^https?:\/\/[^@]*$/i.test(given) ? URL.parse(given) : null;
    if (address === null) {
      const found = given.replace(/[^/]*@/, "...@");
      throw new Error(
        `Cannot open model ${id}: expected HF_ENDPOINT to be an address such as ` +
          `https://huggingface.co; found ${found.slice(0, 80)}; write it with https:// before it`,
      );
    }
    this.#token = (options.token ?? Deno.env.get("HF_TOKEN") ?? "").trim();
    this.endpoint = (address.origin + address.pathname).replace(/\/+$/, "");
    if (!/^(hf_[\w.~+/=-]+)?$/.test(this.#token)) {
      throw new Error(
        `Cannot open model ${id}: expected an access token that starts with hf_, without spaces and ` +
          `line breaks in it; found another; set HF_TOKEN to one of ${this.endpoint}/settings/tokens`,
      );
    }
    this.#options = options;
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
    const { patience = 1, say, signal } = this.#options;
    for (let attempt = 1;; attempt++) {
      this.#last = { retryAfter: 0, code: "", by: "" };
      try {
        return await question({
          hubUrl: this.endpoint,
          fetch: (input, init) => this.#fetch(new URL(String(input)), init, most),
        });
      } catch (error) {
        signal?.throwIfAborted();
        const status = error instanceof Refusal ? error.status : undefined;
        const passing = status === undefined
          ? error instanceof Break
          : status === 408 || status === 429 || status >= 500;
        if (!passing || attempt >= attempts) throw this.#explain(what, error, status);
        const seconds = Math.max(patience * 2 ** (attempt - 1), this.#last.retryAfter);
        say(`${what} of ${this.id}: ${status ?? (error as Error).message}; again in ${seconds} s`);
        await delay(seconds * 1000, undefined, { signal });
      }
    }
  }

  /** An answer whose bytes come one after the other; each must come in time. */
  async #fetch(address: URL, init: RequestInit | undefined, most: number): Promise<Response> {
    const { timeout = STEADY.seconds, signal } = this.#options;
    const own = new Headers(init?.headers);
    // A list may go on at another address: the token stays here.
    if (this.#token !== "" && address.origin === new URL(this.endpoint).origin) {
      own.set("authorization", `Bearer ${this.#token}`);
    }
    const stop = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const wait = () => {
      clearTimeout(timer);
      const late = () => stop.abort(new DOMException("Signal timed out.", "TimeoutError"));
      timer = setTimeout(late, 1000 * Math.min(most, timeout));
    };
    const broken = (error: unknown): never => {
      clearTimeout(timer);
      throw new Break(reasonOf(error));
    };
    wait();
    signal?.throwIfAborted();
    signal?.addEventListener("abort", () => stop.abort(signal.reason), { signal: stop.signal });
    const asked = { ...init, headers: own, signal: stop.signal };
    const { status, headers, url, body } = await fetch(address, asked).catch(broken);
    const other = url !== "" && new URL(url).host !== address.host;
    this.#last = {
      retryAfter: secondsOf(headers.get("retry-after")),
      code: headers.get("x-error-code") ?? "",
      by: other ? ` from ${new URL(url).host}` : "",
    };
    async function* chunks(): AsyncGenerator<Uint8Array> {
      const reader = body?.getReader();
      // Once garbage was collected, Deno 2.9 no longer ends a body whose signal is aborted.
      stop.signal.addEventListener("abort", () => reader?.cancel().catch(() => {}));
      try {
        for (let part; reader && !(part = await reader.read()).done;) {
          wait();
          yield part.value;
        }
        stop.signal.throwIfAborted();
      } catch (error) {
        broken(error);
      } finally {
        clearTimeout(timer);
      }
    }
    const response = new Response(ReadableStream.from(chunks()), { status, headers });
    if (!response.ok) {
      const said = await response.json().catch(() => ({}));
      throw new Refusal(status, String(said?.error ?? `for ${address.pathname.split("/").at(-1)}`));
    }
    if (!/^text\/html/i.test(headers.get("content-type") ?? "")) return response;
    await response.body?.cancel();
    throw new TypeError("a web page");
  }

  #explain(what: string, error: unknown, status?: number): Error {
    // Of a full disk, or a file of another size: what to do is in it already.
    if (error instanceof Error && /^Cannot \w/.test(error.message)) return error;
    const { message } = error as Error;
    const start = `Cannot open model ${this.id}: expected its ${what} from ${this.endpoint}`;
    // What is no JSON, or of another form, is a proxy's.
    if (error instanceof TypeError || error instanceof SyntaxError) {
      const found = message === "a web page" ? message : "an answer of another form";
      return new Error(
        `${start}; found ${found}${this.#last.by}; something between here and the hub answered: ` +
          "log in to the network, or check the proxy and HF_ENDPOINT",
      );
    }
    if (error instanceof Break) {
      return new HubUnreachable(
        `${start}; found no answer (${message}); check the network and HF_ENDPOINT, or give a ` +
          "folder or a .gguf file; a download goes on where it stopped",
      );
    }
    if (status === undefined) return new Error(`${start}; found ${message}`);
    const page = `${this.endpoint}/${this.id}`;
    const gated = this.#last.code === "GatedRepo";
    const advice = status === 401 && !gated
      ? `check the spelling, or that ${page} exists; if it needs a login, set HF_TOKEN`
      : status === 401 || status === 403
      ? `ask for access on ${page}, then set HF_TOKEN`
      : status === 404
      ? `check the spelling, and that ${page} has revision ${this.revision}`
      : status === 429
      ? "wait some minutes, or set HF_TOKEN, which allows more; the download goes on then"
      : status === 416
      ? "the file there is shorter than the hub's list says: run it again later, or ask its owner"
      : status >= 500
      ? "the hub is in trouble: try again later; the download goes on where it stopped"
      : "check HF_ENDPOINT, HTTP_PROXY and HTTPS_PROXY";
    const said = message.replaceAll(this.#token || "\0", "...").slice(0, 300);
    return new Error(`${start}; found status ${status}${this.#last.by} (${said}); ${advice}`);
  }
}

/** Seconds or a date, as a Retry-After says it; at most what is worth waiting for in one go. */
function secondsOf(text: string | null): number {
  const seconds = Number(text);
  const wait = Number.isNaN(seconds) ? (Date.parse(text!) - Date.now()) / 1000 : seconds;
  return Math.max(0, Math.min(60, wait || 0));
}

/** Why a request broke, in the words of what went wrong first. */
function reasonOf(error: unknown): string {
  let reason = error;
  while (reason instanceof Error && reason.cause !== undefined) reason = reason.cause;
  const message = reason instanceof Error ? reason.message : String(reason);
  return message.replace(/^error sending request for url \([^)]*\): /, "");
}
