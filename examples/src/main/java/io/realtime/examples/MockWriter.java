package io.realtime.examples;

import java.time.Duration;
import java.util.function.Consumer;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** A writer that writes the same script about any topic, at the pace of a model. It needs no model. */
final class MockWriter implements ScriptWriter {
    private static final String SCRIPT = """
        Cold open. A quiet room, early light, and one question on the screen: what is it about {topic}?

        Host: Good morning. Most of us meet {topic} every day and never look twice. Today we look twice. Give me two \
        minutes, and you will not see {topic} the same way again.

        It begins small. Somebody, somewhere, was the first to take {topic} seriously. They had no plan, no money and \
        no audience; they had a notebook, and the habit of asking why. What they wrote down still holds.

        Cut to the street. We asked ten people what comes to their mind first. Three laughed, five told a story, \
        and two wanted to know who was asking. Nobody had nothing to say. That is rare, and it tells us something.

        Host: So here is the part that surprised me. The more you learn about {topic}, the less it is about {topic}. It is \
        about time, and care, and the people you share it with. Take one of them away, and try again. You will see.

        Back in the quiet room. The light has moved across the table. On the screen stands the question from before, \
        and under it, in small letters, an answer: look twice.

        Host: That was {topic}. Tomorrow, something completely different. Good night.\
        """;

    private static final Pattern WORD = Pattern.compile("\\S+\\s*");

    private final Duration pause;

    /** Creates a writer with this pause before each word. With zero it writes as fast as the reader accepts. */
    MockWriter(Duration pause) {
        this.pause = pause;
    }

    @Override
    public void write(String topic, Consumer<String> reader) throws InterruptedException {
        Matcher words = WORD.matcher(SCRIPT.replace("{topic}", topic.strip()));
        while (words.find()) {
            Thread.sleep(pause.toMillis());
            reader.accept(words.group());
        }
    }
}
