// What an application does with a vault: secrets, keys and certificates, by Azure's SDKs for JavaScript at their
// defaults.

import assert from "node:assert/strict";
import { createHash, randomBytes, X509Certificate } from "node:crypto";
import { env } from "node:process";
import { createSecureContext } from "node:tls";

import { DefaultAzureCredential } from "@azure/identity";
import { CertificateClient, DefaultCertificatePolicy } from "@azure/keyvault-certificates";
import { CryptographyClient, KeyClient } from "@azure/keyvault-keys";
import { SecretClient } from "@azure/keyvault-secrets";

import { operate, useEach } from "./operation.js";

// useVault uses the vault at KEY_VAULT_URL, and tells whether all operations succeeded.
export async function useVault() {
  return await useEach([useSecrets, useKeys, useCertificates], env.KEY_VAULT_URL, new DefaultAzureCredential());
}

async function useSecrets(url, credential) {
  const client = new SecretClient(url, credential);
  const name = "greeting";
  const does = (operation, operated) => operate("@azure/keyvault-secrets", `secret ${operation}`, operated);
  const get = async () => assert.equal((await client.getSecret(name)).value, "hello");

  await does("set", () => client.setSecret(name, "hello"));
  await does("get", get);
  await does("list", async () => {
    const names = [];
    for await (const properties of client.listPropertiesOfSecrets()) {
      names.push(properties.name);
    }
    assert.deepEqual(names, [name]);
  });
  await does("delete", async () => {
    await (await client.beginDeleteSecret(name)).pollUntilDone();
    assert.equal((await client.getDeletedSecret(name)).name, name);
  });
  await does("recover", async () => {
    await (await client.beginRecoverDeletedSecret(name)).pollUntilDone();
    await get();
  });
  await does("purge", async () => {
    await (await client.beginDeleteSecret(name)).pollUntilDone();
    await client.purgeDeletedSecret(name);
    await assert.rejects(client.getDeletedSecret(name), { statusCode: 404 });
  });
}

// useKeys verifies and wraps with the public key, as CryptographyClient does by itself; the private one stays in the vault.
async function useKeys(url, credential) {
  const client = new KeyClient(url, credential);
  const does = (operation, operated) => operate("@azure/keyvault-keys", `key ${operation}`, operated);

  const digest = createHash("sha256").update("an order").digest();
  const signs = await does("create EC", () => client.createEcKey("signs", { curve: "P-256" }));
  const signer = new CryptographyClient(signs, credential);
  const { result: signature } = await does("sign", () => signer.sign("ES256", digest));
  await does("verify", async () => assert.ok((await signer.verify("ES256", digest, signature)).result));

  const key = randomBytes(32);
  const wraps = await does("create RSA", () => client.createRsaKey("wraps"));
  const wrapper = new CryptographyClient(wraps, credential);
  const { result: wrapped } = await does("wrap", () => wrapper.wrapKey("RSA-OAEP-256", key));
  await does("unwrap", async () => {
    assert.deepEqual(Buffer.from((await wrapper.unwrapKey("RSA-OAEP-256", wrapped)).result), key);
  });
}

async function useCertificates(url, credential) {
  const client = new CertificateClient(url, credential);
  const name = "site";
  const does = (operation, operated) => operate("@azure/keyvault-certificates", `certificate ${operation}`, operated);

  await does("create", async () => {
    const made = await (await client.beginCreateCertificate(name, DefaultCertificatePolicy)).pollUntilDone();
    assert.equal(made.name, name);
  });
  const { cer } = await does("get", () => client.getCertificate(name));
  await does("secret", async () => {
    const { value } = await new SecretClient(url, credential).getSecret(name);
    const { context } = createSecureContext({ pfx: Buffer.from(value, "base64"), passphrase: "" });
    assert.deepEqual(context.getCertificate(), new X509Certificate(cer).raw);
  });
}
