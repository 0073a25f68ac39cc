/** `deno task reproduce`: runs the notebooks in order and prints what they found. See reproduce.txt. */
import { basename, isAbsolute, join, relative, resolve } from "node:path";
import { evaluateExam } from "../study/exam_evaluation.ts";
import { exportGroups } from "../study/export.ts";
import { mainPlans } from "../study/plans.ts";
import { splitTuned } from "../study/tuned.ts";
import type { Settings } from "../study/settings.ts";
import { outputPath, parseSettings, runName, SETTINGS_VARIABLE } from "../study/settings.ts";
import { clean } from "../platform/runtime/quote.ts";
import { agree } from "../figure/stable.ts";
import { isOnnx, ONNX } from "../model/files/source.ts";
import { openBackend } from "../platform/runtime/backend.ts";
import { isOrganism } from "../study/labels.ts";
import { SHAPE_VARIABLE } from "../platform/runtime/backend_choice.ts";
import { exists, readText, writeWhole } from "../platform/runtime/files.ts";
import { cacheFolder, ROOT } from "../platform/cache.ts";
import { installNative } from "../platform/native/native.ts";
import { executeNotebook, NotebookError } from "../platform/notebook/execute.ts";
import { formatNotebook, type Output } from "../platform/notebook/notebook.ts";
import { showProgress } from "../platform/notebook/progress.ts";
import { camel, duration, parseFlags, runTask } from "./command_line.ts";
import help from "./reproduce.txt" with { type: "text" };
import { PRECISION_VARIABLE } from "../platform/runtime/precision.ts";

const NUMBERS =
  ("seeds limit minimum-confidence lora learning-rate epochs batch-size batch-tokens shots max-rejected " +
    "top-logprobs concurrency max-tokens-sent").split(" ");
const LISTS = ["domains", "groups", "only", "tuned"];
const FILES = ["questions", "demonstrations", "pool", "id", "ood", "general"] as const;
const PATHS: readonly string[] = [...FILES, "output"];
const FLAGS = {
  values: ["model", ...LISTS, ...NUMBERS, ...PATHS].concat(
    ["exam", "language", "columns", "formulation", "normalization", "template", "answers"],
    ["precision", "server", "tokenizer", "teacher"],
  ),
  switches: "explanations keep-leaks quick full gradient-checkpointing resume export help".split(
    " ",
  ),
};

/**
 * What a command line asks for; paths in it are taken from `folder`, where the user stands.
 * @throws naming the flag that is unknown or whose value does not fit.
 */
export function parseRequest(args: string[], folder: string) {
  const { given: { only, ...texts }, set } = parseFlags(args, FLAGS);
  const isHelp = set.delete("help"), isExport = set.delete("export");
  // A server's names are its own; what lies here under such a name has its tokenizer.
  const { server, model, tokenizer = model } = texts;
  const here = tokenizer && modelSource(tokenizer, folder);
  if (server && here !== undefined && (texts.tokenizer || exists(here))) texts.tokenizer = here;
  const given: Record<string, unknown> = Object.fromEntries([
    ...Object.entries(texts).map(([name, value]) => {
      if (NUMBERS.includes(name)) return [camel(name), number(value)];
      // Counted from 0 or from 1.
      if (name === "answers" && /^[01]$/.test(value)) return [name, `index${value}`];
      if (name === "tuned" && !server) {
        return [name, list(value).map((entry) => tunedModel(entry, folder))];
      }
      if (LISTS.includes(name)) return [name, list(value)];
      if (PATHS.includes(name)) return [name, resolve(folder, value)];
      return [name, name === "model" && !server ? modelSource(value, folder) : value];
    }),
    ...[...set].map((name) => [camel(name), true]),
  ]);
  const settings = parseSettings(JSON.stringify(given));
  const { exam = "paper" } = settings;
  if (isExport && exam !== "paper") {
    throw new Error(
      `Cannot use --export with --exam=${exam}: an evaluation has no groups; give --exam=paper`,
    );
  }
  const standard = !isExport && Object.keys(given).every((name) => name === "resume");
  if (!standard && !given.output) settings.output = cacheFolder("runs", runName(given));
  return {
    settings,
    /** Numbers or names of notebooks; all where it is undefined. */
    only: only === undefined ? undefined : list(only),
    /** Whether all settings are the defaults, so that the results are those to publish. */
    standard,
    /** Where the executed notebooks go. */
    notebooks: join(standard ? ROOT : settings.output, "notebooks"),
    help: isHelp,
    /** Whether the groups are written for other trainers; notebooks run then where `only` names some. */
    export: isExport,
  };
}

/** A number where there is one; what is not stays as it is, to be refused by its setting's name. */
function number(value: string): number | string {
  return value.trim() !== "" && Number.isFinite(Number(value)) ? Number(value) : value;
}

function list(value: string): string[] {
  return value.split(",").map((name) => name.trim());
}

function tunedModel(entry: string, folder: string): string {
  const { name, source } = splitTuned(entry);
  return `${name === undefined ? "" : `${name}=`}${resolve(folder, source)}`;
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

/** Notebooks that runs on organisms, or on others, leave out unless --only asks for them, and why. */
const onRequest: Record<string, { leftOutOn: "organisms" | "others"; why: string }> = {
  "09-real-models.ipynb": {
    leftOutOn: "organisms",
    why:
      "a real model takes a download of 98 MB once and about 20 minutes on 2 cores (2 with --quick)",
  },
  "10-dose.ipynb": {
    leftOutOn: "others",
    why: "its experiments are on organisms, whatever the model, and take 2 minutes on 2 cores",
  },
  "11-bases.ipynb": {
    leftOutOn: "others",
    why: "its bases are organisms, whatever the model, and take a minute on 2 cores",
  },
};

/** The notebooks whose trained models may all come from elsewhere. */
const EVALUATING = ["05", "06", "07", "08"];

/** Of the chosen notebooks those that this run does, and why others are left out. */
export function notebooksOf(
  names: readonly string[],
  { model, only, tuned }: { model: string; only?: readonly string[]; tuned?: readonly string[] },
): { run: string[]; left: string[] } {
  if (tuned && !only) {
    const run = names.filter((name) => EVALUATING.some((number) => matches(name, number)));
    return { run, left: ["With tuned models only what evaluates runs; ask for others by --only"] };
  }
  const on = isOrganism(model) ? "organisms" : "others";
  const isLeft = (name: string) => !only && onRequest[name]?.leftOutOn === on;
  const left = names.filter(isLeft).map((name) =>
    `${name} is left out: ${onRequest[name].why}; run it with --only=${name.slice(0, 2)}`
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
  !isOrganism(model) || onRequest[name]?.leftOutOn === "organisms";

/** The notebooks that ask a model, or none, but train none. */
const UNTRAINED = ["01", "02", "03"];

/** @throws where a notebook of `names` would train a model that can't be */
export function checkTrainable(
  { model, server, tuned }: Pick<Settings, "model" | "server" | "tuned">,
  names: readonly string[],
): void {
  const untrained = server && tuned ? [...UNTRAINED, ...EVALUATING] : UNTRAINED;
  const training = names.find((name) => !untrained.some((number) => matches(name, number)));
  if (!isOnnx(model) && !server || training === undefined) return;
  const [found, other] = server
    ? ["one behind a server", "--export and then --tuned, or the model itself without --server"]
    : ["an ONNX graph", "the model's safetensors without onnx:"];
  throw new Error(
    `Cannot run ${training} with ${model}: expected a model that can be trained; found ${found}, ` +
      `which can be asked only; give --only=02,03, or ${other}`,
  );
}

function matches(stem: string, wanted: string): boolean {
  const name = basename(wanted).replace(/\.ipynb$/, "");
  return stem === name || stem.startsWith(`${name.padStart(2, "0")}-`);
}

/** Before anything is installed. @throws naming the first file of the settings that is not there */
export function checkFiles(settings: Settings): void {
  for (const name of FILES) {
    const path = settings[name];
    if (!path || exists(path)) continue;
    throw new Error(
      `Cannot read ${name} from ${path}: expected a file, found none; give --${name}=FILE`,
    );
  }
}

async function main(): Promise<number> {
  const request = parseRequest(Deno.args, Deno.env.get("INIT_CWD") ?? Deno.cwd());
  if (request.help) {
    console.log(help);
    return 0;
  }
  const { settings, standard } = request;
  checkFiles(settings);
  const source = join(ROOT, "notebooks");
  const all = [...Deno.readDirSync(source)].map(({ name }) => name);
  const chosen = chooseNotebooks(all, request.only);
  const { run: names, left } = notebooksOf(chosen, { ...settings, only: request.only });
  const isAlone = settings.exam !== undefined && settings.exam !== "paper";
  if (!isAlone && !(request.export && !request.only)) checkTrainable(settings, names);
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

  if (isAlone || request.export) {
    // A notebook's process is given these; here they hold for this one.
    if (!isOrganism(settings.model)) Deno.env.set(SHAPE_VARIABLE, "real");
    if (settings.precision) Deno.env.set(PRECISION_VARIABLE, settings.precision);
    if (isAlone) {
      // An exam alone needs no notebook: its tables are printed, and kept in the run's folder.
      const found = await evaluateExam(settings);
      console.log(`\n${found.text}\nAll of it: ${relative(Deno.cwd(), found.folder)}`);
      return 0;
    }
    await exportForOthers(settings);
    if (request.only === undefined) return 0;
  } else if (settings.tuned) await mainPlans(settings); // whose folders are held to what they must be
  const abort = new AbortController();
  const stop = () => abort.abort();
  Deno.addSignalListener("SIGINT", stop);
  if (Deno.build.os !== "windows") Deno.addSignalListener("SIGTERM", stop);
  const place = (path: string) => relative(Deno.cwd(), path) || ".";
  const folder = outputPath(settings);
  const count = `${names.length} ${names.length === 1 ? "notebook" : "notebooks"}`;
  console.log(`Running ${count}; figures and tables go to ${place(folder)}`);
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

async function exportForOthers(settings: Settings): Promise<void> {
  const flags = Deno.args.filter((flag) => flag !== "--export" && !flag.startsWith("--only"))
    .map((flag) => /[^\w./=:,@+-]/.test(flag) ? `'${flag}'` : flag);
  const { folder, names, left } = await exportGroups(settings, { flags });
  for (const reason of left) console.log(clean(`Left out: ${reason}`));
  const place = relative(Deno.cwd(), folder);
  console.log(
    `${names.length} groups for other trainers: ${place}; what to do: ${place}/README.md`,
  );
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

if (import.meta.main) await runTask(main);
