/** How numbers read, one place each: the same in tables, figures, texts and notes. */

/** A value with what is known of its precision. */
export interface Measurement {
  value: number;
  /** Lower and upper bound, e.g. of a 95% interval. */
  interval?: readonly [number, number];
  /** How many items (or seeds) it rests on. */
  n?: number;
}

/** Whether `value` is a measurement: a `{ value, interval?, n? }`. */
export function isMeasurement(value: unknown): value is Measurement {
  return typeof value === "object" && value !== null &&
    typeof (value as Measurement).value === "number";
}

/** A measurement, or a bare number, whose precision is not known. */
type Measured = number | Measurement;

const measurementOf = (value: Measured) => typeof value === "number" ? { value } : value;

/** A share (0 to 1) in points (0 to 100). */
export function inPoints<M extends Measurement>(measurement: M): M {
  const { value, interval } = measurement;
  const result = { ...measurement, value: value * 100 };
  return interval ? { ...result, interval: interval.map((bound) => bound * 100) } : result;
}

/** A number with `digits` after the point; `∞` when infinite, `undefined` when not a number. */
export function formatNumber(value: number, digits = 1): string {
  if (Number.isNaN(value)) return "undefined";
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "-∞";
  const text = value.toFixed(digits);
  return /^-[0.]*$/.test(text) ? text.slice(1) : text; // -0.0 says nothing
}

/** At most so many digits that count, as people write settings: `0.001`, `2e-5`, `16`. */
export function formatPlain(value: number, digits = 4): string {
  if (!Number.isFinite(value) || Number.isInteger(value)) return formatNumber(value, 0);
  const short = Number(value.toPrecision(digits));
  return Math.abs(short) < 1e-3 ? short.toExponential() : String(short);
}

/** A value with its bounds, each written by `tell`. */
function bounded(measured: Measured, tell: (value: number) => string): string {
  const { value, interval } = measurementOf(measured);
  return tell(value) + (interval ? ` [${interval.map(tell).join(", ")}]` : "");
}

/** `52.3 ± 3.1`, or `52.3 [48.1, 55.0]` when the interval is not symmetric at these digits. */
export function formatMeasurement(measured: Measured, digits = 1, showN = false): string {
  const { value, interval, n } = measurementOf(measured);
  let text = bounded(measured, (bound) => formatNumber(bound, digits));
  if (interval) {
    const [low, high] = [value - interval[0], interval[1] - value];
    if (Math.abs(high - low) < 10 ** -digits && low >= 0 && high >= 0) {
      text = `${formatNumber(value, digits)} ± ${formatNumber((high + low) / 2, digits)}`;
    }
  }
  return showN && n !== undefined ? `${text} (n = ${n})` : text;
}

/** A difference: `+8.4`, `-0.3`, `0.0`; a measurement with its bounds, `+8.4 [+5.2, +11.6]`. */
export function signed(measured: Measured, digits = 1): string {
  return bounded(measured, (value) => {
    const text = formatNumber(value, digits);
    return value > 0 && /[1-9∞]/.test(text) ? `+${text}` : text;
  });
}

/** A share (0 to 1) as `52.3%`; a measurement as `52.3% [48.1%, 55.0%]`. */
export function percent(share: Measured, digits = 1): string {
  return bounded(inPoints(measurementOf(share)), (value) => `${formatNumber(value, digits)}%`);
}

/** A correlation, without a zero before the point: `.82`; with its bounds, `.82 [.62, .92]`. */
export function formatR(r: Measured, digits = 2): string {
  return bounded(r, (value) => formatNumber(value, digits).replace(/^(-?)0\./, "$1."));
}

/** At most 6 digits that count, all that files hold; whole numbers are counts, and stay. */
export function roundNumber(value: number): number {
  return Number.isInteger(value) || !Number.isFinite(value) ? value : Number(value.toPrecision(6));
}

/** `value` with every number in it rounded by {@linkcode roundNumber}. */
export function roundNumbers<T>(value: T): T {
  if (typeof value === "number") return roundNumber(value) as T;
  if (Array.isArray(value)) return value.map(roundNumbers) as T;
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [key, roundNumbers(inner)]),
  ) as T;
}
