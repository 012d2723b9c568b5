import io.realtime.testing.ManualScheduler;
import java.time.Duration;

/** What of the test kit is no contract test compiles without JUnit, with every warning an error. */
final class UsesTheTestKit {
    private UsesTheTestKit() {}

    public static void main(String[] args) {
        new ManualScheduler().advance(Duration.ofSeconds(1));
    }
}
