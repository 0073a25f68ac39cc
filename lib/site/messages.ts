/** What the live page and its worker tell each other. */
import type { Question } from "../question.ts";
import type { openFastest, PageBackend } from "./backend.ts";
import type { RunSettings } from "./address.ts";
import type { RunResult, RunStep } from "./training.ts";

export type ToWorker =
  /** Fetch the model from a folder (a whole address) and open it; `world` and `base` are JSON. */
  | {
    type: "open";
    folder: string;
    name: string;
    world: string;
    base: string;
    backend?: PageBackend;
  }
  /** How likely the untrained model finds the options of these. */
  | { type: "ask"; questions: Question[] }
  | { type: "train"; settings: RunSettings; followed: Question[] }
  | { type: "stop" };

export type FromWorker =
  | { type: "opened"; parameters: number }
    & Omit<Awaited<ReturnType<typeof openFastest>>, "subject">
  | { type: "asked"; ids: string[]; probabilities: number[][] }
  | { type: "step"; step: RunStep }
  | { type: "done"; result: RunResult }
  | { type: "stopped" }
  | { type: "failed"; message: string };
