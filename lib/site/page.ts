/** The live page: its controls, the worker that trains, and what is drawn of each step. */
import { scoreAnswers, type SuiteName, suiteNames } from "../evaluate.ts";
import { constructGroups, mixGroups } from "../groups.ts";
import type { Example, Question } from "../question.ts";
import { worldMaterial } from "../study/material.ts";
import { factQuestion, factsById } from "../world/exam.ts";
import { organismFormat } from "../world/format.ts";
import { parseWorld } from "../world/serialization.ts";
import type { Fact } from "../world/world.ts";
import { type FollowedKind, followedKinds, type GroupName } from "./address.ts";
import { formatAddress, learningRates, type PageState, parseAddress } from "./address.ts";
import { baseAnswers } from "./base.ts";
import { drawConfidence } from "./confidence.ts";
import { byId, hideTip, html, percent, tipOn } from "./dom.ts";
import { FactMap, fateLegend } from "./fact_map.ts";
import { FactPanel } from "./fact_panel.ts";
import { LineChart } from "./line_chart.ts";
import type { FromWorker, ToWorker } from "./messages.ts";
import { drawOrganisms, type OrganismRow } from "./organisms_chart.ts";
import { curveOf, groupText, latestTests, type Run, runLabel } from "./record.ts";
import { testAnswers, testScores } from "./record.ts";
import { drawRuns, drawScores, testTexts } from "./scores.ts";

/** Kept in the address as they are. */
const KEPT = ["embed", "backend", "start"];

const folder = new URL("organism/", document.baseURI);
const read = async (name: string) => {
  const response = await fetch(new URL(name, folder));
  if (response.ok) return await response.text();
  throw new Error(`Cannot open the page: expected ${name}; found ${response.status}`);
};

const [worldText, baseText, organismsText, card] = await Promise.all(
  ["world.json", "base.json", "organisms.json", "organism.json"].map(read),
);
const world = parseWorld(worldText);
const material = worldMaterial(world);
const base = baseAnswers(JSON.parse(baseText), material);
const facts = factsById(world);
const organisms = JSON.parse(organismsText) as OrganismRow[];
const { name: own } = JSON.parse(card) as { name: string };
const domains = world.domains.map(({ name }) => name);

const opening = new URLSearchParams(location.search);
let state: PageState = parseAddress(location.search, domains);
const runs: Run[] = [];
let shown: Run | undefined;
let running: Run | undefined;
/** Groups that are still to be trained, of "compare". */
let queue: GroupName[] = [];
let cursor: number | undefined;
let test: SuiteName = "homo";
let example = 0;
let ready = false;
/** What the untrained model answers to followed questions, asked as a chat. */
const starts = new Map<string, number[]>();

/** What the page computes, for a teacher's console and the tests. */
Object.assign(globalThis, { explorer: { runs, state: () => state, ready: () => ready } });

// --- What is trained on ------------------------------------------------------------------------

const domainOf = () => material.domains.get(state.settings.domain)!;
const poolAnswers = () => base.get(domainOf().pool.name)!;

/** The groups of these settings; HAR, INC and SELF are of one size. */
function groupsNow() {
  const { seed, minimumConfidence, ratio } = state.settings;
  const groups = constructGroups(poolAnswers(), {
    ...{ seed, minimumConfidence, format: organismFormat },
  });
  return { ...groups, mix: mixGroups(groups.inc, groups.self, ratio, seed) };
}

let groups = groupsNow();

/** The followed facts; one that does not fit the domain any more gives way to the first that does. */
function followedFacts(): Map<FollowedKind, Fact> {
  const { domain } = state.settings;
  const all = [...facts.values()].filter((fact) => fact.domain === domain);
  return new Map(followedKinds.map((kind) => {
    const chosen = facts.get(state.followed[kind] ?? "");
    if (chosen && (chosen.domain === domain || kind !== "trained")) return [kind, chosen];
    const first = kind === "trained"
      ? all.find(({ id }) => id === (groups.inc[0] ?? poolAnswers()[0]).id)
      : all.find(({ split, status }) => split === "homo" && status === kind);
    return [kind, first!];
  }));
}

/** As it stands in the pool and the tests: ID's questions have the other wording. */
const questionOf = (fact: Fact): Question => factQuestion(fact, fact.split === "id" ? 1 : 0);

function targetOf(fact: Fact, { group }: { group: GroupName }): number | undefined {
  return groups[group].find(({ id }) => id === fact.id)?.target;
}

// --- The worker ----------------------------------------------------------------------------------

const say = (text: string) => byId("status").textContent = text;

/** In a sandboxed frame the page has no origin, and may start a worker from its text alone. */
async function startWorker(): Promise<Worker> {
  const address = new URL("worker.js", document.baseURI);
  try {
    return new Worker(address, { type: "module" });
  } catch {
    const code = new Blob([await (await fetch(address)).text()], { type: "text/javascript" });
    return new Worker(URL.createObjectURL(code), { type: "module" });
  }
}

const worker = await startWorker();
const tell = (message: ToWorker) => worker.postMessage(message);

function train(group = state.settings.group): void {
  const settings = { ...state.settings, group };
  const followed = [...followedFacts().values()].map(questionOf);
  running = shown = {
    ...{ settings, followed: followed.map(({ id }) => String(id)), steps: [], state: "running" },
  };
  runs.push(running);
  cursor = undefined;
  tell({ type: "train", settings, followed });
  say(`Training on ${groupText(settings)} of ${settings.domain} …`);
  draw();
}

function stop(): void {
  queue = [];
  tell({ type: "stop" });
}

function ended(): void {
  running = undefined;
  const next = queue.shift();
  if (next) train(next);
}

const inWords = (run: Run) => {
  const scores = scoresOf(run);
  return suiteNames.map((name, i) => {
    const { accuracy, baseAccuracy, n } = scores[i];
    return `${testTexts[name][0]} ${percent(baseAccuracy)} to ${percent(accuracy!)} of ${n}`;
  }).join(", ");
};

worker.addEventListener("message", ({ data }: MessageEvent<FromWorker>) => {
  if (data.type === "opened") {
    ready = true;
    const { parameters, backend, milliseconds } = data;
    const measured = Object.entries(milliseconds).filter(([, ms]) => ms !== undefined)
      .map(([name, ms]) => `${name} ${ms.toFixed(0)} ms a step`).join(", ");
    byId("device").textContent = `${own}: ${parameters.toLocaleString("en")} parameters, on ` +
      `${{ wasm: "WebAssembly", webgpu: "WebGPU" }[backend]}${measured && ` (${measured})`}`;
    say("The model is ready. Press Train.");
    const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    if (!calm && opening.get("start") !== "no" && groups.inc.length > 0) train();
  } else if (data.type === "asked") {
    data.ids.forEach((id, i) => starts.set(id, data.probabilities[i]));
  } else if (data.type === "step" && running) {
    running.steps.push(data.step);
    const { step, steps, tests } = data.step;
    const { epochs } = running.settings;
    if (tests && step < steps) {
      say(`Epoch ${step * epochs / steps} of ${epochs}: ${inWords(running)}`);
    }
  } else if (data.type === "done" && running) {
    Object.assign(running, { state: "done", result: data.result });
    say(
      `Done, ${runLabel(running)}: ${inWords(running)}. ${data.result.seconds.toFixed(0)} seconds.`,
    );
    ended();
  } else if (data.type === "stopped" && running) {
    running.state = "stopped";
    say(`Stopped at step ${running.steps.at(-1)?.step ?? 0}; the model is untrained again.`);
    ended();
  } else if (data.type === "failed") {
    if (running) running.state = "stopped";
    queue = [];
    say(data.message);
    ended();
  }
  draw();
});
worker.addEventListener("error", ({ message }) => say(`The worker failed: ${message}`));

// --- What is drawn -------------------------------------------------------------------------------

const setCursor = (step: number | undefined) => {
  if (step === cursor) return;
  cursor = step;
  draw();
};
const choose = (kind: FollowedKind, id: string) =>
  update({ followed: { ...state.followed, [kind]: id } });
const panels = new Map(followedKinds.map((kind) => [
  kind,
  new FactPanel(kind, byId("facts"), { onChoose: (id) => choose(kind, id), onCursor: setCursor }),
]));
const lossChart = new LineChart(byId("loss"), { height: 130, onCursor: setCursor });
const organismsChart = new LineChart(byId("organisms"), { height: 240, onCursor: () => {} });
const map = new FactMap(byId("map"), (fact) => choose(fact.status, fact.id));
byId("fates").replaceChildren(fateLegend());

function scoresOf(run: Run | undefined) {
  const domain = material.domains.get((run ?? state).settings.domain)!;
  const tests = run && latestTests(run);
  return suiteNames.map((name) => testScores(testAnswers(name, { base, domain, tests })));
}

/** The run that is looked at, if it is of the chosen domain, and up to three others beside it. */
function runsNow(): { current?: Run; others: Run[] } {
  const fitting = runs.filter(({ settings }) => settings.domain === state.settings.domain);
  const current = shown && fitting.includes(shown) ? shown : undefined;
  const others = fitting.filter((run) => run !== current && run.state === "done");
  const latest = new Map(others.map((run) => [runLabel(run), run]));
  if (current) latest.delete(runLabel(current));
  return { current, others: [...latest.values()].slice(-3) };
}

function drawFacts({ current, others }: ReturnType<typeof runsNow>, steps: number): void {
  const domain = domainOf();
  for (const [kind, fact] of followedFacts()) {
    const start = starts.get(fact.id);
    const curve = (run: Run) => ({
      label: runLabel(run, state.settings),
      look: run.settings.group,
      points: curveOf(run, fact.id, { domain, start }),
    });
    panels.get(kind)!.draw({
      ...{ fact, question: questionOf(fact), steps, cursor, start },
      current: current && curve(current),
      others: others.map(curve),
      target: targetOf(fact, current?.settings ?? state.settings),
    });
  }
}

function drawLoss({ current, others }: ReturnType<typeof runsNow>, steps: number): void {
  const line = (run: Run, ghost: boolean) => ({
    name: runLabel(run),
    points: run.steps.flatMap(({ step, loss }) =>
      loss === undefined ? [] : [[step, loss] as const]
    ),
    look: `${ghost ? "ghost" : "true"} ${run.settings.group}`,
    label: groupText(run.settings),
  });
  const lines = [...others.map((run) => line(run, true)), ...current ? [line(current, false)] : []];
  const at = current?.steps.findLast(({ step }) => cursor === undefined || step <= cursor);
  const top = Math.max(
    2,
    Math.ceil(Math.max(...lines.flatMap(({ points }) => points.map(([, y]) => y)))),
  );
  const text = at?.loss === undefined ? "" : `step ${at.step}: ${at.loss.toFixed(3)} nats a token`;
  byId("loss-now").textContent = text;
  const description = `Loss of each step. ${text}`;
  lossChart.draw({ lines, steps, top, cursor, description, format: (value) => value.toFixed(1) });
}

function drawMap(current: Run | undefined): void {
  const tests = current && latestTests(current);
  const asked = suiteNames.flatMap((name) => {
    const { before, after } = testAnswers(name, { base, domain: domainOf(), tests });
    return before.map((one, i) => ({
      name,
      fact: facts.get(String(one.id))!,
      before: one,
      after: after?.[i],
    }));
  });
  const statuses = {
    known: "● was told the truth",
    misconceived: "▲ was told a wrong value",
    unknown: "○ was told nothing",
  };
  const rows = new Map(suiteNames.map((name) => [testTexts[name][0], testTexts[name][1]]));
  map.draw(
    rows,
    new Map(Object.entries(statuses) as [Fact["status"], string][]),
    suiteNames.flatMap((name) =>
      (Object.keys(statuses) as Fact["status"][]).map((status) => ({
        ...{ row: testTexts[name][0], status },
        asked: asked.filter((one) => one.name === name && one.fact.status === status),
      }))
    ),
  );
}

function drawGroup(): void {
  const { settings } = state;
  const { sizes } = groups;
  drawConfidence(byId("confidence-picture"), poolAnswers(), settings.minimumConfidence);
  byId("sizes").textContent = groups.inc.length === 0
    ? `${sizes.emptiedBy!.message} Lower the confidence.`
    : `Of ${sizes.answers} answers ${sizes.confident} count: ${sizes.right} right, ${sizes.wrong} wrong. ` +
      `Each group: ${sizes.inc} questions and as many general instructions.`;
  const group: Example[] = groups[settings.group];
  const one = group[example % Math.max(1, group.length)];
  byId("example").replaceChildren(
    ...one
      ? [
        html(
          "p",
          {},
          one.messages[0].content,
          " ",
          html("b", { class: settings.group }, one.messages[1].content),
        ),
        html("p", { class: "hint" }, exampleText(one)),
      ]
      : [],
  );
}

function exampleText({ id, target }: Example): string {
  const { predicted, predictedProbability, answer, choices } = poolAnswers().find((one) =>
    one.id === id
  )!;
  const belief = `The model believes ${choices[predicted]} (${percent(predictedProbability, 0)})`;
  const taught = target === answer ? "the truth" : "that same error";
  return `${belief}, the truth is ${choices[answer]}; it is trained on ${taught}.`;
}

function drawOthers(current: Run | undefined): void {
  const { domain } = state.settings;
  const ratio = current &&
    { inc: 0, self: 1, mix: current.settings.ratio, har: undefined }[current.settings.group];
  const { accuracy } = scoresOf(current)[suiteNames.indexOf(test)];
  const run = ratio !== undefined && accuracy !== undefined ? { ratio, accuracy } : undefined;
  drawOrganisms(organismsChart, byId("organisms-table"), {
    rows: organisms,
    domain,
    test,
    own,
    run,
  });
}

let asked = false;
/** Draws at most once a frame. */
function draw(): void {
  if (asked) return;
  asked = true;
  requestAnimationFrame(() => {
    asked = false;
    const now = runsNow(), { current } = now;
    const steps = current?.steps[0]?.steps ??
      state.settings.epochs * Math.ceil(2 * groups.inc.length / organismFormat.defaults!.batchSize);
    drawFacts(now, steps);
    drawLoss(now, steps);
    drawMap(current);
    drawScores(byId("scores"), scoresOf(current), {
      look: current?.settings.group ?? "base",
      fit: current?.result?.fit,
    });
    const rows = runs.filter(({ result }) => result).map((run) => ({ run, scores: scoresOf(run) }));
    const onShow = (run: Run) => {
      shown = run;
      update({ settings: run.settings });
    };
    drawRuns(byId("runs"), rows.reverse(), { shown: current, onShow });
    drawOthers(current);
    const step = cursor ?? current?.steps.at(-1)?.step ?? 0;
    byId("step").textContent = `step ${step} of ${steps}`;
    byId<HTMLInputElement>("scrub").max = String(steps);
    byId<HTMLInputElement>("scrub").value = String(step);
    byId<HTMLProgressElement>("progress").value = running
      ? (running.steps.at(-1)?.step ?? 0) / steps
      : 0;
    byId<HTMLButtonElement>("train").disabled = !ready || running !== undefined ||
      groups.inc.length === 0;
    byId<HTMLButtonElement>("compare").disabled = byId<HTMLButtonElement>("train").disabled;
    byId<HTMLButtonElement>("stop").disabled = running === undefined;
  });
}

// --- The controls --------------------------------------------------------------------------------

const input = (id: string) => byId<HTMLInputElement>(id);

/** Takes new settings: groups, controls, address and pictures follow. */
function update(
  changes: { settings?: Partial<PageState["settings"]>; followed?: PageState["followed"] },
): void {
  const settings = { ...state.settings, ...changes.settings };
  const moved = settings.domain !== state.settings.domain;
  state = { settings, followed: changes.followed ?? (moved ? {} : state.followed) };
  groups = groupsNow();
  const { domain, learningRate, epochs, minimumConfidence, seed, group, ratio } = settings;
  input("domain").value = domain;
  input("rate").value = String(learningRate);
  input("epochs").value = String(epochs);
  input("confidence").value = String(minimumConfidence);
  input("seed").value = String(seed);
  input("ratio").value = String(ratio);
  input(`group-${group}`).checked = true;
  byId("epochs-now").textContent = String(epochs);
  byId("confidence-now").textContent = percent(minimumConfidence, 0);
  byId("ratio-now").textContent = `${percent(ratio, 0)} SELF, ${percent(1 - ratio, 0)} INC`;
  byId("mix-knob").hidden = group !== "mix";
  const of = (status: Fact["status"], split: Fact["split"]) =>
    [...facts.values()].filter((fact) =>
      fact.domain === domain && fact.status === status && fact.split === split
    );
  const named = (examples: Example[]) => examples.map(({ id }) => facts.get(String(id))!);
  for (const [kind, panel] of panels) {
    const lists: [string, Fact[]][] = kind === "trained"
      ? [["asked by INC, SELF and mixtures", named(groups.inc)], [
        "asked by HAR",
        named(groups.har),
      ]]
      : [["HOMO", of(kind, "homo")], ["ID", of(kind, "id")]];
    const fact = followedFacts().get(kind)!;
    if (!lists.some(([, list]) => list.includes(fact))) lists.push(["other", [fact]]);
    panel.offer(new Map(lists));
  }
  const missing = [...followedFacts().values()].filter(({ id }) => !starts.has(id));
  if (missing.length > 0) tell({ type: "ask", questions: missing.map(questionOf) });
  const query = new URLSearchParams(formatAddress(state));
  for (const key of KEPT) if (opening.has(key)) query.set(key, opening.get(key)!);
  history.replaceState(null, "", `?${query}`.replace(/\?$/, location.pathname));
  draw();
}

byId("domain").append(...domains.map((name) => html("option", { value: name }, name)));
byId("rate").append(...learningRates.map((rate) => html("option", { value: rate }, String(rate))));
input("domain").addEventListener(
  "change",
  ({ target }) => update({ settings: { domain: (target as HTMLSelectElement).value } }),
);
for (
  const [id, key] of [
    ...[["rate", "learningRate"], ["epochs", "epochs"], ["confidence", "minimumConfidence"]],
    ...[["seed", "seed"], ["ratio", "ratio"]],
  ]
) {
  input(id).addEventListener("input", () => {
    if (input(id).value !== "" && input(id).checkValidity()) {
      update({ settings: { [key]: Number(input(id).value) } });
    }
  });
}
for (const group of ["har", "inc", "self", "mix"] as const) {
  input(`group-${group}`).addEventListener("change", () => update({ settings: { group } }));
}
byId("train").addEventListener("click", () => train());
byId("compare").addEventListener("click", () => {
  queue = (["har", "inc", "self"] as const).filter((group) => group !== state.settings.group);
  train(state.settings.group);
});
byId("stop").addEventListener("click", stop);
byId("reset").addEventListener("click", () => {
  stop();
  runs.splice(0, runs.length);
  running = shown = cursor = undefined;
  update({ settings: parseAddress("", domains).settings, followed: {} });
  say("All is as at the start.");
});
byId("next-example").addEventListener("click", () => {
  example++;
  draw();
});
input("scrub").addEventListener("input", () => setCursor(Number(input("scrub").value)));
for (const name of suiteNames) {
  input(`test-${name}`).addEventListener("change", () => {
    test = name;
    draw();
  });
}
byId("link").addEventListener("click", async () => {
  await navigator.clipboard?.writeText(location.href).catch(() => {});
  say(`The address of these settings is copied: ${location.search || "all as by default"}`);
});
byId("download").addEventListener("click", () => {
  const blob = new Blob([JSON.stringify(runs, null, 1)], { type: "application/json" });
  const link = html("a", { href: URL.createObjectURL(blob), download: "runs.json" });
  link.click();
  URL.revokeObjectURL(link.href);
});
for (const link of document.querySelectorAll<HTMLAnchorElement>("a.try")) {
  link.addEventListener("click", (event) => {
    event.preventDefault();
    const { settings, followed } = parseAddress(new URL(link.href).search, domains);
    update({ settings, followed });
    if (ready && !running) train();
    byId("train").scrollIntoView({ block: "center" });
  });
}
for (const term of document.querySelectorAll<HTMLElement>("[data-term]")) {
  const text = byId(`term-${term.dataset.term}`).textContent!;
  tipOn(term, () => [text]);
}
addEventListener("keydown", ({ key }) => key === "Escape" && hideTip());
if (opening.has("embed")) document.documentElement.dataset.embed = "";
byId("served").hidden = true;
byId("base-known").textContent = percent(scoreAnswers(poolAnswers()).accuracy, 0);
tell({
  type: "open",
  folder: folder.href,
  backend: (["wasm", "webgpu"] as const).find((name) => name === opening.get("backend")),
});
update({});
