/** `deno task reproduce`: runs the notebooks in order and prints what they found. See --help. */
import { basename, isAbsolute, join, relative, resolve } from "node:path";
import { runName } from "../study/run_name.ts";
import { outputPath, parseSettings, type Settings, SETTINGS_VARIABLE } from "../study/settings.ts";
import { clean } from "../figure/_text.ts";
import { agree } from "../figure/stable.ts";
import { isOnnx, ONNX } from "../model/files/source.ts";
import { openBackend } from "../platform/runtime/backend.ts";
import { SHAPE_VARIABLE } from "../platform/runtime/backend_choice.ts";
import { exists, readText, writeWhole } from "../platform/runtime/files.ts";
import { cacheFolder } from "../platform/cache.ts";
import { installNative, ROOT } from "../platform/native/native.ts";
import { executeNotebook, NotebookError } from "../platform/notebook/execute.ts";
import { formatNotebook, type Output } from "../platform/notebook/notebook.ts";
import { showProgress } from "../platform/notebook/progress.ts";
import { camel, parseFlags } from "./flags.ts";
import { PRECISION_VARIABLE } from "../platform/runtime/precision.ts";

const HELP = `Runs the notebooks in order and prints what they found beside the paper's findings.

  deno task reproduce [flags]

What to study
  --model=MODEL           organism (the default: all that are shipped), organism:NAME, a hub id such
                          as HuggingFaceTB/SmolLM2-360M, a folder of a checkpoint, a .gguf file; for
                          --only=02,03 also onnx:ID or onnx:FOLDER, with @q4, @q8 or @fp16 after it
  --domains=A,B           history, engineering, jurisprudence, medicine (default: all); on facts
                          geography, chemistry, literature, history
  --groups=A,B            har, inc, self, context, general (default: all); released: those of the
                          folder --pool=FOLDER, as they are (one model and domain of the authors')
  --explanations          train on explained answers, SELF's explained by the model itself
  --formulation=cloze     how a real model is asked: by letters (as in the paper), by the options' texts
                          (hybrid), or by these without a list of options (cloze, the default on facts)
  --normalization=none    how the options' texts are compared: none, token, character, pmi
  --template=vicuna       conversations as in the paper (the default); model: those of the model's own
                          chat template
  --questions=FILE        your own questions; --domains is then free (default: an organism's exam; for
                          a real model the exam of common facts in data/facts)
  --demonstrations=FILE   your own demonstrations (default: dev.jsonl beside the questions)
  --pool=FILE             questions to make the groups from, or a folder of released group rows
  --id=FILE  --ood=FILE   another exam of the same domain; questions of other domains
  --answers=FORM          how your files write answers, where their rows leave it open: letter, index0
                          (counted from 0), index1 (from 1) or text (the option's)
  --general=FILE          your own general instructions: Alpaca's rows, ShareGPT's or chat messages
How much
  --quick                 about a minute, to see that all works; the numbers mean little
  --full                  every seed and mixture for every model, and the controls (20 minutes)
  --seeds=N               fine-tuning seeds (default 3; 1 on facts or with --quick)
  --limit=N               at most N questions per domain and test, spread over subjects
  --minimum-confidence=X  an answer counts as belief above this probability (default .5)
  --lora=RANK             train low-rank adapters of this rank, such as 8, instead of all weights
  --learning-rate=X       peak learning rate (default: the model's own; with --lora ten times that)
  --epochs=N              times that the examples are read (default 3)
  --batch-size=N          conversations in one step (default: 16 organisms, 256 others, 8 on facts)
  --batch-tokens=N        most tokens that go through the model at once, in training (larger batches are
                          summed up) and reading; fewer need less memory (default 2048; 8192 for
                          training organisms)
  --gradient-checkpointing  compute layers again for the gradient: less memory, more time
  --precision=float32     of matrix products; tf32, on an NVIDIA card, is faster and keeps three digits
Which part, and where to
  --only=03,05            these notebooks alone, by number or name; 09, on a real model (SmolLM2-135M
                          unless --model names one), is left out of a run on organisms without it
  --resume                go on with what the same command left unfinished
  --output=FOLDER         figures, tables and the executed notebooks (under notebooks/) go here
  --help                  this text

With the default settings the results replace those in figures/ and in the notebooks. With any
other they go to .cache/runs/NAME, which git ignores and which is named after the settings, so that
what you try never overwrites what is published. A notebook that fails ends the run; it is kept, with
its outputs up to there, in .cache/runs/failed.
`;

const NUMBERS = ["seeds", "limit", "minimum-confidence", "lora", "learning-rate", "epochs"]
  .concat("batch-size", "batch-tokens");
const LISTS = ["domains", "groups", "only"];
const PATHS = ["questions", "demonstrations", "pool", "id", "ood", "general", "output"];
const FLAGS = {
  values: ["model", ...LISTS, ...NUMBERS, ...PATHS].concat(
    ["formulation", "normalization", "template", "answers", "precision"],
  ),
  switches: ["explanations", "quick", "full", "gradient-checkpointing", "resume", "help"],
};

/** What a command line asks for. */
export interface Request {
  settings: Settings;
  /** Numbers or names of notebooks. Undefined: all. */
  only?: string[];
  /** Whether all settings are the defaults, so that the results are those to publish. */
  standard: boolean;
  /** Where the executed notebooks go. */
  notebooks: string;
  help: boolean;
}

/**
 * Reads the command line; paths in it are taken from `folder`, where the user stands.
 * @throws naming the flag that is unknown or whose value does not fit.
 */
export function parseRequest(args: string[], folder: string): Request {
  const { given: { only, ...texts }, set } = parseFlags(args, FLAGS);
  const help = set.delete("help");
  const given: Record<string, unknown> = Object.fromEntries([
    ...Object.entries(texts).map(([name, value]) => {
      if (NUMBERS.includes(name)) return [camel(name), number(value)];
      if (LISTS.includes(name)) return [name, list(value)];
      if (PATHS.includes(name)) return [name, resolve(folder, value)];
      return [name, name === "model" ? modelSource(value, folder) : value];
    }),
    ...[...set].map((name) => [camel(name), true]),
  ]);
  const settings = parseSettings(JSON.stringify(given));
  const standard = Object.keys(given).every((name) => name === "resume");
  if (!standard && !given.output) settings.output = cacheFolder("runs", runName(given));
  const notebooks = standard ? join(ROOT, "notebooks") : join(settings.output, "notebooks");
  return { settings, only: only === undefined ? undefined : list(only), standard, notebooks, help };
}

/** A number where there is one; what is not stays as it is, to be refused by its setting's name. */
function number(value: string): number | string {
  return value.trim() !== "" && Number.isFinite(Number(value)) ? Number(value) : value;
}

function list(value: string): string[] {
  return value.split(",").map((name) => name.trim());
}

/** A model on this disk by its full path, since notebooks run in a folder of their own. */
function modelSource(value: string, folder: string): string {
  if (isOnnx(value)) {
    const [, where, dtype = ""] = /^(.*?)(@\w*)?$/s.exec(value.slice(ONNX.length))!;
    return `${ONNX}${modelSource(where, folder)}${dtype}`;
  }
  const path = resolve(folder, value);
  const isPath = isAbsolute(value) || /^\.{1,2}([\\/]|$)|\.gguf$/.test(value);
  return isPath || exists(path) ? path : value;
}

/** What a run is about. */
type Run = "organisms" | "others";

/** Notebooks that some runs leave out unless --only asks for them, and why. */
const onRequest: ReadonlyMap<string, { leftOutOn: Run; why: string }> = new Map([
  ["09-real-models.ipynb", {
    leftOutOn: "organisms",
    why:
      "a real model takes a download of 98 MB once and about 20 minutes on 2 cores (2 with --quick)",
  }],
  ["10-dose.ipynb", {
    leftOutOn: "others",
    why: "its experiments are on organisms, whatever the model, and take 2 minutes on 2 cores",
  }],
  ["11-bases.ipynb", {
    leftOutOn: "others",
    why: "it pretrains organisms, whatever the model, which takes 4 minutes on 2 cores",
  }],
]);

/** Of the chosen notebooks those that this run does, and why others are left out. */
export function notebooksOf(
  names: readonly string[],
  { model, only }: { model: string; only?: readonly string[] },
): { run: string[]; left: string[] } {
  const on: Run = /^organism(:|$)/.test(model) ? "organisms" : "others";
  const isLeft = (name: string) => !only && onRequest.get(name)?.leftOutOn === on;
  const left = names.filter(isLeft).map((name) =>
    `${name} is left out: ${onRequest.get(name)!.why}; run it with --only=${name.slice(0, 2)}`
  );
  return { run: names.filter((name) => !isLeft(name)), left };
}

/** The notebooks asked for, in order. */
export function chooseNotebooks(names: string[], only?: string[]): string[] {
  const all = names.filter((name) => name.endsWith(".ipynb")).sort();
  const stems = all.map((name) => name.replace(/\.ipynb$/, ""));
  for (const wanted of only ?? []) {
    if (!stems.some((stem) => matches(stem, wanted))) {
      throw new Error(
        `Cannot run --only=${wanted}: expected some of ${stems.join(", ") || "no notebook"}`,
      );
    }
  }
  return all.filter((_, i) => !only || only.some((wanted) => matches(stems[i], wanted)));
}

/** Whether a notebook computes with a real model, which is larger than an organism. */
const isReal = (model: string, name: string) =>
  !/^organism(:|$)/.test(model) || onRequest.get(name)?.leftOutOn === "organisms";

/** The notebooks that ask a model, or none, but train none. */
const UNTRAINED = ["01", "02", "03"];

/** @throws where a notebook of `names` would train a model that can't be */
export function checkTrainable(model: string, names: readonly string[]): void {
  const training = names.find((name) => !UNTRAINED.some((number) => matches(name, number)));
  if (!isOnnx(model) || training === undefined) return;
  throw new Error(
    `Cannot run ${training} with ${model}: expected a model that can be trained; found an ONNX ` +
      "graph, which can be asked only; give --only=02,03, or the model's safetensors without onnx:",
  );
}

function matches(stem: string, wanted: string): boolean {
  const name = basename(wanted).replace(/\.ipynb$/, "");
  return stem === name || stem.startsWith(`${name.padStart(2, "0")}-`);
}

async function main(): Promise<number> {
  const request = parseRequest(Deno.args, Deno.env.get("INIT_CWD") ?? Deno.cwd());
  if (request.help) {
    console.log(HELP);
    return 0;
  }
  const { settings, standard } = request;
  for (const name of ["questions", "demonstrations", "general"] as const) {
    const path = settings[name];
    if (path && !exists(path)) {
      throw new Error(
        `Cannot read ${name} from ${path}: expected a file, found none; give --${name}=FILE`,
      );
    }
  }
  const source = join(ROOT, "notebooks");
  const chosen = chooseNotebooks(
    [...Deno.readDirSync(source)].map(({ name }) => name),
    request.only,
  );
  const { run: names, left } = notebooksOf(chosen, { model: settings.model, only: request.only });
  checkTrainable(settings.model, names);
  const environment: Record<string, string> = {
    [SETTINGS_VARIABLE]: JSON.stringify(settings),
    ...(settings.precision && { [PRECISION_VARIABLE]: settings.precision }),
  };

  // Here, where progress can be seen, rather than inside the first notebook.
  const installed = await new Deno.Command(Deno.execPath(), { args: ["install"], cwd: ROOT })
    .spawn().status;
  if (!installed.success) {
    throw new Error("Cannot install the packages named in deno.json: see above; try again online");
  }
  const native = await installNative();
  if (!native.ready) console.error(`Without TensorFlow: ${native.reason}. ${native.mend}`);

  const abort = new AbortController();
  const signals = ["SIGINT", "SIGTERM"] as const;
  for (const signal of signals) {
    if (Deno.build.os !== "windows" || signal === "SIGINT") {
      Deno.addSignalListener(signal, () => abort.abort());
    }
  }
  const place = (path: string) => relative(Deno.cwd(), path) || ".";
  const folder = outputPath(settings);
  console.log(
    `Running ${names.length} ${
      names.length === 1 ? "notebook" : "notebooks"
    }; figures and tables go to ${place(folder)}`,
  );
  for (const reason of left) console.log(reason);
  const began = performance.now();
  const seconds: Record<string, number> = {};
  for (const name of names) {
    const started = performance.now();
    console.log(name);
    try {
      await executeNotebook(join(source, name), {
        output: join(request.notebooks, name),
        environment: {
          ...environment,
          ...(isReal(settings.model, name) && { [SHAPE_VARIABLE]: "real" }),
        },
        onProgress: showProgress(),
        signal: abort.signal,
        agree: outputsAgree,
      });
    } catch (error) {
      if (abort.signal.aborted) {
        console.error(`\nStopped in ${name}; the same command with --resume goes on`);
        return 130;
      }
      if (!(error instanceof NotebookError)) throw error;
      await reportFailure(error, cacheFolder("runs", "failed", name));
      return 1;
    }
    seconds[name] = Math.round((performance.now() - started) / 1000);
    console.log(`${name}: ${duration(performance.now() - started)}`);
  }
  await writeRunFacts(folder, seconds);
  console.log(
    `\nAll ran in ${duration(performance.now() - began)}; see ${place(folder)}` +
      ` and ${place(request.notebooks)}${standard ? "" : " (not the published results)"}`,
  );
  const findings = findingsFile(names);
  if (findings && exists(join(folder, findings))) {
    const text = await Deno.readTextFile(join(folder, findings));
    // A terminal shows what markdown escapes.
    console.log(`\n${text.replaceAll(/\\(\W)/g, "$1").replaceAll("&lt;", "<")}`);
  }
  return 0;
}

/** Whether outputs differ in the last digits of numbers alone; their pictures are drawn from the same. */
export function outputsAgree(before: readonly Output[], after: readonly Output[]): boolean {
  const [a, b] = [before, after].map((outputs) =>
    JSON.stringify(outputs, (key, value) => {
      if (key === "image/png") return typeof value;
      const isRecord = typeof value === "object" && value !== null && !Array.isArray(value);
      return isRecord ? Object.fromEntries(Object.entries(value).sort()) : value;
    })
  );
  return agree(a, b, true);
}

/** Writes when and on what a run was made, and how long its notebooks took: all that may differ elsewhere. */
async function writeRunFacts(folder: string, seconds: Record<string, number>): Promise<void> {
  const path = join(folder, "run.json");
  const { name, device, threads, precision, versions } = await openBackend();
  const before = await readText(path).then(JSON.parse).catch(() => ({}));
  const facts = {
    date: new Date().toISOString().slice(0, 10),
    backend: { name, device, threads, precision, versions },
    seconds: { ...before.seconds, ...seconds },
  };
  await writeWhole(path, `${JSON.stringify(facts, null, 1)}\n`);
}

/** What a run of these notebooks ends with: 08 writes what all of them found, 05 a table of its own. */
export function findingsFile(names: readonly string[]): string | undefined {
  if (names.some((name) => matches(name, "08"))) return "findings.txt";
  return names.some((name) => matches(name, "05")) ? "05-evaluation/findings.md" : undefined;
}

/** Prints why a notebook failed, then writes it: on a full disk the reason is still seen. */
export async function reportFailure(error: NotebookError, path: string): Promise<void> {
  console.error(`\n${clean(error.message)}\n`);
  await writeWhole(path, formatNotebook(error.notebook));
  console.error(`Its outputs up to there: ${relative(Deno.cwd(), path)}`);
}

function duration(ms: number): string {
  const seconds = Math.round(ms / 1000);
  return seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}

if (import.meta.main) {
  try {
    Deno.exit(await main());
  } catch (error) {
    console.error(error instanceof Error ? clean(error.message) : error);
    Deno.exit(1);
  }
}
