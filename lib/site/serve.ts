/** A folder over HTTP, for this machine alone. */
import { extname, join, relative, resolve } from "node:path";

const TYPES: Record<string, string> = {
  ".css": "text/css; charset=utf-8",
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".json": "application/json",
  ".png": "image/png",
  ".svg": "image/svg+xml",
  ".wasm": "application/wasm",
};

/** Serves the files of a folder. @param port 0: any that is free */
export function serveFolder(
  folder: string,
  { port, onListen }: { port: number; onListen?: (address: string) => void },
): Deno.HttpServer<Deno.NetAddr> {
  return Deno.serve({
    ...{ port, hostname: "127.0.0.1" },
    onListen: ({ port }) => onListen?.(`http://127.0.0.1:${port}/`),
  }, async (request) => {
    const { pathname } = new URL(request.url);
    const path = pathname.endsWith("/") ? `${pathname}index.html` : pathname;
    try {
      const place = resolve(join(folder, decodeURIComponent(path)));
      if (relative(folder, place).startsWith("..")) throw new Error("outside of the folder");
      const file = await Deno.open(place);
      const type = TYPES[extname(path)] ?? "application/octet-stream";
      // As GitHub Pages does it: a sandboxed frame, which has no origin, may read the files too.
      return new Response(file.readable, {
        headers: { "content-type": type, "access-control-allow-origin": "*" },
      });
    } catch {
      return new Response(`No such page: ${path}`, { status: 404 });
    }
  });
}
