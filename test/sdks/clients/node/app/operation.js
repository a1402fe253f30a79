// What an operation of a vault is, and what is printed of it.

import { versionOf } from "./attempt.js";

// operate does an operation, prints what came of it, and gives its result.
export async function operate(name, operation, does) {
  const line = { client: `js ${name}`, version: versionOf(name), operation };
  const start = performance.now();
  try {
    return await does();
  } catch (error) {
    line.error = String(error);
    throw error;
  } finally {
    line.milliseconds = performance.now() - start;
    console.log(JSON.stringify(line));
  }
}
