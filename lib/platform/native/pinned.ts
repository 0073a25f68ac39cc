/** The Deno that this project is tested with; other versions may show notebooks wrongly. */
export const PINNED_DENO = "2.9.6";

/** How a user without Deno runs it, at that version. */
export const DENO_COMMAND = `npx -y deno@${PINNED_DENO}`;

/** The task that installs native TensorFlow and says all it can about what stands in the way. */
export const INSTALL_COMMAND = `${DENO_COMMAND} run -A lib/tasks/install.ts`;
