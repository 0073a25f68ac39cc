/** The progress of long tasks: one live line, in a notebook, a terminal or a log. */
import { type Stoppable, stopSignal } from "../platform/interrupt.ts";
import { type Kernel, kernel } from "../platform/jupyter.ts";
import { clean, escapeHtml } from "./_text.ts";
import { settle } from "./display.ts";

export interface ProgressOptions extends Stoppable {
  /** Where lines go outside a notebook. @default stderr */
  write?: (text: string) => void;
  /** Whether a line can be overwritten. @default whether stderr is a terminal */
  terminal?: boolean;
  /** Milliseconds since any start. @default performance.now */
  now?: () => number;
}

/** The progress of one long task. */
export interface Progress {
  /**
   * `done` of the total are done; `note` says what is known by now, e.g. the loss. A total may change.
   * `found` of those done took no time, such as results of an earlier run: the time left leaves them out.
   */
  update(done: number, note?: string, total?: number, found?: number): void;
  /** Ends the line as it stands, or with `note`. */
  finish(note?: string): Promise<void>;
}

const clock = (ms: number) => {
  const seconds = Math.round(ms / 1000);
  const minutes = Math.floor(seconds / 60);
  const two = (value: number) => String(value).padStart(2, "0");
  return minutes < 60
    ? `${minutes}:${two(seconds % 60)}`
    : `${Math.floor(minutes / 60)}:${two(minutes % 60)}:${two(seconds % 60)}`;
};

let displays = 0;

/**
 * A live line for a task of `total` parts: in a notebook one display that is updated in place, in
 * a terminal one line on stderr, elsewhere (a log) a line each tenth of the way.
 */
export function progress(label: string, total: number, options: ProgressOptions = {}): Progress {
  const { now = () => performance.now(), signal } = options;
  const name = clean(label).replaceAll(/\s+/g, " ");
  const start = now();
  let done = 0, found = 0, note = "", ended = false;
  const jupyter = options.write ? undefined : kernel();
  const line = () => {
    const spent = now() - start;
    const made = done - found;
    const left = made > 0 && !ended ? `, ${clock(spent / made * (total - done))} left` : "";
    // The last line stays in the saved notebook, which a second run should not change.
    const time = jupyter && ended ? "" : ` ${clock(spent)}${left}`;
    const share = total > 0 ? Math.floor(done / total * 100) : 100;
    return `${name} ${Math.floor(done)}/${total} (${share}%)${time}${note && `  ${note}`}`;
  };
  const draw = jupyter
    ? inNotebook(jupyter, line, () => ({ done, total }))
    : inTerminal(options, line, () => total > 0 ? Math.floor(done / total * 10) : 10);
  let drawn = -Infinity;
  const redraw = (last: boolean) => {
    if (!last && now() - drawn < 200) return; // a redraw a step would cost more than the step
    drawn = now();
    draw(last);
  };
  redraw(false);
  const bar: Progress = {
    update(newDone, newNote = note, newTotal = total, newFound = found) {
      if (ended) return;
      [total, found] = [newTotal, newFound];
      [done, note] = [newDone, clean(newNote).replaceAll(/\s+/g, " ")];
      redraw(false);
    },
    async finish(newNote = note) {
      if (ended) return;
      ended = true;
      for (const one of signals) one?.removeEventListener("abort", stop);
      note = clean(newNote).replaceAll(/\s+/g, " ");
      redraw(true);
      await settle();
    },
  };
  const stop = () => void bar.finish("stopped"), signals = [signal, stopSignal()];
  for (const one of signals) one?.addEventListener("abort", stop);
  return bar;
}

function inNotebook(
  jupyter: Kernel,
  line: () => string,
  state: () => { done: number; total: number },
) {
  const display_id = `progress-${++displays}-${crypto.randomUUID()}`;
  let sent = false;
  return () => {
    const { done, total } = state();
    const data = {
      "text/html": `<progress value="${done}" max="${total}"></progress> ${escapeHtml(line())}`,
      "text/plain": line(),
    };
    jupyter.broadcast(sent ? "update_display_data" : "display_data", {
      data,
      metadata: {},
      transient: { display_id },
    });
    sent = true;
  };
}

function inTerminal(options: ProgressOptions, line: () => string, tenth: () => number) {
  const encoder = new TextEncoder();
  const {
    write = (text) => void Deno.stderr.writeSync(encoder.encode(text)),
    terminal = Deno.stderr.isTerminal(),
  } = options;
  let written = -1;
  return (last: boolean) => {
    if (terminal) return write(`\r\x1b[K${line()}${last ? "\n" : ""}`);
    if (!last && tenth() === written) return;
    written = tenth();
    write(`${line()}\n`);
  };
}
