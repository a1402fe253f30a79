// What an application does with blobs, by Azure's SDK for JavaScript at its defaults.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { env } from "node:process";
import { Readable } from "node:stream";

import { DefaultAzureCredential } from "@azure/identity";
import { BlobServiceClient } from "@azure/storage-blob";

import { operate, useEach } from "./operation.js";

// useStorage uses the account at BLOB_URL, and tells whether all operations succeeded.
export async function useStorage() {
  return await useEach([useBlobs], env.BLOB_URL, new DefaultAzureCredential());
}

async function useBlobs(url, credential) {
  const container = new BlobServiceClient(url, credential).getContainerClient("invoices");
  const does = (operation, operated) => operate("@azure/storage-blob", operation, operated);

  // One that is sent at once, and one that is sent in blocks.
  const small = { blob: container.getBlockBlobClient("one"), content: Buffer.from("hello") };
  const big = { blob: container.getBlockBlobClient("archive"), content: randomBytes(9 << 20) };

  await does("container create", () => container.create());
  await does("blob upload", () => small.blob.uploadData(small.content));
  await does("blob upload in blocks", () => big.blob.uploadStream(Readable.from(big.content, { objectMode: false })));
  await does("blob blocks", async () => {
    const { committedBlocks } = await big.blob.getBlockList("committed");
    assert.ok(committedBlocks.length > 1, `the blob has ${committedBlocks.length} blocks`);
  });
  await does("blob download", async () => {
    for (const { blob, content } of [small, big]) {
      assert.ok(content.equals(await blob.downloadToBuffer()), `${blob.name} has another content`);
    }
  });
  await does("blob list", async () => {
    const names = [];
    // A page for each blob, so that the list goes on.
    for await (const { segment } of container.listBlobsFlat().byPage({ maxPageSize: 1 })) {
      names.push(...segment.blobItems.map(({ name }) => name));
    }
    assert.deepEqual(names, [big.blob.name, small.blob.name]);
  });
  await does("blob properties", async () => {
    assert.equal((await big.blob.getProperties()).contentLength, big.content.length);
  });
  await does("blob delete", async () => {
    await small.blob.delete();
    await assert.rejects(small.blob.download(), { statusCode: 404, code: "BlobNotFound" });
  });
  await does("container delete", () => container.delete());
}
