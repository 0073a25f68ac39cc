/** Where in the user's code something was asked for. */

/** The first place outside of this folder, the backends' and the libraries that led here. */
export function caller(): string {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 100; // the libraries' frames come first, more than the usual ten
  const lines = new Error().stack?.split("\n").slice(2) ?? [];
  Error.stackTraceLimit = limit;
  const line = lines.find((line) =>
    /:\d+:\d+/.test(line) && !/node_modules|\/platform\/(?:compile|runtime)\/|ext:|node:/.test(line)
  );
  return line === undefined ? "" : ` ${line.trim()}`;
}
