package client;

import com.azure.json.JsonProviders;
import com.azure.json.JsonWriter;
import java.io.IOException;
import java.io.InputStream;
import java.io.StringWriter;
import java.util.Objects;
import java.util.Properties;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.context.ConfigurableApplicationContext;

/**
 * An application of Spring Boot's whose properties are in a Key Vault, which application.yml alone says. It prints a JSON
 * line about the property that is a secret there, and fails if it has another value.
 */
@SpringBootApplication
public class Client {
    private static final String STARTER = "spring-cloud-azure-starter-keyvault-secrets";

    public static void main(String[] arguments) throws IOException {
        String error = null;
        long start = System.nanoTime();
        try (ConfigurableApplicationContext application = SpringApplication.run(Client.class, arguments)) {
            String greeting = application.getEnvironment().getProperty("greeting");
            if (!"hello".equals(greeting)) {
                error = "the property is " + greeting;
            }
        } catch (RuntimeException e) {
            error = withCauses(e);
        }
        print((System.nanoTime() - start) / 1e6, error);
        System.exit(error == null ? 0 : 1);
    }

    private static void print(double milliseconds, String error) throws IOException {
        StringWriter line = new StringWriter();
        try (JsonWriter json = JsonProviders.createWriter(line)) {
            json.writeStartObject()
                    .writeStringField("client", "java " + STARTER)
                    .writeStringField("version", version())
                    .writeStringField("operation", "property")
                    .writeDoubleField("milliseconds", milliseconds)
                    .writeStringField("error", error)
                    .writeEndObject();
        }
        System.out.println(line);
    }

    private static String version() throws IOException {
        Properties found = new Properties();
        try (InputStream file = Client.class.getResourceAsStream("/META-INF/maven/com.azure.spring/" + STARTER + "/pom.properties")) {
            found.load(file);
        }
        return found.getProperty("version");
    }

    /** Spring tells only in the causes what happened. */
    private static String withCauses(Throwable e) {
        return Stream.iterate(e, Objects::nonNull, Throwable::getCause)
                .map(Throwable::toString)
                .collect(Collectors.joining(": "));
    }
}
