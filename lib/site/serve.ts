/** A folder over HTTP, for this machine alone. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import sirv from "sirv";

/**
 * Serves the files of a folder as they are.
 * @param port 0: any that is free
 * @throws where the port is taken
 */
export async function serveFolder(folder: string, port = 0) {
  // As GitHub Pages does it: a sandboxed frame, which has no origin, may read the files too.
  const files = sirv(folder, {
    dev: true,
    setHeaders: (response) => response.setHeader("access-control-allow-origin", "*"),
  });
  const server = createServer((request, response) => files(request, response));
  await new Promise<void>((resolve, reject) => {
    const fail = ({ message }: Error) =>
      reject(
        new Error(
          `Cannot serve ${folder}: expected port ${port} to be free; found ${message}; give another ` +
            "(0: any that is free)",
        ),
      );
    server.once("error", fail).listen(port, "127.0.0.1", resolve);
  });
  return {
    address: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    close: () => new Promise<void>((resolve) => server.close(() => resolve())),
  };
}
