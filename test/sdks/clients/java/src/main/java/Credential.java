import com.azure.core.credential.TokenCredential;
import com.azure.core.credential.TokenRequestContext;
import com.azure.identity.DefaultAzureCredentialBuilder;
import com.azure.identity.ManagedIdentityCredentialBuilder;
import com.azure.identity.WorkloadIdentityCredentialBuilder;
import com.microsoft.aad.msal4j.ManagedIdentityApplication;
import com.microsoft.aad.msal4j.ManagedIdentityId;
import com.microsoft.aad.msal4j.ManagedIdentityParameters;
import java.util.List;
import java.util.Map;

/** A kind of credential of an SDK. */
enum Credential {
    MANAGED_IDENTITY_CREDENTIAL(Sdk.AZURE_IDENTITY, "ManagedIdentityCredential", Selector.values()) {
        @Override
        Asking of(Selector selector) {
            ManagedIdentityCredentialBuilder builder = new ManagedIdentityCredentialBuilder();
            switch (selector) {
                case CLIENT_ID -> builder.clientId(selector.identity());
                case OBJECT_ID -> builder.objectId(selector.identity());
                case RESOURCE_ID -> builder.resourceId(selector.identity());
                case DEFAULT -> { }
            }
            return asking(builder.build());
        }
    },

    DEFAULT_AZURE_CREDENTIAL(Sdk.AZURE_IDENTITY, "DefaultAzureCredential", Selector.DEFAULT) {
        @Override
        Asking of(Selector selector) {
            return asking(new DefaultAzureCredentialBuilder().build());
        }
    },

    MANAGED_IDENTITY_APPLICATION(Sdk.MSAL4J, "ManagedIdentityApplication", Selector.values()) {
        @Override
        Asking of(Selector selector) {
            ManagedIdentityApplication application = ManagedIdentityApplication.builder(switch (selector) {
                case DEFAULT -> ManagedIdentityId.systemAssigned();
                case CLIENT_ID -> ManagedIdentityId.userAssignedClientId(selector.identity());
                case OBJECT_ID -> ManagedIdentityId.userAssignedObjectId(selector.identity());
                case RESOURCE_ID -> ManagedIdentityId.userAssignedResourceId(selector.identity());
            }).build();
            return resource -> application
                    .acquireTokenForManagedIdentity(ManagedIdentityParameters.builder(resource).build())
                    .get()
                    .accessToken();
        }
    },

    WORKLOAD_IDENTITY_CREDENTIAL(Sdk.AZURE_IDENTITY, "WorkloadIdentityCredential", Selector.DEFAULT) {
        @Override
        Asking of(Selector selector) {
            return asking(new WorkloadIdentityCredentialBuilder().build());
        }
    };

    /** Those that ask IMDS. */
    static final List<Credential> OF_IMDS =
            List.of(MANAGED_IDENTITY_CREDENTIAL, DEFAULT_AZURE_CREDENTIAL, MANAGED_IDENTITY_APPLICATION);

    /** Those that ask Entra ID if the environment says so, by the argument that chooses them. */
    static final Map<String, Credential> MODES =
            Map.of("workload-identity", WORKLOAD_IDENTITY_CREDENTIAL, "default", DEFAULT_AZURE_CREDENTIAL);

    final Sdk sdk;
    final String type;
    final Selector[] selectors;

    Credential(Sdk sdk, String type, Selector... selectors) {
        this.sdk = sdk;
        this.type = type;
        this.selectors = selectors;
    }

    /** Makes a credential of this kind. */
    abstract Asking of(Selector selector);

    /** Asks a credential for a token for a resource. */
    interface Asking {
        String token(String resource) throws Exception;
    }

    private static Asking asking(TokenCredential credential) {
        return resource -> credential
                .getTokenSync(new TokenRequestContext().addScopes(resource + "/.default"))
                .getToken();
    }
}
