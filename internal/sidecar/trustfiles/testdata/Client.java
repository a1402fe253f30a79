import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;

/** Sends a request with default settings. */
class Client {
    public static void main(String[] arguments) throws Exception {
        HttpClient.newHttpClient().send(HttpRequest.newBuilder(URI.create(arguments[0])).build(), HttpResponse.BodyHandlers.discarding());
    }
}
