import com.azure.json.JsonProviders;
import com.azure.json.JsonWriter;
import java.io.IOException;
import java.io.StringWriter;
import java.util.concurrent.Callable;

/** An operation of a library. */
final class Operation {
    private Operation() {
    }

    interface Does {
        void run() throws Exception;
    }

    /** Uses libraries one after the other, and tells whether all operations succeeded. */
    static boolean useEach(Does... uses) {
        boolean everyOne = true;
        for (Does use : uses) {
            try {
                use.run();
            } catch (Exception | AssertionError e) {
                e.printStackTrace();
                everyOne = false;
            }
        }
        return everyOne;
    }

    static void run(Sdk sdk, String operation, Does does) throws Exception {
        get(sdk, operation, () -> {
            does.run();
            return null;
        });
    }

    /** Does an operation, prints what came of it, and returns its result. */
    static <T> T get(Sdk sdk, String operation, Callable<T> does) throws Exception {
        long start = System.nanoTime();
        Throwable failure = null;
        try {
            return does.call();
        } catch (Exception | AssertionError e) {
            failure = e;
            throw e;
        } finally {
            print(sdk, operation, (System.nanoTime() - start) / 1e6, failure);
        }
    }

    static void check(boolean holds, String what) {
        if (!holds) {
            throw new AssertionError(what);
        }
    }

    private static void print(Sdk sdk, String operation, double milliseconds, Throwable failure) throws IOException {
        StringWriter line = new StringWriter();
        try (JsonWriter json = JsonProviders.createWriter(line)) {
            json.writeStartObject()
                    .writeStringField("client", sdk.client)
                    .writeStringField("version", sdk.version())
                    .writeStringField("operation", operation)
                    .writeDoubleField("milliseconds", milliseconds)
                    .writeStringField("error", failure == null ? null : Attempt.withCauses(failure))
                    .writeEndObject();
        }
        System.out.println(line);
    }
}
