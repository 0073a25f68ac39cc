/**
 * A world as JSON, so that it can be shipped beside the models that grew up in it. It is checked by
 * making it again: `serializeWorld(createWorld({ seed, settings }))` gives the same text.
 */
import { quote } from "../platform/runtime/quote.ts";
import type { WorldSettings } from "./settings.ts";
import { createWorld, type World } from "./world.ts";

const FORMAT = "synthetic-world/1";
const FACT_FIELDS =
  "entity relation gold wrong options status split frequency (indices into the lists above)";

/** The world as JSON, one fact a line; words stand once, facts refer to them by index. */
export function serializeWorld(world: World): string {
  const domains = world.domains.map((domain) => {
    const facts = domain.facts.map((fact) => {
      const relation = domain.relations.findIndex(({ noun }) => noun === fact.noun);
      const index = (value: string) => domain.relations[relation].values.indexOf(value);
      return JSON.stringify([
        domain.entities.indexOf(fact.entity),
        relation,
        index(fact.gold),
        index(fact.wrong),
        fact.options.map(index),
        fact.status,
        fact.split,
        fact.frequency,
      ]);
    });
    return `{"name":${JSON.stringify(domain.name)},\n"entities":${
      JSON.stringify(domain.entities)
    },\n"relations":[\n${domain.relations.map((r) => JSON.stringify(r)).join(",\n")}],\n` +
      `"factFields":${JSON.stringify(FACT_FIELDS)},\n"facts":[\n${facts.join(",\n")}]}`;
  });
  return `{"format":${JSON.stringify(FORMAT)},\n"seed":${JSON.stringify(world.seed)},\n` +
    `"settings":${JSON.stringify(world.settings)},\n` +
    `"neutralWords":${JSON.stringify(world.neutralWords)},\n"domains":[\n${
      domains.join(",\n")
    }]}\n`;
}

/**
 * The world of a text that `serializeWorld` wrote. It is made again, and must come out the same.
 * @param name what to call the text in errors.
 * @throws where the text is no world, or not the one of its seed and settings.
 */
export function parseWorld(text: string, name = "the world"): World {
  const fail = (expected: string, found: unknown): never => {
    const seen = quote(found);
    throw new Error(
      `Cannot read ${name}: expected ${expected}; found ${seen}; make it again from its seed`,
    );
  };
  let data: Partial<{ format: string; seed: number | string; settings: WorldSettings }> | null;
  try {
    data = JSON.parse(text);
  } catch (error) {
    return fail("JSON", (error as Error).message);
  }
  const { format, seed, settings } = data ?? {};
  if (format !== FORMAT) fail(`format ${FORMAT}`, format);
  if (typeof seed !== "number" && typeof seed !== "string") return fail("a seed", seed);
  if (typeof settings !== "object" || settings === null) return fail("settings", settings);
  const world = createWorld({ seed, settings });
  const lines = text.split(/\r?\n/), made = serializeWorld(world).split("\n");
  const wrong = made.findIndex((line, i) => line !== lines[i]);
  if (wrong >= 0 || lines.length !== made.length) {
    const place = wrong < 0 ? made.length : wrong;
    fail(`in line ${place + 1} what seed ${seed} and the settings make`, lines[place]);
  }
  return world;
}
