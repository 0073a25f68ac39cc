/**
 * Shows a notebook's run on the terminal: the running cell and its live displays in place, and a
 * line for each cell that took its time.
 */
import type { Progress } from "./execute.ts";

/** Where lines go; `width` is undefined where nothing can be written over (a file, a pipe). */
export type Screen = { write: (text: string) => void; width?: number };

/** How often a live display is shown where it can't be written over. */
const LIVE_SECONDS = 10;
/** From how long on a cell gets a line of its own. */
const SLOW_SECONDS = 1;

/** Something to give to `executeNotebook` as `onProgress`. */
export function showProgress(screen: Screen = terminal()): (progress: Progress) => void {
  const { write, width } = screen;
  let shownAt = 0;
  let place = "";
  let head = "";
  const inPlace = (text: string) => write(`\r\x1b[K${text.slice(0, width! - 1)}`);
  return (progress) => {
    switch (progress.type) {
      case "cell":
        shownAt = performance.now();
        place = `  [${progress.cell}/${progress.cells}] `;
        head = place + progress.line;
        if (width) inPlace(head);
        return;
      case "live": {
        const line = progress.text.trim().split("\n")[0];
        if (width) return inPlace(`${place}${line}`);
        if (performance.now() - shownAt < LIVE_SECONDS * 1000) return;
        shownAt = performance.now();
        return write(`    ${line}\n`);
      }
      case "warning":
        return write(`${width ? "\r\x1b[K" : ""}    ${progress.text.trimEnd()}\n`);
      case "done": {
        if (width) write("\r\x1b[K");
        if (progress.seconds < SLOW_SECONDS) return;
        write(`${head.slice(0, (width ?? 100) - 12)}  ${progress.seconds.toFixed(1)} s\n`);
      }
    }
  };
}

function terminal(): Screen {
  const write = (text: string) => {
    const bytes = new TextEncoder().encode(text);
    for (let at = 0; at < bytes.length;) at += Deno.stdout.writeSync(bytes.subarray(at));
  };
  if (!Deno.stdout.isTerminal()) return { write };
  return { write, width: Deno.consoleSize().columns || 80 };
}
