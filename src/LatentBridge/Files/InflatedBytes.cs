using System.IO.Compression;

namespace LatentBridge.Files;

/// <summary>
/// A deflated part of a file, inflated when it is read: the first 64 KiB for a header, everything for more. Never
/// more than the declared length is inflated, and memory grows only with what really came out.
/// </summary>
sealed class InflatedBytes : TensorBytes
{
    const int HeadLength = 1 << 16;
    const long MaximumLength = 1L << 30;

    // One byte of deflate gives at most 1032 bytes.
    const long MaximumRatio = 1032;

    readonly TensorBytes _deflated;
    readonly long _offset;
    readonly long _deflatedLength;
    readonly Lock _lock = new();
    byte[] _inflated = [];

    public InflatedBytes(TensorBytes deflated, long offset, long deflatedLength, long length)
        : base(deflated.Name, length)
    {
        if (length > MaximumLength || length > (deflatedLength + 1) * MaximumRatio)
        {
            throw deflated.Bad($"a part of {deflatedLength} bytes claims to be {length} bytes when inflated; at most {MaximumLength} and {MaximumRatio} times its size are accepted. Save it uncompressed");
        }

        (_deflated, _offset, _deflatedLength) = (deflated, offset, deflatedLength);
    }

    protected override void ReadCore(long offset, Span<byte> destination)
    {
        int end = (int)offset + destination.Length;
        byte[] inflated;
        lock (_lock)
        {
            if (_inflated.Length < end)
            {
                _inflated = Inflate((int)(end <= HeadLength ? Math.Min(HeadLength, Length) : Length));
            }

            inflated = _inflated;
        }

        inflated.AsSpan((int)offset, destination.Length).CopyTo(destination);
    }

    byte[] Inflate(int wanted)
    {
        byte[] inflated = new byte[Math.Min(wanted, 1 << 20)];
        int count = 0;
        try
        {
            using var stream = new DeflateStream(new View(_deflated, _offset, _deflatedLength), CompressionMode.Decompress);
            while (count < wanted)
            {
                if (count == inflated.Length)
                {
                    Array.Resize(ref inflated, (int)Math.Min(wanted, 2L * count));
                }

                int read = stream.Read(inflated.AsSpan(count));
                if (read == 0)
                {
                    throw Bad($"a compressed part ends after {count} of {wanted} bytes. The file is cut off or damaged; copy or download it again");
                }

                count += read;
            }
        }
        catch (InvalidDataException e)
        {
            throw Bad($"a compressed part cannot be inflated ({e.Message.TrimEnd('.')}). The file is damaged; copy or download it again", e);
        }

        return inflated;
    }

    /// <summary>A range of bytes as the stream that <see cref="DeflateStream"/> asks for.</summary>
    sealed class View(TensorBytes bytes, long offset, long length) : Stream
    {
        long _position;

        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => length;

        public override long Position { get => _position; set => throw new NotSupportedException(); }

        public override int Read(Span<byte> buffer)
        {
            int count = (int)Math.Min(buffer.Length, length - _position);
            bytes.Read(offset + _position, buffer[..count]);
            _position += count;
            return count;
        }

        public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

        public override void Flush()
        {
        }

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}
