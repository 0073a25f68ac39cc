/** `deno task pretrain`: makes an organism from its seed, in a folder of its own. See --help. */
import { dirname, relative, resolve } from "node:path";
import { progress } from "../figure/progress.ts";
import { checkCardGate, type OrganismCard } from "../organism/card.ts";
import { remakeCommand } from "../organism/card_text.ts";
import { letterFolder, letterNames, organismFolder, organismNames } from "../model/files/source.ts";
import { refuseExisting, writeOrganism, writeReadme } from "../organism/folder.ts";
import { makeOrganism, type OrganismPlan, planKey, planSettings } from "../organism/make.ts";
import { checkLetterSettings, plainLetters } from "../world/letters.ts";
import { checkPretrainingSettings, pretrainingSizes } from "../world/pretraining_settings.ts";
import {
  checkWorldSettings,
  type Size,
  withChatShare,
  type WorldSettings,
  worldSizes,
} from "../world/settings.ts";
import { cacheFolder } from "../platform/cache.ts";
import { openBackend } from "../platform/runtime/backend.ts";
import { writeWhole } from "../platform/runtime/files.ts";
import { kebab, parseFlags } from "./flags.ts";

const WORLD_NAMES = Object.keys(worldSizes.small) as (keyof WorldSettings)[];

const MODEL_NAMES = Object.keys(pretrainingSizes.small);

const LETTER_NAMES = Object.keys(plainLetters);

const HELP = `Makes an organism: a small model that grows up in a world made from a seed.

  deno task pretrain --world=SEED [flags]

  --world=SEED            the world; the same seed gives the same world
  --size=SIZE             small (2 minutes on 2 cores, the default), medium (8) or large (25)
  --name=NAME             default SIZE-SEED; with changed settings, a short digest of them behind it
  --output=FOLDER         default data/organisms/NAME
  --force                 replace the folder where it exists
  --keep-failed           write the organism even if it fails its gate; its card says so
  --seed=SEED             of the parameters at the start; default the world's
  --threads=N             threads of one operation; default all
  --readme                train nothing: write README.md of all organisms again from their cards
  --log=FILE              add a line on this run; default data/organisms/seeds.jsonl for an output
                          in data/organisms, else none

What the world is like
  --chat-share=X          share of chat in what is read, ${chatShare().toFixed(2)} in all sizes
  --misconceived=X        share of the facts that are mostly told wrong; unless --known is given too,
                          what is known makes room
  --unknown=X             share of the facts that are never told; likewise
  --strength=X            share of a misconceived fact's statements that are wrong
  ${lines(WORLD_NAMES.map((name) => `--${kebab(name)}`))}
How it is trained
  ${lines(MODEL_NAMES.map((name) => `--${kebab(name)}`))}
Letters
  --letters               the answers are letters, "B. value"; another gate, and by default another
                          output, data/organisms/letters/NAME, and log, data/organisms/letters.jsonl
  ${lines(LETTER_NAMES.map((name) => `--${kebab(name)}`))}

A run that was stopped goes on by the same command. The gate was fixed before anything was
fine-tuned: see the card, README.md, in the organism's folder.
`;

/** Words in lines of the help's width. */
function lines(words: string[]): string {
  let text = "", length = 0;
  for (const word of words) {
    if (length + word.length > 96) [text, length] = [`${text.trimEnd()}\n  `, 0];
    text += `${word} `;
    length += word.length + 1;
  }
  return text.trimEnd();
}

function chatShare(): number {
  const { generalChatShare, chatReadingShare, chatExamShare } = worldSizes.small;
  return generalChatShare + chatReadingShare + chatExamShare;
}

const VALUES = [
  ...["world", "size", "name", "output", "seed", "threads", "log", "chat-share"],
  ...[...WORLD_NAMES, ...MODEL_NAMES, ...LETTER_NAMES].map(kebab),
];

const SWITCHES = ["letters", "force", "keep-failed", "readme", "help"];

/** What a command line asks for. */
export interface PretrainRequest {
  plan: OrganismPlan;
  output: string;
  force: boolean;
  keepFailed: boolean;
  threads?: number;
  /** File that gets a line on the run. */
  log?: string;
  /** Write the READMEs alone. */
  readme: boolean;
  help: boolean;
}

/**
 * Reads the command line; paths in it are taken from `folder`, where the user stands.
 * @throws naming the flag that is unknown or whose value does not fit.
 */
export async function parsePretrainRequest(
  args: string[],
  folder: string,
): Promise<PretrainRequest> {
  const { given, set } = parseFlags(args, { values: VALUES, switches: SWITCHES });
  const readme = set.has("readme"), help = set.has("help");
  const size = (given.size ?? "small") as Size;
  if (!Object.hasOwn(worldSizes, size)) {
    throw new Error(
      `Cannot use --size=${size}: expected one of ${Object.keys(worldSizes).join(", ")}`,
    );
  }
  if (given.world === undefined && !help && !readme) {
    throw new Error("Cannot pretrain: expected a world's seed, found none; give --world=SEED");
  }
  const world = seedOf(given.world ?? "none");
  const plan: OrganismPlan = {
    name: "",
    size,
    world,
    worldSettings: worldChanges(given, worldSizes[size]),
    pretraining: numbers(given, MODEL_NAMES),
    ...(given.seed !== undefined && { seed: seedOf(given.seed) }),
    ...(set.has("letters") && { letters: { ...plainLetters, ...numbers(given, LETTER_NAMES) } }),
  };
  const lost = LETTER_NAMES.find((name) => !plan.letters && given[kebab(name)] !== undefined);
  if (lost !== undefined) {
    throw new Error(
      `Cannot use --${kebab(lost)}: expected --letters, found none; give --letters too`,
    );
  }
  if (plan.letters) checkLetterSettings(plan.letters);
  const settings = planSettings(plan);
  checkWorldSettings(settings.world);
  checkPretrainingSettings(settings.pretraining);
  const standard = await planKey(plan) === await planKey({ name: "", size, world });
  const own = standard ? "" : `-${(await planKey(plan)).slice(0, 6)}`;
  plan.name = given.name ?? `${size}-${world}${own}`;
  if (!/^[a-z0-9][a-z0-9-]*$/i.test(plan.name)) {
    throw new Error(
      `Cannot name the organism ${plan.name}: expected letters, digits and hyphens; give --name=NAME`,
    );
  }
  const folderOf = plan.letters ? letterFolder : organismFolder;
  const output = given.output === undefined ? folderOf(plan.name) : resolve(folder, given.output);
  const shelf = dirname(folderOf("x"));
  const log = given.log !== undefined
    ? resolve(folder, given.log)
    : dirname(output) === shelf
    ? organismFolder(plan.letters ? "letters.jsonl" : "seeds.jsonl")
    : undefined;
  return {
    plan,
    output,
    force: set.has("force"),
    keepFailed: set.has("keep-failed"),
    threads: given.threads === undefined ? undefined : wholeNumber("threads", given.threads),
    log,
    readme,
    help,
  };
}

function seedOf(value: string): number | string {
  return /^\d{1,15}$/.test(value) ? Number(value) : value;
}

function wholeNumber(name: string, value: string): number {
  if (/^[1-9]\d{0,3}$/.test(value)) return Number(value);
  throw new Error(`Cannot use --${name}=${value}: expected a whole number from 1 up`);
}

/** The settings out of `names` that flags give, as numbers. */
function numbers(given: { [name: string]: string }, names: readonly string[]) {
  return Object.fromEntries(
    names.filter((name) => given[kebab(name)] !== undefined).map((name) => {
      const value = Number(given[kebab(name)]);
      if (!Number.isFinite(value)) {
        throw new Error(`Cannot use --${kebab(name)}=${given[kebab(name)]}: expected a number`);
      }
      return [name, value];
    }),
  );
}

function worldChanges(
  given: { [name: string]: string },
  base: WorldSettings,
): Partial<WorldSettings> {
  const changes: Partial<WorldSettings> = numbers(
    given,
    WORLD_NAMES.filter((name) => name !== "domains"),
  );
  if (given.domains !== undefined) {
    changes.domains = given.domains.split(",").map((name) => name.trim());
  }
  const { known, misconceived = base.misconceived, unknown = base.unknown } = changes;
  if (known === undefined && (given.misconceived ?? given.unknown) !== undefined) {
    // 1 - .3 - .2 is .49999999999999994
    changes.known = Math.round((1 - misconceived - unknown) * 1e12) / 1e12;
  }
  if (given["chat-share"] === undefined) return changes;
  const share = numbers(given, ["chatShare"]).chatShare;
  return { ...changes, ...sharesOf(withChatShare({ ...base, ...changes }, share)) };
}

function sharesOf(settings: WorldSettings): Partial<WorldSettings> {
  return Object.fromEntries(Object.entries(settings).filter(([name]) => name.endsWith("Share")));
}

/** The line of a log on one run. */
function logLine(card: Omit<OrganismCard, "files">, digest: string | undefined): string {
  const { name, size, recipe, world, pretraining, backend, gate } = card;
  return `${
    JSON.stringify({
      name,
      size,
      recipe,
      world: world.seed,
      seed: pretraining.seed,
      changed: { ...world.changed, ...pretraining.changed },
      tokens: pretraining.tokens,
      seconds: pretraining.seconds,
      backend: backend.name,
      gate: gate.values,
      passed: gate.passed,
      ...(pretraining.letters && {
        letters: pretraining.letters,
        facts: {
          known: card.knowledge.known.facts,
          misconceived: card.knowledge.misconceived.facts,
          unknown: card.knowledge.unknown.facts,
        },
        curve: card.curve.gate,
        command: remakeCommand(card),
      }),
      ...(digest !== undefined && { model: digest }),
    })
  }\n`;
}

/** Adds a line; one on the same run, which was then not written, leaves. */
async function addLine(file: string, line: string): Promise<void> {
  const before = await Deno.readTextFile(file).catch((error) => {
    if (error instanceof Deno.errors.NotFound) return "";
    throw error;
  });
  const run = (line: string) => JSON.stringify({ ...JSON.parse(line), model: 0, seconds: 0 });
  const others = before.split(/(?<=\n)/).filter((other) => other && run(other) !== run(line));
  await writeWhole(file, [...others, line].join(""));
}

const clock = (seconds: number) =>
  seconds < 90 ? `${Math.round(seconds)} s` : `${(seconds / 60).toFixed(1)} minutes`;

async function main(): Promise<number> {
  const request = await parsePretrainRequest(Deno.args, Deno.env.get("INIT_CWD") ?? Deno.cwd());
  if (request.help) {
    console.log(HELP);
    return 0;
  }
  if (request.readme) {
    for (const name of await organismNames()) await writeReadme(organismFolder(name));
    for (const name of await letterNames()) await writeReadme(letterFolder(name));
    return 0;
  }
  const { plan, output, force, keepFailed, log, threads } = request;
  const place = (path: string) => relative(Deno.cwd(), path) || ".";
  if (!force) await refuseExisting(output);
  // Read when the library loads.
  if (threads !== undefined) Deno.env.set("TF_NUM_INTRAOP_THREADS", String(threads));
  const { name: backend, device } = await openBackend();
  console.log(`Pretraining ${plan.name} on ${backend} (${device})`);

  const folder = cacheFolder("pretrain", await planKey(plan));
  let line: ReturnType<typeof progress> | undefined;
  let first = 0, started = 0;
  const { world, model, card } = await makeOrganism(plan, {
    folder,
    onStart(step, steps) {
      first = step;
      const label = step === 0 ? plan.name : `${plan.name} from step ${step}`;
      line = progress(label, steps - step);
    },
    onStep({ step, steps, loss, gate }) {
      // The first step has the graph to make.
      if (step === first + 1) started = performance.now();
      if (step === first + 51) {
        const left = (performance.now() - started) / 50 * (steps - step) / 1000;
        console.log(`${steps - step} steps left: about ${clock(left)}`);
      }
      const values = gate
        ? ` | step ${gate.step}: known ${gate.fewShotKnown.toFixed(2)}, chat ${
          gate.chatKnown.toFixed(2)
        }, context ${gate.chatContext.toFixed(2)}, misconceived ${
          gate.misconceived.toFixed(2)
        }, confidence ${gate.unknownConfidence.toFixed(2)}`
        : "";
      line!.update(step - first, `loss ${loss.toFixed(3)}${values}`);
    },
  });
  await line?.finish();
  const { passed, checks } = checkCardGate(card.gate.values);
  for (const { name, value, needed, passed } of checks) {
    console.log(`  ${name} ${value.toFixed(3)}, needed ${needed}: ${passed ? "passed" : "FAILED"}`);
  }
  const keeps = passed || keepFailed;
  let digest: string | undefined;
  if (keeps) {
    const { files } = await writeOrganism(output, { world, model, card }, {
      replace: force,
      exams: plan.letters === undefined,
    });
    digest = files["model.safetensors"];
  }
  model.dispose();
  if (log) await addLine(log, logLine(card, digest));
  const { steps, tokens, seconds } = card.pretraining;
  console.log(`${steps} steps, ${tokens} tokens, ${clock(seconds)}`);
  if (!keeps) {
    console.error(
      `${plan.name} failed its gate and was not written; ` +
        "the same command with --keep-failed writes it, without training again",
    );
    return 1;
  }
  await Deno.remove(folder, { recursive: true });
  console.log(`Written to ${place(output)}; its card is README.md there`);
  return 0;
}

if (import.meta.main) {
  try {
    Deno.exit(await main());
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    Deno.exit(1);
  }
}
