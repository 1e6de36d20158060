using System.IO.MemoryMappedFiles;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace LatentBridge.Ipc;

/// <summary>The memory shim and host share, seen as slots. Validates the header page once, when it opens.</summary>
/// <remarks>
/// Spans handed out are valid until <see cref="Dispose"/>; whoever disposes makes sure that nobody uses one any more. Slot indices
/// come from a validated message or throw <see cref="ArgumentOutOfRangeException"/>. No call allocates after opening.
/// </remarks>
public sealed unsafe class SharedMapping : IDisposable
{
    readonly MemoryMappedFile _file;
    readonly MemoryMappedViewAccessor _view;
    readonly byte* _start;
    readonly HeaderPage _page;
    bool _disposed;

    SharedMapping(MemoryMappedFile file, MemoryMappedViewAccessor view, byte* start, HeaderPage page)
    {
        _file = file;
        _view = view;
        _start = start;
        _page = page;
    }

    /// <summary>Maps what the shim made and checks its header page.</summary>
    /// <param name="source">Descriptor or section.</param>
    /// <param name="length">Bytes, as the attach message said.</param>
    /// <param name="generation">As the attach message said.</param>
    /// <exception cref="MappingException">It cannot be mapped, is shorter than said, or its header page is wrong; the message says which.</exception>
    public static SharedMapping Open(MappingSource source, long length, uint generation)
    {
        if (length < Protocol.HeaderLength)
        {
            throw new MappingException($"The mapping ({source}) is said to have {length} bytes; the header page alone has {Protocol.HeaderLength}.");
        }

        MemoryMappedFile? file = null;
        MemoryMappedViewAccessor? view = null;
        byte* start = null;
        try
        {
            file = OpenFile(source, length);
            view = file.CreateViewAccessor(0, length, MemoryMappedFileAccess.ReadWrite);
            view.SafeMemoryMappedViewHandle.AcquirePointer(ref start);
            start += view.PointerOffset;
            var page = MemoryMarshal.Read<HeaderPage>(new ReadOnlySpan<byte>(start, HeaderPage.ByteLength));
            string? problem = page.Validate();
            problem ??= page.TotalLength != (ulong)length ? $"total length {page.TotalLength}, attach said {length}" : null;
            problem ??= page.Generation != generation ? $"generation {page.Generation}, attach said {generation}" : null;
            if (problem is not null)
            {
                throw new MappingException($"The mapping ({source}) cannot be used: {problem}.");
            }

            return new SharedMapping(file, view, start, page);
        }
        catch (Exception e)
        {
            if (start is not null)
            {
                view!.SafeMemoryMappedViewHandle.ReleasePointer();
            }

            view?.Dispose();
            file?.Dispose();
            if (e is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException or OutOfMemoryException)
            {
                throw new MappingException($"The mapping ({source}, {length} bytes) cannot be opened: {e.Message}", e);
            }

            throw;
        }
    }

    /// <summary>Number of latent slots.</summary>
    public int LatentSlotCount => (int)_page.LatentSlotCount;

    /// <summary>Number of image slots.</summary>
    public int ImageSlotCount => (int)_page.ImageSlotCount;

    /// <summary>Bytes of payload a latent slot holds.</summary>
    public long LatentCapacity => (long)_page.LatentSlotStride - Protocol.SlotHeaderLength;

    /// <summary>Bytes of payload an image slot holds.</summary>
    public long ImageCapacity => (long)_page.ImageSlotStride - Protocol.SlotHeaderLength;

    /// <summary>Counts the attaches of this shim, from 1.</summary>
    public uint Generation => _page.Generation;

    /// <summary>Bytes of the whole mapping.</summary>
    public long Length => (long)_page.TotalLength;

    /// <summary>A copy of a latent slot's header, not yet validated.</summary>
    public LatentSlotHeader ReadLatentHeader(int slot) => MemoryMarshal.Read<LatentSlotHeader>(new ReadOnlySpan<byte>(Latent(slot), Protocol.SlotHeaderLength));

    /// <summary>The payload that a validated header describes.</summary>
    public ReadOnlySpan<byte> LatentPayload(int slot, scoped in LatentSlotHeader header) =>
        new(Latent(slot) + Protocol.SlotHeaderLength, checked((int)Math.Min((long)header.PayloadLength, LatentCapacity)));

    /// <summary>Where the picture of an image slot is written; at most 2^31 - 1 bytes of it.</summary>
    public Span<byte> ImagePayload(int slot) =>
        new(Image(slot) + Protocol.SlotHeaderLength, (int)Math.Min(int.MaxValue, ImageCapacity));

    /// <summary>Writes an image slot's header; the payload lies there already.</summary>
    public void WriteImageHeader(int slot, in ImageSlotHeader header) => MemoryMarshal.Write(new Span<byte>(Image(slot), Protocol.SlotHeaderLength), header);

    /// <summary>Unmaps. The descriptor stays open: it is the one that a bigger geometry will use.</summary>
    public void Dispose()
    {
        if (_disposed)
        {
            return;
        }

        _disposed = true;
        _view.SafeMemoryMappedViewHandle.ReleasePointer();
        _view.Dispose();
        _file.Dispose();
    }

    byte* Latent(int slot)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)slot, _page.LatentSlotCount, nameof(slot));
        return _start + _page.LatentSlotsOffset + ((ulong)slot * _page.LatentSlotStride);
    }

    byte* Image(int slot)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)slot, _page.ImageSlotCount, nameof(slot));
        return _start + _page.ImageSlotsOffset + ((ulong)slot * _page.ImageSlotStride);
    }

    static MemoryMappedFile OpenFile(MappingSource source, long length)
    {
        if (source.Name is { } name)
        {
            return OperatingSystem.IsWindows()
                ? MemoryMappedFile.OpenExisting(name, MemoryMappedFileRights.ReadWrite)
                : throw new MappingException($"The mapping is a {source}, which only Windows has; send a descriptor.");
        }

        if (OperatingSystem.IsWindows())
        {
            throw new MappingException($"The mapping is a {source}; on Windows send a section's name.");
        }

        // Not owned: the shim grows this very descriptor and attaches again.
        var handle = new SafeFileHandle(source.Descriptor, ownsHandle: false);
        long actual = RandomAccess.GetLength(handle);
        if (actual < length)
        {
            // Mapped beyond its end, the first touch would be a SIGBUS.
            throw new MappingException($"The mapping ({source}) has {actual} bytes; attach said {length}.");
        }

        return MemoryMappedFile.CreateFromFile(handle, null, 0, MemoryMappedFileAccess.ReadWrite, HandleInheritability.None, leaveOpen: true);
    }
}
