/** The progress of long tasks: one live line, in a notebook, a terminal or a log. */
import { type Stoppable, stopSignal } from "../platform/interrupt.ts";
import { type Kernel, kernel } from "../platform/jupyter.ts";
import { escapeHtml, oneLine } from "./_text.ts";
import { settle } from "./display.ts";

export interface ProgressOptions extends Stoppable {
  /** Where lines go outside a notebook. @default stderr */
  write?: (text: string) => void;
  /** Whether a line can be overwritten. @default whether stderr is a terminal */
  terminal?: boolean;
  /** Milliseconds since any start. @default performance.now */
  now?: () => number;
}

export interface Progress {
  /**
   * `done` of the total are done; `note` says what is known by now, e.g. the loss. A total may change.
   * `found` of those done took no time, such as results of an earlier run: the time left leaves them out.
   */
  update(done: number, note?: string, total?: number, found?: number): void;
  /** Ends the line as it stands, or with `note`. */
  finish(note?: string): Promise<void>;
}

/** Minutes and seconds, or hours too. */
export const clock = (ms: number): string => {
  const seconds = Math.round(ms / 1000);
  const minutes = Math.floor(seconds / 60);
  const two = (value: number) => String(value).padStart(2, "0");
  return minutes < 60
    ? `${minutes}:${two(seconds % 60)}`
    : `${Math.floor(minutes / 60)}:${two(minutes % 60)}:${two(seconds % 60)}`;
};

/**
 * A live line for a task of `total` parts: in a notebook one display that is updated in place, in
 * a terminal one line on stderr, elsewhere (a log) a line each tenth of the way.
 */
export function progress(label: string, total: number, options: ProgressOptions = {}): Progress {
  const { now = () => performance.now(), signal } = options;
  const name = oneLine(label), start = now();
  let done = 0, found = 0, note = "", ended = false, drawn = -Infinity;
  const jupyter = options.write ? undefined : kernel();
  const draw = jupyter ? inNotebook(jupyter) : inTerminal(options);
  const redraw = () => {
    const spent = now() - start;
    if (!ended && now() - drawn < 200) return; // a redraw a step would cost more than the step
    drawn = now();
    const made = done - found, share = total > 0 ? done / total : 1;
    const left = made > 0 && !ended ? `, ${clock(spent / made * (total - done))} left` : "";
    // The last line stays in the saved notebook, which a second run should not change.
    const time = jupyter && ended ? "" : ` ${clock(spent)}${left}`;
    const part = `${Math.floor(done)}/${total} (${Math.floor(share * 100)}%)`;
    draw(`${name} ${part}${time}${note && `  ${note}`}`, { done, total, share, ended });
  };
  redraw();
  const bar: Progress = {
    update(newDone, newNote = note, newTotal = total, newFound = found) {
      if (ended) return;
      [done, note, total, found] = [newDone, oneLine(newNote), newTotal, newFound];
      redraw();
    },
    async finish(newNote = note) {
      if (ended) return;
      [ended, note] = [true, oneLine(newNote)];
      for (const one of signals) one?.removeEventListener("abort", stop);
      redraw();
      await settle();
    },
  };
  const stop = () => void bar.finish("stopped"), signals = [signal, stopSignal()];
  for (const one of signals) one?.addEventListener("abort", stop);
  return bar;
}

/** Shows a line; `share` of the task is done. */
type Draw = (
  line: string,
  state: { done: number; total: number; share: number; ended: boolean },
) => void;

function inNotebook(jupyter: Kernel): Draw {
  const transient = { display_id: `progress-${crypto.randomUUID()}` };
  let type = "display_data";
  return (line, { done, total }) => {
    const html = `<progress value="${done}" max="${total}"></progress> ${escapeHtml(line)}`;
    const data = { "text/html": html, "text/plain": line };
    jupyter.broadcast(type, { data, metadata: {}, transient });
    type = "update_display_data";
  };
}

function inTerminal(options: ProgressOptions): Draw {
  const {
    write = (text) => void Deno.stderr.writeSync(new TextEncoder().encode(text)),
    terminal = Deno.stderr.isTerminal(),
  } = options;
  let written = -1;
  return (line, { share, ended }) => {
    if (terminal) return write(`\r\x1b[K${line}${ended ? "\n" : ""}`);
    const tenth = Math.floor(share * 10);
    if (!ended && tenth === written) return;
    written = tenth;
    write(`${line}\n`);
  };
}
