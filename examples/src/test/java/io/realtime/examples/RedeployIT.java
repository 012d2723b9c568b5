package io.realtime.examples;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotSame;

import java.io.IOException;
import java.io.InputStream;
import java.lang.ref.WeakReference;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.Callable;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.Test;

/** Applications come and go in a JVM where the library stays: none leaves its class loader behind. */
class RedeployIT {
    private static final String APPLICATION = Redeployed.class.getName();

    /** Defines the application's classes itself; the library is its parent's. */
    private static final class Deployment extends ClassLoader {
        Deployment() {
            super(RedeployIT.class.getClassLoader());
        }

        @Override
        protected Class<?> loadClass(String name, boolean resolve) throws ClassNotFoundException {
            if (!name.startsWith(APPLICATION)) {
                return super.loadClass(name, resolve);
            }
            synchronized (getClassLoadingLock(name)) {
                Class<?> known = findLoadedClass(name);
                return known != null ? known : define(name);
            }
        }

        private Class<?> define(String name) throws ClassNotFoundException {
            try (InputStream in = getResourceAsStream(name.replace('.', '/') + ".class")) {
                byte[] bytes = Objects.requireNonNull(in, name).readAllBytes();
                return defineClass(name, bytes, 0, bytes.length);
            } catch (IOException unreadable) {
                throw new ClassNotFoundException(name, unreadable);
            }
        }
    }

    private static WeakReference<ClassLoader> deploy() throws Exception {
        ClassLoader deployment = new Deployment();
        Class<?> application = deployment.loadClass(APPLICATION);
        assertNotSame(Redeployed.class, application);
        Callable<?> run = (Callable<?>) application.getDeclaredConstructor().newInstance();
        assertEquals("a GREETING b GREETING b GREETING", run.call());
        return new WeakReference<>(deployment);
    }

    @Test
    void fiveDeploymentsLeaveNoClassLoaderBehind() throws Exception {
        List<WeakReference<ClassLoader>> deployments = new ArrayList<>();
        for (int i = 0; i < 5; i++) {
            deployments.add(deploy());
        }
        Awaitility.await("all class loaders are collected").until(() -> {
            System.gc();
            return deployments.stream().allMatch(deployment -> deployment.get() == null);
        });
    }
}
