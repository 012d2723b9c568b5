package io.realtime.client;

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
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.List;

/**
 * Real files, unforced, since no test pulls the plug; on a disk that fails when told to: from the n-th change on, of which half is still made, as in a crash; or
 * as long as it is full.
 */
final class BrokenDisk extends OutboxJournal.Disk {
    final List<String> changes = new ArrayList<>();
    final List<Path> opened = new ArrayList<>();
    int failsAt = Integer.MAX_VALUE;
    boolean full;
    boolean forceFails;

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
        return new Channel(super.open(path, options));
    }

    @Override
    void delete(Path path) throws IOException {
        if (changes.size() > failsAt) {
            throw new IOException("crashed");
        }
        super.delete(path);
    }

    @Override
    void replace(Path from, Path to) throws IOException {
        if (isLast("replace")) {
            throw new IOException("crashed before the replacement");
        }
        Files.move(from, to, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
        if (isLast("replaced")) {
            throw new IOException("crashed after the replacement");
        }
    }

    private final class Channel extends FileChannel {
        private final FileChannel real;

        Channel(FileChannel real) {
            this.real = real;
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
            return real.write(source, position);
        }

        private void writeHalf(ByteBuffer source, long position) throws IOException {
            ByteBuffer half = source.duplicate();
            half.limit(source.position() + source.remaining() / 2);
            real.write(half, position);
        }

        @Override
        public void force(boolean metaData) throws IOException {
            if (forceFails || isLast("force")) {
                throw new IOException("Input/output error");
            }
        }

        @Override
        public FileChannel truncate(long size) throws IOException {
            if (isLast("truncate")) {
                throw new IOException("crashed");
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
