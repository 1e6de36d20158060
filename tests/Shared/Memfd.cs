using System.Runtime.InteropServices;
using System.Text;
using LatentBridge.Ipc;
using Microsoft.Win32.SafeHandles;

namespace LatentBridge.Testing;

/// <summary>What the shim does on Linux, for tests: anonymous memory with a descriptor, a header page, and writes into it.</summary>
sealed class Memfd : IDisposable
{
    [DllImport("libc", SetLastError = true)]
    static extern int memfd_create(byte[] name, uint flags);

    readonly SafeFileHandle _handle;

    public Memfd(long length)
    {
        if (!OperatingSystem.IsLinux())
        {
            Assert.Skip("memfd_create is Linux's");
        }

        // No close-on-exec: a child process inherits it under its own number.
        Descriptor = memfd_create(Encoding.ASCII.GetBytes("latentbridge-test\0"), 0);
        Assert.True(Descriptor >= 0, $"memfd_create failed: {Marshal.GetLastPInvokeErrorMessage()}");
        _handle = new SafeFileHandle(Descriptor, ownsHandle: true);
        RandomAccess.SetLength(_handle, length);
    }

    /// <summary>A mapping with a valid header page.</summary>
    public Memfd(HeaderPage page)
        : this((long)page.TotalLength) => Write(page, 0);

    public int Descriptor { get; }

    public MappingSource Source => MappingSource.FromDescriptor(Descriptor);

    public void Resize(HeaderPage page)
    {
        RandomAccess.SetLength(_handle, (long)page.TotalLength);
        Write(page, 0);
    }

    public void Write<T>(in T value, long offset)
        where T : unmanaged => RandomAccess.Write(_handle, MemoryMarshal.AsBytes(new ReadOnlySpan<T>(in value)), offset);

    public void Write(ReadOnlySpan<byte> bytes, long offset) => RandomAccess.Write(_handle, bytes, offset);

    public byte[] Read(long offset, int length)
    {
        byte[] bytes = new byte[length];
        int read = RandomAccess.Read(_handle, bytes, offset);
        Assert.Equal(length, read);
        return bytes;
    }

    public void Dispose() => _handle.Dispose();
}
