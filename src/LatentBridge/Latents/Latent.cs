namespace LatentBridge.Latents;

/// <summary>
/// A view of a latent's bytes: contiguous, row-major <c>[B,C,T,H,W]</c>, in the sampler's scale unless
/// <see cref="Space"/> says otherwise. Owns nothing; valid as long as the memory behind it.
/// </summary>
public readonly ref struct Latent
{
    /// <summary>Wraps bytes whose length must be that of the shape times the element size.</summary>
    /// <exception cref="ArgumentException">The number of bytes does not fit the shape.</exception>
    public Latent(ReadOnlySpan<byte> bytes, LatentElementType elementType, LatentShape shape, LatentSpace space = LatentSpace.Sampler)
    {
        long expected = shape.Length * elementType.ByteLength();
        if (bytes.Length != expected)
        {
            throw new ArgumentException($"{bytes.Length} bytes given; a {elementType} latent of shape {shape} has {expected}.", nameof(bytes));
        }

        Bytes = bytes;
        ElementType = elementType;
        Shape = shape;
        Space = space;
    }

    /// <summary>The elements' bytes, little-endian.</summary>
    public ReadOnlySpan<byte> Bytes { get; }

    /// <summary>What an element is.</summary>
    public LatentElementType ElementType { get; }

    /// <summary>The axes.</summary>
    public LatentShape Shape { get; }

    /// <summary>Which scale the values are in.</summary>
    public LatentSpace Space { get; }
}
