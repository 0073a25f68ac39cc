/** `deno task pretrain`: makes an organism from its seed, in a folder of its own. See pretrain.txt. */
import { dirname, relative, resolve } from "node:path";
import { progress } from "../figure/progress.ts";
import type { OrganismCard } from "../organism/card.ts";
import { checkGate } from "../world/gate.ts";
import { remakeCommand } from "../organism/card_text.ts";
import { letterFolder, organismFolder } from "../model/files/source.ts";
import { refuseExisting, writeOrganism } from "../organism/folder.ts";
import { makeOrganism, type OrganismPlan, planKey, planSettings } from "../organism/make.ts";
import { checkLetterSettings, plainLetters } from "../world/letters.ts";
import type { Size, WorldSettings } from "../world/settings.ts";
import {
  checkPretrainingSettings,
  checkWorldSettings,
  pretrainingSizes,
  worldSizes,
} from "../world/settings.ts";
import { cacheFolder } from "../platform/cache.ts";
import { openBackend } from "../platform/runtime/backend.ts";
import { exists, writeWhole } from "../platform/runtime/files.ts";
import { duration, kebab, parseFlags, runTask } from "./command_line.ts";
import help from "./pretrain.txt" with { type: "text" };

const WORLD_NAMES = Object.keys(worldSizes.small);
const MODEL_NAMES = Object.keys(pretrainingSizes.small);
const LETTER_NAMES = Object.keys(plainLetters);

/** The flags of settings, in lines of the help's width. */
function flagLines(names: string[]): string {
  return names.map((name) => `--${kebab(name)} `).join("").match(/.{1,97}(?= |$)/g)!
    .map((line) => line.trim()).join("\n  ");
}

const VALUES = [
  ...["world", "size", "name", "output", "seed", "log"],
  ...[...WORLD_NAMES, ...MODEL_NAMES, ...LETTER_NAMES].map(kebab),
];

const SWITCHES = ["letters", "force", "keep-failed", "help"];

/**
 * What a command line asks for; paths in it are taken from `folder`, where the user stands.
 * @throws naming the flag that is unknown or whose value does not fit.
 */
export async function parsePretrainRequest(args: string[], folder: string) {
  const { given, set } = parseFlags(args, { values: VALUES, switches: SWITCHES });
  const isHelp = set.has("help");
  const size = (given.size ?? "small") as Size;
  if (!Object.hasOwn(worldSizes, size)) {
    throw new Error(
      `Cannot use --size=${size}: expected one of ${Object.keys(worldSizes).join(", ")}`,
    );
  }
  if (given.world === undefined && !isHelp) {
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
  const [force, keepFailed] = ["force", "keep-failed"].map((name) => set.has(name));
  return { plan, output, force, keepFailed, log, help: isHelp };
}

function seedOf(value: string): number | string {
  return /^\d{1,15}$/.test(value) ? Number(value) : value;
}

/** The settings out of `names` that flags give, as numbers. */
function numbers(given: Record<string, string>, names: readonly string[]) {
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

function worldChanges(given: Record<string, string>, base: WorldSettings): Partial<WorldSettings> {
  const counts = WORLD_NAMES.filter((name) => name !== "domains");
  const changes: Partial<WorldSettings> = numbers(given, counts);
  if (given.domains !== undefined) {
    changes.domains = given.domains.split(",").map((name) => name.trim());
  }
  const { known, misconceived = base.misconceived, unknown = base.unknown } = changes;
  if (known === undefined && (given.misconceived ?? given.unknown) !== undefined) {
    // 1 - .3 - .2 is .49999999999999994
    changes.known = Math.round((1 - misconceived - unknown) * 1e12) / 1e12;
  }
  return changes;
}

/** The line of a log on one run. */
function logLine(card: Omit<OrganismCard, "files">, digest: string | undefined): string {
  const { name, size, recipe, world, pretraining, backend, gate } = card;
  const { seed, tokens, seconds, letters } = pretraining;
  const factCounts = Object.entries(card.knowledge).map(([status, { facts }]) => [status, facts]);
  const line = {
    ...{ name, size, recipe, world: world.seed, seed },
    changed: { ...world.changed, ...pretraining.changed },
    ...{ tokens, seconds, backend: backend.name, gate: gate.values, passed: gate.passed },
    ...(letters && { letters, facts: Object.fromEntries(factCounts), curve: card.curve.gate }),
    ...(letters && { command: remakeCommand(card) }),
    ...(digest !== undefined && { model: digest }),
  };
  return `${JSON.stringify(line)}\n`;
}

/** Adds a line; one on the same run, which was then not written, leaves. */
async function addLine(file: string, line: string): Promise<void> {
  const before = exists(file) ? await Deno.readTextFile(file) : "";
  const run = (line: string) => JSON.stringify({ ...JSON.parse(line), model: 0, seconds: 0 });
  const others = before.split(/(?<=\n)/).filter((other) => other && run(other) !== run(line));
  await writeWhole(file, [...others, line].join(""));
}

async function main(): Promise<number> {
  const request = await parsePretrainRequest(Deno.args, Deno.env.get("INIT_CWD") ?? Deno.cwd());
  if (request.help) {
    console.log(
      help.replace("{world}", flagLines(WORLD_NAMES)).replace("{model}", flagLines(MODEL_NAMES))
        .replace("{letters}", flagLines(LETTER_NAMES)),
    );
    return 0;
  }
  const { plan, output, force, keepFailed, log } = request;
  const place = (path: string) => relative(Deno.cwd(), path) || ".";
  if (!force) await refuseExisting(output);
  const { name: backend, device } = await openBackend();
  console.log(`Pretraining ${plan.name} on ${backend} (${device})`);

  const folder = cacheFolder("pretrain", await planKey(plan));
  let line: ReturnType<typeof progress> | undefined;
  let first = 0;
  const { world, model, card } = await makeOrganism(plan, {
    folder,
    onStart(step, steps) {
      first = step;
      const label = step === 0 ? plan.name : `${plan.name} from step ${step}`;
      line = progress(label, steps - step);
    },
    onStep({ step, loss, gate }) {
      const values = gate && Object.entries({
        ...{ known: gate.fewShotKnown, chat: gate.chatKnown, context: gate.chatContext },
        ...{ misconceived: gate.misconceived, confidence: gate.unknownConfidence },
      }).map(([name, value]) => `${name} ${value.toFixed(2)}`).join(", ");
      const looked = gate ? ` | step ${gate.step}: ${values}` : "";
      line!.update(step - first, `loss ${loss.toFixed(3)}${looked}`);
    },
  });
  await line?.finish();
  const { passed, checks } = checkGate(card.gate.values);
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
  console.log(`${steps} steps, ${tokens} tokens, ${duration(1000 * seconds)}`);
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

if (import.meta.main) await runTask(main);
