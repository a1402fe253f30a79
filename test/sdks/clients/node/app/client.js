// Asks for tokens with each credential that Azure's SDKs for JavaScript have, as an application would, and prints a
// JSON line for every attempt. It fails if one of them got no token.
//
//   client.js [workload-identity | default | vault | storage]
//
// Without an argument the credentials ask IMDS. With the name of a credential, it alone is used, for a pod that the
// variables of azure-workload-identity send to Entra ID. With "vault", the SDKs for Key Vault use the vault at
// KEY_VAULT_URL, and with "storage" the one for blobs uses the account at BLOB_URL.

import { spawnSync } from "node:child_process";
import { argv, execPath, exit } from "node:process";

import { tryAll } from "./attempt.js";
import { credentials, modes } from "./credentials.js";

// The first credential asks at once, to see how soon a new container has a token, and each other one in a process of
// its own, so that none finds what another one cached.
if (argv[2] === "vault") {
  const { useVault } = await import("./vault.js");
  exit((await useVault()) ? 0 : 1);
}
if (argv[2] === "storage") {
  const { useStorage } = await import("./storage.js");
  exit((await useStorage()) ? 0 : 1);
}
if (argv.length > 2) {
  exit((await tryAll(modes[argv[2]] ?? credentials[Number(argv[2])])) ? 0 : 1);
}
let everyOne = await tryAll(credentials[0]);
for (let index = 1; index < credentials.length; index++) {
  const { status } = spawnSync(execPath, [argv[1], String(index)], { stdio: "inherit" });
  everyOne = status === 0 && everyOne;
}
exit(everyOne ? 0 : 1);
