// What is done with a library, and what is printed of it.

import { versionOf } from "./attempt.js";

// useEach uses libraries one after the other, and tells whether all operations succeeded.
export async function useEach(uses, url, credential) {
  let everyOne = true;
  for (const use of uses) {
    try {
      await use(url, credential);
    } catch (error) {
      console.error(`client: ${use.name}:`, error);
      everyOne = false;
    }
  }
  return everyOne;
}

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
