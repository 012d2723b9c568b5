package io.realtime.client.internal.outbox;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.MappedByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.ReadableByteChannel;
import java.nio.channels.WritableByteChannel;
import java.nio.file.Files;
import java.nio.file.OpenOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;

/**
 * Real files on a disk that fails when told to: from the n-th change on, of which half is still made, as in a crash; as
 * long as it is full; or by one kind of change alone. Forces nothing, but remembers what was forced: {@link #losePower}
 * leaves no more than that.
 */
public final class BrokenDisk extends JournalDisk {
    public final List<String> changes = new ArrayList<>();
    public final List<Path> opened = new ArrayList<>();
    int failsAt = Integer.MAX_VALUE;
    public boolean full;
    public boolean forceFails;
    boolean truncateFails;
    public Runnable onClose = () -> {}; // before a file is closed

    /** Whether what is written is on the disk at once, as it may be; that a file was cut is not, unless it is forced. */
    boolean writesThrough;

    private Map<Path, Contents> names = new HashMap<>(); // of the files that were opened
    private Map<Path, Contents> forcedNames = new HashMap<>();

    /** What of a file is on the disk. */
    private static final class Contents {
        byte[] forced = new byte[0];
    }

    /** How much is lost with the power. */
    public enum Loss {
        /** The process alone ends. */
        NOTHING,
        /** What was not forced of the contents of files; their names are on the disk before that. */
        CONTENTS,
        /** Names, too: what was put in the place of another file, or is new, is not there unless its directory was forced. */
        CONTENTS_AND_NAMES
    }

    /** Leaves in the directory what is on the disk for sure; nobody uses this disk any more. */
    public void losePower(Loss loss) throws IOException {
        if (loss == Loss.NOTHING) {
            return;
        }
        for (Path path : names.keySet()) {
            Files.deleteIfExists(path);
        }
        Map<Path, Contents> left = loss == Loss.CONTENTS ? names : forcedNames;
        for (Map.Entry<Path, Contents> one : left.entrySet()) {
            Files.write(one.getKey(), one.getValue().forced);
        }
    }

    /** Counts a change; returns whether it is the one in the middle of which the disk fails. */
    private boolean isLast(String change) throws IOException {
        if (changes.size() > failsAt) {
            throw new IOException("crashed");
        }
        changes.add(change);
        return changes.size() > failsAt;
    }

    @Override
    FileChannel open(Path path, OpenOption... options) throws IOException {
        if (changes.size() > failsAt) {
            throw new IOException("crashed");
        }
        opened.add(path);
        if (!Files.exists(path)) {
            names.put(path, new Contents());
        } else if (!names.containsKey(path)) { // it was there before this disk was used
            Contents contents = new Contents();
            contents.forced = Files.readAllBytes(path);
            names.put(path, contents);
            forcedNames.put(path, contents);
        }
        Set<OpenOption> readable = new HashSet<>(List.of(options));
        readable.add(StandardOpenOption.READ);
        FileChannel real = super.open(path, readable.toArray(new OpenOption[0]));
        return new Channel(real, Objects.requireNonNull(names.get(path)));
    }

    @Override
    void delete(Path path) throws IOException {
        if (changes.size() > failsAt) {
            throw new IOException("crashed");
        }
        super.delete(path);
        names.remove(path);
    }

    @Override
    void replace(Path from, Path to) throws IOException {
        if (isLast("replace")) {
            throw new IOException("crashed before the replacement");
        }
        super.replace(from, to);
        names.put(to, names.remove(from));
    }

    @Override
    void forceNames(Path file) throws IOException {
        if (isLast("force names")) {
            throw new IOException("crashed after the replacement");
        }
        forcedNames = new HashMap<>(names);
    }

    private final class Channel extends FileChannel {
        private final FileChannel real;
        private final Contents contents;

        Channel(FileChannel real, Contents contents) {
            this.real = real;
            this.contents = contents;
        }

        @Override
        public int write(ByteBuffer source, long position) throws IOException {
            if (full) {
                writeHalf(source, position);
                throw new IOException("No space left on device");
            }
            if (isLast("write")) {
                writeHalf(source, position);
                throw new IOException("crashed");
            }
            int written = real.write(source, position);
            if (writesThrough) {
                remember();
            }
            return written;
        }

        private void writeHalf(ByteBuffer source, long position) throws IOException {
            ByteBuffer half = source.duplicate();
            half.limit(source.position() + source.remaining() / 2);
            real.write(half, position);
            if (writesThrough) {
                remember();
            }
        }

        private void remember() throws IOException {
            ByteBuffer all = ByteBuffer.allocate((int) real.size());
            while (all.hasRemaining() && real.read(all, all.position()) >= 0) {
                // the next part
            }
            contents.forced = all.array();
        }

        @Override
        public void force(boolean metaData) throws IOException {
            if (forceFails || isLast("force")) {
                throw new IOException("Input/output error");
            }
            remember();
        }

        @Override
        public FileChannel truncate(long size) throws IOException {
            if (truncateFails || isLast("truncate")) {
                throw new IOException("Input/output error");
            }
            real.truncate(size);
            return this;
        }

        @Override
        public int read(ByteBuffer target) throws IOException {
            return real.read(target);
        }

        @Override
        public int read(ByteBuffer target, long position) throws IOException {
            return real.read(target, position);
        }

        @Override
        public long size() throws IOException {
            return real.size();
        }

        @Override
        protected void implCloseChannel() throws IOException {
            onClose.run();
            real.close();
        }

        @Override
        public long position() throws IOException {
            return real.position();
        }

        @Override
        public int write(ByteBuffer source) {
            throw new UnsupportedOperationException();
        }

        @Override
        public long read(ByteBuffer[] targets, int offset, int length) {
            throw new UnsupportedOperationException();
        }

        @Override
        public long write(ByteBuffer[] sources, int offset, int length) {
            throw new UnsupportedOperationException();
        }

        @Override
        public FileChannel position(long newPosition) {
            throw new UnsupportedOperationException();
        }

        @Override
        public long transferTo(long position, long count, WritableByteChannel target) {
            throw new UnsupportedOperationException();
        }

        @Override
        public long transferFrom(ReadableByteChannel source, long position, long count) {
            throw new UnsupportedOperationException();
        }

        @Override
        public MappedByteBuffer map(MapMode mode, long position, long size) {
            throw new UnsupportedOperationException();
        }

        @Override
        public FileLock lock(long position, long size, boolean shared) {
            throw new UnsupportedOperationException();
        }

        @Override
        public FileLock tryLock(long position, long size, boolean shared) {
            throw new UnsupportedOperationException();
        }
    }
}
