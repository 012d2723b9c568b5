package io.realtime.testing;

import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotSame;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.RepeatedTest;
import org.junit.jupiter.api.extension.AfterEachCallback;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.extension.ExtensionContext;
import org.junit.jupiter.api.extension.RegisterExtension;

@ExtendWith(TestEnvironmentExtensionTest.IsClosed.class)
@ExtendWith(TestEnvironmentExtension.class)
class TestEnvironmentExtensionTest {
    private static @Nullable TestEnvironment earlier;
    private static boolean isClosed;

    private @Nullable TestEnvironment before;

    @RegisterExtension
    final AfterEachCallback notYet = context -> assertFalse(isClosed, "it is closed after the test's own methods");

    /** Comes after the extension, since it is registered before it. */
    static final class IsClosed implements AfterEachCallback {
        @Override
        public void afterEach(ExtensionContext context) {
            assertTrue(isClosed);
        }
    }

    @BeforeEach
    void begin(TestEnvironment environment) {
        before = environment;
        isClosed = false;
        environment.autoClose(() -> isClosed = true);
    }

    @RepeatedTest(2)
    void eachTestHasItsOwnEnvironment(TestEnvironment environment) {
        assertSame(before, environment);
        assertNotSame(earlier, environment);
        earlier = environment;
    }

    @AfterEach
    void end(TestEnvironment environment) {
        assertSame(before, environment);
        assertFalse(isClosed);
    }
}
