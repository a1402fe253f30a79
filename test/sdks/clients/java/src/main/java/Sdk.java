import java.io.IOException;
import java.io.InputStream;
import java.util.Properties;

/** A library of Azure's, which has its version in a file of properties. */
enum Sdk {
    AZURE_IDENTITY("java azure-identity", "/azure-identity.properties"),
    MSAL4J("msal4j", "/META-INF/maven/com.microsoft.azure/msal4j/pom.properties"),
    SECRETS("java azure-security-keyvault-secrets", "/azure-security-keyvault-secrets.properties"),
    KEYS("java azure-security-keyvault-keys", "/azure-security-keyvault-keys.properties"),
    CERTIFICATES("java azure-security-keyvault-certificates", "/azure-security-keyvault-certificates.properties"),
    BLOB("java azure-storage-blob", "/azure-storage-blob.properties");

    final String client;
    private final String properties;

    Sdk(String client, String properties) {
        this.client = client;
        this.properties = properties;
    }

    String version() throws IOException {
        Properties found = new Properties();
        try (InputStream file = Sdk.class.getResourceAsStream(properties)) {
            found.load(file);
        }
        return found.getProperty("version");
    }
}
