/** A server that speaks OpenAI's protocol as vLLM does, on this machine, with a small model behind it. */
import type { LanguageModel } from "../../lib/model/language_model.ts";

export interface Asked {
  path: string;
  body: Record<string, unknown>;
  authorization: string | null;
  headers: Headers;
}

export interface StandInOptions {
  /** What the served model is called. */
  name?: string;
  /** Other models that it serves, by their names. */
  others?: Record<string, LanguageModel>;
  /** Milliseconds that an answer takes; they run side by side. */
  delay?: number;
  /** Names tokens by their texts alone, as SGLang and llama-cpp-python do. */
  texts?: boolean;
  /** Writes log-probabilities as llama.cpp's own server does. */
  content?: boolean;
  /** Passes over `echo`. */
  noEcho?: boolean;
  /** What comes next, with its log-probabilities, after each prompt: no model is asked. */
  next?: Record<string, number>;
  /** What a chat model says. */
  says?: (content: string) => unknown;
}

export class StandIn implements AsyncDisposable {
  readonly asked: Asked[] = [];
  underWay = 0;
  mostUnderWay = 0;
  /** Answers in place of the model, or nothing. */
  fault: (asked: Asked, number: number) => Response | Promise<Response> | undefined = () =>
    undefined;
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  /** The model takes one text at a time. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(readonly model: LanguageModel | undefined, readonly options: StandInOptions = {}) {
    const listen = { port: 0, hostname: "127.0.0.1", onListen: () => {} };
    this.#server = Deno.serve(listen, (request) => this.#answer(request));
  }

  get name(): string {
    return this.options.name ?? "small";
  }

  get address(): string {
    return `http://127.0.0.1:${this.#server.addr.port}`;
  }

  /** Requests for completions. */
  get completions(): Asked[] {
    return this.asked.filter(({ path }) => path.endsWith("completions"));
  }

  async [Symbol.asyncDispose]() {
    await this.#server.shutdown();
  }

  async #answer(request: Request): Promise<Response> {
    const { pathname: path } = new URL(request.url);
    const body = request.method === "POST" ? await request.json() : {};
    const { headers } = request;
    const asked = { path, body, authorization: headers.get("authorization"), headers };
    this.asked.push(asked);
    this.mostUnderWay = Math.max(this.mostUnderWay, ++this.underWay);
    try {
      const fault = await this.fault(asked, this.completions.length);
      if (fault) return fault;
      if (path === "/v1/models") {
        const names = [this.name, ...Object.keys(this.options.others ?? {})];
        return Response.json({ data: names.map((id) => ({ id, max_model_len: 4096 })) });
      }
      const { delay = 0 } = this.options;
      if (delay > 0) await new Promise((resolve) => setTimeout(resolve, delay));
      if (path === "/v1/chat/completions") return this.#chat(body);
      if (path !== "/v1/completions") return new Response("nothing here", { status: 404 });
      const turn = this.#turn.then(() => this.#complete(body));
      this.#turn = turn.catch(() => {});
      return await turn;
    } finally {
      this.underWay--;
    }
  }

  #chat({ messages }: Record<string, unknown>): Response {
    const [{ content }] = messages as { content: string }[];
    const said = this.options.says?.(content) ?? { content: "Because it is so." };
    const { finish_reason = "stop", ...message } = said as Record<string, unknown>;
    return Response.json({
      choices: [{ message: { role: "assistant", ...message }, finish_reason }],
      usage: { prompt_tokens: Math.ceil(content.length / 4) },
    });
  }

  async #complete(body: Record<string, unknown>): Promise<Response> {
    const { prompt, logprobs = 0, echo, return_tokens_as_token_ids: byId } = body as {
      prompt: string;
      logprobs?: number;
      echo?: boolean;
      return_tokens_as_token_ids?: boolean;
    };
    const { texts, content, noEcho, next: fixed } = this.options;
    if (fixed) {
      const logprobs = { tokens: Object.keys(fixed).slice(0, 1), top_logprobs: [fixed] };
      return Response.json({ choices: [{ text: "A", logprobs, finish_reason: "length" }] });
    }
    const model = this.options.others?.[String(body.model)] ?? this.model!,
      tokenizer = model.requireTokenizer();
    const ids = tokenizer.encode(prompt, { addSpecialTokens: true });
    const size = model.config.vocabularySize;
    const [logits] = echo ? await model.logits([ids]) : await model.nextTokenLogits([ids]);
    const next = Array.from(
      { length: logits.length / size },
      (_, i) => logSoftmax(logits.subarray(i * size, (i + 1) * size)),
    );
    const nameOf = (id: number) =>
      byId && !texts && !content ? `token_id:${id}` : tokenizer.decode([id]);
    const order = [...next.at(-1)!.keys()].sort((a, b) => next.at(-1)![b] - next.at(-1)![a]);
    const best = order.slice(0, logprobs);
    const usage = { prompt_tokens: ids.length, completion_tokens: 1 };
    const text = tokenizer.decode([order[0]]);
    if (content) {
      const top_logprobs = best.map((id) => (
        { id, token: nameOf(id), logprob: next.at(-1)![id] }
      ));
      const logprobs = { content: [{ id: order[0], token: text, top_logprobs }] };
      return Response.json({ choices: [{ text, logprobs, finish_reason: "length" }], usage });
    }
    const all = echo && !noEcho ? [...ids, order[0]] : [order[0]];
    const values = all.map((id, i) =>
      all.length === 1 ? next.at(-1)![id] : i === 0 ? null : next[i - 1][id]
    );
    return Response.json({
      choices: [{
        text,
        finish_reason: "length",
        logprobs: {
          tokens: all.map(nameOf),
          token_logprobs: values,
          top_logprobs: all.map((_, i) =>
            i < all.length - 1
              ? {}
              : Object.fromEntries(best.map((id) => [nameOf(id), next.at(-1)![id]]))
          ),
        },
      }],
      usage,
    });
  }
}

function logSoftmax(logits: Float32Array): number[] {
  const highest = logits.reduce((a, b) => Math.max(a, b));
  const sum = logits.reduce((total, value) => total + Math.exp(value - highest), 0);
  return Array.from(logits, (value) => value - highest - Math.log(sum));
}
