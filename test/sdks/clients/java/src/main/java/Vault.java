import com.azure.core.credential.TokenCredential;
import com.azure.core.exception.ResourceNotFoundException;
import com.azure.identity.DefaultAzureCredentialBuilder;
import com.azure.security.keyvault.certificates.CertificateClient;
import com.azure.security.keyvault.certificates.CertificateClientBuilder;
import com.azure.security.keyvault.certificates.models.CertificatePolicy;
import com.azure.security.keyvault.keys.KeyClient;
import com.azure.security.keyvault.keys.KeyClientBuilder;
import com.azure.security.keyvault.keys.cryptography.CryptographyClient;
import com.azure.security.keyvault.keys.cryptography.CryptographyClientBuilder;
import com.azure.security.keyvault.keys.cryptography.models.KeyWrapAlgorithm;
import com.azure.security.keyvault.keys.cryptography.models.SignatureAlgorithm;
import com.azure.security.keyvault.keys.models.CreateEcKeyOptions;
import com.azure.security.keyvault.keys.models.CreateRsaKeyOptions;
import com.azure.security.keyvault.keys.models.KeyCurveName;
import com.azure.security.keyvault.keys.models.KeyVaultKey;
import com.azure.security.keyvault.secrets.SecretClient;
import com.azure.security.keyvault.secrets.SecretClientBuilder;
import java.io.ByteArrayInputStream;
import java.nio.charset.StandardCharsets;
import java.security.KeyStore;
import java.security.MessageDigest;
import java.security.SecureRandom;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;

/** What an application does with a vault: secrets, keys and certificates, by Azure's SDKs for Java at their defaults. */
final class Vault {
    private final String url;
    private final TokenCredential credential = new DefaultAzureCredentialBuilder().build();

    Vault(String url) {
        this.url = url;
    }

    /** Tells whether all operations succeeded. */
    boolean use() {
        return Operation.useEach(this::useSecrets, this::useKeys, this::useCertificates);
    }

    private void useSecrets() throws Exception {
        SecretClient client = secrets();
        String name = "greeting";
        Operation.Does get = () ->
                Operation.check(client.getSecret(name).getValue().equals("hello"), "the secret has another value");
        Operation.run(Sdk.SECRETS, "secret set", () -> client.setSecret(name, "hello"));
        Operation.run(Sdk.SECRETS, "secret get", get);
        Operation.run(Sdk.SECRETS, "secret list", () -> {
            List<String> names = client.listPropertiesOfSecrets().stream().map(one -> one.getName()).toList();
            Operation.check(names.equals(List.of(name)), "the list has " + names);
        });
        Operation.run(Sdk.SECRETS, "secret delete", () -> {
            client.beginDeleteSecret(name).waitForCompletion();
            Operation.check(client.getDeletedSecret(name).getName().equals(name), "another secret is deleted");
        });
        Operation.run(Sdk.SECRETS, "secret recover", () -> {
            client.beginRecoverDeletedSecret(name).waitForCompletion();
            get.run();
        });
        Operation.run(Sdk.SECRETS, "secret purge", () -> {
            client.beginDeleteSecret(name).waitForCompletion();
            client.purgeDeletedSecret(name);
            try {
                client.getDeletedSecret(name);
            } catch (ResourceNotFoundException e) {
                return;
            }
            throw new AssertionError("the purged secret is there");
        });
    }

    /** Verifies and wraps with the public key, as CryptographyClient does by itself; the private one stays in the vault. */
    private void useKeys() throws Exception {
        KeyClient client = new KeyClientBuilder().vaultUrl(url).credential(credential).buildClient();
        byte[] digest = MessageDigest.getInstance("SHA-256").digest("an order".getBytes(StandardCharsets.UTF_8));
        KeyVaultKey signs = Operation.get(Sdk.KEYS, "key create EC",
                () -> client.createEcKey(new CreateEcKeyOptions("signs").setCurveName(KeyCurveName.P_256)));
        CryptographyClient signer = cryptography(signs);
        byte[] signature = Operation.get(Sdk.KEYS, "key sign",
                () -> signer.sign(SignatureAlgorithm.ES256, digest).getSignature());
        Operation.run(Sdk.KEYS, "key verify", () -> Operation.check(
                signer.verify(SignatureAlgorithm.ES256, digest, signature).isValid(), "the signature is not valid"));

        byte[] key = new byte[32];
        new SecureRandom().nextBytes(key);
        KeyVaultKey wraps =
                Operation.get(Sdk.KEYS, "key create RSA", () -> client.createRsaKey(new CreateRsaKeyOptions("wraps")));
        CryptographyClient wrapper = cryptography(wraps);
        byte[] wrapped = Operation.get(Sdk.KEYS, "key wrap",
                () -> wrapper.wrapKey(KeyWrapAlgorithm.RSA_OAEP_256, key).getEncryptedKey());
        Operation.run(Sdk.KEYS, "key unwrap", () -> Operation.check(
                Arrays.equals(wrapper.unwrapKey(KeyWrapAlgorithm.RSA_OAEP_256, wrapped).getKey(), key),
                "another key came out"));
    }

    private void useCertificates() throws Exception {
        CertificateClient client = new CertificateClientBuilder().vaultUrl(url).credential(credential).buildClient();
        String name = "site";
        Operation.run(Sdk.CERTIFICATES, "certificate create", () -> {
            String made = client.beginCreateCertificate(name, CertificatePolicy.getDefault()).getFinalResult().getName();
            Operation.check(made.equals(name), "got " + made);
        });
        byte[] certificate =
                Operation.get(Sdk.CERTIFICATES, "certificate get", () -> client.getCertificate(name).getCer());
        Operation.run(Sdk.CERTIFICATES, "certificate secret", () -> {
            char[] none = {};
            KeyStore store = KeyStore.getInstance("PKCS12");
            byte[] value = Base64.getDecoder().decode(secrets().getSecret(name).getValue());
            store.load(new ByteArrayInputStream(value), none);
            String alias = store.aliases().nextElement();
            Operation.check(store.getKey(alias, none) != null, "the secret has no key");
            Operation.check(Arrays.equals(store.getCertificate(alias).getEncoded(), certificate),
                    "the secret has another certificate");
        });
    }

    private SecretClient secrets() {
        return new SecretClientBuilder().vaultUrl(url).credential(credential).buildClient();
    }

    private CryptographyClient cryptography(KeyVaultKey key) {
        return new CryptographyClientBuilder().keyIdentifier(key.getId()).credential(credential).buildClient();
    }
}
