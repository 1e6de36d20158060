using System.IO.MemoryMappedFiles;
using System.Runtime.InteropServices;
using LatentBridge.Ipc;
using Microsoft.Win32.SafeHandles;

namespace LatentBridge.Testing;

/// <summary>
/// The shim's side of the memory, for tests: an anonymous file with a descriptor on Linux, a named section on Windows; a header page, and writes into it.
/// </summary>
sealed class ShimMemory : IDisposable
{
    [DllImport("libc", SetLastError = true)]
    static extern int memfd_create(byte[] name, uint flags);

    readonly SafeFileHandle? _handle;
    MemoryMappedFile _file;

    public ShimMemory(long length)
    {
        if (OperatingSystem.IsLinux())
        {
            // No close-on-exec: a child process inherits it under its own number.
            int descriptor = memfd_create("latentbridge-test\0"u8.ToArray(), 0);
            Assert.True(descriptor >= 0, $"memfd_create failed: {Marshal.GetLastPInvokeErrorMessage()}");
            _handle = new SafeFileHandle(descriptor, ownsHandle: true);
            Source = MappingSource.FromDescriptor(descriptor);
        }
        else if (!OperatingSystem.IsWindows())
        {
            Assert.Skip("No memory to share: neither Linux nor Windows.");
        }

        _file = Map(length);
    }

    /// <summary>A mapping with a valid header page.</summary>
    public ShimMemory(HeaderPage page)
        : this((long)page.TotalLength) => Write(page, 0);

    public MappingSource Source { get; private set; }

    /// <summary>The source as <c>attach</c> names it.</summary>
    public string SourceJson => Source.Name is { } name
        ? $$"""{"kind":"section","name":"{{name.Replace(@"\", @"\\", StringComparison.Ordinal)}}"}"""
        : $$"""{"kind":"fd","fd":{{Source.Descriptor}}}""";

    public void Resize(HeaderPage page)
    {
        _file.Dispose();
        _file = Map((long)page.TotalLength);
        Write(page, 0);
    }

    public void Write<T>(in T value, long offset)
        where T : unmanaged => Write(MemoryMarshal.AsBytes(new ReadOnlySpan<T>(in value)), offset);

    public void Write(ReadOnlySpan<byte> bytes, long offset)
    {
        using MemoryMappedViewStream view = _file.CreateViewStream(offset, bytes.Length);
        view.Write(bytes);
    }

    public byte[] Read(long offset, int length)
    {
        byte[] bytes = new byte[length];
        using MemoryMappedViewStream view = _file.CreateViewStream(offset, length);
        view.ReadExactly(bytes);
        return bytes;
    }

    public void Dispose()
    {
        _file.Dispose();
        _handle?.Dispose();
    }

    // On Linux the same descriptor, longer; on Windows a section cannot grow, and each is a new one.
    MemoryMappedFile Map(long length)
    {
        if (OperatingSystem.IsWindows())
        {
            string name = $@"Local\latentbridge-test-{Guid.NewGuid():N}";
            Source = MappingSource.FromSection(name);
            return MemoryMappedFile.CreateNew(name, length);
        }

        RandomAccess.SetLength(_handle!, length);
        return MemoryMappedFile.CreateFromFile(_handle!, null, length, MemoryMappedFileAccess.ReadWrite, HandleInheritability.None, leaveOpen: true);
    }
}
