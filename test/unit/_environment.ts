/** Runs the body with variables of the environment as given (undefined: unset), and puts them back. */
export async function withVariables<T>(
  values: Readonly<Record<string, string | undefined>>,
  body: () => T | Promise<T>,
): Promise<T> {
  const put = (name: string, value: string | undefined) =>
    value === undefined ? Deno.env.delete(name) : Deno.env.set(name, value);
  const before = Object.keys(values).map((name) => [name, Deno.env.get(name)] as const);
  for (const [name, value] of Object.entries(values)) put(name, value);
  try {
    return await body();
  } finally {
    for (const [name, value] of before) put(name, value);
  }
}
