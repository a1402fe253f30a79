// The credentials of Azure's SDKs for JavaScript. Each is imported only when it is used, so that the first one does not
// wait for the others.

const everySelector = ["default", "client_id", "object_id", "resource_id"];

const defaultAzureCredential = {
  client: "js @azure/identity",
  package: "@azure/identity",
  name: "DefaultAzureCredential",
  selectors: ["default"],
  create: createDefaultAzureCredential,
};

// Those that ask IMDS.
export const credentials = [
  {
    client: "js @azure/identity",
    package: "@azure/identity",
    name: "ManagedIdentityCredential",
    selectors: everySelector,
    create: createManagedIdentityCredential,
  },
  defaultAzureCredential,
  {
    client: "msal-node",
    package: "@azure/msal-node",
    name: "ManagedIdentityApplication",
    selectors: everySelector,
    create: createManagedIdentityApplication,
  },
];

// Those that ask Entra ID if the environment says so, by the argument that chooses them.
export const modes = {
  "workload-identity": {
    client: "js @azure/identity",
    package: "@azure/identity",
    name: "WorkloadIdentityCredential",
    selectors: ["default"],
    create: createWorkloadIdentityCredential,
  },
  default: defaultAzureCredential,
};

async function createManagedIdentityCredential(selector, id) {
  const { ManagedIdentityCredential } = await import("@azure/identity");
  const options = {
    client_id: { clientId: id },
    object_id: { objectId: id },
    resource_id: { resourceId: id },
  };
  return askOf(selector === "default" ? new ManagedIdentityCredential() : new ManagedIdentityCredential(options[selector]));
}

async function createDefaultAzureCredential() {
  const { DefaultAzureCredential } = await import("@azure/identity");
  return askOf(new DefaultAzureCredential());
}

async function createWorkloadIdentityCredential() {
  const { WorkloadIdentityCredential } = await import("@azure/identity");
  return askOf(new WorkloadIdentityCredential());
}

function askOf(credential) {
  return async (resource) => (await credential.getToken(`${resource}/.default`)).token;
}

async function createManagedIdentityApplication(selector, id) {
  const { ManagedIdentityApplication } = await import("@azure/msal-node");
  const managedIdentityIdParams = {
    client_id: { userAssignedClientId: id },
    object_id: { userAssignedObjectId: id },
    resource_id: { userAssignedResourceId: id },
  };
  const application =
    selector === "default"
      ? new ManagedIdentityApplication()
      : new ManagedIdentityApplication({ managedIdentityIdParams: managedIdentityIdParams[selector] });
  return async (resource) => (await application.acquireToken({ resource })).accessToken;
}
