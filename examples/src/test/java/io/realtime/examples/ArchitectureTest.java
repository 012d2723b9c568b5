package io.realtime.examples;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.Architectures.layeredArchitecture;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;

import com.tngtech.archunit.base.DescribedPredicate;
import com.tngtech.archunit.core.domain.JavaAccess;
import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaCodeUnit;
import com.tngtech.archunit.core.domain.JavaField;
import com.tngtech.archunit.core.domain.JavaMember;
import com.tngtech.archunit.core.domain.JavaModifier;
import com.tngtech.archunit.core.domain.JavaType;
import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.junit.AnalyzeClasses;
import com.tngtech.archunit.junit.ArchTest;
import com.tngtech.archunit.lang.ArchCondition;
import com.tngtech.archunit.lang.ArchRule;
import com.tngtech.archunit.lang.ConditionEvents;
import com.tngtech.archunit.lang.SimpleConditionEvent;
import java.io.PrintStream;
import java.util.List;
import java.util.stream.Stream;
import org.slf4j.Logger;

/** The rules that keep the modules apart; here, because this module sees them all. */
@AnalyzeClasses(packages = "io.realtime", importOptions = ImportOption.DoNotIncludeTests.class)
class ArchitectureTest {
    private static final List<String> THIRD_PARTY =
            List.of("com.google.gson", "com.fasterxml", "org.java_websocket", "io.netty", "com.auth0", "org.slf4j");

    @ArchTest
    static final ArchRule CORE_STANDS_ALONE = noClasses()
            .that()
            .resideInAnyPackage("io.realtime", "io.realtime.gson..", "io.realtime.spi..", "io.realtime.internal..")
            .should()
            .dependOnClassesThat()
            .resideInAnyPackage(
                    "io.realtime.server..",
                    "io.realtime.netty..",
                    "io.realtime.client..",
                    "io.realtime.jackson..",
                    "io.realtime.testing..",
                    "io.realtime.examples..");

    /** Bytes in, messages out: without I/O, so that every side can use it. */
    @ArchTest
    static final ArchRule FRAMES_KNOW_NO_TRANSPORT = noClasses()
            .that()
            .resideInAPackage("io.realtime.internal.websocket..")
            .should()
            .dependOnClassesThat()
            .resideInAnyPackage(
                    "io.realtime.spi..",
                    "io.realtime.internal.wire..",
                    "io.realtime.internal.calls..",
                    "java.net..",
                    "java.nio.channels..",
                    "org.java_websocket..");

    @ArchTest
    static final ArchRule WHAT_TRANSPORTS_SHARE_KNOWS_NONE_OF_THEM = noClasses()
            .that()
            .resideInAPackage("io.realtime.server.websocket..")
            .should()
            .dependOnClassesThat()
            .resideInAnyPackage(
                    "io.realtime.server",
                    "io.realtime.server.internal",
                    "io.realtime.server.internal.connection..",
                    "io.realtime.server.internal.dispatch..",
                    "io.realtime.server.internal.session..",
                    "io.realtime.server.internal.room..",
                    "io.realtime.server.internal.execution..",
                    "io.realtime.server.internal.transport..",
                    "org.java_websocket..");

    @ArchTest
    static final ArchRule SERVER_KNOWS_NO_CLIENT = noClasses()
            .that()
            .resideInAPackage("io.realtime.server..")
            .should()
            .dependOnClassesThat()
            .resideInAnyPackage(
                    "io.realtime.client..",
                    "io.realtime.jackson..",
                    "io.realtime.netty..",
                    "io.realtime.testing..",
                    "io.realtime.examples..");

    @ArchTest
    static final ArchRule CLIENT_KNOWS_NO_SERVER = noClasses()
            .that()
            .resideInAPackage("io.realtime.client..")
            .should()
            .dependOnClassesThat()
            .resideInAnyPackage(
                    "io.realtime.server..",
                    "io.realtime.jackson..",
                    "io.realtime.netty..",
                    "io.realtime.testing..",
                    "io.realtime.examples..");

    @ArchTest
    static final ArchRule NETTY_KNOWS_WHAT_TRANSPORTS_SHARE_AND_NOTHING_ELSE_OF_THE_SERVER = noClasses()
            .that()
            .resideInAPackage("io.realtime.netty..")
            .should()
            .dependOnClassesThat()
            .resideInAnyPackage(
                    "io.realtime.server",
                    "io.realtime.server.internal..",
                    "io.realtime.internal.calls..",
                    "io.realtime.internal.wire..",
                    "io.realtime.client..",
                    "io.realtime.testing..",
                    "io.realtime.examples..",
                    "org.java_websocket..");

    /** The floors of the server, the highest first: each knows those below it, and none above. */
    @ArchTest
    static final ArchRule FLOORS_OF_THE_SERVER = layeredArchitecture()
            .consideringOnlyDependenciesInAnyPackage("io.realtime.server.internal..")
            .layer("core")
            .definedBy("io.realtime.server.internal")
            .layer("connection")
            .definedBy("io.realtime.server.internal.connection..")
            .layer("dispatch")
            .definedBy("io.realtime.server.internal.dispatch..")
            .layer("session")
            .definedBy("io.realtime.server.internal.session..")
            .layer("room")
            .definedBy("io.realtime.server.internal.room..")
            .layer("execution")
            .definedBy("io.realtime.server.internal.execution..")
            .layer("limits")
            .definedBy("io.realtime.server.internal.limits..")
            .layer("transport")
            .definedBy("io.realtime.server.internal.transport..")
            .layer("stats")
            .definedBy("io.realtime.server.internal.stats..")
            .whereLayer("core")
            .mayNotBeAccessedByAnyLayer()
            .whereLayer("transport")
            .mayOnlyBeAccessedByLayers("core")
            .whereLayer("transport")
            .mayNotAccessAnyLayer()
            .whereLayer("connection")
            .mayOnlyBeAccessedByLayers("core")
            .whereLayer("dispatch")
            .mayOnlyBeAccessedByLayers("core", "connection")
            .whereLayer("session")
            .mayOnlyBeAccessedByLayers("core", "connection", "dispatch")
            .whereLayer("room")
            .mayOnlyBeAccessedByLayers("core", "connection", "dispatch", "session")
            .whereLayer("execution")
            .mayOnlyBeAccessedByLayers("core", "connection", "dispatch", "session", "room")
            .whereLayer("limits")
            .mayOnlyBeAccessedByLayers("core", "connection", "dispatch", "session", "room")
            .whereLayer("stats")
            .mayNotAccessAnyLayer();

    /** The public package is for applications: what is in it and public may be named by them. */
    @ArchTest
    static final ArchRule PUBLIC_PACKAGE_OF_THE_SERVER_HOLDS_ITS_API = classes()
            .that()
            .resideInAPackage("io.realtime.server")
            .and()
            .areTopLevelClasses()
            .and()
            .doNotHaveSimpleName("package-info")
            .should()
            .bePublic();

    @ArchTest
    static final ArchRule ONLY_TRANSPORTS_KNOW_JAVA_WEBSOCKET = noClasses()
            .that()
            .resideOutsideOfPackages(
                    "io.realtime.server.internal.transport..", "io.realtime.client.internal.transport..")
            .should()
            .dependOnClassesThat()
            .resideInAPackage("org.java_websocket..");

    @ArchTest
    static final ArchRule ONLY_ITS_TRANSPORT_KNOWS_NETTY = noClasses()
            .that()
            .resideOutsideOfPackage("io.realtime.netty..")
            .should()
            .dependOnClassesThat()
            .resideInAPackage("io.netty..");

    @ArchTest
    static final ArchRule ONLY_ITS_CODEC_KNOWS_JACKSON = noClasses()
            .that()
            .resideOutsideOfPackage("io.realtime.jackson..")
            .should()
            .dependOnClassesThat()
            .resideInAPackage("com.fasterxml..");

    @ArchTest
    static final ArchRule CODEC_OF_JACKSON_KNOWS_CORE_ALONE = noClasses()
            .that()
            .resideInAPackage("io.realtime.jackson..")
            .should()
            .dependOnClassesThat()
            .resideInAnyPackage(
                    "io.realtime.server..",
                    "io.realtime.netty..",
                    "io.realtime.client..",
                    "io.realtime.testing..",
                    "io.realtime.examples..");

    @ArchTest
    static final ArchRule CORE_AND_CLIENT_VERIFY_NO_TOKENS = noClasses()
            .that()
            .resideOutsideOfPackages("io.realtime.server..", "io.realtime.examples..")
            .should()
            .dependOnClassesThat()
            .resideInAPackage("com.auth0..");

    @ArchTest
    static final ArchRule EXAMPLES_USE_WHAT_USERS_MAY_USE = noClasses()
            .that()
            .resideInAPackage("io.realtime.examples..")
            .should()
            .dependOnClassesThat()
            .resideInAnyPackage(
                    "io.realtime.internal..",
                    "io.realtime.client.internal..",
                    "org.java_websocket..",
                    "io.realtime.netty..");

    @ArchTest
    static final ArchRule CLIENT_PACKAGES_HAVE_NO_CYCLE =
            slices().matching("io.realtime.client.internal.(*)..").should().beFreeOfCycles();

    @ArchTest
    static final ArchRule CLIENT_PACKAGES_CALL_DOWNWARDS = layeredArchitecture()
            .consideringOnlyDependenciesInLayers()
            .layer("connection")
            .definedBy("io.realtime.client.internal.connection..")
            .layer("call")
            .definedBy("io.realtime.client.internal.call..")
            .layer("room")
            .definedBy("io.realtime.client.internal.room..")
            .layer("outbox")
            .definedBy("io.realtime.client.internal.outbox..")
            .layer("callback")
            .definedBy("io.realtime.client.internal.callback..")
            .layer("transport")
            .definedBy("io.realtime.client.internal.transport..")
            .whereLayer("connection")
            .mayNotBeAccessedByAnyLayer()
            .whereLayer("call")
            .mayOnlyBeAccessedByLayers("connection")
            .whereLayer("room")
            .mayOnlyBeAccessedByLayers("connection")
            .whereLayer("outbox")
            .mayOnlyBeAccessedByLayers("connection", "call")
            .whereLayer("callback")
            .mayOnlyBeAccessedByLayers("connection", "call", "room", "outbox")
            .whereLayer("transport")
            .mayNotBeAccessedByAnyLayer();

    /** The client's implementation knows the values and interfaces of its API, but not the classes that use it. */
    @ArchTest
    static final ArchRule CLIENT_IMPLEMENTATION_KNOWS_NO_ENTRY_POINT = noClasses()
            .that()
            .resideInAPackage("io.realtime.client.internal..")
            .should()
            .dependOnClassesThat()
            .haveNameMatching("io\\.realtime\\.client\\.(RealtimeClient|ClientRoom|FileOutbox)(\\$.*)?");

    @ArchTest
    static final ArchRule CLIENT_PACKAGE_IS_API_ALONE = classes()
            .that()
            .resideInAPackage("io.realtime.client")
            .and()
            .areTopLevelClasses()
            .and()
            .doNotHaveSimpleName("package-info")
            .should()
            .bePublic();

    @ArchTest
    static final ArchRule EVERY_PACKAGE_IS_NULL_MARKED = classes()
            .that()
            .doNotHaveSimpleName("module-info")
            .should(new ArchCondition<>("be in a package that says @NullMarked") {
                @Override
                public void check(JavaClass type, ConditionEvents events) {
                    boolean marked = type.getPackage().isAnnotatedWith("org.jspecify.annotations.NullMarked");
                    String told = type.getPackageName() + " has no @NullMarked package-info";
                    events.add(new SimpleConditionEvent(type, marked, told));
                }
            });

    @ArchTest
    static final ArchRule NO_THIRD_PARTY_TYPE_IN_A_PUBLIC_SIGNATURE = classes()
            .that()
            .areNotAnonymousClasses()
            .and(DescribedPredicate.describe("can be named by an application", ArchitectureTest::isApi))
            .should(new ArchCondition<>("name no third-party type in what they offer") {
                @Override
                public void check(JavaClass type, ConditionEvents events) {
                    type.getMembers().stream()
                            .filter(ArchitectureTest::isOffered)
                            .flatMap(member -> thirdParty(member).map(used -> member.getFullName() + " names " + used))
                            .forEach(told -> events.add(SimpleConditionEvent.violated(type, told)));
                }
            });

    @ArchTest
    static final ArchRule NO_INTERNAL_TYPE_IN_A_PUBLIC_SIGNATURE_OF_THE_CLIENT = classes()
            .that()
            .resideInAPackage("io.realtime.client")
            .should(new ArchCondition<>("name no internal type in what they offer") {
                @Override
                public void check(JavaClass type, ConditionEvents events) {
                    type.getMembers().stream()
                            .filter(ArchitectureTest::isOffered)
                            .flatMap(member -> named(member)
                                    .filter(used -> used.contains(".internal."))
                                    .map(used -> member.getFullName() + " names " + used))
                            .forEach(told -> events.add(SimpleConditionEvent.violated(type, told)));
                }
            });

    /** An exception is the application's code, too, and may throw when a log asks it for its message. */
    @ArchTest
    static final ArchRule ONLY_STEPS_LOGS_FAILURES = noClasses()
            .that()
            .resideInAnyPackage(
                    "io.realtime",
                    "io.realtime.internal..",
                    "io.realtime.server..",
                    "io.realtime.client..",
                    "io.realtime.netty..")
            .and()
            .doNotHaveSimpleName("Steps")
            .should()
            .callMethodWhere(DescribedPredicate.describe(
                    "it is error of a Logger",
                    call -> call.getTargetOwner().isAssignableTo(Logger.class)
                            && call.getName().equals("error")));

    @ArchTest
    static final ArchRule ONLY_EXAMPLES_PRINT = noClasses()
            .that()
            .resideOutsideOfPackage("io.realtime.examples..")
            .should()
            .callMethodWhere(DescribedPredicate.<JavaAccess<?>>describe(
                            "its owner is a PrintStream",
                            call -> call.getTargetOwner().isAssignableTo(PrintStream.class))
                    .forSubtype())
            .orShould()
            .accessFieldWhere(DescribedPredicate.describe(
                    "it is System.out, System.err or System.in",
                    access -> access.getTargetOwner().isEquivalentTo(System.class)));

    /** Public all the way up, and neither internal nor a transport or codec, which is there to use a library. */
    private static boolean isApi(JavaClass type) {
        String home = type.getPackageName();
        return type.getModifiers().contains(JavaModifier.PUBLIC)
                && type.getEnclosingClass().map(ArchitectureTest::isApi).orElse(true)
                && !home.contains(".internal")
                && !home.startsWith("io.realtime.examples")
                && !home.equals("io.realtime.gson")
                && !home.equals("io.realtime.jackson");
    }

    private static boolean isOffered(JavaMember member) {
        return (member.getModifiers().contains(JavaModifier.PUBLIC)
                        || member.getModifiers().contains(JavaModifier.PROTECTED))
                && !member.getModifiers().contains(JavaModifier.SYNTHETIC);
    }

    private static Stream<String> thirdParty(JavaMember member) {
        return named(member)
                .filter(name -> THIRD_PARTY.stream().anyMatch(name::startsWith))
                .distinct();
    }

    /** Returns the names of the types in a member's signature. */
    private static Stream<String> named(JavaMember member) {
        Stream<JavaType> named = member instanceof JavaField field
                ? Stream.of(field.getType())
                : member instanceof JavaCodeUnit method
                        ? Stream.concat(
                                Stream.concat(Stream.of(method.getReturnType()), method.getParameterTypes().stream()),
                                method.getExceptionTypes().stream())
                        : Stream.empty();
        return named.flatMap(type -> type.getAllInvolvedRawTypes().stream()).map(JavaClass::getName);
    }
}
