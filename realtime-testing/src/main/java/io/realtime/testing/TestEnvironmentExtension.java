package io.realtime.testing;

import org.junit.jupiter.api.extension.AfterEachCallback;
import org.junit.jupiter.api.extension.ExtensionContext;
import org.junit.jupiter.api.extension.ExtensionContext.Namespace;
import org.junit.jupiter.api.extension.ParameterContext;
import org.junit.jupiter.api.extension.ParameterResolver;

/**
 * A JUnit extension that gives each test its own {@link TestEnvironment} as a parameter, and closes it after the test.
 * {@code @BeforeEach} and {@code @AfterEach} methods get the same one as their test. For JUnit 5.10 and newer,
 * including 6: {@code @ExtendWith(TestEnvironmentExtension.class)}.
 */
public final class TestEnvironmentExtension implements ParameterResolver, AfterEachCallback {
    private static final Namespace NAMESPACE = Namespace.create(TestEnvironmentExtension.class);

    /** Creates an extension without state: each test's environment is in JUnit's store. */
    public TestEnvironmentExtension() {}

    @Override
    public boolean supportsParameter(ParameterContext parameter, ExtensionContext context) {
        return parameter.getParameter().getType() == TestEnvironment.class
                && context.getTestMethod().isPresent();
    }

    @Override
    public Object resolveParameter(ParameterContext parameter, ExtensionContext context) {
        ExtensionContext.Store store = context.getStore(NAMESPACE);
        TestEnvironment known = store.get(TestEnvironment.class, TestEnvironment.class);
        TestEnvironment environment = known == null ? new TestEnvironment() : known;
        store.put(TestEnvironment.class, environment);
        return environment;
    }

    @Override
    public void afterEach(ExtensionContext context) {
        TestEnvironment environment = context.getStore(NAMESPACE).remove(TestEnvironment.class, TestEnvironment.class);
        if (environment != null) {
            environment.close();
        }
    }
}
