import com.azure.json.JsonProviders;
import com.azure.json.JsonWriter;
import java.io.IOException;
import java.io.StringWriter;
import java.util.Objects;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** An attempt to get a token. */
final class Attempt {
    /**
     * Asks for the default identity's tokens for every resource, and for the other identity's, in each way that the
     * credential can name it, for the first resource. It tells whether all of them came.
     */
    static boolean all(Credential credential) throws IOException {
        String[] resources = System.getenv("RESOURCES").split(",");
        boolean everyOne = true;
        for (Selector selector : credential.selectors) {
            Credential.Asking asking = make(credential, selector);
            int asked = selector == Selector.DEFAULT ? resources.length : 1;
            for (int i = 0; i < asked; i++) {
                everyOne = one(credential, selector, asking, resources[i]) && everyOne;
            }
        }
        return everyOne;
    }

    /** A credential that cannot be made fails when it is asked. */
    private static Credential.Asking make(Credential credential, Selector selector) {
        try {
            return credential.of(selector);
        } catch (RuntimeException e) {
            return resource -> {
                throw e;
            };
        }
    }

    private static boolean one(Credential credential, Selector selector, Credential.Asking asking, String resource)
            throws IOException {
        String token = null;
        String error = null;
        long start = System.nanoTime();
        try {
            token = asking.token(resource);
        } catch (Exception e) {
            error = withCauses(e);
        }
        double milliseconds = (System.nanoTime() - start) / 1e6;
        long at = System.currentTimeMillis();

        StringWriter line = new StringWriter();
        try (JsonWriter json = JsonProviders.createWriter(line)) {
            json.writeStartObject()
                    .writeStringField("client", credential.sdk.client)
                    .writeStringField("version", credential.sdk.version())
                    .writeStringField("credential", credential.type)
                    .writeStringField("selector", selector.toString())
                    .writeStringField("resource", resource)
                    .writeDoubleField("milliseconds", milliseconds)
                    .writeLongField("at", at)
                    .writeStringField("token", token)
                    .writeStringField("error", error)
                    .writeEndObject();
        }
        System.out.println(line);
        return error == null;
    }

    /** The SDKs tell only in the causes what happened. */
    static String withCauses(Throwable e) {
        return Stream.iterate(e, Objects::nonNull, Throwable::getCause)
                .map(Throwable::toString)
                .collect(Collectors.joining(": "));
    }
}
