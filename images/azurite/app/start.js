// Starts Azurite behind the gate: on loopback, with the certificate and the accounts that the gate writes into the folder $GATE_FOLDER.
// Arguments are Azurite's, such as --location and ports.
"use strict";
const { existsSync, readFileSync, statSync } = require("fs");
const { join } = require("path");
const AccountDataStore = require("azurite/dist/src/common/AccountDataStore").default;

const folder = process.env.GATE_FOLDER;
const certificate = join(folder, "tls.crt");
const accountsFile = join(folder, "accounts.json");

// Azurite reads its accounts from the environment, once a minute. An account of this cluster is there at once.
let read = { stamp: "", accounts: {} };
AccountDataStore.prototype.getAccount = function (name) {
  const { ino, mtimeMs } = statSync(accountsFile);
  const stamp = `${ino} ${mtimeMs}`;
  if (stamp !== read.stamp) {
    read = { stamp, accounts: JSON.parse(readFileSync(accountsFile, "utf8")) };
  }
  if (!Object.hasOwn(read.accounts, name)) {
    return undefined;
  }
  return { name, key1: Buffer.from(read.accounts[name].key, "base64") };
};

process.argv.push(
  "--blobHost", "127.0.0.1", "--queueHost", "127.0.0.1", "--tableHost", "127.0.0.1",
  "--oauth", "basic", "--cert", certificate, "--key", join(folder, "tls.key"),
  // SDKs may be newer than Azurite. Its access log would have signatures in it.
  "--skipApiVersionCheck", "--disableTelemetry", "--silent",
);

// The gate writes the certificate last.
(function start() {
  if (existsSync(certificate)) {
    require("azurite/dist/src/azurite");
  } else {
    setTimeout(start, 200);
  }
})();
