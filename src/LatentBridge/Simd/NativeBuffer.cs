using System.Runtime.InteropServices;

namespace LatentBridge.Simd;

/// <summary>Zeroed floats outside the managed heap, aligned to a page; freed by <see cref="Dispose"/>, at the latest by the finaliser.</summary>
sealed unsafe class NativeBuffer : INativeMemory
{
    const int Alignment = 4096;

    float* _pointer;

    /// <exception cref="OutOfMemoryException">The system does not give that much.</exception>
    public NativeBuffer(long length)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        Length = length;
        nuint bytes = (nuint)ByteLength;
        _pointer = (float*)NativeMemory.AlignedAlloc(Math.Max(bytes, Alignment), Alignment);
        NativeMemory.Clear(_pointer, bytes);
        GC.AddMemoryPressure(Math.Max(ByteLength, 1));
    }

    ~NativeBuffer() => Free();

    /// <summary>Number of floats.</summary>
    public long Length { get; }

    public long ByteLength => Length * sizeof(float);

    /// <summary>The first float; null once disposed.</summary>
    public float* Pointer => _pointer;

    public void Dispose()
    {
        Free();
        GC.SuppressFinalize(this);
    }

    void Free()
    {
        if (_pointer != null)
        {
            NativeMemory.AlignedFree(_pointer);
            _pointer = null;
            GC.RemoveMemoryPressure(Math.Max(ByteLength, 1));
        }
    }
}
