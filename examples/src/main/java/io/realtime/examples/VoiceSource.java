package io.realtime.examples;

import java.io.BufferedInputStream;
import java.io.FileInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import javax.sound.sampled.AudioFileFormat;
import javax.sound.sampled.AudioFormat;
import javax.sound.sampled.AudioInputStream;
import javax.sound.sampled.AudioSystem;
import javax.sound.sampled.UnsupportedAudioFileException;

/** Sound that repeats: 16-bit PCM of one channel in frames of 20 ms. Immutable. */
final class VoiceSource {
    private static final int TONE_HZ = 440;
    private static final int TONE_PEAK = 16_000;
    private static final int TONE_RATE = 16_000;
    private static final int MIN_RATE = 8000;
    private static final int MAX_RATE = 48_000;
    private static final int MAX_SECONDS = 60;

    private final byte[] pcm;
    private final int frameBytes;

    private VoiceSource(byte[] pcm, int rate) {
        this.pcm = pcm;
        this.frameBytes = rate / Voice.FRAMES_PER_SECOND * Short.BYTES;
    }

    /** Returns a tone of 440 Hz at 16 kHz. A second contains whole periods, so the tone repeats without a click. */
    static VoiceSource tone() {
        ByteBuffer second = ByteBuffer.allocate(TONE_RATE * Short.BYTES).order(ByteOrder.LITTLE_ENDIAN);
        for (int i = 0; i < TONE_RATE; i++) {
            second.putShort((short) (TONE_PEAK * Math.sin(2 * Math.PI * TONE_HZ * i / TONE_RATE)));
        }
        return new VoiceSource(second.array(), TONE_RATE);
    }

    /**
     * Returns the first minute of a WAV file.
     *
     * @throws UsageException if the file cannot be read, is not a WAV file, is cut short, is shorter than a frame,
     *     or is anything but 16-bit PCM of one channel at 8 to 48 kHz; the message names the file
     */
    static VoiceSource wav(String file) {
        try (InputStream in = new BufferedInputStream(new FileInputStream(file))) {
            AudioFileFormat.Type type = AudioSystem.getAudioFileFormat(in).getType();
            if (!type.equals(AudioFileFormat.Type.WAVE)) {
                throw new UsageException(file + " is no WAV file but " + type);
            }
            return read(file, AudioSystem.getAudioInputStream(in));
        } catch (UnsupportedAudioFileException other) {
            throw new UsageException(file + " is no WAV file");
        } catch (IOException unreadable) {
            throw new UsageException("--wav cannot be read: " + unreadable.getMessage());
        }
    }

    private static VoiceSource read(String file, AudioInputStream audio) throws IOException {
        AudioFormat format = audio.getFormat();
        int rate = (int) format.getSampleRate();
        if (!format.getEncoding().equals(AudioFormat.Encoding.PCM_SIGNED)
                || format.getSampleSizeInBits() != Short.SIZE
                || format.getChannels() != 1) {
            throw new UsageException(file + " must be 16-bit PCM, mono; it is " + format);
        }
        if (rate < MIN_RATE || rate > MAX_RATE || rate % Voice.FRAMES_PER_SECOND != 0) {
            throw new UsageException(file + " has " + rate + " samples a second; it must be " + MIN_RATE + " to "
                    + MAX_RATE + ", with a whole number in 20 ms");
        }
        long samples = Math.min(audio.getFrameLength(), (long) rate * MAX_SECONDS);
        byte[] pcm = audio.readNBytes((int) samples * Short.BYTES);
        if (pcm.length < samples * Short.BYTES) {
            throw new UsageException(file + " is cut short: " + pcm.length / Short.BYTES + " samples of " + samples);
        }
        if (samples < rate / Voice.FRAMES_PER_SECOND) {
            throw new UsageException(file + " holds less than 20 ms");
        }
        return new VoiceSource(pcm, rate);
    }

    /** Returns the samples of a frame with any number: after the last whole frame follows the first. */
    ByteBuffer frame(int number) {
        int at = number % (pcm.length / frameBytes) * frameBytes;
        return ByteBuffer.wrap(pcm, at, frameBytes).slice().asReadOnlyBuffer();
    }
}
