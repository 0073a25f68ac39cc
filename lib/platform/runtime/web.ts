/** Addresses of the web that a user gives, and what comes from there in an answer's place. */
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

/** What a text is that should have been JSON: a page of a login or a proxy, by its title, or other signs. */
export function pageText(text: string): string {
  const title = /<title[^>]*>([^<]*)/i.exec(text)?.[1].trim().slice(0, 60);
  if (/^\s*</.test(text)) return `a web page${title ? ` ${quote(title)}` : ""}`;
  return `no JSON but ${quote(text.slice(0, 60))}`;
}

/** Why a request broke, in the words of what went wrong first. */
export function reasonOf(error: unknown): string {
  let reason = error;
  while (reason instanceof Error && reason.cause !== undefined) reason = reason.cause;
  const message = reason instanceof Error ? reason.message : String(reason);
  return message.replace(/^error sending request for url \([^)]*\): /, "");
}

/** What may be shown of what a server said: on one line, without a secret and without logins in addresses. */
export function shownText(text: string, secret?: string, most = 300): string {
  const safe = secret ? text.replaceAll(secret, "...") : text;
  return safe.replace(/\/\/[^/\s@]*@/g, "//").replaceAll(/\s+/g, " ").slice(0, most);
}
