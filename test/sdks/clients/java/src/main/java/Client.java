import java.io.IOException;
import java.util.List;

/**
 * Asks for tokens with each credential that Azure's SDKs for Java have, as an application would, and prints a JSON line
 * for every attempt. It fails if one of them got no token.
 *
 * <p>Without an argument the credentials ask IMDS. With "workload-identity" or "default" a single credential is used, for
 * a pod that the variables of azure-workload-identity send to Entra ID. With "vault", the SDKs for Key Vault use the vault
 * at KEY_VAULT_URL, and with "storage" the one for blobs uses the account at BLOB_URL.
 */
public final class Client {
    /**
     * Asks with the first credential at once, to see how soon a new container has a token, and has a process of its own
     * ask with each other one: MSAL keeps tokens for the whole process, so that a second credential would ask nobody.
     */
    public static void main(String[] argument) throws Exception {
        List<Credential> credentials = Credential.OF_IMDS;
        if (argument.length > 0 && argument[0].equals("vault")) {
            exit(new Vault(System.getenv("KEY_VAULT_URL")).use());
        }
        if (argument.length > 0 && argument[0].equals("storage")) {
            exit(new Storage(System.getenv("BLOB_URL")).use());
        }
        if (argument.length > 0) {
            Credential chosen = Credential.MODES.get(argument[0]);
            exit(Attempt.all(chosen != null ? chosen : credentials.get(Integer.parseInt(argument[0]))));
        }
        boolean everyOne = Attempt.all(credentials.get(0));
        for (int i = 1; i < credentials.size(); i++) {
            everyOne = again(i) && everyOne;
        }
        exit(everyOne);
    }

    /** The SDKs leave threads behind that would hold the program up. */
    private static void exit(boolean everyOne) {
        System.exit(everyOne ? 0 : 1);
    }

    /** Runs this program for the credential at an index. */
    private static boolean again(int index) throws IOException, InterruptedException {
        String java = ProcessHandle.current().info().command().orElseThrow();
        String classPath = System.getProperty("java.class.path");
        return new ProcessBuilder(java, "-cp", classPath, Client.class.getName(), String.valueOf(index))
                .inheritIO()
                .start()
                .waitFor() == 0;
    }
}
