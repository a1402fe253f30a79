// What is asked of a credential, and what is printed of it.

import { readFileSync } from "node:fs";
import { env } from "node:process";

// Where the environment has what a selector selects.
const variable = { client_id: "CLIENT_ID", object_id: "OBJECT_ID", resource_id: "RESOURCE_ID" };

// tryAll asks for the default identity's tokens for every resource, and for the other identity's, in each way that the
// credential can name it, for the first resource. It tells whether all of them came.
export async function tryAll(credential) {
  const resources = env.RESOURCES.split(",");
  let everyOne = true;
  for (const selector of credential.selectors) {
    const ask = await credential.create(selector, env[variable[selector]]);
    for (const resource of selector === "default" ? resources : resources.slice(0, 1)) {
      everyOne = (await attempt(credential, selector, resource, ask)) && everyOne;
    }
  }
  return everyOne;
}

async function attempt(credential, selector, resource, ask) {
  const line = {
    client: credential.client,
    version: versionOf(credential.package),
    credential: credential.name,
    selector,
    resource,
  };
  const start = performance.now();
  try {
    line.token = await ask(resource);
  } catch (error) {
    line.error = String(error);
  }
  line.milliseconds = performance.now() - start;
  line.at = Date.now();
  console.log(JSON.stringify(line));
  return line.error === undefined;
}

// versionOf returns the version of an installed package.
export function versionOf(name) {
  return JSON.parse(readFileSync(new URL(`node_modules/${name}/package.json`, import.meta.url))).version;
}
