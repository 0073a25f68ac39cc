/** The live page: its controls, and what is drawn of a visit. */
import { scoreAnswers, type SuiteName, suiteNames } from "../evaluate.ts";
import type { Example } from "../question.ts";
import type { Fact } from "../world/world.ts";
import { followedKinds, formatAddress, groupNames, learningRates } from "./address.ts";
import { type FollowedKind, parseAddress, type RunSettings } from "./address.ts";
import { drawConfidence } from "./confidence.ts";
import { byId, hideTip, html, nothing, percent, render, showTipOf } from "./dom.ts";
import { FactMap } from "./fact_map.ts";
import { type FactCurve, FactPanel } from "./fact_panel.ts";
import { LineChart } from "./line_chart.ts";
import type { FromWorker } from "./messages.ts";
import { drawOrganisms } from "./organisms_chart.ts";
import { curveOf, groupText, type Run, runLabel } from "./record.ts";
import { drawRuns, drawScores, testTexts } from "./scores.ts";
import { questionOf, Visit } from "./visit.ts";

/** Parts of the address that stay as they are. */
const KEPT = ["embed", "backend", "start"];

const opening = new URLSearchParams(location.search);
const folder = new URL("organism/", document.baseURI);
const read = async (name: string) => {
  const response = await fetch(new URL(name, folder));
  if (response.ok) return await response.text();
  throw new Error(`Cannot open the page: expected ${name}; found ${response.status}`);
};

/** In a sandboxed frame the page has no origin, and may start a worker from its text alone. */
async function startWorker(): Promise<Worker> {
  let address = new URL("worker.js", document.baseURI).href;
  if (origin === "null") {
    const code = await (await fetch(address)).text();
    address = URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
  }
  return new Worker(address); // such a page may start no module
}

const [world, base, organisms, card, worker] = await Promise.all([
  ...["world.json", "base.json", "organisms.json", "organism.json"].map(read),
  startWorker(),
] as [...[Promise<string>, Promise<string>, Promise<string>, Promise<string>], Promise<Worker>]);
const { name: own } = JSON.parse(card) as { name: string };
const say = (text: string) => byId("status").textContent = text;
const domains: string[] = JSON.parse(world).domains.map(({ name }: { name: string }) => name);
const visit = new Visit(parseAddress(location.search, domains), {
  ...{ files: { world, base, organisms }, say, onChange: () => draw() },
  tell: (message) => worker.postMessage(message),
});
/** For a teacher's console and the tests. */
Object.assign(globalThis, { explorer: visit });

let cursor: number | undefined;
let test: SuiteName = "homo";
let example = 0;

// What is drawn.

const setCursor = (step: number | undefined) => {
  if (step === cursor) return;
  cursor = step;
  draw("steps");
};
const choose = (kind: FollowedKind, { id }: { id: string }) =>
  visit.update({ followed: { ...visit.state.followed, [kind]: id } });
const panels = new Map(followedKinds.map((kind) => [
  kind,
  new FactPanel(kind, byId("facts"), { choose: (id) => choose(kind, { id }), cursor: setCursor }),
]));
const lossChart = new LineChart(byId("loss"), { height: 120, onCursor: setCursor });
const organismsChart = new LineChart(byId("organisms"), { height: 260, right: 84 });
const map = new FactMap(byId("map"), (fact) => choose(fact.status, fact));

type Beside = ReturnType<Visit["runsBeside"]>;

/** The facts that can be followed, by the name of their list. */
function listsOf(kind: FollowedKind, fact: Fact): [string, Fact[]][] {
  const asked = (examples: Example[]) => examples.map(({ id }) => visit.facts.get(String(id))!);
  const { inc, har } = visit.groups;
  const lists: [string, Fact[]][] = kind === "trained"
    ? [["asked by INC and SELF", asked(inc)], ["asked by HAR", asked(har)]]
    : [["HOMO", visit.factsOf(kind, "homo")], ["ID", visit.factsOf(kind, "id")]];
  return lists.some(([, list]) => list.includes(fact)) ? lists : [...lists, ["elsewhere", [fact]]];
}

function drawFacts({ current, others }: Beside, steps: number): void {
  for (const [kind, fact] of visit.followed()) {
    const start = visit.starts.get(fact.id);
    const curve = (run: Run): FactCurve => ({
      label: runLabel(run, visit.state.settings),
      look: run.settings.group,
      points: curveOf(run, fact.id, { domain: visit.domain, start }),
    });
    const now = current && curve(current);
    panels.get(kind)!.draw({
      ...{ fact, question: questionOf(fact), lists: listsOf(kind, fact), steps, cursor },
      current: now?.points.length
        ? now
        : { label: "", look: "base", points: start ? [[0, start]] : [] },
      others: others.map(curve),
      target: visit.targetOf(fact, (current ?? visit.state).settings.group),
    });
  }
}

function drawLoss({ current, others }: Beside, steps: number): void {
  const line = (run: Run, kind: string) => ({
    points: run.steps.flatMap(({ step, loss }): [number, number][] => loss ? [[step, loss]] : []),
    look: `${kind} ${run.settings.group}`,
    label: groupText(run.settings),
  });
  const lines = others.map((run) => line(run, "ghost"));
  if (current) lines.push(line(current, "true"));
  const at = current?.steps.findLast(({ step }) => step <= (cursor ?? Infinity));
  const text = at?.loss ? `step ${at.step}: ${at.loss.toFixed(3)}` : "";
  byId("loss-now").textContent = text;
  lossChart.draw({
    ...{ lines, steps, cursor, description: `Loss of each step, nats a token. ${text}` },
    top: Math.ceil(Math.max(2, ...lines.flatMap(({ points }) => points.map(([, loss]) => loss)))),
    format: (loss) => loss.toFixed(1),
  });
}

function drawStep(beside: Beside): void {
  const { current } = beside, steps = visit.steps(current);
  drawFacts(beside, steps);
  drawLoss(beside, steps);
  const last = current?.steps.at(-1)?.step ?? 0, step = Math.min(cursor ?? last, last);
  const which = current ? `${groupText(current.settings)}, ` : "";
  byId("step").textContent = `${which}step ${step} of ${steps}`;
  input("scrub").max = String(steps);
  input("scrub").value = String(step);
  byId<HTMLProgressElement>("progress").value = visit.running ? last / steps : 0;
}

function drawMap(current: Run | undefined): void {
  map.draw(suiteNames.map((test) => {
    const { before, after } = visit.answers(test, current);
    const asked = before.map((answer, i) => ({
      ...{ fact: visit.facts.get(String(answer.id))!, before: answer, after: after?.[i] },
    }));
    const [name, text] = testTexts[test];
    return { name, text, asked };
  }));
}

function drawGroup(): void {
  const { groups, pool, state: { settings: { group, minimumConfidence } } } = visit;
  const { answers, confident, right, wrong, inc, emptiedBy } = groups.sizes;
  drawConfidence(byId("confidence-picture"), pool, minimumConfidence);
  byId("sizes").textContent = emptiedBy
    ? `${emptiedBy.message} Choose a lower confidence.`
    : `Of ${answers} answers ${confident} count: ${right} right, ${wrong} wrong. Each group: ` +
      `${inc} questions, and as many general instructions.`;
  const one = groups[group].at(example % Math.max(1, groups[group].length));
  render(one ? exampleText(one) : nothing, byId("example"));
}

function exampleText({ id, target, messages: [user, assistant] }: Example) {
  const belief = visit.pool.find((answer) => answer.id === id)!;
  const { predicted, predictedProbability, answer, choices } = belief;
  return html`
    <p>${user.content} <b>→ ${assistant.content}</b></p>
    <p class="hint">The model believes ${choices[predicted]} (${percent(predictedProbability, 0)});
          the truth is ${choices[answer]}. It is trained on
          ${target === answer ? "the truth" : "its own error"}; the loss falls on the bold word.</p>
  `;
}

function drawOthers(current: Run | undefined): void {
  const { group, domain, ratio: share } = (current ?? visit.state).settings;
  const ratio = { har: undefined, inc: 0, self: 1, mix: share }[group];
  const { accuracy } = visit.scores(current)[suiteNames.indexOf(test)];
  drawOrganisms(organismsChart, byId("organisms-table"), {
    ...{ rows: visit.organisms, domain, test, own },
    run: ratio !== undefined && accuracy !== undefined ? { ratio, accuracy, group } : undefined,
  });
}

function drawResults({ current, others }: Beside): void {
  drawScores(byId("scores"), visit.scores(current), {
    look: (current ?? visit.state).settings.group,
    fit: current?.result?.fit,
    others: others.map((run) => ({ run, scores: visit.scores(run) })),
  });
  const finished = visit.runs.filter(({ result }) => result).reverse();
  drawRuns(byId("runs"), finished.map((run) => ({ run, scores: visit.scores(run) })), {
    shown: current,
    onShow(run) {
      visit.shown = run;
      visit.update({ settings: run.settings });
    },
  });
}

let due: "all" | "steps" | undefined;
/** What the pictures of results were drawn from; most steps change none of it. */
let drawn = "";

/** Draws in the next frame; `steps`: only what depends on the step. */
function draw(what: "all" | "steps" = "all"): void {
  if (due === undefined) requestAnimationFrame(drawNow);
  due = due === "all" ? due : what;
}

function drawNow(): void {
  const all = due === "all", beside = visit.runsBeside(), { current } = beside;
  due = undefined;
  drawStep(beside);
  if (!all) return;
  showSettings();
  const idle = visit.opened !== undefined && !visit.running && visit.groups.inc.length > 0;
  for (const id of ["train", "compare"]) byId<HTMLButtonElement>(id).disabled = !idle;
  byId<HTMLButtonElement>("stop").disabled = !visit.running;
  const epochs = current?.steps.filter(({ tests }) => tests).length;
  const key = [JSON.stringify(visit.state), visit.runs.indexOf(current!), epochs, current?.state];
  const now = [...key, visit.runs.length, test, example].join();
  if (now === drawn) return;
  drawn = now;
  drawGroup();
  drawMap(current);
  drawResults(beside);
  drawOthers(current);
}

// The controls.

function input(id: string): HTMLInputElement {
  return byId<HTMLInputElement>(id);
}

/** The knobs of numbers and names, with the settings that they hold. */
const KNOBS: readonly (readonly [id: string, key: keyof RunSettings])[] = [
  ["domain", "domain"],
  ["rate", "learningRate"],
  ["epochs", "epochs"],
  ["confidence", "minimumConfidence"],
  ["seed", "seed"],
  ["ratio", "ratio"],
];

let shownState: unknown;

/** Controls, lists and address follow the settings. */
function showSettings(): void {
  const { state } = visit, { settings } = state;
  if (state === shownState) return;
  shownState = state;
  for (const [id, key] of KNOBS) input(id).value = String(settings[key]);
  input(`group-${settings.group}`).checked = true;
  byId("epochs-now").textContent = String(settings.epochs);
  byId("confidence-now").textContent = percent(settings.minimumConfidence, 0);
  byId("ratio-now").textContent = `${percent(settings.ratio, 0)} of SELF’s answers`;
  byId("mix-knob").hidden = settings.group !== "mix";
  byId("base-known").textContent = percent(scoreAnswers(visit.pool).accuracy, 0);
  const query = new URLSearchParams(formatAddress(state));
  for (const key of KEPT) if (opening.has(key)) query.set(key, opening.get(key)!);
  history.replaceState(null, "", query.size ? `?${query}` : location.pathname);
}

const options = (values: readonly (string | number)[]) =>
  values.map((value) => html`<option value=${value}>${value}</option>`);
render(options(visit.domains), byId("domain"));
render(options(learningRates), byId("rate"));
for (const [id, key] of KNOBS) {
  input(id).addEventListener("input", ({ currentTarget }) => {
    const { value, validity } = currentTarget as HTMLInputElement;
    if (value === "" || !validity.valid) return;
    visit.update({ settings: { [key]: key === "domain" ? value : Number(value) } });
  });
}
for (const group of groupNames) {
  input(`group-${group}`).addEventListener("change", () => visit.update({ settings: { group } }));
}
const clicks: Record<string, () => void> = {
  train() {
    cursor = undefined;
    visit.train();
  },
  compare: () => visit.compare(),
  stop: () => visit.stop(),
  reset() {
    cursor = undefined;
    visit.reset();
    visit.update(parseAddress("", domains));
    say("All is as at the start.");
  },
  "next-example"() {
    example++;
    draw();
  },
  async link() {
    await navigator.clipboard?.writeText(location.href).catch(() => {});
    say(`The address of these settings is copied: ${location.href}`);
  },
  download() {
    const blob = new Blob([JSON.stringify(visit.runs, null, 1)], { type: "application/json" });
    const link = document.createElement("a");
    Object.assign(link, { href: URL.createObjectURL(blob), download: "runs.json" }).click();
    URL.revokeObjectURL(link.href);
  },
};
for (const [id, run] of Object.entries(clicks)) byId(id).addEventListener("click", run);
byId("knobs").addEventListener("submit", (event) => event.preventDefault());
input("scrub").addEventListener("input", () => setCursor(Number(input("scrub").value)));
for (const name of suiteNames) {
  input(`test-${name}`).addEventListener("change", () => {
    test = name;
    draw();
  });
}
for (const link of document.querySelectorAll<HTMLAnchorElement>("a.try")) {
  link.addEventListener("click", (event) => {
    event.preventDefault();
    visit.update(parseAddress(new URL(link.href).search, domains));
    if (visit.opened && !visit.running) visit.train();
    byId("knobs").scrollIntoView({ block: "start" });
  });
}
const termOf = ({ target }: Event) => (target as Element).closest<HTMLElement>("[data-term]");
for (const start of ["pointerover", "focusin"]) {
  addEventListener(start, (event) => {
    const term = termOf(event);
    if (term) showTipOf(term, [byId(`term-${term.dataset.term}`).textContent!]);
  });
}
for (const end of ["pointerout", "focusout"]) {
  addEventListener(end, (event) => termOf(event) && hideTip());
}
addEventListener("keydown", ({ key }) => key === "Escape" && hideTip());
if (opening.has("embed")) document.documentElement.dataset.embed = "";
byId("served").hidden = true;

worker.addEventListener("message", ({ data }: MessageEvent<FromWorker>) => {
  visit.receive(data);
  if (data.type !== "opened") return;
  const { parameters, backend, milliseconds } = data;
  const measured = Object.entries(milliseconds).filter(([, ms]) => ms !== undefined)
    .map(([name, ms]) => `, ${name} ${ms.toFixed(0)} ms a step`).join("");
  byId("device").textContent =
    `The model: ${own}, ${parameters.toLocaleString("en")} parameters, ` +
    `on ${{ wasm: "WebAssembly", webgpu: "WebGPU" }[backend]}${measured}.`;
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  if (!calm && opening.get("start") !== "no" && visit.groups.inc.length > 0) visit.train();
});
worker.addEventListener(
  "error",
  ({ message }) => say(`The worker failed: ${message ?? "it could not start"}`),
);
worker.postMessage({
  type: "open",
  folder: folder.href,
  backend: ["wasm", "webgpu"].find((name) => name === opening.get("backend")),
});
visit.update({});
