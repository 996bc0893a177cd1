import java.io.BufferedReader;
import java.io.InputStreamReader;
import software.amazon.awssdk.auth.credentials.DefaultCredentialsProvider;
import software.amazon.awssdk.services.sts.StsClient;

/** Says who the default credential chain of the AWS SDK for Java is: once, and again for each line of input. */
public final class Who {
    public static void main(String[] arguments) throws Exception {
        var credentials = DefaultCredentialsProvider.builder().build();
        var sts = StsClient.builder().credentialsProvider(credentials).build();
        say(sts, credentials);
        var lines = new BufferedReader(new InputStreamReader(System.in));
        while (lines.readLine() != null) {
            say(sts, credentials);
        }
    }

    private static void say(StsClient sts, DefaultCredentialsProvider credentials) {
        try {
            var arn = sts.getCallerIdentity().arn();
            var key = credentials.resolveCredentials().accessKeyId();
            System.out.printf("{\"arn\": \"%s\", \"key\": \"%s\"}%n", arn, key);
        } catch (RuntimeException error) {
            System.out.printf("{\"error\": \"%s\"}%n", error.getMessage().replaceAll("[\"\\\\\\s]+", " "));
        }
    }
}
