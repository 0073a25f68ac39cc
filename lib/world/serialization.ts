/**
 * A world as JSON, so that it can be shipped beside the models that grew up in it. It is checked by
 * making it again: `serializeWorld(createWorld({ seed, settings }))` gives the same text.
 */
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
  const refuse = (expected: string, found: string): never => {
    throw new Error(
      `Cannot read ${name}: expected ${expected}; found ${found}; make it again from its seed`,
    );
  };
  let world: World;
  try {
    const { seed, settings } = JSON.parse(text);
    world = createWorld({ seed, settings });
  } catch (error) {
    return refuse("JSON of a seed and settings", (error as Error).message);
  }
  const same = serializeWorld(world) === text.replaceAll("\r\n", "\n");
  return same ? world : refuse(`${FORMAT}, as its seed and settings make it`, "another text");
}
