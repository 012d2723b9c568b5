package io.realtime.examples.chat;

import com.zaxxer.hikari.HikariConfig;
import com.zaxxer.hikari.HikariDataSource;
import com.zaxxer.hikari.SQLExceptionOverride;
import io.realtime.ErrorCode;
import io.realtime.RealtimeException;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.SQLNonTransientConnectionException;
import java.sql.SQLRecoverableException;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.atomic.AtomicBoolean;
import org.flywaydb.core.Flyway;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The pool of connections and the schema, on H2 or PostgreSQL. Safe for use by many threads. */
final class Database implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(Database.class);
    private static final String MIGRATIONS = "classpath:io/realtime/examples/chat/migration";
    private static final int CONNECTIONS = 8;
    private static final long PATIENCE_MS = 2_000;
    private static final String POSTGRESQL_PATIENCE_SECONDS = "10";
    private static final int ATTEMPTS = 5;
    // SQL states: a unique key exists; a serialization failure; a deadlock.
    private static final Set<String> CONFLICTS = Set.of("23505", "40001", "40P01");
    // Classes of SQL states that are a mistake in this program: data, constraint, syntax.
    private static final Set<String> MISTAKES = Set.of("22", "23", "42");

    private final HikariDataSource pool;
    private final AtomicBoolean away = new AtomicBoolean();

    private Database(HikariDataSource pool) {
        this.pool = pool;
    }

    /** What is done within one transaction. It may run again after a conflict with another one. */
    interface Work<T extends @Nullable Object> {
        T in(Connection connection) throws SQLException;
    }

    /**
     * Connects, and creates or updates the schema.
     *
     * @throws RealtimeException with {@code storage} if that fails
     */
    static Database open(String url, @Nullable String user, @Nullable String password) {
        HikariDataSource pool = null;
        try {
            pool = new HikariDataSource(configuration(url, user, password));
            Flyway.configure().dataSource(pool).locations(MIGRATIONS).load().migrate();
            return new Database(pool);
        } catch (RuntimeException failure) {
            // The pool, Flyway and the drivers have no common exception.
            if (pool != null) {
                pool.close();
            }
            throw cannotOpen(failure);
        }
    }

    private static HikariConfig configuration(String url, @Nullable String user, @Nullable String password) {
        HikariConfig config = new HikariConfig();
        config.setJdbcUrl(url);
        if (user != null) {
            config.setUsername(user);
        }
        if (password != null) {
            config.setPassword(password);
        }
        config.setPoolName("chat");
        config.setMaximumPoolSize(CONNECTIONS);
        config.setAutoCommit(false);
        config.setTransactionIsolation("TRANSACTION_READ_COMMITTED");
        config.setConnectionTimeout(PATIENCE_MS);
        config.setValidationTimeout(PATIENCE_MS);
        config.setExceptionOverride(new BrokenConnections());
        if (url.startsWith("jdbc:postgresql:")) {
            // Without it a query to a host that is gone waits for as long as TCP does.
            config.addDataSourceProperty("socketTimeout", POSTGRESQL_PATIENCE_SECONDS);
        }
        return config;
    }

    /**
     * Says which failures end a connection. The pool knows by itself the codes of some databases, and otherwise tests only
     * connections that were not used for half a second. Without this it would hand out a connection that H2 has closed
     * for as long as requests keep coming.
     */
    private static final class BrokenConnections implements SQLExceptionOverride {
        @java.lang.Override
        public SQLExceptionOverride.Override adjudicate(SQLException failure) {
            boolean isBroken =
                    failure instanceof SQLNonTransientConnectionException || failure instanceof SQLRecoverableException;
            return isBroken ? SQLExceptionOverride.Override.MUST_EVICT : SQLExceptionOverride.Override.CONTINUE_EVICT;
        }
    }

    private static RealtimeException cannotOpen(RuntimeException failure) {
        Throwable cause = failure;
        while (cause.getCause() != null) {
            cause = cause.getCause();
        }
        // A message of several lines is Flyway's or H2's; the first one says what is wrong. It may quote the URL.
        String why = Objects.requireNonNullElse(cause.getMessage(), cause.toString())
                .lines()
                .findFirst()
                .orElse("")
                .replaceAll("(?i)(password=)[^;&\\s\"]*", "$1…");
        return new RealtimeException(ErrorCode.STORAGE, "cannot open the database: " + why, false, failure);
    }

    /**
     * Runs a task in a transaction, and commits. While the database is away it blocks for about two
     * seconds for a connection, and for up to ten more if the database is lost during the transaction.
     *
     * @throws RealtimeException with {@code unavailable} if the database does not answer. It is then unknown whether a
     *     commit succeeded
     */
    <T extends @Nullable Object> T transaction(Work<T> work) {
        for (int attempt = 1; ; attempt++) {
            try (Connection connection = pool.getConnection()) {
                T result = once(connection, work);
                if (away.compareAndSet(true, false)) {
                    LOG.info("the database answers again");
                }
                return result;
            } catch (SQLException failure) {
                if (attempt == ATTEMPTS || !CONFLICTS.contains(state(failure))) {
                    throw failed(failure);
                }
            }
        }
    }

    private static <T extends @Nullable Object> T once(Connection connection, Work<T> work) throws SQLException {
        try {
            T result = work.in(connection);
            connection.commit();
            return result;
        } catch (SQLException | RuntimeException failure) {
            try {
                connection.rollback();
            } catch (SQLException broken) {
                failure.addSuppressed(broken);
            }
            throw failure;
        }
    }

    private RuntimeException failed(SQLException failure) {
        String state = state(failure);
        if (state.length() == 5 && MISTAKES.contains(state.substring(0, 2)) && !CONFLICTS.contains(state)) {
            return new IllegalStateException("SQL state " + state, failure);
        }
        if (away.compareAndSet(false, true)) {
            LOG.warn("the database does not answer: {}", failure.getMessage());
        }
        return ChatError.unavailable(failure);
    }

    private static String state(SQLException failure) {
        return Objects.requireNonNullElse(failure.getSQLState(), "");
    }

    @Override
    public void close() {
        pool.close();
    }
}
