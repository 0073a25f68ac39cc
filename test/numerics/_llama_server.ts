/** llama-cpp-python's server with a GGUF file, and SmolLM2 in float32 for it. */
import { join } from "node:path";
import { pythonEnvironment } from "../../lib/platform/native/python.ts";
import { run } from "../../lib/platform/native/_command.ts";
import { exists } from "../../lib/platform/runtime/files.ts";

/** Built from source in about 4 minutes on 2 cores, the first time. */
export const LLAMA_PACKAGES = ["llama-cpp-python[server]==0.3.36", "gguf==0.19.0"];

/** SELF_ALIGNING_LLAMA_PYTHON, a Python that has the packages, else an environment made for them. */
export const llamaPython = async () =>
  Deno.env.get("SELF_ALIGNING_LLAMA_PYTHON") ??
    await pythonEnvironment({ packages: LLAMA_PACKAGES });

/** The same model with its tensors in float32; `bos`: its start token stands before each text. */
export async function floatGguf(
  python: string,
  { source, target, bos = false }: { source: string; target: string; bos?: boolean },
): Promise<string> {
  if (exists(target)) return target;
  const script = join(import.meta.dirname!, "make_float_gguf.py");
  const partial = `${target}.partial`;
  const args = [script, source, partial, ...(bos ? ["--bos"] : [])];
  const { ok, output } = await run([python, ...args]);
  if (!ok) throw new Error(`Cannot write ${target}: ${output}`);
  await Deno.rename(partial, target);
  return target;
}

export class LlamaServer implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;

  private constructor(readonly address: string, readonly name: string, child: Deno.ChildProcess) {
    this.#child = child;
  }

  /** Starts it and waits until it answers. @throws with its last lines where it ends before */
  static async start(
    python: string,
    model: string,
    { name, threads = navigator.hardwareConcurrency }: { name: string; threads?: number },
  ): Promise<LlamaServer> {
    using free = Deno.listen({ port: 0, hostname: "127.0.0.1" });
    const { port } = free.addr as Deno.NetAddr;
    free.close();
    const flags = {
      ...{ model, model_alias: name, host: "127.0.0.1", port, logits_all: true, verbose: false },
      // Keys and values in float32 too: 16 bits are the default.
      ...{ type_k: 0, type_v: 0, n_ctx: 2048, n_threads: threads, n_threads_batch: threads },
    };
    const log = await Deno.makeTempFile({ prefix: "llama-", suffix: ".log" });
    const args = Object.entries(flags).flatMap(([flag, value]) => [`--${flag}`, String(value)]);
    const command = new Deno.Command("sh", {
      args: ["-c", 'exec "$@" > "$0" 2>&1', log, python, "-m", "llama_cpp.server", ...args],
    });
    const server = new LlamaServer(`http://127.0.0.1:${port}`, name, command.spawn());
    let ended = false;
    server.#child.status.then(() => ended = true);
    while (!ended) {
      const found = await fetch(`${server.address}/v1/models`).catch(() => undefined);
      await found?.body?.cancel();
      if (found?.ok) return server;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    throw new Error(`Cannot start llama-cpp-python: ${await Deno.readTextFile(log)}`);
  }

  get pid(): number {
    return this.#child.pid;
  }

  async [Symbol.asyncDispose]() {
    this.#child.kill("SIGTERM");
    await this.#child.status;
  }
}
