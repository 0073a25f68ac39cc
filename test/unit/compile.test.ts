/** Compiled functions beside the same functions uncompiled, and the variables of their sessions. */
import assert from "node:assert/strict";
import * as tf from "@tensorflow/tfjs";
import { openBackend } from "../../lib/platform/runtime/backend.ts";
import { nodeBackend } from "../../lib/platform/compile/backend.ts";
import { addTo, onlyIf, updateAdam } from "../../lib/platform/compile/adam.ts";
import { compile } from "../../lib/platform/compile/compile.ts";
import type { Specification, TensorFunction } from "../../lib/platform/compile/graph.ts";
import { Session } from "../../lib/platform/compile/session.ts";
import { nativeState } from "../../lib/platform/native/native.ts";

const native = nativeState();
if (native.ready) await openBackend("tensorflow");
else console.log(`Tests of compile() skipped: ${native.reason}`);

/** Gives the body a session; what it makes is freed, and nothing else may stay. */
function test(name: string, body: (session: Session) => void) {
  Deno.test({
    name,
    ignore: !native.ready,
    fn() {
      const before = tf.memory().numTensors;
      const session = new Session();
      tf.engine().startScope();
      try {
        body(session);
      } finally {
        const variables = [...session.variables.values()];
        session.dispose();
        tf.dispose(variables);
        tf.engine().endScope();
      }
      assert.equal(tf.memory().numTensors, before, "tensors that stay");
    },
  });
}

function variable(session: Session, name: string, values: number[]): tf.Variable<tf.Rank.R1> {
  const start = tf.tensor1d(values);
  const result = tf.variable(start);
  start.dispose();
  try {
    session.bind(name, result);
  } catch (error) {
    result.dispose();
    throw error;
  }
  return result as tf.Variable<tf.Rank.R1>;
}

const numbers = (tensor: tf.Tensor) => [...tensor.dataSync()];
const vector = (...values: number[]) => tf.tensor1d(values);

test("compile() gives what the function gives", (session) => {
  const run: TensorFunction = (x, y) => {
    const z = tf.matMul(tf.sigmoid(x) as tf.Tensor2D, y as tf.Tensor2D);
    return [z, tf.sum(z), tf.argMax(z, -1), tf.greaterEqual(z, .5)];
  };
  const inputs = [tf.tensor2d([[1, -2], [.5, 3]]), tf.tensor2d([[2, 0, 1], [-1, 1, .25]])];
  const found = compile(run, session)(...inputs), expected = compile(run, undefined)(...inputs);
  assert.deepEqual(found.map(({ dtype, shape }) => [dtype, shape]), [
    ...[["float32", [2, 3]], ["float32", []], ["int32", [2]], ["bool", [2, 3]]],
  ]);
  found.forEach((tensor, i) => assert.deepEqual(numbers(tensor), numbers(expected[i])));
});

test("compile() takes int32 and bool inputs, and scalar and empty ones", (session) => {
  const run = compile((ids, keep, scale, none) => [
    tf.where(keep, tf.mul(tf.cast(ids, "float32"), scale), -1),
    tf.concat([none, none]),
    ids,
  ], session);
  const inputs = [
    ...[tf.tensor1d([3, -4], "int32"), tf.tensor1d([1, 0], "bool"), tf.scalar(.5)],
    tf.zeros([0, 2]),
  ];
  const [kept, empty, same] = run(...inputs);
  assert.deepEqual(numbers(kept), [1.5, -1]);
  assert.deepEqual([empty.shape, numbers(empty)], [[0, 2], []]);
  assert.deepEqual([same.dtype, numbers(same)], ["int32", [3, -4]]);
});

test("compile() makes a graph for inputs of each shape and type", (session) => {
  let traced = 0;
  const run = compile((x) => {
    traced++;
    return [tf.mul(x, x.size), tf.sum(x)];
  }, session);
  assert.deepEqual(numbers(run(vector(1, 2))[0]), [2, 4]);
  assert.deepEqual(numbers(run(vector(1, 2, 3))[0]), [3, 6, 9]);
  assert.deepEqual(numbers(run(tf.tensor2d([[5, 6]]))[0]), [10, 12]);
  const whole = run(tf.tensor1d([5, 6], "int32"));
  assert.deepEqual([whole[1].dtype, numbers(whole[1])], ["int32", [11]]);
  assert.deepEqual(numbers(run(vector(-1, 0))[0]), [-2, 0]);
  assert.equal(traced, 4);
});

test("compile() of two closures gives two functions, and a closure's numbers are fixed", (session) => {
  let bias = 0;
  const of = (factor: number) => compile((x) => [tf.add(tf.mul(x, factor), bias)], session);
  const [twice, thrice] = [of(2), of(3)];
  assert.deepEqual(numbers(twice(vector(1))[0]), [2]);
  assert.deepEqual(numbers(thrice(vector(1))[0]), [3]);
  bias = 10;
  assert.deepEqual(numbers(twice(vector(1))[0]), [2]);
  assert.deepEqual(numbers(of(2)(vector(1))[0]), [12]);
});

test("compile() keeps constants that the caller changes later", (session) => {
  const table = new Float32Array([1, 2]);
  const constant = tf.tensor1d(table), v = variable(session, "v", [0]);
  const run = compile((x) => {
    addTo(v, tf.sum(x).reshape([1]));
    return [tf.mul(x, constant)];
  }, session);
  run(vector(1, 1));
  table.fill(100);
  run(vector(1)); // a graph more: all are loaded again
  assert.deepEqual(numbers(run(vector(1, 1))[0]), [1, 2]);
});

test("compile() tells constants apart that look alike", (session) => {
  const run: TensorFunction = (x) => [
    ...[0, -0, NaN, Infinity, -Infinity].map((number) => tf.div(x, tf.scalar(number))),
    ...[[0, -0], [NaN, Infinity], [1, 1], [1, 2]].map((list) => tf.div(x, tf.tensor1d(list))),
    ...[tf.ones([2]), tf.ones([2, 1])].map((ones) => tf.mul(x, ones)),
    tf.mul(x, tf.cast(tf.scalar(1, "int32"), "float32")),
    tf.where(tf.tensor1d([1, 1], "bool"), x, tf.tensor1d([0, 1])),
    tf.where(tf.tensor1d([0, 1], "bool"), x, tf.tensor1d([0, 1])),
  ];
  const x = vector(1, -2);
  const found = compile(run, session)(x), expected = compile(run, undefined)(x);
  found.forEach((tensor, i) => assert.deepEqual(numbers(tensor), numbers(expected[i]), `${i}`));
});

test("a compiled function takes gradients", (session) => {
  const w = variable(session, "w", [1, -2, .5]), unused = variable(session, "u", [1]);
  const run: TensorFunction = (x) => {
    const { value, grads } = tf.variableGrads(
      () => tf.sum(tf.square(tf.sub(tf.mul(w, x), 1))).asScalar(),
      [w],
    );
    const [dx] = tf.grads((x) => tf.sum(tf.sigmoid(tf.gather(x, tf.tensor1d([2, 2], "int32")))))([
      x,
    ]);
    return [value, grads[w.name], dx];
  };
  const x = vector(2, 1, -1);
  const found = compile(run, session)(x).map(numbers);
  assert.deepEqual(found, compile(run, undefined)(x).map(numbers));
  // d/dw (w x - 1)^2 = 2 (w x - 1) x
  assert.deepEqual(found[1], [4, -6, 3]);
  unused.dispose();
});

test("a compiled function's assignments are its variables' values", (session) => {
  const v = variable(session, "v", [1, 2]), count = variable(session, "count", [0]);
  const run = compile((x) => {
    const before = tf.sum(v);
    v.assign(tf.add(v, x) as tf.Tensor1D);
    count.assign(tf.add(count, 1) as tf.Tensor1D);
    return [before, v];
  }, session);
  const [before, after] = run(vector(10, 20));
  assert.deepEqual([numbers(before), numbers(after)], [[3], [11, 22]]);
  assert.deepEqual(numbers(v), [11, 22]);
  run(vector(1, 1));
  run(vector(1, 1));
  assert.deepEqual([numbers(v), numbers(count)], [[13, 24], [3]]);
  // As a tensor in an operation, and what was handed out before stays.
  assert.deepEqual(numbers(tf.mul(v, 2)), [26, 48]);
  assert.deepEqual(numbers(after), [11, 22]);
});

test("a compiled function may assign constants, inputs, and other variables' values", (session) => {
  const a = variable(session, "a", [1]), b = variable(session, "b", [2]);
  const c = variable(session, "c", [3]), d = variable(session, "d", [4]);
  const run = compile((x) => {
    const former = a.clone();
    a.assign(b);
    b.assign(former as tf.Tensor1D);
    c.assign(tf.zeros([1]));
    d.assign(x as tf.Tensor1D);
    return [tf.scalar(0)];
  }, session);
  run(vector(7));
  assert.deepEqual([a, b, c, d].map((v) => numbers(v)[0]), [2, 1, 0, 7]);
  run(vector(8));
  assert.deepEqual([a, b, c, d].map((v) => numbers(v)[0]), [1, 2, 0, 8]);
});

test("a compiled function reads a variable's former value also where it changes it in place", (session) => {
  // Many elements, so that reading and changing would overlap.
  const v = variable(session, "v", new Array(200_000).fill(1));
  const run = compile((x) => {
    const before = tf.sum(tf.exp(tf.mul(v, 0)));
    addTo(v, tf.mul(tf.ones([200_000]), x));
    return [before, tf.sum(v)];
  }, session);
  assert.throws(
    () => run(tf.scalar(1)),
    /Cannot read the variable v after it was changed in place/,
  );
  const fine = compile((x) => {
    const before = tf.sum(v), copy = tf.mul(v, 1);
    addTo(v, tf.zeros([200_000]).add(x));
    return [before, tf.max(copy)];
  }, session);
  for (let step = 0; step < 5; step++) {
    const [before, most] = fine(tf.scalar(1));
    assert.deepEqual([numbers(before), numbers(most)], [[200_000 * (1 + step)], [1 + step]]);
  }
});

test("a variable that was assigned from outside is seen by the next run", (session) => {
  const v = variable(session, "v", [1]);
  const run = compile(() => {
    v.assign(tf.mul(v, 2) as tf.Tensor1D);
    return [tf.scalar(0)];
  }, session);
  run();
  v.assign(vector(10));
  assert.deepEqual(numbers(v), [10]);
  run();
  assert.deepEqual(numbers(v), [20]);
  v.assign(vector(-1));
  v.assign(vector(4));
  run();
  run();
  assert.deepEqual(numbers(v), [16]);
});

test("several graphs share one set of variables", (session) => {
  const v = variable(session, "v", [1]), w = variable(session, "w", [100]);
  const grow = compile((x) => {
    addTo(v, x);
    return [tf.scalar(0)];
  }, session);
  const read = compile(() => [tf.add(v, w)], session);
  const swap = compile(() => {
    w.assign(tf.neg(v) as tf.Tensor1D);
    return [w];
  }, session);
  grow(vector(2));
  assert.deepEqual(numbers(read()[0]), [103]);
  grow(vector(1));
  assert.deepEqual(numbers(swap()[0]), [-4]);
  assert.deepEqual(numbers(read()[0]), [0]);
});

test("graphs that only read see what others change, and what is assigned", (session) => {
  const v = variable(session, "v", [1]);
  const read = compile(() => [tf.mul(v, 10)], session);
  const grow = compile((x) => {
    addTo(v, x);
    return [tf.scalar(0)];
  }, session);
  for (let step = 1; step <= 3; step++) {
    grow(vector(1));
    assert.deepEqual(numbers(read()[0]), [10 * (step + 1)]);
  }
  v.assign(vector(5));
  assert.deepEqual(numbers(read()[0]), [50]);
  assert.deepEqual(numbers(v), [5]);
});

test("a graph that is added later finds the values of the session", (session) => {
  const v = variable(session, "v", [1]);
  const grow = compile((x) => {
    addTo(v, tf.sum(x).reshape([1]));
    return [tf.scalar(0)];
  }, session);
  for (let size = 1; size <= 6; size++) grow(tf.ones([size])); // a graph each, v never read
  const late = variable(session, "late", [.5]);
  const read = compile(() => [tf.add(v, late)], session);
  assert.deepEqual(numbers(read()[0]), [22.5]);
  assert.deepEqual(numbers(v), [22]);
});

/** 1 - beta^t for t up to 30. */
const corrections = (beta: number) => Array.from({ length: 31 }, (_, t) => 1 - beta ** t);

/** Numbers that float32 has exactly; an epsilon that shows. */
const BETA1 = .875, BETA2 = .96875, EPSILON = 2 ** -4;

/** AdamW in plain numbers, as torch.optim.AdamW's documentation has it. */
function handWritten(
  start: number[],
  gradient: (w: number[]) => number[],
  { steps, rate, decay, beta1 = BETA1, beta2 = BETA2, epsilon = EPSILON }: Record<string, number>,
) {
  let w = [...start], m = w.map(() => 0), v = w.map(() => 0);
  for (let t = 1; t <= steps; t++) {
    const g = gradient(w);
    m = m.map((m, i) => beta1 * m + (1 - beta1) * g[i]);
    v = v.map((v, i) => beta2 * v + (1 - beta2) * g[i] ** 2);
    w = w.map((w, i) =>
      w - rate * decay * w -
      rate * (m[i] / (1 - beta1 ** t)) / (Math.sqrt(v[i] / (1 - beta2 ** t)) + epsilon)
    );
  }
  return { w, m, v };
}

/** A step of AdamW on sum((w - target)^2), guarded by `good` if given; inputs: step, poison, good. */
function adamStep(session: Session, start: number[], decay: number) {
  const [w, m, v] = ["w", "m", "v"].map((name) =>
    variable(session, name, name === "w" ? start : start.map(() => 0))
  );
  const run: TensorFunction = (step, poison, good?: tf.Tensor) => {
    const { grads, value } = tf.variableGrads(
      () => tf.mul(tf.sum(tf.square(tf.sub(w, vector(1, -1, 2)))), poison).asScalar(),
      [w],
    );
    const change = () =>
      updateAdam({ variable: w, first: m, second: v }, grads[w.name], {
        learningRate: tf.scalar(.05),
        beta1: tf.scalar(BETA1),
        beta2: tf.scalar(BETA2),
        correction1: tf.gather(tf.tensor1d(corrections(BETA1)), step).asScalar(),
        correction2: tf.gather(tf.tensor1d(corrections(BETA2)), step).asScalar(),
        epsilon: tf.scalar(EPSILON),
        decay: decay > 0 ? tf.scalar(.05 * decay) : undefined,
      });
    if (good === undefined) change();
    else onlyIf(tf.logicalAnd(good, tf.isFinite(value)) as tf.Scalar, change);
    return [value];
  };
  return { run, variables: [w, m, v] };
}

const count = (step: number) => tf.scalar(step, "int32");
const yes = () => tf.scalar(true, "bool"), no = () => tf.scalar(false, "bool");

for (const decay of [0, .1]) {
  test(`updateAdam() is AdamW with decay ${decay}, compiled and not`, (session) => {
    const start = [.3, -.7, 5];
    const { run, variables } = adamStep(session, start, decay);
    const other = new Session();
    const plain = adamStep(other, start, decay);
    const compiled = compile(run, session), uncompiled = compile(plain.run, undefined);
    for (let step = 1; step <= 20; step++) {
      compiled(count(step), tf.scalar(1), yes());
      uncompiled(count(step), tf.scalar(1));
    }
    const target = [1, -1, 2];
    const { w, m, v } = handWritten(start, (w) => w.map((w, i) => 2 * (w - target[i])), {
      ...{ steps: 20, rate: .05, decay },
    });
    for (const found of [variables, plain.variables]) {
      [w, m, v].forEach((expected, k) =>
        numbers(found[k]).forEach((x, i) =>
          assert.ok(Math.abs(x - expected[i]) <= 2e-6 * Math.max(1, Math.abs(expected[i])), `${x}`)
        )
      );
    }
    other.dispose();
    tf.dispose(plain.variables);
  });
}

test("onlyIf() leaves weights and moments bit for bit where its condition fails", (session) => {
  const { run, variables } = adamStep(session, [.3, -.7, 5], .1);
  const step = compile(run, session);
  for (let t = 1; t <= 3; t++) step(count(t), tf.scalar(1), yes());
  const bits = () => variables.map((v) => [...new Uint32Array(v.dataSync().slice().buffer)]);
  const before = bits();
  step(count(4), tf.scalar(1), no());
  assert.deepEqual(bits(), before);
  const [loss] = step(count(4), tf.scalar(NaN), yes());
  assert.ok(Number.isNaN(numbers(loss)[0]));
  step(count(4), tf.scalar(Infinity), yes());
  assert.deepEqual(bits(), before);
  step(count(4), tf.scalar(1), yes());
  assert.ok(bits().every((now, i) => now.some((word, k) => word !== before[i][k])));
});

test("a snapshot stays as it was while the variables restored from it are trained", (session) => {
  const { run, variables: [w, m, v] } = adamStep(session, [1, 2, 3], .1);
  const step = compile(run, session);
  step(count(1), tf.scalar(1), yes());
  const snapshot = [w, m, v].map((variable) => tf.tensor1d(variable.dataSync().slice()));
  const kept = snapshot.map(numbers);
  const ends: number[][] = [];
  for (let round = 0; round < 2; round++) {
    [w, m, v].forEach((variable, i) => variable.assign(snapshot[i]));
    for (let t = 2; t <= 21; t++) step(count(t), tf.scalar(1), yes());
    assert.deepEqual(snapshot.map(numbers), kept);
    ends.push(numbers(w));
  }
  assert.notDeepEqual(ends[0], kept[0]);
  assert.deepEqual(ends[1], ends[0]);
});

test("bind() gives a name to a new variable, and graphs change that one", (session) => {
  const old = variable(session, "v", [1]);
  const run = compile(() => {
    addTo(session.variables.get("v")!, tf.ones([1]));
    return [tf.scalar(0)];
  }, session);
  run();
  assert.deepEqual(numbers(old), [2]);
  old.dispose();
  const next = variable(session, "v", [10]);
  run();
  run();
  assert.deepEqual(numbers(next), [12]);
});

test("free() gives a disposed variable's memory back; names and graphs stay", (session) => {
  const v = variable(session, "moment/v", [1]);
  const run = compile(() => {
    addTo(v, tf.ones([1]));
    return [tf.scalar(0)];
  }, session);
  run();
  v.dispose();
  session.free(["moment/v", "moment/unknown"]);
  assert.throws(() => run(), /Cannot run the graph: the variable moment\/v was disposed; bind/);
  const next = variable(session, "moment/v", [7]);
  run();
  assert.deepEqual(numbers(next), [8]);
});

test("a session that was disposed is used no more", (session) => {
  const v = variable(session, "v", [1]);
  const run = compile((x) => [tf.mul(x, v)], session);
  assert.deepEqual(numbers(run(vector(3))[0]), [3]);
  session.dispose();
  assert.throws(() => run(vector(3)), /Cannot run a graph: the session was disposed; make another/);
  assert.throws(() => session.bind("w", v), /Cannot bind a variable: the session was disposed/);
  v.dispose();
});

test("onlyIf() outside of a graph is refused, for nothing would wait for the condition", () => {
  assert.throws(
    () => onlyIf(tf.scalar(true), () => assert.fail("it changes")),
    /Cannot change under a condition: expected a function that is being compiled; found none/,
  );
});

test("two sessions with the same names have variables of their own", (session) => {
  const other = new Session();
  const mine = variable(session, "v", [1]), theirs = variable(other, "v", [100]);
  const grow = (session: Session, v: tf.Variable) =>
    compile(() => {
      addTo(v, tf.ones([1]));
      return [tf.scalar(0)];
    }, session);
  const [a, b] = [grow(session, mine), grow(other, theirs)];
  a();
  b();
  a();
  assert.deepEqual([numbers(mine), numbers(theirs)], [[3], [101]]);
  other.dispose();
  theirs.dispose();
  a();
  assert.deepEqual(numbers(mine), [4]);
});

test("reading a value while compiling is refused with the place that read", (session) => {
  const v = variable(session, "v", [1]);
  const here = /found a read at .*compile\.test\.ts:\d+:\d+\)?; pass what changes/;
  assert.throws(() => compile((x) => [tf.mul(x, x.dataSync()[0])], session)(vector(1)), here);
  assert.throws(() => compile((x) => [tf.mul(x, numbers(v)[0])], session)(vector(1)), here);
  // However deep in the libraries.
  const deep = compile((x) => {
    const { value } = tf.valueAndGrad((x: tf.Tensor) => {
      const one = tf.customGrad((x) => ({
        value: tf.tidy(() => tf.mul(x as tf.Tensor, numbers(x as tf.Tensor)[0])),
        gradFunc: (dy: tf.Tensor) => dy,
      }));
      return tf.sum(tf.tidy(() => one(x)));
    })(x);
    return [value];
  }, session);
  assert.throws(() => deep(vector(1)), here);
  // The engine and the backend are as before.
  assert.deepEqual(numbers(tf.grad((x) => tf.sum(tf.square(x)))(vector(3))), [6]);
  assert.deepEqual(numbers(compile((x) => [tf.mul(x, v)], session)(vector(3))[0]), [3]);
});

test("an operation without a shape rule is refused by its name", (session) => {
  const run = compile((x) => [tf.diag(x)], session);
  assert.throws(
    () => run(vector(1, 2)),
    /Cannot record Diag at .*compile\.test\.ts:\d+:\d+\)?: expected one of Add, .*operations\.ts/,
  );
});

test("an axis or shape that was computed is refused", (session) => {
  const run = compile((x) => {
    const axis = tf.sum(tf.cast(x, "int32"));
    const type = { name: "T", type: nodeBackend().binding.TF_ATTR_TYPE, value: 1 };
    return [nodeBackend().executeSingleOutput("Sum", [type], [x, axis])];
  }, session);
  assert.throws(
    () => run(vector(0)),
    /Cannot record Sum: expected its input 1 to be a constant; found a computed tensor at .*compile\.test/,
  );
});

test("a variable that is not the session's is refused, and keeps its value", (session) => {
  const stranger = tf.variable(vector(5));
  const read = compile((x) => [tf.mul(x, stranger)], session);
  assert.throws(() => read(vector(1)), /Cannot read the variable .* at .*compile\.test\.ts/);
  const write = compile((x) => {
    stranger.assign(x as tf.Tensor1D);
    return [tf.scalar(0)];
  }, session);
  assert.throws(
    () => write(vector(1)),
    /Cannot make the variable .* or assign to it while tracing/,
  );
  const change = compile((x) => {
    addTo(stranger, x);
    return [tf.scalar(0)];
  }, session);
  assert.throws(
    () => change(vector(1)),
    /Cannot record AssignAddVariableOp: expected a variable of the session .* at .*compile/,
  );
  const make = compile((x) => [tf.mul(tf.variable(x, true, "made inside"), 2)], session);
  assert.throws(
    () => make(vector(1)),
    /Cannot make the variable made inside or assign to it while tracing/,
  );
  assert.deepEqual(numbers(stranger), [5]);
  assert.equal(tf.engine().registeredVariables["made inside"], undefined);
  stranger.dispose();
});

test("a variable is not both assigned and changed in place by one run", (session) => {
  const v = variable(session, "v", [1]);
  const run = compile(() => {
    v.assign(vector(2));
    addTo(v, vector(1));
    return [tf.scalar(0)];
  }, session);
  assert.throws(
    () => run(),
    /expected a variable of the session that was not assigned before; found v at .*compile/,
  );
  assert.deepEqual(numbers(v), [1]);
});

test("a constant that is too large is refused with its size", (session) => {
  const values = new Float32Array(2 ** 26 + 1); // 256 MiB and 4 bytes
  values[0] = 1;
  const constant = tf.tensor1d(values);
  const run = compile((x) => [tf.mul(x, tf.sum(constant))], session);
  assert.throws(
    () => run(vector(1)),
    /constant of 268435460 bytes: expected at most 268435456; pass the tensor as an input or make it a variable/,
  );
  // The session goes on without it.
  assert.deepEqual(numbers(compile((x) => [tf.neg(x)], session)(vector(1))[0]), [-1]);
});

test("a run that fails names the operation, the place and the reason; the session goes on", (session) => {
  const v = variable(session, "v", [1, 2, 3]);
  const run = compile((ids) => {
    const rows = tf.gather(v, ids as tf.Tensor1D);
    addTo(v, tf.ones([3]));
    return [rows];
  }, session);
  const ids = (...values: number[]) => tf.tensor1d(values, "int32");
  assert.deepEqual(numbers(run(ids(2, 0))[0]), [3, 1]);
  assert.throws(
    () => run(ids(1, 9)),
    /Cannot run graph0 \(inputs int32\[2\]\): GatherV2 at .*compile\.test\.ts:\d+:\d+\)? failed: indices\[1\] = 9 is not in \[0, 3\); look at the inputs' values/,
  );
  v.assign(vector(4, 5, 6));
  assert.deepEqual(numbers(run(ids(1, 1))[0]), [5, 5]);
  assert.deepEqual(numbers(v), [5, 6, 7]);
});

test("500 runs keep the number of tensors and the memory", (session) => {
  const size = 250_000; // a leak of one variable a run would be 500 MB
  const v = variable(session, "v", new Array(size).fill(0));
  const run = compile((x) => {
    addTo(v, tf.mul(tf.ones([size]), x));
    return [tf.sum(x)];
  }, session);
  const step = () =>
    tf.tidy(() => {
      const [sum] = run(tf.scalar(1));
      return sum.dataSync()[0];
    });
  const resident = () =>
    Number(/VmRSS:\s+(\d+) kB/.exec(Deno.readTextFileSync("/proc/self/status"))?.[1]) / 1024;
  const look = () => v.dataSync()[0];
  for (let i = 0; i < 20; i++) step();
  look();
  const tensors = tf.memory().numTensors, before = Deno.build.os === "linux" ? resident() : 0;
  for (let i = 0; i < 500; i++) {
    step();
    if (i % 100 === 0) look();
  }
  assert.equal(tf.memory().numTensors, tensors);
  assert.equal(look(), 520);
  if (Deno.build.os !== "linux") return;
  const grown = resident() - before;
  assert.ok(grown <= 30, `resident memory grew by ${grown.toFixed(1)} MB`);
});

Deno.test({
  name: "members at once: each variable changes by its own values, what is shared must be",
  ignore: !native.ready,
  fn() {
    const before = tf.memory().numTensors;
    const session = new Session(2);
    const [face, stacked] = tf.tidy(() => [
      tf.variable(tf.zeros([2])),
      tf.variable(tf.tensor2d([[1, 2], [3, 4]])),
    ]);
    session.bind("x", stacked, face);
    const own: Specification = { shape: [], dtype: "float32", stacked: true };
    const call = (run: TensorFunction, ...inputs: tf.Tensor[]) => {
      const found = session.call(session.add(run, [own]), inputs);
      const values = found.map(numbers);
      tf.dispose([...inputs, ...found]);
      return values;
    };
    const sums = call((y) => {
      addTo(face, tf.mul(face, y));
      return [tf.scalar(7), y];
    }, vector(10, 100));
    assert.deepEqual(sums, [[7], [10, 100]]);
    assert.deepEqual(numbers(stacked), [11, 22, 303, 404]);
    // A value that is one for all is each one's.
    call((y) => (face.assign(tf.tensor1d([5, 6])), [y]), vector(0, 0));
    assert.deepEqual(numbers(stacked), [5, 6, 5, 6]);
    assert.throws(
      () => call((y) => (onlyIf(tf.isFinite(y) as tf.Scalar, () => addTo(face, y)), [y])),
      /Cannot change under a condition for 2 members at once: expected one value for all/,
    );
    assert.throws(
      () =>
        call((y) => {
          const one = tf.scalar(1), rate = y as tf.Scalar;
          const scalars = { learningRate: rate, beta1: one, beta2: one, epsilon: one };
          const corrections = { correction1: one, correction2: one };
          const state = { variable: face, first: face, second: face };
          updateAdam(state, tf.mul(face, 0), { ...scalars, ...corrections });
          return [y];
        }),
      /Cannot record ResourceApplyAdam for 2 members at once: expected one value for all/,
    );
    session.dispose();
    tf.dispose([face, stacked]);
    assert.equal(tf.memory().numTensors, before, "tensors that stay");
  },
});
