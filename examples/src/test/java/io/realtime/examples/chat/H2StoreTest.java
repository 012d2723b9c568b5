package io.realtime.examples.chat;

/** On H2 in memory, whose database ends with its last connection. */
class H2StoreTest extends StoreContract {
    @Override
    Database open() {
        return Database.open("jdbc:h2:mem:" + java.util.UUID.randomUUID() + ";LOCK_TIMEOUT=10000", null, null);
    }
}
