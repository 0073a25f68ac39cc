/** The settings of a run of the notebooks, which `deno task reproduce` hands over in a variable. */
import { basename, resolve } from "node:path";
import * as v from "valibot";
import { factDomains } from "../dataset/facts.ts";
import { examNames } from "../dataset/exams.ts";
import { answerForms } from "../dataset/questions.ts";
import { type Asking, formulations, normalizations } from "../prompt.ts";
import { cacheFolder, ROOT } from "../platform/cache.ts";
import { sha256OfText } from "../platform/runtime/digest.ts";
import type { LoadOptions } from "../model/files/load.ts";
import { suggestion } from "../platform/runtime/nearest.ts";
import { PRECISIONS } from "../platform/runtime/precision.ts";
import { isOrganism } from "./labels.ts";
import { DOMAINS } from "./plan.ts";

const exams = ["paper", ...examNames] as const;
const GROUPS = ["har", "inc", "self", "context", "general"];

// A schema's message is what was expected.
const text = v.custom<string>(
  (value) => typeof value === "string" && value.trim() !== "",
  "a text that is not empty",
);
const yesOrNo = v.boolean("true or false");
const number = (expected: string, fits: (value: number) => boolean) =>
  v.custom<number>((value) => typeof value === "number" && fits(value), expected);
const count = number("a whole number from 1 up", (n) => Number.isSafeInteger(n) && n >= 1);
const positive = number("a number above 0, such as 2e-5", (n) => Number.isFinite(n) && n > 0);
const share = number("a number from 0 to below 1, such as 0.5", (n) => n >= 0 && n < 1);
const COLUMN = /^(question|choices|answer|explanation|context|subject|id|domain|[A-Z]):[^:,]+$/;
const columnMap = v.custom<string>(
  (value) =>
    typeof value === "string" && value.split(",").every((part) => COLUMN.test(part.trim())),
  "pairs such as question:q,answer:gold,A:first, whose first is question, choices, answer, " +
    "explanation, context, subject, id, domain or an option's letter",
);
const one = <const Name extends string>(known: readonly Name[]) =>
  v.picklist(known, `one of ${known.join(", ")}`);
const some = (known?: readonly string[], alone?: string) =>
  v.custom<string[]>(
    (list) =>
      Array.isArray(list) && list.length > 0 && new Set(list).size === list.length &&
      (list.every((name) => v.is(text, name) && (known?.includes(name) ?? true)) ||
        alone !== undefined && list.length === 1 && list[0] === alone),
    `one or more ${known ? `of ${known.join(", ")}` : "names"}, each once` +
      (alone ? `, or ${alone} alone` : ""),
  );

/** What one run of the notebooks does. */
const settings = v.object({
  /**
   * `organism` (all that are shipped), `organism:NAME`, a hub id, a folder or a .gguf file; where
   * nothing is trained (notebooks 02 and 03) also `onnx:` and a hub id or a folder.
   */
  model: text,
  /** Domains studied: those of the worlds, or of the exam of common facts. Default: all four. */
  domains: v.optional(some(DOMAINS)),
  /** Fine-tuning seeds per cell of the study. Default 3, those of data/study-rule.md; 1 with `quick`. */
  seeds: count,
  /** At most so many questions per domain and test. Default: all. */
  limit: v.optional(count),
  /** A run of about a minute: fewer cells, to see that all works. */
  quick: yesOrNo,
  /** All seeds and mixtures for every model, as data/study-rule.md has it, and the controls. */
  full: yesOrNo,
  /** Goes on with what an earlier run with the same settings left unfinished. */
  resume: yesOrNo,
  /**
   * Published exams, had once and cached: `paper`, the paper's own pools and tests; others alone, as an
   * evaluation. Default: none.
   */
  exam: v.optional(one(exams)),
  /** Examples shown in the evaluation of an exam; 0: none, inside a conversation. Default 5. */
  shots: v.optional(number("a whole number from 0 up", (n) => Number.isSafeInteger(n) && n >= 0)),
  /** Language of the questions' header. Default: en; zh for CMMLU and C-Eval. */
  language: v.optional(one(["en", "zh"])),
  /** Questions of the pool that a test asks too stay in it; they are counted all the same. Default: false. */
  keepLeaks: v.optional(yesOrNo),
  /** Rows of a file that may be set aside, as a share of them, before the run stops. Default .1. */
  maxRejected: v.optional(share),
  /** What your files call the columns: `question:q,answer:gold`. Default: by the names of exams. */
  columns: v.optional(columnMap),
  /** File of questions to study (HOMO). Default: an organism's exam; else that of common facts. */
  questions: v.optional(text),
  /** File of questions shown as demonstrations. Default: dev.jsonl beside `questions`. */
  demonstrations: v.optional(text),
  /** What groups are made from: a file of questions, or a folder of released group rows. */
  pool: v.optional(text),
  /** File of questions of the same domain from another exam (ID). */
  id: v.optional(text),
  /** File of questions of other domains (OOD). */
  ood: v.optional(text),
  /** Groups trained on; `released` alone: those of the folder `pool`, as they are. Default: all. */
  groups: v.optional(some(GROUPS, "released")),
  /**
   * Folders of models that other trainers tuned on exported groups, or what the server calls these,
   * `DOMAIN/GROUP@SEED=` before those without a manifest; nothing is trained here then.
   */
  tuned: v.optional(some()),
  /** Targets are explained, SELF's by the base model itself. Default: false. */
  explanations: v.optional(yesOrNo),
  /** How a real model is asked (see prompt.ts). Default: letters; cloze for common facts. */
  formulation: v.optional(one(formulations)),
  /** How the options' texts are compared. Default: none. */
  normalization: v.optional(one(normalizations)),
  /** Whose conversations: the paper's (vicuna), or the model's own chat template's. Default: vicuna. */
  template: v.optional(one(["vicuna", "model"])),
  /** File of general instructions mixed into every group. */
  general: v.optional(text),
  /** How the files write answers, where they leave it open. Default: each is told from its rows. */
  answers: v.optional(one(answerForms)),
  /** An answer counts as belief when its probability is above this. Default .5, the paper's. */
  minimumConfidence: v.optional(share),
  /** Rank of the low-rank adapters that are trained. Default: all weights are trained instead. */
  lora: v.optional(count),
  /** Peak learning rate. Default: the model's own; ten times that with `lora`. */
  learningRate: v.optional(positive),
  /** Times that the examples are read. Default 3. */
  epochs: v.optional(count),
  /** Conversations in one step. Default: the model's own. */
  batchSize: v.optional(count),
  /** Most tokens in the model at once. Default: 2,048 (organisms up to 8,192). */
  batchTokens: v.optional(count),
  /** Layers are computed again for the gradient: less memory for more time. Default: false. */
  gradientCheckpointing: v.optional(yesOrNo),
  /** Of matrix products, on NVIDIA cards (see runtime/precision.ts). Default: float32. */
  precision: v.optional(one(PRECISIONS)),
  /** Address of a server that speaks OpenAI's protocol and has the model, by the name `model`. */
  server: v.optional(text),
  /** A served model's tokenizer: folder, GGUF file, hub id, or none. Default: by the model's name. */
  tokenizer: v.optional(text),
  /** Tokens that a server names with their log-probabilities. Default 20. */
  topLogprobs: v.optional(count),
  /** Requests under way at a server. Default 16. */
  concurrency: v.optional(count),
  /** Tokens of prompts that a process may send to servers. Default: no limit. */
  maxTokensSent: v.optional(count),
  /** What OPENAI_BASE_URL calls the model that explains pools without explanations. Default: none. */
  teacher: v.optional(text),
  /** Folder of the figures and tables; a relative one lies in the project. Default `figures`. */
  output: text,
});

export type Settings = v.InferOutput<typeof settings>;

/** Names the variable that holds the settings, as JSON. */
export const SETTINGS_VARIABLE = "SELF_ALIGNING_SETTINGS";

/**
 * Settings from JSON, defaults filled in; `undefined` gives the defaults.
 * @throws naming the first setting that is unknown or whose value does not fit.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * assert.equal(parseSettings('{"quick": true}').seeds, 1);
 * assert.throws(() => parseSettings('{"seeds": 0}'), /seeds.*whole number/);
 * ```
 */
export function parseSettings(json?: string): Settings {
  let given: unknown = {};
  try {
    if (json !== undefined) given = JSON.parse(json);
  } catch (error) {
    throw new Error(`Cannot read settings: expected JSON: ${(error as Error).message}`);
  }
  if (typeof given !== "object" || given === null || Array.isArray(given)) {
    throw new Error(`Cannot read settings: expected a JSON object, found ${json}`);
  }
  const values = given as Partial<Settings>;
  checkSettings(values);
  const { quick = false, full = false } = values, seeds = usualSeeds(values);
  return {
    ...{ model: "organism", seeds, resume: false, output: "figures" },
    ...values,
    ...askingOf(values),
    ...{ quick, full },
  };
}

/**
 * What takes settings asks this first, for they may be written by hand: `{ ...run, seeds: 5 }`.
 * A setting that is undefined counts as not given.
 * @throws as `parseSettings`
 */
export function checkSettings(values: Partial<Settings>): void {
  for (const [name, value] of Object.entries(values)) {
    if (!Object.hasOwn(settings.entries, name)) {
      const known = Object.keys(settings.entries);
      const all = `${known.join(", ")}${suggestion(name, known)}`;
      throw new Error(`Cannot use the setting ${name}: expected one of ${all}`);
    }
    if (value === undefined) continue;
    const schema: v.GenericSchema = name === "domains"
      ? domainsOf(values)
      : settings.entries[name as keyof Settings];
    const [wrong] = v.safeParse(schema, value).issues ?? [];
    if (wrong) {
      const found = JSON.stringify(Array.isArray(value) ? value.join(",") : value);
      throw new Error(`Cannot use the setting ${name}: expected ${wrong.message}, found ${found}`);
    }
  }
  checkTogether(values);
}

const usualSeeds = (values: Partial<Settings>) => values.quick || studiesFacts(values) ? 1 : 3;

const domainsOf = (values: Partial<Settings>) =>
  some(
    ownFiles.some((name) => values[name])
      ? undefined
      : studiesFacts(values)
      ? factDomains
      : DOMAINS,
  );

/** Whether a run asks the exam of common facts: a real model and no files of questions. */
export function studiesFacts({ model = "organism", exam, ...files }: Partial<Settings>): boolean {
  return !isOrganism(String(model)) && exam === undefined && ownFiles.every((name) => !files[name]);
}

/** Settings that name files of questions. */
const ownFiles = ["questions", "pool", "id", "ood", "demonstrations"] as const;

/** The columns that a run's settings name, ours to the files'. */
export function columnsOf({ columns }: Pick<Settings, "columns">): Map<string, string> | undefined {
  const pairs = columns?.split(",").map((part) => part.trim().split(":") as [string, string]);
  return pairs && new Map(pairs);
}

/** The language of a run's header. */
export const languageOf = ({ exam, language }: Partial<Settings>): "en" | "zh" =>
  language ?? (exam === "cmmlu" || exam === "ceval" ? "zh" : "en");

/** A run's settings with the model `real` for an organism, whose domains and seeds are not its own. */
export function realSettings(run: Settings, real = "smollm2"): Settings {
  checkSettings(run);
  const { seeds: _, domains: __, ...asked } = run;
  if (!isOrganism(asked.model) || isOrganism(real)) return run;
  return parseSettings(JSON.stringify({ ...asked, model: real }));
}

/** How a run's servers are asked. */
export const servingOf = ({ topLogprobs, concurrency, maxTokensSent }: Settings) => (
  { topLogprobs, concurrency, maxTokensSent }
);

/** How a real model is asked; an organism brings its own way. */
export function askingOf(values: Partial<Settings>): Partial<Asking> {
  if (isOrganism(values.model ?? "organism")) return {};
  const formulation = values.formulation ?? (studiesFacts(values) ? "cloze" : "letters");
  return { formulation, normalization: values.normalization ?? "none" };
}

/** How a real model of a run is loaded, and what a server has of models tuned from it. */
export const loadingOf = (settings: Settings): LoadOptions => ({
  ...askingOf(settings),
  ...{ template: settings.template, batchTokens: settings.batchTokens },
  language: languageOf(settings),
  ...(settings.server && {
    server: settings.server,
    tokenizer: settings.tokenizer === "none" ? false : settings.tokenizer,
    serving: { ...servingOf(settings), tokenizerOf: settings.model },
  }),
});

/**
 * What has no effect, or none that could be meant: where that is so, beside what else, what to give instead,
 * and why, by the settings' names.
 */
function lostSettings(values: Partial<Settings>) {
  const { exam, server, teacher, shots, pool, quick, seeds, template, normalization } = values;
  const model = String(values.model ?? "organism"), files = ownFiles.find((name) => values[name]);
  const paper = exam === "paper", alone = exam !== undefined && !paper;
  const organism = isOrganism(model), released = values.groups?.[0] === "released";
  const letters = askingOf(values).formulation === "letters";
  const scaled = (normalization ?? "none") !== "none";
  const real = "another --model",
    asked = `with exam=${exam}`,
    common = "on the exam of common facts";
  const lost: [isSo: unknown, beside: string, give: string, why: Record<string, string>][] = [
    [organism, `with ${model}`, real, {
      [`${ownFiles.join(" ")} columns answers exam general language`]:
        "an organism reads the words of its world alone",
      keepLeaks: "no test asks a question of its pool",
      maxRejected: "its questions are made by code, each of them whole",
      explanations: "an organism has no words for reasons",
      server: "an organism is computed here",
      "formulation normalization": "an organism is asked for its options' texts, one token each",
      template: "an organism has a conversation of its own",
    }],
    [released && !pool, "without a pool", "--pool=FOLDER and a model that reads English", {
      groups: "released rows lie in a folder",
    }],
    [quick, "with quick", "one of them", { full: "it asks for what quick leaves out" }],
    [files, `with ${files}`, "one of them", {
      exam: "a run has one source of questions",
      domains: "files of one's own are one domain, which their rows name",
    }],
    [!files, exam ? asked : common, "--questions=FILE and --pool=FILE", {
      "columns answers": "they say how files of one's own are written",
    }],
    [studiesFacts(values), common, "--questions=FILE or --exam=paper", {
      "keepLeaks maxRejected": "its files ship without such rows",
    }],
    [alone, asked, "--exam=paper", {
      "tuned groups explanations general keepLeaks minimumConfidence":
        "an evaluation has no groups",
      "lora learningRate epochs batchSize gradientCheckpointing":
        "nothing is trained in an evaluation",
    }],
    [alone && seeds !== usualSeeds(values), asked, "--exam=paper", { seeds: "nothing is drawn" }],
    [alone, asked, "--limit=N", { "domains quick full": "an evaluation asks all of its exam" }],
    [alone && shots !== 0, asked, "--shots=0", { template: "examples are shown in plain text" }],
    [!alone, "alone", "--exam=mmlu or another evaluation", {
      shots: "the paper's are five, or none",
    }],
    [!paper, "alone", "--exam=paper", { teacher: "it explains the pools of the paper" }],
    [!server, "alone", "--server=ADDRESS", {
      "tokenizer topLogprobs": "it is about served models",
    }],
    [!server && !teacher, "alone", "--server=ADDRESS or --teacher=MODEL", {
      "concurrency maxTokensSent": "it is about servers",
    }],
    [server, "with server", "the model itself", {
      "precision batchTokens gradientCheckpointing": "the server computes",
    }],
    [server && template === "model", "with server", "--template=vicuna", {
      template: "a server is sent plain text, and who puts a template's start token can't be seen",
    }],
    [model.startsWith("onnx:"), `with ${model}`, "the model's safetensors", {
      "precision gradientCheckpointing": "a graph has numbers of its own, and is not trained",
    }],
    [letters && scaled, "with letters", "--formulation=cloze or hybrid", {
      normalization: "letters are one token each",
    }],
  ];
  return lost.flatMap(([isSo, beside, give, names]) =>
    isSo
      ? Object.entries(names).map(([names, why]) => ({
        names: names.split(" "),
        beside,
        give,
        why,
      }))
      : []
  );
}

/** @throws where a setting that is given has no effect beside the others */
function checkTogether(values: Partial<Settings>): void {
  for (const { names, beside, give, why } of lostSettings(values)) {
    const name = names.find((name) => ![undefined, false].includes(values[name as "quick"]));
    if (name === undefined) continue;
    const flag = name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
    throw new Error(
      `Cannot use the setting ${name} ${beside}: ${why}; give ${give}, or leave --${flag} out`,
    );
  }
}

/** The full path of a run's figures, or of a file in it. */
export function outputPath({ output }: Pick<Settings, "output">, ...parts: string[]): string {
  const folder = output.replace(/^\.cache(?=\/|$)/, () => cacheFolder());
  return resolve(ROOT, folder, ...parts);
}

/** Whether a run's figures are those that ship with the project. */
export function isPublished(run: Pick<Settings, "output">): boolean {
  return outputPath(run) === outputPath({ output: "figures" });
}

/**
 * The name of a run with settings of its own, and of its folder: the same for the same settings, and readable.
 * Where the results go is no setting.
 */
export function runName({ resume: _, output: __, ...given }: Record<string, unknown>): string {
  const sorted = JSON.stringify(Object.entries(given).sort(([a], [b]) => a < b ? -1 : 1));
  const hash = sha256OfText(sorted).slice(0, 6);
  const { quick, full, exam, model, domains } = given;
  const words = [quick && "quick", full && "full", exam, model, domains].flat()
    .filter((word) => typeof word === "string")
    .map((word) => basename(word).replace(/[^\w.-]+/g, "-"));
  return [...words, hash].join("-").slice(-80);
}

/** Folder of finished cells, which git ignores; all notebooks share it. */
export function storePath(): string {
  return cacheFolder("study");
}
