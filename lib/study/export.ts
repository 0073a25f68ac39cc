/** Groups of a run as folders for other trainers: rows, manifests, scripts and configurations. */
import { join, resolve } from "node:path";
import { type Cell, cellName } from "../cell.ts";
import { examplesOf } from "../experiment.ts";
import { progress } from "../figure/progress.ts";
import { epochOrders, resolveFinetuning } from "../finetune.ts";
import { toAlpaca, toShareGpt } from "../groups.ts";
import { isHubId } from "../model/files/hub.ts";
import { digestOf } from "../model/files/source.ts";
import type { FinetuneSettings } from "../model/finetune_settings.ts";
import { requireTrainable } from "../model/language_model.ts";
import type { ReadableModel } from "../model/readable_model.ts";
import { sha256OfText } from "../platform/runtime/digest.ts";
import { writeWhole } from "../platform/runtime/files.ts";
import type { Example } from "../question.ts";
import { ORGANISM } from "./labels.ts";
import { groupName, planCells } from "./plan.ts";
import { mainPlans, studyPlan } from "./plans.ts";
import { outputPath, type Settings, storePath } from "./settings.ts";
import { Store } from "./store.ts";
import { cellContexts, probeBase } from "./study.ts";
import { openProbed, openSubject } from "./subjects.ts";
import { trainingRows } from "./training_rows.ts";
import trl from "./export/train_trl.py" with { type: "text" };
import fsdp from "./export/fsdp.yaml" with { type: "text" };
import full from "./export/llamafactory-full.yaml" with { type: "text" };
import lora from "./export/llamafactory-lora.yaml" with { type: "text" };
import deepspeed from "./export/deepspeed.json.txt" with { type: "text" };
import readme from "./export/README.md" with { type: "text" };

/** The base model's folder within an export, where other programs can't get it by its name. */
const BASE = "base";

/** Of adapters, where a run trains all weights. */
const RANK = 8;

/** What all groups of an export share, as their manifests have it. */
interface ExportFacts {
  base: { model: string; revision?: string; weights?: string; digest: string };
  recipe: Omit<FinetuneSettings, "lora">;
  /** What an adapter changes of it. */
  lora: Record<string, unknown> & { targets: readonly string[] };
}

/**
 * Writes the groups of a run's main plan, and general instructions alone, to `export` in the run's folder.
 * A base model that is no folder and on no hub goes along, as transformers loads it.
 * @param flags that the run was asked for by, for the README
 * @returns the folder, the groups' names, and why others are left out
 * @throws on several models, or where no group has an item; as `openSubject`
 */
export async function exportGroups(
  settings: Settings,
  { flags = [`--model=${settings.model}`] }: { flags?: readonly string[] } = {},
): Promise<{ folder: string; names: string[]; left: string[] }> {
  const { model: source, groups, tuned } = settings;
  if (source === ORGANISM || tuned) {
    throw new Error(
      `Cannot export groups: expected one base model; found ${tuned ? "tuned ones" : source}; ` +
        "give --model=organism:small-101 or another, without --tuned",
    );
  }
  const folder = outputPath(settings, "export");
  const [plan] = await mainPlans(settings);
  const general = groups || plan.treatments.includes("general") ? [] : ["general" as const];
  const subject = await (settings.server ? openProbed : openSubject)(source, settings);
  const { model, material } = subject;
  const bar = progress("asking the base model", 1);
  try {
    model.requireTokenizer(); // before a server is asked for long
    const store = new Store(storePath());
    const base = await probeBase(source, subject, {
      store,
      onProgress: ({ done, total, exam }) => bar.update(done / total, exam),
    });
    const contextOf = cellContexts(plan, subject, { store, base });
    const facts: ExportFacts = {
      base: { ...await baseOf(model, folder), digest: base.digest },
      ...await recipesOf(model, settings),
    };
    const treatments = [...plan.treatments, ...general], names: string[] = [], left: string[] = [];
    const info: Record<string, unknown> = {};
    const { domains = [...material.domains.keys()] } = plan;
    for (const cell of planCells({ ...plan, treatments }, source, domains)) {
      const found = examplesOf(cell, await contextOf(cell, (note) => bar.update(1, note)));
      if (found.empty !== undefined) {
        left.push(`${cellName(cell)}: ${found.empty}`);
        continue;
      }
      names.push(groupName(cell));
      Object.assign(info, await writeGroup(folder, cell, { ...found, model, facts }));
    }
    if (names.length === 0) {
      throw new Error(`Cannot export groups of ${source}: all are empty: ${left.join("; ")}`);
    }
    await writeWhole(join(folder, "dataset_info.json"), `${JSON.stringify(info, null, 1)}\n`);
    await writeScripts(folder, { names, facts, model: model.name, flags: flags.join(" ") });
    await bar.finish();
    return { folder, names, left };
  } finally {
    model.dispose();
  }
}

/** Where other programs find a base model, and SHA-256 of the weights that they load; a server tells none. */
async function baseOf(model: ReadableModel, folder: string) {
  const { source = model.name, kind, revision, digest: weights = "" } = model.description ?? {};
  if (kind === "folder") return { model: resolve(source), weights };
  if (kind === "hub" && isHubId(source)) return { model: source, revision, weights };
  if (kind === "served") return { model: source };
  await requireTrainable(model).save(join(folder, BASE));
  return { model: BASE, weights: await digestOf(join(folder, BASE), ["model.safetensors"]) };
}

/** How a run trains all weights, and what it changes of that for an adapter. */
async function recipesOf(
  model: ReadableModel,
  settings: Settings,
): Promise<Pick<ExportFacts, "recipe" | "lora">> {
  const used = async (rank?: number) => {
    const { finetuning } = await studyPlan({ ...settings, lora: rank });
    return resolveFinetuning(model, finetuning);
  };
  const { lora: _, seed: __, ...recipe } = await used();
  const { learningRate, lora } = await used(settings.lora ?? RANK);
  const { seed: ___, targets = [], ...adapter } = lora!;
  return { recipe, lora: { learningRate, ...adapter, targets } };
}

/** A group's files; gives what LLaMA-Factory must know of them. */
async function writeGroup(
  folder: string,
  cell: Cell,
  { group, examples, model, facts }: {
    group: readonly Example[];
    examples: readonly Example[];
    model: ReadableModel;
    facts: ExportFacts;
  },
): Promise<Record<string, unknown>> {
  const name = groupName(cell), { domain, treatment, ratio, seed } = cell;
  const { format: { name: template, formulation } } = model, { recipe } = facts;
  const rows = trainingRows(model, examples, recipe.maxTokens);
  await writeWhole(join(folder, `${name}.jsonl`), rows);
  const manifest = {
    ...{ group: name, domain, treatment, ratio, seed, template, formulation },
    ...{ items: group.length, examples: examples.length, rows: sha256OfText(rows), ...facts },
    orders: epochOrders(examples.length, { seed, epochs: recipe.epochs }),
  };
  await writeWhole(join(folder, `${name}.json`), `${JSON.stringify(manifest)}\n`);
  const columns = { prompt: "prompt", response: "completion" };
  const info: Record<string, unknown> = { [name]: { file_name: `${name}.jsonl`, columns } };
  // Alpaca's rows hold one exchange.
  const isAlpaca = examples.every(({ messages }) => messages.length === 2);
  const formats = { ...(isAlpaca && { alpaca: toAlpaca }), sharegpt: toShareGpt };
  for (const [formatting, write] of Object.entries(formats)) {
    const file_name = `${name.replace("/", `/${formatting}/`)}.json`;
    await writeWhole(join(folder, file_name), `${JSON.stringify(write(examples), null, 1)}\n`);
    info[`${name}.${formatting}`] = { file_name, formatting };
  }
  return info;
}

/** The scripts and configurations, filled with the run's recipe; one serves all groups. */
async function writeScripts(
  folder: string,
  { names, facts: { base, recipe, lora: { targets, ...adapter } }, model, flags }: {
    names: readonly string[];
    facts: ExportFacts;
    model: string;
    flags: string;
  },
): Promise<void> {
  const { revision } = base, group = names.find((name) => name.includes("/inc@")) ?? names[0];
  const values: Record<string, unknown> = {
    ...{ model, flags, ...recipe, base: base.model, revision: revision ?? "main" },
    quotedBase: JSON.stringify(base.model),
    at: revision ? ` at revision ${revision}` : "",
    ...{ group, tuned: base.weights ? "tuned/inc,tuned/har" : `${group}=NAME` },
  };
  const files: Record<string, [text: string, changes?: Record<string, unknown>]> = {
    "README.md": [readme],
    "train_trl.py": [trl],
    "fsdp.yaml": [fsdp],
    "deepspeed.json": [deepspeed],
    "llamafactory-full.yaml": [full],
    "llamafactory-lora.yaml": [lora, { ...adapter, targets: targets.join(",") }],
  };
  for (const [name, [text, changes]] of Object.entries(files)) {
    const all = { ...values, ...changes };
    const filled = text.replaceAll(/\$\{(\w+)\}/g, (_, key) => String(all[key]));
    await writeWhole(join(folder, name), filled);
  }
}
