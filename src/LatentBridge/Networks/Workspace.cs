using LatentBridge.Simd;

namespace LatentBridge.Networks;

/// <summary>One thread's scratch memory; weights and rings are everybody's.</summary>
sealed unsafe class Workspace(long scratchLength) : IDisposable
{
    readonly NativeBuffer _buffer = new(scratchLength);

    public long ByteLength => _buffer.ByteLength;

    /// <summary>Scratch memory, with whatever the last layer left in it.</summary>
    public float* Scratch => _buffer.Pointer;

    /// <summary>Whether it is big enough.</summary>
    public bool Holds(long length) => length <= _buffer.Length;

    public void Dispose() => _buffer.Dispose();
}
