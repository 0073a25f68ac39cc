/**
 * A Deno Jupyter kernel in a process of its own, driven headless over the Jupyter protocol 5.3.
 *
 * Own code because clients that stop at `status: idle` lose output: Deno's kernel goes idle before
 * what a cell printed has left its queue. The queue keeps its order, so after each reply a silent
 * request prints a marker, and the cell is over when the marker has come back.
 */
import { createHmac } from "node:crypto";
import { Socket } from "./_zmtp.ts";

/** Raised when the kernel's process ends or goes silent. */
export class KernelError extends Error {
  override name = "KernelError";
  constructor(readonly reason: "died" | "stalled", message: string) {
    super(message);
  }
}

/** A message of the Jupyter protocol, as far as it is read here. */
export interface Message {
  header: { msg_id: string; msg_type: string };
  parent_header: { msg_id?: string };
  // deno-lint-ignore no-explicit-any -- its shape depends on msg_type
  content: any;
}

/** How a piece of code ended. */
export type Reply =
  | { status: "ok" }
  | { status: "error" | "aborted"; ename?: string; evalue?: string; traceback?: string[] };

/** Seconds until a started kernel must have answered. */
const START = 60;
/** Seconds that output may take to arrive after the reply (a throw in a timer alone takes 30). */
const STALL = 90;
const decoder = new TextDecoder();
const DELIMITER = "<IDS|MSG>";

/** A running kernel; `await using kernel = await Kernel.start(...)` ends it with the block. */
export class Kernel {
  #key = crypto.randomUUID();
  #session = crypto.randomUUID();
  #shell?: Socket;
  #published?: Socket;
  #process?: Deno.ChildProcess;
  #log = "";
  #closing?: Promise<void>;
  #replies = new Map<string, (message: Message) => void>();
  #onPublished: (message: Message) => void = () => {};
  /** Rejects when the process ends by itself. */
  #death = Promise.withResolvers<never>();

  /**
   * Starts a kernel and waits until it answers. Its code runs in the folder `directory`, with the
   * variables of `environment` beside the present ones.
   * @throws KernelError if it doesn't
   */
  static async start(directory: string, environment: Record<string, string>): Promise<Kernel> {
    const kernel = new Kernel();
    const connection = await Deno.makeTempFile({ prefix: `kernel-${Deno.pid}-` });
    try {
      await kernel.#start(connection, directory, environment);
      return kernel;
    } catch (error) {
      await kernel.close();
      throw error;
    } finally {
      await Deno.remove(connection); // the kernel reads it at its start alone
    }
  }

  async #start(connection: string, cwd: string, env: Record<string, string>) {
    const [shell, iopub, control, stdin, heartbeat] = freePorts(5);
    await Deno.writeTextFile(
      connection,
      JSON.stringify({
        transport: "tcp",
        ip: "127.0.0.1",
        key: this.#key,
        signature_scheme: "hmac-sha256",
        shell_port: shell,
        iopub_port: iopub,
        control_port: control,
        stdin_port: stdin,
        hb_port: heartbeat,
        kernel_name: "deno",
      }),
      { mode: 0o600 },
    );
    const child = this.#process = new Deno.Command(Deno.execPath(), {
      args: ["jupyter", "--kernel", "--conn", connection],
      ...{ cwd, env },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const log = Promise.all([this.#keepLog(child.stdout), this.#keepLog(child.stderr)]);
    this.#death.promise.catch(() => {}); // not an unhandled rejection when nobody is waiting
    child.status.then(async ({ code, signal }) => {
      await log;
      const how = signal ? `was ended by ${signal}` : `ended with exit code ${code}`;
      const output = this.#log.trim().split("\n").slice(-12).join("\n");
      const last = output && `; its last output:\n${output}`;
      this.#death.reject(new KernelError("died", `the kernel's process ${how}${last}`));
    });
    const late = `the kernel did not answer within ${START} s of its start`;
    await this.#limit(this.#connect(shell, iopub), START, late);
  }

  async #connect(shell: number, iopub: number): Promise<void> {
    this.#shell = await this.#retry("DEALER", shell);
    this.#published = await this.#retry("SUB", iopub);
    this.#read(
      this.#shell,
      (message) => this.#replies.get(message.parent_header.msg_id!)?.(message),
    );
    this.#read(this.#published, (message) => this.#onPublished(message));
    // A subscription takes a moment to reach the kernel: ask until an answer is published.
    const heard = Promise.withResolvers<boolean>();
    this.#onPublished = () => heard.resolve(true);
    for (let live = false; !live && !this.#closing;) {
      this.#send("kernel_info_request", {});
      live = await Promise.race([heard.promise, delay(100).then(() => false)]);
    }
  }

  /** The kernel listens a moment after its start. */
  async #retry(type: "DEALER" | "SUB", port: number): Promise<Socket> {
    while (!this.#closing) {
      try {
        return await Socket.connect(type, port);
      } catch {
        await delay(20);
      }
    }
    throw new KernelError("died", "the kernel was closed while it started");
  }

  /**
   * Runs `code`, waits for all that it published, and gives the reply. Without `onMessage`, which is told
   * each message in order, the kernel leaves the code out of its count of executions.
   * @throws KernelError if the kernel dies or stalls
   */
  async execute(code: string, onMessage?: (message: Message) => void): Promise<Reply> {
    const marker = `\0${crypto.randomUUID()}`;
    const over = Promise.withResolvers<void>();
    this.#onPublished = (message) => {
      const text: unknown = message.header.msg_type === "stream" && message.content.text;
      if (typeof text !== "string" || !text.includes(marker)) return onMessage?.(message);
      const before = text.slice(0, text.indexOf(marker));
      if (before) onMessage?.({ ...message, content: { ...message.content, text: before } });
      over.resolve();
    };
    const reply = await Promise.race([this.#request(code, !onMessage), this.#death.promise]);
    this.#request(`console.log(${JSON.stringify(marker)})`, true);
    const late = `the kernel's output did not arrive within ${STALL} s of its end`;
    await this.#limit(over.promise, STALL, late);
    return reply.content;
  }

  /** Ends the process and closes the sockets; a second call waits for the first. */
  close(): Promise<void> {
    return this.#closing ??= this.#end();
  }

  async #end(): Promise<void> {
    try {
      this.#process?.kill("SIGKILL");
    } catch { /* it has ended by itself */ }
    await this.#process?.status;
    this.#shell?.close();
    this.#published?.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #request(code: string, silent: boolean): Promise<Message> {
    const reply = Promise.withResolvers<Message>();
    const id = this.#send("execute_request", {
      code,
      silent,
      store_history: !silent,
      user_expressions: {},
      allow_stdin: false,
      stop_on_error: true,
    });
    this.#replies.set(id, (message) => {
      this.#replies.delete(id);
      reply.resolve(message);
    });
    return reply.promise;
  }

  /** Sends a signed message and gives its id. */
  #send(type: string, content: unknown): string {
    const header = {
      msg_id: crypto.randomUUID(),
      msg_type: type,
      session: this.#session,
      username: "runner",
      date: new Date().toISOString(),
      version: "5.3",
    };
    const parts = [header, {}, {}, content].map((part) => JSON.stringify(part));
    this.#shell!.send([DELIMITER, this.#sign(parts), ...parts]).catch(() => {}); // a dead kernel says so itself
    return header.msg_id;
  }

  #sign(parts: string[]): string {
    const hmac = createHmac("sha256", this.#key);
    for (const part of parts) hmac.update(part);
    return hmac.digest("hex");
  }

  async #read(socket: Socket, handle: (message: Message) => void) {
    for await (const frames of socket.messages()) {
      const texts = frames.map((frame) => decoder.decode(frame));
      const [signature, ...parts] = texts.slice(texts.indexOf(DELIMITER) + 1);
      if (this.#sign(parts.slice(0, 4)) !== signature) continue; // not from our kernel
      const [header, parent_header, , content] = parts.map((part) => JSON.parse(part));
      handle({ header, parent_header, content });
    }
  }

  async #keepLog(stream: ReadableStream<Uint8Array<ArrayBuffer>>) {
    for await (const text of stream.pipeThrough(new TextDecoderStream())) {
      this.#log = (this.#log + text).slice(-10_000);
    }
  }

  /** Waits for `promise`. @throws with `message` after `seconds`, or when the kernel dies */
  async #limit(promise: Promise<void>, seconds: number, message: string): Promise<void> {
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(
      () => late.reject(new KernelError("stalled", message)),
      seconds * 1000,
    );
    try {
      await Promise.race([promise, late.promise, this.#death.promise]);
    } finally {
      clearTimeout(timer);
    }
  }
}

const delay = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Ports that were free a moment ago; all are held until the last is known, so none comes twice. */
function freePorts(n: number): number[] {
  const listeners = Array.from(
    { length: n },
    () => Deno.listen({ hostname: "127.0.0.1", port: 0 }),
  );
  const ports = listeners.map((listener) => listener.addr.port);
  for (const listener of listeners) listener.close();
  return ports;
}
