/** What `body` gives, and the lines that it printed as errors. */
export async function withErrors<T>(
  body: () => Promise<T>,
): Promise<{ value: T; said: string[] }> {
  const { error } = console, said: string[] = [];
  console.error = (line: string) => void said.push(line);
  try {
    return { value: await body(), said };
  } finally {
    console.error = error;
  }
}
