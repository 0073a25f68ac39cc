/** What every notebook begins with: its settings, its backend, and a folder for what it shows; their list. */
import { relative, resolve } from "node:path";
import { type Backend, openBackend } from "../platform/runtime/backend.ts";
import { type Link, note, show, type Showable } from "../figure/display.ts";
import { readText } from "../platform/runtime/files.ts";
import { roundNumbers } from "../figure/number.ts";
import { writeStable } from "../figure/stable.ts";
import {
  isPublished,
  outputPath,
  parseSettings,
  realSettings,
  runName,
  type Settings,
  SETTINGS_VARIABLE,
} from "./settings.ts";

export interface Notebook {
  run: Settings;
  backend: Backend;
  /** Where this notebook's files go. */
  folder: string;
  /**
   * Shows a table, a figure, rows, a data frame or a text, and saves it under the name `file`. What is
   * empty is left out, and a line says so.
   */
  show(item: Showable | null | undefined, file?: string): Promise<void>;
  /** Shows one sentence that must not be overlooked; undefined shows nothing. */
  note(text: string | undefined): Promise<void>;
  /** Writes `results.json`, findings or estimates as records, unless what is there agrees. */
  keep(results: readonly object[] | Readonly<Record<string, unknown>>): Promise<void>;
}

/**
 * Opens the notebook `name` with the settings of the run that it belongs to
 * (`SELF_ALIGNING_SETTINGS`), or else with its own `defaults`; opens the backend and prints both.
 * Files go where the run says, else to a folder in `.cache/runs` that is named after the settings.
 * @throws naming a setting that is unknown or does not fit
 */
export async function notebook(name: string, defaults: Partial<Settings> = {}): Promise<Notebook> {
  const run = settingsOf(defaults, Deno.env.get(SETTINGS_VARIABLE));
  const folder = outputPath(run, name);
  const backend = await openBackend();
  console.log(headerText(run, backend, folder));
  return {
    run,
    backend,
    folder,
    show: (item, file) => show(item, file === undefined ? undefined : { folder, name: file }),
    note,
    async keep(results) {
      const { output: _, resume: __, ...settings } = run; // a path of this machine, and no setting
      const about = { settings, seeds: seedsOf(run), backend: backend.name };
      const kept = { ...about, precision: backend.precision, results: roundNumbers(results) };
      await writeStable(`${folder}/results.json`, `${JSON.stringify(kept, null, 1)}\n`);
    },
  };
}

/** The settings of a run: all of `json`, the run's own, where there are such, else `defaults`. */
export function settingsOf(defaults: Partial<Settings>, json?: string): Settings {
  const own = JSON.stringify(defaults);
  const chosen = parseSettings(own);
  const settings = json === undefined ? chosen : realSettings(parseSettings(json), chosen.model);
  const given = JSON.parse(json ?? own) as Partial<Settings>;
  if (given.output === undefined) return { ...settings, output: `.cache/runs/${runName(given)}` };
  if (json === undefined && isPublished(settings)) {
    const published = outputPath(settings);
    throw new Error(
      `Cannot use the setting output: expected a folder other than the published ${published}, which ` +
        "deno task reproduce alone writes; found it; give another, or leave output out",
    );
  }
  return settings;
}

const seedsOf = ({ seeds }: Settings) => Array.from({ length: seeds }, (_, seed) => seed);

/** Backend, settings that are not the defaults, seeds and folder, a line each. */
export function headerText(run: Settings, backend: Backend, folder: string): string {
  const { name, device, threads, precision, versions } = backend;
  const standard: Partial<Settings> = parseSettings();
  const changed = Object.entries(run).filter(([key, value]) =>
    !["model", "seeds", "output"].includes(key) &&
    JSON.stringify(value) !== JSON.stringify(standard[key as keyof Settings])
  ).map(([key, value]) => `${key} ${Array.isArray(value) ? value.join(", ") : value}`);
  const cores = threads && `${threads} ${threads === 1 ? "thread" : "threads"}`;
  const parts = [device, cores, precision].filter(Boolean).join(", ");
  return [
    // What is published says the same on every machine.
    isPublished(run)
      ? `backend: ${name}, ${precision}; machine, versions and times: figures/run.json`
      : `backend: ${name} ${versions.tensorflow ?? versions.tfjs} (${parts})`,
    `model: ${run.model}; seeds: ${seedsOf(run).join(", ")}${changed.length ? "; " : ""}` +
    changed.join("; "),
    `files: ${relative(outputPath({ output: "." }), resolve(folder))}`,
  ].join("\n");
}

/** Each notebook's title, the first line of its first cell, with a link to it, in their order. */
export async function contents(folder = outputPath({ output: "notebooks" })): Promise<Link[]> {
  const names = [...Deno.readDirSync(folder)].map(({ name }) => name);
  return await Promise.all(
    names.filter((name) => name.endsWith(".ipynb")).sort().map(async (name) => {
      const { cells } = JSON.parse(await readText(`${folder}/${name}`, "list the notebooks"));
      const [first] = [cells[0].source].flat().join("").split("\n");
      return { text: first.slice("# ".length), address: name };
    }),
  );
}
