/**
 * Rows as danfojs data frames, for pandas-like work in notebooks; loaded at the first call, for it brings
 * TensorFlow.js along. What danfojs 1.1.2 computes wrongly (test/unit/figure_frame.test.ts) is kept away:
 * a missing number is NaN, for groupby counts a null as 0; frames are filtered by place; what would mix
 * rows up is refused. Left to the caller: a group's mean is NaN where one value is missing, its `std` of
 * one row is 0, and its `count` counts missing ones.
 */
import type { DataFrame } from "danfojs-node";
import type { Cell } from "./column.ts";
import { toHtml } from "./html_table.ts";
import type { Row } from "./rows.ts";
import { flatten, type Table, table, toMarkdown, unflatten } from "./table.ts";

const SHOWN = 10; // rows of a frame that a notebook shows

/** What is used of a frame: what danfojs derives from one has another type. */
export type Frame = Pick<DataFrame, "columns" | "values" | "shape">;

/** Whether `item` is a danfojs data frame. */
export function isFrame(item: unknown): item is Frame {
  return typeof item === "object" && item !== null && "shape" in item && "columns" in item &&
    "values" in item;
}

/**
 * A data frame of `rows`; a measurement fills the columns key, key_low, key_high, key_n.
 * @throws where a column holds cells of two kinds
 */
export async function frame(rows: readonly Row[]): Promise<DataFrame> {
  const danfo = await openDanfo();
  const { columns, kinds, rows: cells } = flatten(table(rows));
  if (cells.length === 0) return new danfo.DataFrame([], { columns });
  const dtypes = { text: "string", number: "float32", boolean: "boolean" };
  return new danfo.DataFrame(
    cells.map((row) => row.map((cell, i) => kinds[i] === "number" ? cell ?? NaN : cell)),
    { columns, dtypes: kinds.map((kind) => dtypes[kind]) },
  );
}

/** A frame's columns and its rows, whose missing numbers are null. */
function contentOf(frame: Frame) {
  const columns = frame.columns.map(String);
  const rows = (frame.values as (string | number | boolean)[][]).map((cells) =>
    Object.fromEntries(
      columns.map((key, i) => [key, Number.isNaN(cells[i]) ? null : cells[i] ?? null]),
    )
  );
  return { columns, rows };
}

/** Rows of a frame; NaN becomes null, and key, key_low, key_high a measurement again. */
export function rowsOf(frame: Frame): Record<string, Cell>[] {
  const { columns, rows } = contentOf(frame);
  return unflatten(rows, columns);
}

/** The frame's first rows as a table that says how many there are. */
export function frameTable(frame: Frame): Table {
  const { columns, rows } = contentOf(frame);
  const shown = rows.length > SHOWN ? `, the first ${SHOWN} shown` : "";
  const count = `${rows.length} ${rows.length === 1 ? "row" : "rows"}`;
  const notes = [`${count} x ${columns.length} columns${shown}`];
  return table(rows.slice(0, SHOWN), { columns, notes });
}

/**
 * Two frames' rows that agree in the columns `on`, side by side; `left`: all rows of the left one.
 * @throws where danfojs, which glues the columns' texts, would take two keys for one
 */
export async function join(
  left: Frame,
  right: Frame,
  { on, how = "inner" }: { on: string | readonly string[]; how?: "inner" | "left" },
): Promise<DataFrame> {
  const danfo = await openDanfo();
  const keys = [on].flat() as string[];
  checkKeys("join", [left, right], keys, "_");
  return danfo.merge({
    left: left as DataFrame,
    right: right as DataFrame,
    on: keys,
    how,
  }) as DataFrame;
}

/** @throws where different values of `keys` give one text when glued by `glue` */
function checkKeys(
  action: string,
  frames: readonly Frame[],
  keys: readonly string[],
  glue: string,
) {
  const seen = new Map<string, string>();
  for (const frame of frames) {
    const places = keys.map((key) => frame.columns.map(String).indexOf(key));
    for (const cells of frame.values as unknown[][]) {
      const values = places.map((place) => cells[place]);
      const [glued, whole] = [values.join(glue), JSON.stringify(values)];
      const before = seen.get(glued);
      if (before === undefined) seen.set(glued, whole);
      else if (before !== whole) {
        throw new Error(
          `Cannot ${action} by ${keys.join(", ")}: expected values that danfojs can tell apart; ` +
            `found ${before} and ${whole}, which it glues with "${glue}"; rename one of them`,
        );
      }
    }
  }
}

let opened: Promise<typeof import("danfojs-node")> | undefined;

const openDanfo = () => opened ??= import("danfojs-node").then(prepare);

/** Lets every frame show itself, those that danfojs derives too, and refuses what it does wrongly. */
function prepare(danfo: typeof import("danfojs-node")) {
  let { prototype } = danfo.DataFrame;
  // What danfojs derives from a frame is of the class above.
  while (!Object.hasOwn(prototype, "groupby")) prototype = Object.getPrototypeOf(prototype);
  const { groupby, query, sortValues } = prototype;
  const replace = (name: PropertyKey, value: unknown) =>
    Object.defineProperty(prototype, name, { value, configurable: true, writable: true });
  replace(Symbol.for("Jupyter.display"), function (this: DataFrame) {
    const shown = frameTable(this);
    return { "text/html": toHtml(shown), "text/plain": toMarkdown(shown) };
  });
  replace("groupby", function (this: DataFrame, keys: string[]) {
    checkKeys("group", [this], keys, "-");
    return groupby.call(this, keys);
  });
  // danfojs takes the labels of the rows asked for as their places: wrong rows of a filtered frame.
  replace("query", function (this: DataFrame, condition: { values: boolean[] } | boolean[]) {
    const mask = Array.isArray(condition) ? condition : condition.values;
    const places = mask.flatMap((asked, place) => asked ? [place] : []);
    return query.call(this, places as unknown as boolean[]);
  });
  replace("sortValues", function (this: DataFrame, by: string, ...rest: []) {
    const place = this.columns.map(String).indexOf(by);
    const missing = (this.values as unknown[][]).filter((cells) => Number.isNaN(cells[place]));
    if (missing.length > 0) {
      throw new Error(
        `Cannot sort by ${by}: expected a number in each row, found ${missing.length} missing, around ` +
          `which danfojs sorts wrongly; filter first: frame.query(frame["${by}"].gt(-Infinity))`,
      );
    }
    return sortValues.call(this, by, ...rest);
  });
  return danfo;
}
