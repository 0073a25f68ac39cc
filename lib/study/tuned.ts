/** Models that other trainers tuned on exported groups: read, held to this run, and put on its base. */
import { isAbsolute, join } from "node:path";
import * as tf from "@tensorflow/tfjs";
import * as v from "valibot";
import type { Cell } from "../cell.ts";
import type { examplesOf } from "../experiment.ts";
import { resolveFinetuning } from "../finetune.ts";
import type { FinetuneSettings } from "../model/finetune_settings.ts";
import { loadLora, parseAdapterConfig } from "../model/files/adapter_folder.ts";
import { isHubId } from "../model/files/hub.ts";
import { type LoadOptions, openModel } from "../model/files/load.ts";
import { openSource, tokenizerOfFolder } from "../model/files/source.ts";
import { LanguageModel } from "../model/language_model.ts";
import { dropLora } from "../model/lora.ts";
import type { ReadableModel } from "../model/readable_model.ts";
import type { Tokenizer } from "../model/tokenizer.ts";
import { parseObject, words } from "../model/fields.ts";
import { sha256OfFile, sha256OfText } from "../platform/runtime/digest.ts";
import { explainIssue } from "../platform/runtime/explain.ts";
import { exists, readText } from "../platform/runtime/files.ts";
import { quote } from "../platform/runtime/quote.ts";
import type { BaseResult } from "./base.ts";
import { digest } from "./digest.ts";
import { groupName, parseGroupName, type StudyPlan, type TunedCell } from "./plan.ts";
import { trainingRows } from "./training_rows.ts";

/** What an exported group says of itself, in the folder of the model that was tuned on it. */
export const MANIFEST = "self-aligning.json";

const ADAPTER = ["adapter_config.json", "adapter_model.safetensors"];
const CHECKPOINT = ["model.safetensors", "model.safetensors.index.json"];

const sha256 = v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/, "expected a SHA-256"));
const manifestSchema = v.object({
  group: v.string(),
  base: v.object({ digest: sha256 }),
  rows: sha256,
  trainer: v.exactOptional(v.string()),
});

function refuse(source: string, expected: string, found: string, mend: string): never {
  const what = `expected ${expected}; found ${found}; ${mend}`;
  throw new Error(`Cannot use the tuned model ${source}: ${what}`);
}

/** `DOMAIN/GROUP@SEED=SOURCE`, or a source alone. */
export function splitTuned(entry: string): { name?: string; source: string } {
  const [, name, source] = /^([^/\\.=][^/\\=]*\/[^/\\=]*)=(.*)$/s.exec(entry) ?? [];
  return name === undefined ? { source: entry } : { name, source };
}

/** Of a folder's model as it is now; files that have not changed are hashed once a process. */
async function digestNow({ source: folder, isAdapter }: Pick<TunedCell, "source" | "isAdapter">) {
  if (isAdapter) {
    const parts = await Promise.all(ADAPTER.map((file) => sha256OfFile(join(folder, file))));
    return sha256OfText(parts.join());
  }
  using source = await openSource(folder, { tokenizer: false });
  return source.identity;
}

/**
 * The cells that a run's setting `tuned` names.
 * @param loading how a server is asked for them. Default: they are folders
 * @throws naming the one that has no weights, no group's name or a damaged manifest, is not served, or
 * is a second for one cell
 */
export async function tunedCells(entries: readonly string[], loading?: LoadOptions) {
  const cells = await Promise.all(entries.map((entry) => readTuned(entry, loading)));
  for (const [name, [first, second]] of Map.groupBy(cells, groupName)) {
    if (!second) continue;
    refuse(second.source, `one model for ${name}`, `${first.source} too`, "give one of them");
  }
  return cells;
}

async function readTuned(entry: string, loading?: LoadOptions): Promise<TunedCell> {
  const { name: given, source: folder } = splitTuned(entry);
  // Servers mostly call a model by the folder that they have it from.
  const has = (file: string) => (!loading || isAbsolute(folder)) && exists(join(folder, file));
  if (!loading && !exists(folder)) refuse(folder, "a folder", "none", "check the path");
  const path = join(folder, MANIFEST);
  const text = has(MANIFEST) ? parseObject(await readText(path), path) : undefined;
  const parsed = v.safeParse(v.optional(manifestSchema), text);
  if (!parsed.success) {
    const found = `${v.getDotPath(parsed.issues[0])}: ${explainIssue(parsed.issues[0])}`;
    refuse(path, "what the export wrote", found, "copy the group's .json of the export again");
  }
  const manifest = parsed.output;
  const name = given ?? manifest?.group ?? refuse(
    folder,
    `the group that it was tuned on, in ${MANIFEST}`,
    "none",
    `copy the group's .json of the export there under this name, or give --tuned=history/inc@0=${folder}`,
  );
  const group = parseGroupName(name) ?? refuse(
    folder,
    "a group such as history/inc@0 (har, inc, self, context, context-har, general, mix-0.4)",
    quote(name),
    "name it as the export does",
  );
  if (manifest && manifest.group !== groupName(group)) {
    const mend = `leave ${given}= out, or give the one that is meant`;
    refuse(folder, `a model tuned on ${given}`, `one tuned on ${quote(manifest.group)}`, mend);
  }
  const isAdapter = !loading && has(ADAPTER[0]) && !CHECKPOINT.some(has);
  const cell = { ...group, source: folder, isAdapter, ...(manifest && { manifest }) };
  if (loading) {
    const { identity } = await openModel(folder, loading);
    return { ...cell, loading, digest: identity! };
  }
  if (isAdapter) {
    const missing = ADAPTER.find((file) => !has(file));
    if (missing) {
      refuse(folder, missing, "none", "give the folder that PEFT's save_pretrained wrote");
    }
  }
  return { ...cell, digest: await digestNow(cell) };
}

/** The tuned model of a cell; undefined of one that is tuned here. */
export const tunedOf = ({ tuned = [] }: StudyPlan, cell: Cell): TunedCell | undefined =>
  tuned.find((one) => one.digest === cell.tuned && groupName(one) === groupName(cell));

/** Of a configuration what computes nothing here: trainers write their own. */
const UNUSED = words("bosTokenId eosTokenIds padTokenId maxPositions attentionDropout");

/**
 * Holds a tuned model to its base and to the run's own group.
 * @throws where it comes from another base or tokenizer, the run has no such group, the rows differ, or it
 * was tuned again since the plan was made
 */
export async function checkTuned(
  { source: folder, loading, isAdapter, manifest, ...cell }: TunedCell,
  { model, base, finetuning }: {
    model: ReadableModel;
    base: Pick<BaseResult, "digest">;
    finetuning?: Partial<FinetuneSettings>;
  },
  { examples, empty }: ReturnType<typeof examplesOf>,
): Promise<void> {
  const name = groupName(cell), short = (digest: string) => digest.slice(0, 12);
  const other = (found: string) =>
    refuse(folder, `a model tuned from ${model.name}`, found, "give its base as --model");
  if (loading && folder === model.name) other("that one itself");
  // A server's weights can't be seen: that the rows are this run's must do.
  if (manifest && !loading && manifest.base.digest !== base.digest) {
    other(`another base: digest ${short(manifest.base.digest)}, here ${short(base.digest)}`);
  }
  if (!loading && await digestNow({ source: folder, isAdapter }) !== cell.digest) {
    refuse(
      folder,
      "the model that the plan is about",
      "another one there since",
      "make the plan again",
    );
  }
  if (isAdapter) {
    const { base: named = "" } = parseAdapterConfig(await readText(join(folder, ADAPTER[0])));
    const tells = !manifest && [named, model.name].every(isHubId);
    if (tells && named.toLowerCase() !== model.name.toLowerCase()) other(`an adapter of ${named}`);
  } else if (!loading) {
    using source = await openSource(folder, { tokenizer: false });
    const [own, its] = [model.config, source.configuration] as unknown as Record<string, unknown>[];
    const key = Object.keys({ ...own, ...its })
      .find((key) => !UNUSED.includes(key) && digest(own[key]) !== digest(its[key]));
    if (key) other(`${key} ${quote(its[key])}, here ${quote(own[key])}`);
  }
  // Some trainers leave a tokenizer's other files beside an adapter.
  const isComplete = !loading && exists(join(folder, "tokenizer.json"));
  const tokenizer = isComplete ? await tokenizerOfFolder(folder) : undefined;
  const token = tokenizer && differingToken(model.requireTokenizer(), tokenizer);
  if (token !== undefined) {
    const found = `one that numbers ${quote(token)} otherwise`;
    refuse(folder, `the tokenizer of ${model.name}`, found, "tune with that of the base");
  }
  if (empty !== undefined) {
    refuse(folder, `a group ${name} in this run`, `none: ${empty}`, "leave it out");
  }
  if (!manifest) return;
  const { maxTokens } = resolveFinetuning(model, finetuning);
  const rows = sha256OfText(trainingRows(model, examples, maxTokens));
  if (rows === manifest.rows) return;
  const expected = `a model tuned on this run's ${name}, rows ${short(rows)}`;
  const mend = "give the flags that the groups were exported with, or export and tune again";
  refuse(folder, expected, `one tuned on rows ${short(manifest.rows)}`, mend);
}

/** The first token of a tokenizer that another has under another number, or not; that may have more. */
function differingToken(own: Tokenizer, other: Tokenizer): string | undefined {
  const { model: { vocab }, added_tokens: added = [] } = JSON.parse(
    own.files.get("tokenizer.json")!,
  );
  const tokens: string[] = Array.isArray(vocab)
    ? vocab.map(([token]) => token)
    : Object.keys(vocab);
  return [...tokens, ...added.map(({ content }: { content: string }) => content)]
    .find((token) => own.tokenId(token) !== other.tokenId(token));
}

/**
 * Puts tuned models on their base, one after the other. The base is read again from where it came: a copy
 * would take its memory twice. Behind a server each is one of its own.
 */
export function tunedOnBase(plan: StudyPlan, model: ReadableModel) {
  if (!(model instanceof LanguageModel)) {
    const ready = async (cell: Cell) => {
      const { source, loading } = tunedOf(plan, cell)!;
      return { model: await openModel(source, loading) };
    };
    return { restore: async () => {}, ready, dispose: () => {} };
  }
  const { source = model.name, revision } = model.description ?? {};
  let isBase = true;
  const readInto = async (source: string, revision?: string) => {
    using opened = await openSource(source, { tokenizer: false, revision });
    isBase = false;
    for (const [name, variable] of model.parameters) {
      const { shape, data } = await opened.read(name);
      tf.tidy(() => variable.assign(tf.tensor(data, shape, "float32")));
    }
  };
  const restore = async () => {
    dropLora(model);
    if (!isBase) await readInto(source, revision);
    isBase = true;
  };
  return {
    restore,
    /** The model with a tuned one's weights, or its adapter. @throws where they can't be read */
    async ready(cell: Cell): Promise<{ model: ReadableModel }> {
      const { source, isAdapter } = tunedOf(plan, cell)!;
      if (isAdapter) {
        await restore();
        await loadLora(model, source);
      } else {
        dropLora(model);
        await readInto(source);
      }
      return { model };
    },
    dispose: () => {},
  };
}
