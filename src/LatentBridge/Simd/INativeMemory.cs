namespace LatentBridge.Simd;

/// <summary>Memory outside the managed heap that its owner gives back.</summary>
interface INativeMemory : IDisposable
{
    /// <summary>Bytes it holds.</summary>
    long ByteLength { get; }
}
