import java.io.BufferedReader;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.net.ssl.TrustManager;
import javax.net.ssl.TrustManagerFactory;

/** A real {@code thingwire serve} on a data directory of its own. */
final class Server implements AutoCloseable {
    private static final int WAIT = 20;

    private final Process process;
    private final Path data;
    private final String endpoints;

    Server(Path folder) throws IOException {
        data = folder.resolve("data");
        process = new ProcessBuilder(System.getenv("THINGWIRE"), "serve", "--data-dir", data.toString(),
                "--listen-mqtts", "127.0.0.1:0", "--listen-https", "127.0.0.1:0", "--listen-api", "127.0.0.1:0",
                "--listen-console", "127.0.0.1:0", "--listen-shared", "off")
                .redirectError(ProcessBuilder.Redirect.INHERIT).start();
        BufferedReader lines = process.inputReader();
        String line;
        do {
            line = lines.readLine();
            if (line == null) {
                throw new IOException("the server ended before it was ready");
            }
        } while (!line.startsWith("ready"));
        endpoints = Files.readString(data.resolve("endpoints.json"));
    }

    /** What a client of AWS's takes for an endpoint. */
    String url() {
        return "https://localhost:" + find("\"api\": *\"[^\"]*:([0-9]+)\"", endpoints);
    }

    /** A value of the access key of the first start, which may do everything. */
    String credential(String name) throws IOException {
        return find("(?m)^" + name + " *= *(\\S+)", Files.readString(data.resolve("credentials")));
    }

    /** Trusts the server's own authority. */
    TrustManager[] trust() throws Exception {
        KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
        store.load(null, null);
        try (var pem = Files.newInputStream(data.resolve("ca.pem"))) {
            store.setCertificateEntry("thingwire", CertificateFactory.getInstance("X.509").generateCertificate(pem));
        }
        TrustManagerFactory factory = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        factory.init(store);
        return factory.getTrustManagers();
    }

    /** The PEM of the server's own authority, a certificate like another. */
    String pem() throws IOException {
        return Files.readString(data.resolve("ca.pem"));
    }

    private static String find(String pattern, String text) {
        Matcher m = Pattern.compile(pattern).matcher(text);
        if (!m.find()) {
            throw new IllegalStateException(pattern + " is not in " + text);
        }
        return m.group(1);
    }

    /** Runs a program and gives what it prints. */
    static String run(List<String> command) throws IOException, InterruptedException {
        Process p = new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT).start();
        String out = new String(p.getInputStream().readAllBytes());
        if (!p.waitFor(WAIT, TimeUnit.SECONDS) || p.exitValue() != 0) {
            p.destroyForcibly();
            throw new IOException(command + " failed");
        }
        return out;
    }

    /** Asks the server to stop and expects it to do so in order. */
    @Override
    public void close() throws IOException {
        process.destroy();
        try {
            if (!process.waitFor(WAIT, TimeUnit.SECONDS)) {
                process.destroyForcibly();
                throw new IOException("the server did not stop");
            }
        } catch (InterruptedException e) {
            process.destroyForcibly();
            throw new IOException(e);
        }
        if (process.exitValue() != 0) {
            throw new IOException("serve ended with " + process.exitValue());
        }
    }
}
