/**
 * Jinja as transformers renders it, by @huggingface/jinja with bounds. Done here is what the
 * package does otherwise without a word: the scope of a loop's round, stripping, comparing, and
 * none, true and false as Python writes them. It loses what is written before `break` and `continue`
 * and compares lists by identity: templates that do so are refused.
 */
import { Environment, Interpreter, parse, tokenize } from "@huggingface/jinja";

/** Published templates have up to 50 thousand characters. */
const MOST_CHARACTERS = 500_000;
/** Statements and expressions of one rendering, items of one list, characters of one text. */
const [MOST_STEPS, MOST_NUMBERS, MOST_TEXT] = [500_000, 10_000, 10_000_000];

type Value = { type: string; value: unknown };
// deno-lint-ignore no-explicit-any
type Node = any;
interface Steps {
  evaluate(node: Node, scope: Environment): Value;
  evaluateBlock(nodes: Node[], scope: Environment): Value;
}

/** Statements, whose values are no text of the template's. */
const silent = ["Set", "Macro", "Comment", "If", "For"];

const runtimeValue = (value: unknown): Value => new Environment().set("value", value) as Value;

/** Python's ==: numbers and truths by their size, and no other two kinds. @throws on lists */
function equal(a: Value, b: Value): boolean {
  if ([a, b].some(({ value }) => typeof value === "object" && value !== null)) {
    throw new Error("lists or objects compared");
  }
  const [left, right] = [a, b].map(({ type, value }) =>
    type === "NullValue" ? null : typeof value === "boolean" ? Number(value) : value
  );
  return left === right;
}

const PYTHON_SPACES =
  "\t\n\v\f\r\x1c\x1d\x1e\x1f \x85\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006" +
  "\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000";

/** Python's strip, lstrip or rstrip, which take these characters off, each time they stand there. */
export function strip(text: string, method = "strip", characters = PYTHON_SPACES): string {
  const all = Array.from(text), off = new Set(characters);
  let [from, to] = [0, all.length];
  while (method !== "rstrip" && from < to && off.has(all[from])) from++;
  while (method !== "lstrip" && from < to && off.has(all[to - 1])) to--;
  return all.slice(from, to).join("");
}

/** What `text.strip(...)` and `text | trim(...)` take off of what; the package leaves out the characters. */
function stripping(node: Node): { method: string; text: Node; characters?: Node } | undefined {
  const { callee, args } = node?.filter ?? node ?? {};
  if (node?.type === "FilterExpression") {
    const isTrim = (callee ?? node.filter).value === "trim";
    return isTrim ? { method: "strip", text: node.operand, characters: args?.[0] } : undefined;
  }
  if (node?.type !== "CallExpression" || callee.type !== "MemberExpression" || callee.computed) {
    return;
  }
  const method: string = callee.property.value;
  if (/^[lr]?strip$/.test(method)) return { method, text: callee.object, characters: args[0] };
}

function checkSize(value: { length: number }, most: number): void {
  if (value.length > most) throw new Error(`a value of more than ${most} characters or items`);
}

function range(...numbers: unknown[]): number[] {
  const [start, stop, step = 1] = (numbers.length > 1 ? numbers : [0, ...numbers]).map(Number);
  const length = Math.max(0, Math.ceil((stop - start) / step));
  if (!(length <= MOST_NUMBERS)) {
    throw new Error(`a range of ${length} numbers, where ${MOST_NUMBERS} are enough`);
  }
  return Array.from({ length }, (_, i) => start + i * step);
}

function interpreterWithin(scope: Environment): Steps {
  const interpreter = new Interpreter(scope) as unknown as Steps;
  const evaluate = interpreter.evaluate.bind(interpreter);
  let steps = 0;
  interpreter.evaluate = (node, scope) => {
    if (++steps > MOST_STEPS) throw new Error(`more than ${MOST_STEPS} steps`);
    switch (node?.type) {
      case "Round":
        return interpreter.evaluateBlock(node.body, new Environment(scope));
      case "For":
        return evaluate({ ...node, body: [{ type: "Round", body: node.body }] }, scope);
      case "Break":
      case "Continue":
        throw new Error(`${node.type.toLowerCase()}, which is not rendered here`);
    }
    if (node?.type === "BinaryExpression" && /^[!=]=$/.test(node.operator.value)) {
      const [a, b] = [node.left, node.right].map((side) => interpreter.evaluate(side, scope));
      return runtimeValue(equal(a, b) === (node.operator.value === "=="));
    }
    const stripped = stripping(node);
    if (stripped !== undefined) {
      const text = interpreter.evaluate(stripped.text, scope).value;
      const characters = stripped.characters &&
        interpreter.evaluate(stripped.characters, scope).value;
      if (typeof text === "string") {
        const off = (characters as string | null) ?? undefined;
        return runtimeValue(strip(text, stripped.method, off));
      }
    }
    const value = evaluate(node, scope) ?? runtimeValue(undefined);
    if (typeof value.value === "string") checkSize(value.value, MOST_TEXT);
    if (Array.isArray(value.value)) checkSize(value.value, MOST_NUMBERS);
    return value;
  };

  interpreter.evaluateBlock = (nodes, scope) => {
    let text = "";
    for (const node of nodes) {
      text += written(interpreter.evaluate(node, scope), silent.includes(node.type));
      checkSize(text, MOST_TEXT);
    }
    return runtimeValue(text);
  };
  return interpreter;
}

/** A value as Python writes it. @throws on lists and the like, which no conversation holds */
function written({ type, value }: Value, isStatement: boolean): string {
  switch (type) {
    case "UndefinedValue":
      return "";
    case "NullValue":
      return isStatement ? "" : "None";
    case "BooleanValue":
      return value ? "True" : "False";
    case "StringValue":
    case "IntegerValue":
      return String(value);
    default:
      throw new Error(`a ${type} written as a text`);
  }
}

/**
 * A template to be filled with variables; what transformers passes as none is none.
 * @throws if it can't be parsed; its function where it can't be rendered within bounds
 */
export function compileTemplate(text: string): (variables: Record<string, unknown>) => string {
  if (text.length > MOST_CHARACTERS) {
    throw new Error(`${text.length} characters, where ${MOST_CHARACTERS} are enough`);
  }
  // Jinja reads every line's end as a line feed.
  const lines = text.replace(/\r\n?/g, "\n");
  const program = parse(tokenize(lines, { lstrip_blocks: true, trim_blocks: true }));
  return (variables) => {
    const scope = new Environment();
    const usual = {
      true: true,
      True: true,
      false: false,
      False: false,
      none: null,
      None: null,
      tools: null,
      documents: null,
      raise_exception: (message: string) => {
        throw new Error(message);
      },
      range,
    };
    for (const [name, value] of Object.entries({ ...usual, ...variables })) scope.set(name, value);
    return String(interpreterWithin(scope).evaluate(program, scope).value);
  };
}
