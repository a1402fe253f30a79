import java.io.IOException;

/**
 * Asks for tokens with each credential that Azure's SDKs for Java have, as an application would, and prints a JSON line
 * for every attempt. It fails if one of them got no token.
 */
public final class Client {
    /**
     * Asks with the first credential at once, to see how soon a new container has a token, and has a process of its own
     * ask with each other one: MSAL keeps tokens for the whole process, so that a second credential would ask nobody.
     */
    public static void main(String[] index) throws Exception {
        Credential[] credentials = Credential.values();
        if (index.length > 0) {
            exit(Attempt.all(credentials[Integer.parseInt(index[0])]));
        }
        boolean everyOne = Attempt.all(credentials[0]);
        for (int i = 1; i < credentials.length; i++) {
            everyOne = again(credentials[i]) && everyOne;
        }
        exit(everyOne);
    }

    /** The SDKs leave threads behind that would hold the program up. */
    private static void exit(boolean everyOne) {
        System.exit(everyOne ? 0 : 1);
    }

    /** Runs this program for one credential. */
    private static boolean again(Credential credential) throws IOException, InterruptedException {
        String java = ProcessHandle.current().info().command().orElseThrow();
        String classPath = System.getProperty("java.class.path");
        return new ProcessBuilder(java, "-cp", classPath, Client.class.getName(), String.valueOf(credential.ordinal()))
                .inheritIO()
                .start()
                .waitFor() == 0;
    }
}
