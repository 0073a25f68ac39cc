/** A process that takes orders as lines of JSON and answers with lines that start with "@ ". */
import { lines } from "../../lib/platform/native/_command.ts";

export class Peer {
  readonly #child: Deno.ChildProcess;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #answers: AsyncGenerator<string>;

  /** What it prints beside answers goes to this process's stderr. */
  constructor(readonly name: string, command: string[], env: Record<string, string> = {}) {
    this.#child = new Deno.Command(command[0], {
      args: command.slice(1),
      env,
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    this.#writer = this.#child.stdin.getWriter();
    this.#answers = lines(this.#child.stdout);
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** @throws what the peer reports, or that it ended. */
  async ask<Answer>(order: object): Promise<Answer> {
    const bytes = new TextEncoder().encode(JSON.stringify(order) + "\n");
    // A peer that died is found out below, where its end can be told.
    await this.#writer.write(bytes).catch(() => {});
    while (true) {
      const { value: line, done } = await this.#answers.next();
      if (done) {
        const { code, signal } = await this.#child.status;
        throw new Error(`${this.name} ended (${signal ?? `code ${code}`}) instead of answering`);
      }
      if (!line.startsWith("@ ")) {
        console.error(`[${this.name}] ${line}`);
        continue;
      }
      const answer = JSON.parse(line.slice(2));
      if (answer.error) throw new Error(`${this.name}: ${answer.error}`);
      return answer;
    }
  }

  async close(): Promise<void> {
    await this.ask({ do: "close" }).catch(() => {
      try {
        this.#child.kill();
      } catch { /* it had ended already */ }
    });
    await this.#writer.close().catch(() => {});
    await this.#child.status;
  }
}
