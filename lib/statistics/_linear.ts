/** Centring, correlation coefficients and least-squares residuals of plain columns. */

const dot = (a: Float64Array, b: Float64Array): number => {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
};
const norm = (a: Float64Array): number => Math.sqrt(dot(a, a));

function centered(values: Float64Array): Float64Array {
  const n = values.length;
  const first = values.reduce((sum, value) => sum + value, 0) / n;
  const once = values.map((value) => value - first);
  const rest = once.reduce((sum, value) => sum + value, 0) / n;
  return once.map((value) => value - rest);
}

/** Pearson's r, NaN when a side is constant (to 13 digits, below which its spread is rounding). */
export function correlationCoefficient(x: Float64Array, y: Float64Array): number {
  const a = centered(x), b = centered(y), sizeA = norm(a), sizeB = norm(b);
  if (sizeA <= 1e-13 * norm(x) || sizeB <= 1e-13 * norm(y)) return NaN;
  const r = dot(a.map((value) => value / sizeA), b.map((value) => value / sizeB));
  // A perfect correlation is 1 exactly, not 1 less a rounding.
  return 1 - Math.abs(r) < 1e-15 ? Math.sign(r) : r;
}

/**
 * What ordinary least squares on the controls and a constant leave of each column, and the controls' rank
 * (one that others explain adds nothing). A column that they explain wholly (to 10 digits) is zeros.
 */
export function residuals(columns: readonly Float64Array[], controls: readonly Float64Array[]) {
  const basis: Float64Array[] = [];
  const strip = (column: Float64Array): Float64Array => {
    const left = centered(column), size = norm(left);
    // Gram-Schmidt twice is orthogonal to machine precision.
    for (let pass = 0; pass < 2; pass++) {
      for (const unit of basis) {
        const share = dot(left, unit);
        for (let i = 0; i < left.length; i++) left[i] -= share * unit[i];
      }
    }
    return norm(left) <= Math.max(1e-10 * size, 1e-13 * norm(column)) ? left.fill(0) : left;
  };
  for (const control of controls) {
    const left = strip(control), size = norm(left);
    if (size > 0) basis.push(left.map((value) => value / size));
  }
  return { left: columns.map(strip), rank: basis.length };
}
