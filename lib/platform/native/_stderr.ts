/** Keeps what native code writes to stderr while it loads (greetings, warnings) off the screen. */

/**
 * Runs `load` with the process's stderr turned away, and returns its result and what was written.
 * Only synchronous work, so that nobody else's lines are caught. Without the FFI permission, or on
 * a system other than Linux and macOS, `load` simply runs.
 */
export function withQuietStderr<T>(
  load: () => T,
): ({ value: T } | { error: unknown }) & { said: string } {
  const path = Deno.makeTempFileSync({ prefix: "stderr-" });
  const restore = redirect(path);
  const said = () => Deno.readTextFileSync(path);
  try {
    return { value: load(), said: said() };
  } catch (error) {
    return { error, said: said() };
  } finally {
    restore();
    Deno.removeSync(path);
  }
}

function redirect(path: string): () => void {
  const library = { linux: "libc.so.6", darwin: "libSystem.B.dylib" }[Deno.build.os as string];
  if (library === undefined) return () => {};
  try {
    const libc = Deno.dlopen(library, {
      open: { parameters: ["buffer", "i32"], result: "i32" },
      dup: { parameters: ["i32"], result: "i32" },
      dup2: { parameters: ["i32", "i32"], result: "i32" },
      close: { parameters: ["i32"], result: "i32" },
    });
    const { open, dup, dup2, close } = libc.symbols;
    const writeOnly = 1;
    const file = open(new TextEncoder().encode(path + "\0"), writeOnly);
    const saved = dup(2);
    if (file < 0 || saved < 0) return () => {};
    dup2(file, 2);
    close(file);
    return () => {
      dup2(saved, 2);
      close(saved);
      libc.close();
    };
  } catch {
    return () => {};
  }
}
