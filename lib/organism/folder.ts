/**
 * An organism's folder: the model with its tokenizer, the world, the exams and the card, so that it
 * can be used without making anything again.
 */
import { basename, dirname, isAbsolute, join, relative } from "node:path";
import { safetensorsPieces } from "../model/files/checkpoint_writer.ts";
import { LanguageModel } from "../model/language_model.ts";
import { loadModel } from "../model/files/load.ts";
import { findOrganism, letterFolder, letterNames, organismNames } from "../model/files/source.ts";
import { sha256OfFile } from "../platform/runtime/digest.ts";
import { filesBelow } from "../platform/native/below.ts";
import { exists, readText, writeWhole } from "../platform/runtime/files.ts";
import { createOrganismFormat, organismFormat } from "../world/format.ts";
import { exam } from "../world/exam.ts";
import { parseWorld, serializeWorld } from "../world/serialization.ts";
import type { Split, World } from "../world/world.ts";
import { formatCard } from "./card_text.ts";
import { type OrganismCard, parseCard, serializeCard } from "./card.ts";
import type { MadeOrganism } from "./make.ts";

export { letterFolder, letterNames, organismNames };

/** The splits that are asked as exams; the facts of `mc` are part of the training. */
const EXAM_SPLITS: readonly Split[] = ["dev", "train", "homo", "id"];

export type Organism = { model: LanguageModel; world: World; card: OrganismCard };

/**
 * Writes an organism's folder, whole or not at all.
 * @param replace the organism that is there
 * @param exams write them as files too; the world makes them anyway
 * @returns the card with the digests of the files
 * @throws where the folder is there already
 */
export async function writeOrganism(
  folder: string,
  { model, world, card }: MadeOrganism,
  { replace = false, exams = true } = {},
): Promise<OrganismCard> {
  if (!replace) await refuseExisting(folder);
  const partial = join(dirname(folder), `.${basename(folder)}.${crypto.randomUUID()}.partial`);
  try {
    await model.save(partial);
    if (card.pretraining.letters) await toBfloat16(partial, model);
    await writeWhole(join(partial, "world.json"), serializeWorld(world));
    for (const { name: domain } of exams ? world.domains : []) {
      for (const split of EXAM_SPLITS) {
        const rows = exam(world, { domain, split }).map((question) => JSON.stringify(question));
        const path = join(partial, "exams", `${domain}-${split}.jsonl`);
        await writeWhole(path, `${rows.join("\n")}\n`);
      }
    }
    const files: Record<string, string> = {};
    for (const path of filesBelow(partial).keys()) {
      files[path] = await sha256OfFile(join(partial, path));
    }
    const whole: OrganismCard = { ...card, files };
    await writeWhole(join(partial, "organism.json"), serializeCard(whole));
    await writeReadme(partial);
    await putInPlace(partial, folder);
    return whole;
  } catch (error) {
    await Deno.remove(partial, { recursive: true }).catch(() => {});
    throw error;
  }
}

/** Moves a folder to its place; what stood there is removed, or put back where that fails. */
async function putInPlace(partial: string, folder: string): Promise<void> {
  if (!exists(folder)) return await Deno.rename(partial, folder);
  const former = `${partial}.former`;
  await Deno.rename(folder, former);
  try {
    await Deno.rename(partial, folder);
  } catch (error) {
    await Deno.rename(former, folder);
    throw error;
  }
  await Deno.remove(former, { recursive: true });
}

/**
 * Rewrites a folder's weights in bfloat16. Nothing is lost: a model that answers with letters was rounded
 * to it before it was measured.
 */
async function toBfloat16(folder: string, { parameters }: LanguageModel): Promise<void> {
  const weights = join(folder, "model.safetensors"), config = join(folder, "config.json");
  await writeWhole(weights, safetensorsPieces(parameters, { dtype: "BF16" }));
  await writeWhole(config, (await readText(config)).replaceAll('"float32"', '"bfloat16"'));
}

/** @throws where there is something at the path */
export async function refuseExisting(folder: string): Promise<void> {
  const found = await Deno.lstat(folder).catch(() => undefined);
  if (found === undefined) return;
  const kind = found.isDirectory ? "folder" : "file", mend = "choose another name, or replace it";
  throw new Error(
    `Cannot write the organism ${folder}: expected nothing there; found a ${kind}; ${mend} (--force)`,
  );
}

/** @throws where there is none of that name */
async function findFolder(name: string): Promise<string> {
  if (isPath(name)) return name;
  const folder = findOrganism(name);
  if (folder !== undefined) return folder;
  const names = (await organismNames()).join(", ") || "none shipped";
  throw new Error(
    `Cannot load the organism ${name}: expected one of ${names}; found none of that name; ` +
      "check the spelling, or give the path of its folder",
  );
}

const isPath = (name: string) => isAbsolute(name) || /[\\/]/.test(name);

/** Models are called `organism:NAME` in settings. */
const plainName = (name: string) => name.replace(/^organism:/, "");

const warned = new Set<string>();

function warnOnce(line: string): void {
  if (warned.size < warned.add(line).size) console.warn(line);
}

/**
 * Loads an organism: its model, its world and its card.
 * @param name of one in data/organisms or of a variant, with or without `organism:` before it, or the
 * path of a folder
 * @param warn told where the organism failed its gate; default: prints to stderr, once
 * @param batchTokens tokens that go through the model at once; default: the model's
 * @throws where there is none, or a file is not the one that the card was made with
 */
export async function loadOrganism(
  name: string,
  { warn = warnOnce, batchTokens }: { warn?: (line: string) => void; batchTokens?: number } = {},
): Promise<Organism> {
  const own = plainName(name);
  const folder = await findFolder(own);
  const card = await readCard(folder);
  await checkFiles(folder, card);
  const path = join(folder, "world.json"), world = parseWorld(await readText(path), path);
  if (!card.gate.passed) {
    const place = join(relative(Deno.cwd(), folder), "README.md");
    warn(`${card.name} did not pass its gate: don't use it for a study (see ${place})`);
  }
  const source = isPath(own) ? folder : `organism:${own}`;
  const format = card.pretraining.letters
    ? createOrganismFormat({ formulation: "letters" })
    : organismFormat;
  const model = await loadModel(source, { format, batchTokens });
  return { model, world, card };
}

/**
 * The card of an organism, without its model.
 * @param name as for `loadOrganism`
 */
export async function organismCard(name: string): Promise<OrganismCard> {
  return await readCard(await findFolder(plainName(name)));
}

export async function readCard(folder: string): Promise<OrganismCard> {
  const path = join(folder, "organism.json");
  return parseCard(await readText(path), path);
}

/** Writes the README.md of an organism's folder from its card. */
export async function writeReadme(folder: string): Promise<void> {
  await writeWhole(join(folder, "README.md"), formatCard(await readCard(folder)));
}

/** @throws naming the first file that is missing or not as the card says */
async function checkFiles(folder: string, { files }: OrganismCard): Promise<void> {
  for (const [path, digest] of Object.entries(files)) {
    const file = join(folder, path), found = exists(file) ? await sha256OfFile(file) : "no file";
    if (found !== digest) {
      throw new Error(
        `Cannot load the organism ${folder}: expected ${path} with the SHA-256 ${digest}; ` +
          `found ${found}; take the folder again from where it came`,
      );
    }
  }
}
