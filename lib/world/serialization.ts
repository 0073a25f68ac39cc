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
export function serializeWorld({ seed, settings, neutralWords, domains }: World): string {
  const json = JSON.stringify;
  const texts = domains.map(({ name, entities, relations, facts }) => {
    const rows = facts.map(({ entity, noun, gold, wrong, options, status, split, frequency }) => {
      const relation = relations.findIndex((one) => one.noun === noun);
      const [golden, misconceived, ...listed] = [gold, wrong, ...options]
        .map((value) => relations[relation].values.indexOf(value));
      const place = [entities.indexOf(entity), relation];
      return json([...place, golden, misconceived, listed, status, split, frequency]);
    });
    return `{"name":${json(name)},\n"entities":${json(entities)},\n` +
      `"relations":[\n${relations.map((one) => json(one)).join(",\n")}],\n` +
      `"factFields":${json(FACT_FIELDS)},\n"facts":[\n${rows.join(",\n")}]}`;
  });
  return `{"format":${json(FORMAT)},\n"seed":${json(seed)},\n"settings":${json(settings)},\n` +
    `"neutralWords":${json(neutralWords)},\n"domains":[\n${texts.join(",\n")}]}\n`;
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
