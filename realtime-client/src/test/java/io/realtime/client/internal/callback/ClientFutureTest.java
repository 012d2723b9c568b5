package io.realtime.client.internal.callback;

import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.ref.WeakReference;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class ClientFutureTest {
    private enum End {
        COMPLETE,
        FAIL,
        CANCEL
    }

    private final ClientFuture<Void> future =
            new ClientFuture<>(new SerialExecutor(Runnable::run, Runnable::run, task -> {}));

    /** As the message is that the future waits for. */
    private static final class Withdrawal implements BooleanSupplier {
        @Override
        public boolean getAsBoolean() {
            return true;
        }
    }

    private WeakReference<BooleanSupplier> onCancel() {
        BooleanSupplier withdrawal = new Withdrawal();
        future.onCancel(withdrawal);
        return new WeakReference<>(withdrawal);
    }

    private void end(End how) {
        assertTrue(
                switch (how) {
                    case COMPLETE -> future.complete(null);
                    case FAIL -> future.completeExceptionally(new IllegalStateException("failed"));
                    case CANCEL -> future.cancel(false);
                });
    }

    private static void assertGone(WeakReference<?> reference) {
        for (int i = 0; i < 20 && reference.get() != null; i++) {
            System.gc();
        }
        assertNull(reference.get());
    }

    @ParameterizedTest
    @EnumSource(End.class)
    void futureThatIsDoneKeepsNothingOfWhatItWaitedFor(End how) {
        WeakReference<BooleanSupplier> withdrawal = onCancel();
        end(how);
        assertTrue(future.isDone());
        assertGone(withdrawal);
    }

    @ParameterizedTest
    @EnumSource(End.class)
    void futureThatWasDoneBeforeKeepsNothingEither(End how) {
        end(how);
        assertGone(onCancel());
        assertTrue(future.isDone());
    }

    @Test
    void cancelThatComesTooLateLeavesTheFutureOpen() {
        future.onCancel(() -> false);
        assertFalse(future.cancel(false));
        assertFalse(future.isDone());
    }
}
