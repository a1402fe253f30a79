// Answers every request with the operation that Azurite takes it for, and its container, queue or table. Prints the ports of blob, queue and table.
"use strict";
const { createRequire } = require("module");
const load = createRequire(process.argv[2] + "/start.js");
const express = load("express");
const Logger = load("azurite/dist/src/common/Logger").default;

const services = {
  blob: { folder: "middlewares", context: "BlobStorageContext", path: "DEFAULT_CONTEXT_PATH", name: (c) => c.container },
  queue: { folder: "middlewares", context: "QueueStorageContext", path: "DEFAULT_QUEUE_CONTEXT_PATH", name: (c) => c.queue },
  table: { folder: "middleware", context: "TableStorageContext", path: "DEFAULT_TABLE_CONTEXT_PATH", name: (c) => c.tableName },
};

Promise.all(Object.entries(services).map(([service, { folder, context, path, name }]) => {
  const from = (file) => load(`azurite/dist/src/${service}/${file}`);
  const operations = from("generated/artifacts/operation");
  const names = operations.default || operations.Operation;
  const contextPath = from("utils/constants")[path];
  const Factory = from("generated/ExpressMiddlewareFactory").default;
  const Context = from(`context/${context}`).default;
  const app = express();
  app.use(from(`${folder}/${service}StorageContext.middleware`).default(true, false, false));
  app.use(new Factory(Logger, contextPath).createDispatchMiddleware());
  app.use((_, response) => {
    const found = new Context(response.locals, contextPath);
    response.set("x-operation", names[found.operation]).set("x-account", found.account).set("x-name", name(found) || "").end();
  });
  app.use((error, _request, response, _next) => response.status(400).end());
  return new Promise((listening) => {
    const server = app.listen(0, "127.0.0.1", () => listening(server.address().port));
  });
})).then((ports) => console.log(ports.join(" ")));
