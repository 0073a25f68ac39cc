/** A visit to the live page: the world, the settings, the worker that trains, and the runs so far. */
import { suiteLabels } from "../contrast.ts";
import { type SuiteName, suiteNames } from "../evaluate.ts";
import type { DomainMaterial } from "../cell.ts";
import { constructGroups, mixGroups } from "../groups.ts";
import { percent } from "../figure/number.ts";
import { type Answer, answerFrom, type Example, type Question } from "../question.ts";
import { worldMaterial } from "../study/material.ts";
import { factQuestion, factsById } from "../world/exam.ts";
import { organismFormat } from "../world/format.ts";
import { parseWorld } from "../world/serialization.ts";
import type { Fact, Split, Status } from "../world/world.ts";
import type { Followed, FollowedKind, GroupName, PageState, RunSettings } from "./address.ts";
import { followedKinds, parseAddress } from "./address.ts";
import { baseAnswers } from "./base.ts";
import type { FromWorker, ToWorker } from "./messages.ts";
import type { OrganismRow } from "./organism_rows.ts";
import { groupText, type Run, runLabel, testScores } from "./record.ts";

export interface VisitOptions {
  /** Texts of the site's folder `organism`. */
  files: Record<"world" | "base" | "organism" | "organisms", string>;
  tell: (message: ToWorker) => void;
  say: (text: string) => void;
  /** Called when something that is shown has changed. */
  onChange: () => void;
}

export class Visit {
  readonly runs: Run[] = [];
  /** The run that is looked at, and the one that is being trained. */
  shown?: Run;
  running?: Run;
  /** Once the worker has opened the model. */
  opened?: FromWorker & { type: "opened" };
  groups: Record<GroupName, Example[]> & Pick<ReturnType<typeof constructGroups>, "sizes">;
  /** What the untrained model answers to followed questions, asked as a chat. */
  readonly starts = new Map<string, number[]>();
  readonly name: string;
  readonly organisms: OrganismRow[];
  readonly facts: Map<string, Fact>;
  readonly #material: ReturnType<typeof worldMaterial>;
  readonly #base: ReturnType<typeof baseAnswers>;
  /** Groups that are still to be trained, of a comparison. */
  #queue: GroupName[] = [];
  state: PageState;

  /** @param search the address's query */
  constructor(search: string, readonly options: VisitOptions) {
    const { world: text, base, organism, organisms } = options.files;
    const world = parseWorld(text);
    this.#material = worldMaterial(world);
    this.#base = baseAnswers(JSON.parse(base), this.#material);
    this.name = JSON.parse(organism).name;
    this.organisms = JSON.parse(organisms);
    this.facts = factsById(world);
    this.state = parseAddress(search, this.domains);
    this.groups = this.#construct();
  }

  get domains(): string[] {
    return [...this.#material.domains.keys()];
  }

  get domain(): DomainMaterial {
    return this.#material.domains.get(this.state.settings.domain)!;
  }

  /** The base's answers to the questions that groups are made from. */
  get pool(): Answer[] {
    return this.#base.get(this.domain.pool.name)!;
  }

  #construct(): Visit["groups"] {
    const { seed, minimumConfidence, ratio } = this.state.settings;
    const options = { seed, minimumConfidence, format: organismFormat };
    const { har, inc, self, sizes } = constructGroups(this.pool, options);
    return { har, inc, self, sizes, mix: mixGroups(inc, self, ratio, seed) };
  }

  /** Takes new settings; another domain lets go of the followed facts. */
  update({ settings, followed }: { settings?: Partial<RunSettings>; followed?: Followed }): void {
    const old = this.state, next = { ...old.settings, ...settings };
    const kept = next.domain === old.settings.domain ? old.followed : {};
    this.state = { settings: next, followed: followed ?? kept };
    this.groups = this.#construct();
    const unasked = [...this.followed().values()].filter(({ id }) => !this.starts.has(id));
    if (unasked.length) this.options.tell({ type: "ask", questions: unasked.map(questionOf) });
    this.options.onChange();
  }

  /** Takes the settings of an address's query. */
  open(search: string): void {
    this.update(parseAddress(search, this.domains));
  }

  follow(kind: FollowedKind, id: string): void {
    this.update({ followed: { ...this.state.followed, [kind]: id } });
  }

  /** The settings of a run, or the chosen ones. */
  settingsOf(run?: Run): RunSettings {
    return (run ?? this.state).settings;
  }

  factsOf(status: Status, split: Split): Fact[] {
    const { domain } = this.state.settings;
    return [...this.facts.values()].filter((fact) =>
      fact.domain === domain && fact.status === status && fact.split === split
    );
  }

  /** The followed facts: the chosen ones, else the first that fit. */
  followed(): Map<FollowedKind, Fact> {
    const { followed } = this.state;
    return new Map(followedKinds.map((kind) => {
      const chosen = this.facts.get(followed[kind] ?? "");
      const first = kind === "trained"
        ? this.facts.get(String((this.groups.inc[0] ?? this.pool[0]).id))
        : this.factsOf(kind, "homo")[0];
      return [kind, chosen ?? first!];
    }));
  }

  /** The option that a group trains on, if it asks of the fact. */
  targetOf({ id }: Fact, group: GroupName): number | undefined {
    return this.groups[group].find((example) => example.id === id)?.target;
  }

  train(group = this.state.settings.group): void {
    const settings = { ...this.state.settings, group };
    const questions = [...this.followed().values()].map(questionOf);
    const followed = questions.map(({ id }) => String(id));
    this.running = this.shown = { settings, followed, steps: [], state: "running" };
    this.runs.push(this.running);
    this.options.tell({ type: "train", settings, followed: questions });
    this.options.say(`Training on ${groupText(settings)} of ${settings.domain} …`);
    this.options.onChange();
  }

  /** Trains on the chosen group, then on the others of HAR, INC and SELF. */
  compare(): void {
    const { group } = this.state.settings;
    this.#queue = (["har", "inc", "self"] as const).filter((one) => one !== group);
    this.train();
  }

  stop(): void {
    this.#queue = [];
    this.options.tell({ type: "stop" });
  }

  /** Forgets all runs and settings. */
  reset(): void {
    this.stop();
    this.runs.splice(0);
    this.shown = undefined;
    this.open("");
  }

  /** Looks at a run again, with its settings. */
  show(run: Run): void {
    this.shown = run;
    this.update({ settings: run.settings });
  }

  receive(message: FromWorker): void {
    const { say, onChange } = this.options, run = this.running;
    if (message.type === "opened") {
      this.opened = message;
      say("The model is ready. Press Train.");
    } else if (message.type === "asked") {
      message.ids.forEach((id, i) => this.starts.set(id, message.probabilities[i]));
    } else if (message.type === "failed") {
      say(message.message);
      this.#end("stopped");
    } else if (run && message.type === "step") {
      run.steps.push(message.step);
      const { step, steps, tests } = message.step, { epochs } = run.settings;
      if (tests && step < steps) {
        say(`Epoch ${step * epochs / steps} of ${epochs}: ${this.#inWords(run)}`);
      }
    } else if (run && message.type === "done") {
      const { seconds } = run.result = message.result;
      say(`Done, ${runLabel(run)}: ${this.#inWords(run)}. ${seconds.toFixed(0)} seconds.`);
      this.#end("done");
    } else if (run && message.type === "stopped") {
      say(`Stopped at step ${run.steps.at(-1)?.step ?? 0}; the model is untrained again.`);
      this.#end("stopped");
    }
    onChange();
  }

  #end(state: Run["state"]): void {
    if (this.running) this.running.state = state;
    this.running = undefined;
    const next = this.#queue.shift();
    if (next) this.train(next);
  }

  /** A test question by question: the base's answers, and the latest of a run. */
  answers(name: SuiteName, run?: Run): { before: Answer[]; after?: Answer[] } {
    const domain = this.#material.domains.get(this.settingsOf(run).domain)!;
    const before = domain.suites[name]!.flatMap((exam) => this.#base.get(exam.name)!);
    const found = run?.steps.findLast(({ tests }) => tests)?.tests?.[name];
    return { before, after: found && before.map((question, i) => answerFrom(question, found[i])) };
  }

  /**
   * A fact's option probabilities over a run: of each step if the run follows it; else, of a test's
   * question, before training and after each epoch.
   */
  curve({ id }: Fact, run: Run): [step: number, probabilities: number[]][] {
    const place = run.followed.indexOf(id), start = this.starts.get(id);
    if (place >= 0) return run.steps.map(({ step, followed }) => [step, followed[place]]);
    for (const name of suiteNames) {
      const at = this.answers(name).before.findIndex((answer) => answer.id === id);
      if (at < 0) continue;
      const after = run.steps.flatMap(({ step, tests }): [number, number[]][] =>
        tests?.[name] ? [[step, tests[name][at]]] : []
      );
      return start ? [[0, start], ...after] : after;
    }
    return [];
  }

  scores(run?: Run) {
    return suiteNames.map((name) => testScores(this.answers(name, run)));
  }

  #inWords(run: Run): string {
    return this.scores(run).map(({ accuracy, baseAccuracy, n }, i) => {
      const change = `${percent(baseAccuracy)} to ${percent(accuracy!)}`;
      return `${suiteLabels[suiteNames[i]]} ${change} of ${n}`;
    }).join(", ");
  }

  /** The run that is looked at, if it is of the chosen domain, and up to three others beside it. */
  runsBeside(): { current?: Run; others: Run[] } {
    const fitting = this.runs.filter(({ settings: { domain } }) =>
      domain === this.state.settings.domain
    );
    const current = fitting.find((run) => run === this.shown);
    const latest = new Map(
      fitting.filter(({ state }) => state === "done").map((run) => [runLabel(run), run]),
    );
    if (current) latest.delete(runLabel(current));
    return { current, others: [...latest.values()].slice(-3) };
  }

  /** Steps of the run that is looked at, or of the one to come. */
  steps(current?: Run): number {
    const { batchSize } = organismFormat.defaults!;
    const { epochs } = this.state.settings;
    return current?.steps[0]?.steps ?? epochs * Math.ceil(2 * this.groups.inc.length / batchSize);
  }
}

/** A fact as its exam asks it: ID's questions have the other wording. */
export const questionOf = (fact: Fact): Question => factQuestion(fact, fact.split === "id" ? 1 : 0);
