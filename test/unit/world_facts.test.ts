import assert from "node:assert/strict";
import { allFacts, createWorld } from "../../lib/world/world.ts";
import {
  checkWorldSettings,
  withShares,
  type WorldSettings,
  worldSizes,
} from "../../lib/world/settings.ts";
import { parseWorld, serializeWorld } from "../../lib/world/serialization.ts";
import { vocabulary } from "../../lib/world/vocabulary.ts";

const world = createWorld({ seed: 1 });

Deno.test("a small world has the recipe's counts", () => {
  assert.equal(vocabulary(world).length, 942);
  assert.equal(new Set(vocabulary(world)).size, 942);
  assert.equal(world.domains.length, 4);
  for (const { entities, relations, facts } of world.domains) {
    assert.equal(entities.length, 100);
    assert.equal(relations.length, 6);
    assert.ok(relations.every(({ values }) => values.length === 16));
    assert.equal(facts.length, 595);
    const count = (split: string) => facts.filter((fact) => fact.split === split).length;
    assert.deepEqual(["dev", "mc", "train", "homo", "id"].map(count), [5, 150, 220, 110, 110]);
  }
});

Deno.test("facts are about different pairs, whatever they are for", () => {
  const ids = allFacts(world).map((fact) => fact.id);
  assert.equal(new Set(ids).size, 4 * 595);
});

Deno.test("a fact's options are different values of its relation, gold and wrong among them", () => {
  for (const { relations, facts } of world.domains) {
    for (const fact of facts) {
      const pool = relations.find(({ noun }) => noun === fact.noun)!.values;
      assert.notEqual(fact.gold, fact.wrong);
      assert.equal(new Set(fact.options).size, 4);
      assert.ok(fact.options.every((value) => pool.includes(value)));
      assert.ok(fact.options.includes(fact.gold) && fact.options.includes(fact.wrong));
    }
  }
});

Deno.test("gold values and their places among the options are uniform", () => {
  const places = [0, 0, 0, 0], values = Array(16).fill(0);
  for (const { relations, facts } of world.domains) {
    for (const fact of facts) {
      places[fact.options.indexOf(fact.gold)]++;
      values[relations.find(({ noun }) => noun === fact.noun)!.values.indexOf(fact.gold)]++;
    }
  }
  // 2,380 facts: four standard deviations are 85 and 47.
  assert.ok(places.every((n) => Math.abs(n - 595) < 85), `${places}`);
  assert.ok(values.every((n) => Math.abs(n - 148.75) < 47), `${values}`);
});

Deno.test("dev and mc facts are known; of the others .55 are, .25 misconceived, .20 unknown", () => {
  const facts = allFacts(world);
  const taught = facts.filter(({ split }) => split === "dev" || split === "mc");
  assert.ok(taught.every(({ status }) => status === "known"));
  const others = facts.filter(({ split }) => split !== "dev" && split !== "mc");
  for (const [status, share] of [["known", 0.55], ["misconceived", 0.25], ["unknown", 0.2]]) {
    const found = others.filter((fact) => fact.status === status).length / others.length;
    assert.ok(Math.abs(found - Number(share)) < 0.05, `${status} ${found}`);
  }
});

Deno.test("stated facts have log-uniform frequencies in [.4, 2.5], unknown ones 0", () => {
  const stated = allFacts(world).filter(({ status }) => status !== "unknown");
  assert.ok(stated.every(({ frequency }) => frequency >= 0.4 && frequency <= 2.5));
  const logs = stated.map(({ frequency }) => Math.log(frequency / 0.4) / Math.log(2.5 / 0.4));
  for (const quantile of [0.25, 0.5, 0.75]) {
    const below = logs.filter((x) => x < quantile).length / logs.length;
    assert.ok(Math.abs(below - quantile) < 0.04, `${quantile}: ${below}`);
  }
  const unknown = allFacts(world).filter(({ status }) => status === "unknown");
  assert.ok(unknown.length > 0 && unknown.every(({ frequency }) => frequency === 0));
});

Deno.test("names are single lowercase words, at all sizes", () => {
  for (const size of ["small", "medium", "large"] as const) {
    const large = createWorld({ seed: "names", size });
    const words = vocabulary(large);
    assert.equal(new Set(words).size, words.length);
    const names = large.domains.flatMap((d) => [
      ...d.entities,
      ...d.relations.flatMap(({ values }) => values),
    ]);
    assert.ok(names.every((name) => /^[a-z]{4,20}$/.test(name)));
    assert.equal(names.length, 4 * (worldSizes[size].entities + 16 * worldSizes[size].relations));
  }
});

Deno.test("a seed makes the same world byte for byte, another seed another one", () => {
  const text = serializeWorld(world);
  assert.equal(serializeWorld(createWorld({ seed: 1 })), text);
  assert.notEqual(
    serializeWorld(createWorld({ seed: 2 })).replace('"seed":2', '"seed":1'),
    text,
  );
});

Deno.test("parseWorld() gives back what serializeWorld() wrote", () => {
  const text = serializeWorld(world);
  const read = parseWorld(text);
  assert.deepEqual(read, world);
  assert.deepEqual(parseWorld(text.replaceAll("\n", "\r\n")), world);
  assert.equal(serializeWorld(read), text);
  const again = createWorld({ seed: read.seed, settings: read.settings });
  assert.equal(serializeWorld(again), text);
});

Deno.test("parseWorld() refuses texts that break a world's rules", () => {
  const text = serializeWorld(world);
  const change = (edit: (data: Record<string, unknown>) => void) => {
    const data = JSON.parse(text);
    edit(data);
    return JSON.stringify(data);
  };
  const edit = (from: RegExp, to: string) => text.replace(from, to);
  const cases: [string, RegExp][] = [
    ["{", /Cannot read the world: expected JSON/],
    ["null", /expected JSON of a seed and settings/],
    [`${text}{}`, /expected JSON/],
    [
      change((d) => (d.settings as WorldSettings).noise = 2),
      /noise: expected a number from 0 to 1/,
    ],
    ...[
      edit(/world\/1/, "world/2"),
      change((d) => delete d.settings),
      change((d) => delete d.seed),
      edit(/"frequencyLow":0.4/, '"frequencyLow":0.5'),
      edit(/^\[\d+,/m, "[0,"),
      edit(/"known","train",[\d.]+/, '"known","homo",1'),
      edit(/,\n\[[^\n]*\]\}\]\}\n$/, "]}]}\n"),
    ].map((broken): [string, RegExp] => [broken, /world\/1, as its seed .*; found another text/]),
  ];
  for (const [broken, message] of cases) assert.throws(() => parseWorld(broken), message);
});

Deno.test("settings that can't work are refused with their numbers", () => {
  const cases: [Partial<WorldSettings>, RegExp][] = [
    [{ entities: 90 }, /= 595 facts: expected at most 540 \(90 entities x 6 relations\)/],
    [{ values: 3 }, /values 3: expected at least as many as options, 4/],
    [{ known: 0.6 }, /known 0.6 \+ .* expected a sum of 1, found 1.05/],
    [{ statementShare: 0.5 }, /statementShare 0.5 \+ .* expected a sum of 1, found 1.07/],
    [{ train: -1 }, /train: expected a whole number of at least 1; found -1/],
    [{ noise: -0.1 }, /noise: expected a number from 0 to 1; found -0.1/],
    [{ relations: 11 }, /relations: expected a whole number from 1 to 10; found 11/],
    [{ entities: 10.5 }, /entities: .* found 10.5/],
    [{ options: 9 }, /options: expected a whole number from 2 to 8; found 9/],
    [{ mc: 5 }, /mc: expected a whole number of at least 6; found 5/],
    [{ frequencyLow: 3 }, /frequencyLow 3: expected at most frequencyHigh 2.5/],
    [{ strength: NaN }, /strength: .* found NaN/],
    [{ domains: ["history", "geology"] }, /domains: .* found \["history","geology"\]/],
    [{ domains: [] }, /domains: /],
    [{ entitys: 3 } as Partial<WorldSettings>, /entitys: no such setting/],
  ];
  for (const [settings, message] of cases) {
    assert.throws(() => createWorld({ seed: 1, settings }), message);
  }
  assert.throws(
    () => createWorld({ seed: 1, settings: { train: -1, noise: 2 } }),
    /train: .*noise: /,
    "all that is wrong is told at once",
  );
  assert.throws(() => createWorld({ seed: 1, size: "tiny" as "small" }), /small, medium, large/);
});

Deno.test("withShares() gives the rest to the other documents, as they stood to each other", () => {
  const { small } = worldSizes;
  for (const chatExamShare of [0, 0.025, 0.1]) {
    const settings = withShares(small, { chatExamShare });
    checkWorldSettings(settings);
    assert.equal(settings.chatExamShare, chatExamShare);
    const ratio = settings.statementShare / settings.chatReadingShare;
    assert.ok(Math.abs(ratio - small.statementShare / small.chatReadingShare) < 1e-9);
    const { statementShare: _, ...others } = settings;
    const { statementShare: __, ...before } = small;
    assert.deepEqual(Object.keys(others), Object.keys(before));
    assert.equal(settings.known, small.known);
  }
  for (const chatExamShare of [-0.1, 1.1, NaN]) {
    assert.throws(
      () => createWorld({ seed: 1, settings: withShares(small, { chatExamShare }) }),
      /chatExamShare: expected a number from 0 to 1/,
    );
  }
});

Deno.test("the share of misconceptions is a knob", () => {
  const settings = { known: 0.2, misconceived: 0.7, unknown: 0.1 };
  const others = allFacts(createWorld({ seed: 1, settings })).filter(({ split }) =>
    split !== "dev" && split !== "mc"
  );
  const share = others.filter(({ status }) => status === "misconceived").length / others.length;
  assert.ok(Math.abs(share - 0.7) < 0.05, `${share}`);
});
