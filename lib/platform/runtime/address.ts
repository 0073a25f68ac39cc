/** Addresses of the web that a user gives. */
import { quote } from "./quote.ts";

/**
 * An address without user and password, which would stand in files and messages; no slash at its end.
 * @throws that `action` can't be done, with what was `expected` and what to do next
 */
export function webAddress(
  text: string,
  { action, expected, advice }: Record<"action" | "expected" | "advice", string>,
): string {
  const { protocol = "", origin, pathname, username, password } = URL.parse(text) ?? {};
  const hasLogin = Boolean(username || password);
  if (/^https?:$/.test(protocol) && !hasLogin) return (origin + pathname!).replace(/\/+$/, "");
  const shown = text.replace(/[^/]*@/, "...@").slice(0, 80);
  const found = hasLogin ? "one with a name or a password in it" : quote(shown);
  throw new Error(`Cannot ${action}: expected ${expected}; found ${found}; ${advice}`);
}
