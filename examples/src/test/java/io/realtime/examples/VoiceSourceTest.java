package io.realtime.examples;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Random;
import javax.sound.sampled.AudioFileFormat;
import javax.sound.sampled.AudioFormat;
import javax.sound.sampled.AudioInputStream;
import javax.sound.sampled.AudioSystem;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class VoiceSourceTest {
    private static final int HEADER = 44;

    @TempDir
    Path folder;

    /** So many bytes of noise. */
    private static byte[] noise(int bytes) {
        byte[] noise = new byte[bytes];
        new Random(1).nextBytes(noise);
        return noise;
    }

    private static byte[] file(AudioFileFormat.Type type, AudioFormat format, byte[] pcm) throws IOException {
        ByteArrayOutputStream file = new ByteArrayOutputStream();
        long samples = pcm.length / format.getFrameSize();
        AudioSystem.write(new AudioInputStream(new ByteArrayInputStream(pcm), format, samples), type, file);
        return file.toByteArray();
    }

    private static byte[] wav(int rate, byte[] pcm) throws IOException {
        return file(AudioFileFormat.Type.WAVE, new AudioFormat(rate, 16, 1, true, false), pcm);
    }

    private String saved(byte[] file) throws IOException {
        return Files.write(folder.resolve("voice.wav"), file).toString();
    }

    private VoiceSource read(byte[] file) throws IOException {
        return VoiceSource.wav(saved(file));
    }

    private String refusal(byte[] file) throws IOException {
        String name = saved(file);
        return refusal(name).replace(name, "FILE");
    }

    private static String refusal(String name) {
        return String.valueOf(
                assertThrows(UsageException.class, () -> VoiceSource.wav(name)).getMessage());
    }

    @Test
    void toneIs440HertzWithoutASeam() {
        VoiceSource tone = VoiceSource.tone();
        int crossings = 0;
        short before = -1;
        for (int frame = 0; frame < 2 * Voice.FRAMES_PER_SECOND; frame++) {
            ByteBuffer pcm = tone.frame(frame).order(ByteOrder.LITTLE_ENDIAN);
            assertEquals(640, pcm.remaining());
            while (pcm.hasRemaining()) {
                short sample = pcm.getShort();
                assertTrue(Math.abs(sample - before) < 3000, "a click");
                crossings += before < 0 && sample >= 0 ? 1 : 0;
                before = sample;
            }
        }
        assertEquals(2 * 440, crossings);
    }

    @ParameterizedTest
    @CsvSource({"8000, 320", "16000, 640", "44100, 1764", "48000, 1920"})
    void fileIsSaidInWholeFramesOverAndOver(int rate, int frameBytes) throws IOException {
        byte[] pcm = noise(frameBytes * 3 + 10);

        VoiceSource source = read(wav(rate, pcm));

        for (int number : new int[] {0, 1, 2, 3, 4, 3000}) {
            int at = number % 3 * frameBytes;
            assertEquals(ByteBuffer.wrap(pcm, at, frameBytes), source.frame(number));
        }
    }

    @Test
    void chunksBetweenFormatAndSamplesAreSkipped() throws IOException {
        byte[] pcm = noise(640);
        byte[] plain = wav(16_000, pcm);
        byte[] list = "LIST\4\0\0\0INFO".getBytes(StandardCharsets.US_ASCII);
        byte[] file = ByteBuffer.allocate(plain.length + list.length)
                .put(plain, 0, HEADER - 8)
                .put(list)
                .put(plain, HEADER - 8, plain.length - HEADER + 8)
                .array();

        assertEquals(ByteBuffer.wrap(pcm), read(file).frame(0));
    }

    @Test
    void longFileIsCutAtOneMinute() throws IOException {
        byte[] pcm = noise(8000 * 2 * 61);

        VoiceSource source = read(wav(8000, pcm));

        assertEquals(source.frame(0), source.frame(60 * Voice.FRAMES_PER_SECOND));
    }

    @Test
    void otherFormatsAreRefusedWithWhatTheyAre() throws IOException {
        AudioFileFormat.Type wave = AudioFileFormat.Type.WAVE;
        String must = "FILE must be 16-bit PCM, mono; it is ";
        String stereo = refusal(file(wave, new AudioFormat(16_000, 16, 2, true, false), noise(4000)));
        assertTrue(stereo.startsWith(must) && stereo.contains("stereo"), stereo);
        String bytes = refusal(file(wave, new AudioFormat(16_000, 8, 1, false, false), noise(4000)));
        assertTrue(bytes.startsWith(must) && bytes.contains("8 bit"), bytes);
        String law = refusal(
                file(wave, new AudioFormat(AudioFormat.Encoding.ULAW, 8000, 8, 1, 1, 8000, false), noise(4000)));
        assertTrue(law.startsWith(must) && law.contains("ULAW"), law);
    }

    @ParameterizedTest
    @ValueSource(ints = {11_025, 7950, 48_050, 1})
    void rateWithoutWholeFramesOrOutOfBoundsIsRefused(int rate) throws IOException {
        assertEquals(
                "FILE has " + rate + " samples a second; it must be 8000 to 48000, with a whole number in 20 ms",
                refusal(wav(rate, noise(4000))));
    }

    @Test
    void whatIsNoWavFileIsRefused() throws IOException {
        AudioFormat bigEndian = new AudioFormat(16_000, 16, 1, true, true);
        assertEquals("FILE is no WAV file but AIFF", refusal(file(AudioFileFormat.Type.AIFF, bigEndian, noise(640))));
        assertEquals("FILE is no WAV file", refusal("no sound at all".getBytes(StandardCharsets.UTF_8)));
        assertEquals("FILE is no WAV file", refusal(new byte[0]));
        assertEquals("FILE is no WAV file", refusal(Arrays.copyOf(wav(16_000, noise(640)), HEADER - 10)));
    }

    @Test
    void fileThatEndsBeforeItsSamplesIsRefused() throws IOException {
        assertEquals(
                "FILE is cut short: 950 samples of 1000",
                refusal(Arrays.copyOf(wav(16_000, noise(2000)), HEADER + 1900)));
        assertEquals("FILE holds less than 20 ms", refusal(wav(16_000, noise(638))));
        assertEquals("FILE holds less than 20 ms", refusal(wav(16_000, noise(0))));
    }

    @Test
    void fileThatIsNotThereIsRefused() {
        String name = folder.resolve("missing.wav").toString();

        String told = refusal(name);

        assertTrue(told.startsWith("--wav cannot be read: " + name), told);
    }

    @Test
    void damagedHeaderIsReadOrRefused() throws IOException {
        byte[] whole = wav(16_000, noise(1280));
        for (int seed = 0; seed < 2000; seed++) {
            Random random = new Random(seed);
            byte[] damaged = whole.clone();
            for (int i = random.nextInt(4); i >= 0; i--) {
                damaged[random.nextInt(HEADER)] = (byte) (random.nextBoolean() ? -1 : random.nextInt());
            }
            String name = saved(damaged);
            try {
                VoiceSource.wav(name).frame(1);
            } catch (UsageException refused) {
                // the other outcome
            } catch (RuntimeException | Error unexpected) {
                throw new AssertionError("seed " + seed, unexpected);
            }
        }
    }
}
