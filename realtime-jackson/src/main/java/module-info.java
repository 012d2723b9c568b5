/** Payloads by Jackson. */
module io.realtime.jackson {
    requires transitive io.realtime.core;
    requires transitive com.fasterxml.jackson.databind;
    requires static transitive org.jspecify;
    requires com.fasterxml.jackson.datatype.jdk8;
    requires com.fasterxml.jackson.datatype.jsr310;

    exports io.realtime.jackson;
}
