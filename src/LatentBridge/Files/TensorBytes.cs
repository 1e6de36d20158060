using Microsoft.Win32.SafeHandles;

namespace LatentBridge.Files;

/// <summary>
/// The bytes of a file (or of memory), read piece by piece where they are asked for: a file of several gigabytes is never
/// read whole, and one that shrinks while it is read gives an error, where a memory map would end the process.
/// </summary>
abstract class TensorBytes(string name, long length) : IDisposable
{
    const int MaximumMessageLength = 2000;

    /// <summary>What messages call it: the path.</summary>
    public string Name { get; } = name;

    /// <summary>Number of bytes.</summary>
    public long Length { get; } = length;

    /// <summary>The part of these bytes that is being inflated.</summary>
    public InflatingPart Inflating { get; } = new();

    /// <summary>Fills <paramref name="destination"/> from <paramref name="offset"/> on.</summary>
    /// <exception cref="LatentBridgeException">There are not that many bytes, or they cannot be read.</exception>
    public void Read(long offset, Span<byte> destination)
    {
        if (!Holds(offset, destination.Length))
        {
            throw Bad($"ends too early: {destination.Length} bytes wanted at {offset}, found {Math.Max(0, Length - offset)}. The file is cut off or damaged; copy or download it again");
        }

        ReadCore(offset, destination);
    }

    /// <summary>Reads into a new array, after checking that the bytes are there and not more than <paramref name="limit"/>.</summary>
    public byte[] ReadArray(long offset, long length, long limit, string what)
    {
        if (length > limit)
        {
            throw Bad($"{what} of {length} bytes; at most {limit} are accepted. The file is damaged or not what it seems");
        }

        if (!Holds(offset, length))
        {
            throw Bad($"{what} of {length} bytes at {offset}, but the file has only {Length}. It is cut off or damaged; copy or download it again");
        }

        byte[] array = new byte[length];
        ReadCore(offset, array);
        return array;
    }

    /// <summary>Whether the range lies inside; safe for any numbers a file may hold.</summary>
    public bool Holds(long offset, long length) => offset >= 0 && length >= 0 && offset <= Length && length <= Length - offset;

    /// <summary>The exception for a fault in these bytes.</summary>
    /// <remarks>Whatever a file holds, its message stays short.</remarks>
    public LatentBridgeException Bad(string what, Exception? inner = null) =>
        new(what.Length <= MaximumMessageLength ? $"{Name}: {what}." : $"{Name}: {what[..MaximumMessageLength]}...", inner);

    /// <inheritdoc/>
    public virtual void Dispose() => Inflating.Dispose();

    protected abstract void ReadCore(long offset, Span<byte> destination);

    /// <summary>Opens a file for reading.</summary>
    public static TensorBytes OpenFile(string path)
    {
        SafeFileHandle? handle = null;
        try
        {
            if (RegularFile.Problem(path) is { } problem)
            {
                throw new LatentBridgeException($"{path}: {problem}.");
            }

            handle = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, FileOptions.RandomAccess);
            return new FileBytes(path, handle, RandomAccess.GetLength(handle));
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new LatentBridgeException($"{path}: there is no such file. Check the path.", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or NotSupportedException or ArgumentException)
        {
            handle?.Dispose();
            string why = Directory.Exists(path) ? "is a folder; a file is expected" : $"cannot be opened ({e.Message})";
            throw new LatentBridgeException($"{path}: {why}.", e);
        }
    }

    /// <summary>Wraps memory.</summary>
    public static TensorBytes FromMemory(ReadOnlyMemory<byte> bytes, string name) => new MemoryBytes(name, bytes);

    sealed class FileBytes(string name, SafeFileHandle handle, long length) : TensorBytes(name, length)
    {
        public override void Dispose()
        {
            handle.Dispose();
            base.Dispose();
        }

        protected override void ReadCore(long offset, Span<byte> destination)
        {
            try
            {
                while (!destination.IsEmpty)
                {
                    int count = RandomAccess.Read(handle, destination, offset);
                    if (count == 0)
                    {
                        throw Bad($"became shorter while it was read (it had {Length} bytes, now it ends at {offset})");
                    }

                    destination = destination[count..];
                    offset += count;
                }
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                throw Bad($"cannot be read ({e.Message})", e);
            }
        }
    }

    sealed class MemoryBytes(string name, ReadOnlyMemory<byte> bytes) : TensorBytes(name, bytes.Length)
    {
        protected override void ReadCore(long offset, Span<byte> destination) =>
            bytes.Span.Slice((int)offset, destination.Length).CopyTo(destination);
    }
}
