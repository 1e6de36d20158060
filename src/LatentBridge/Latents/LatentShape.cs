namespace LatentBridge.Latents;

/// <summary>
/// The five axes of a latent, <c>[batch, channels, frames, height, width]</c>; every axis is at least 1.
/// </summary>
/// <remarks>
/// An image latent has one frame. A one-dimensional latent <c>[B,C,N]</c> has height 1 and width N. How an array of
/// fewer axes is read is decided by the format's own number of dimensions: see <see cref="FromDimensions"/>.
/// </remarks>
/// <param name="Batch">Number of pictures or clips.</param>
/// <param name="Channels">Latent channels.</param>
/// <param name="Frames">Latent frames, 1 for an image.</param>
/// <param name="Height">Cells from top to bottom.</param>
/// <param name="Width">Cells from left to right.</param>
public readonly record struct LatentShape(int Batch, int Channels, int Frames, int Height, int Width)
{
    /// <summary>Cells on an axis a latent may have at most; a guard against nonsense, not a limit of any model.</summary>
    public const int MaximumAxis = 1 << 20;

    /// <summary>Elements a latent may have at most (2^31 - 1: four Gibi-elements of F16 would not fit a span).</summary>
    public const long MaximumLength = int.MaxValue;

    /// <summary>Number of elements.</summary>
    public long Length => (long)Batch * Channels * Frames * Height * Width;

    /// <summary>Number of cells of one frame of one batch item.</summary>
    public int PlaneLength => Height * Width;

    /// <summary>Shape as people write it: <c>[1, 4, 64, 64]</c>, with the frames only where there are several.</summary>
    public override string ToString() => Frames == 1
        ? $"[{Batch}, {Channels}, {Height}, {Width}]"
        : $"[{Batch}, {Channels}, {Frames}, {Height}, {Width}]";

    /// <summary>
    /// Reads the axes of an array as a latent of a format with <paramref name="spatialDimensions"/> dimensions
    /// (1: <c>[B,C,N]</c>, 2: <c>[B,C,H,W]</c>, 3: <c>[B,C,T,H,W]</c>); one leading axis fewer means a batch of one.
    /// A format of 3 dimensions takes <c>[B,C,H,W]</c> as one frame (a clip without its batch axis would look the same:
    /// give the batch axis), and a format of 2 takes <c>[B,C,T,H,W]</c>.
    /// </summary>
    /// <param name="dimensions">The array's axes, outermost first.</param>
    /// <param name="spatialDimensions">The format's number of dimensions: 1, 2 or 3.</param>
    /// <param name="shape">The shape when the result is null.</param>
    /// <returns>Null when the axes fit; else what was found and what was expected, as a sentence.</returns>
    public static string? FromDimensions(ReadOnlySpan<long> dimensions, int spatialDimensions, out LatentShape shape)
    {
        shape = default;
        foreach (long axis in dimensions)
        {
            if (axis is < 1 or > MaximumAxis)
            {
                return $"axes {Describe(dimensions)}: every axis must be from 1 to {MaximumAxis}, found {axis}";
            }
        }

        int rank = dimensions.Length;
        LatentShape? read = (spatialDimensions, rank) switch
        {
            (1, 2) => new(1, (int)dimensions[0], 1, 1, (int)dimensions[1]),
            (1, 3) => new((int)dimensions[0], (int)dimensions[1], 1, 1, (int)dimensions[2]),
            (2 or 3, 3) => new(1, (int)dimensions[0], 1, (int)dimensions[1], (int)dimensions[2]),
            (2 or 3, 4) => new((int)dimensions[0], (int)dimensions[1], 1, (int)dimensions[2], (int)dimensions[3]),
            (2 or 3, 5) => new((int)dimensions[0], (int)dimensions[1], (int)dimensions[2], (int)dimensions[3], (int)dimensions[4]),
            _ => null,
        };
        if (read is not { } found)
        {
            string expected = spatialDimensions == 1 ? "[B,C,N] or [C,N]" : spatialDimensions == 2 ? "[B,C,H,W] or [C,H,W]" : "[B,C,T,H,W], [B,C,H,W] or [C,H,W]";
            return $"axes {Describe(dimensions)}: expected {expected}";
        }

        if (found.Length > MaximumLength)
        {
            return $"axes {Describe(dimensions)}: {found.Length} elements, at most {MaximumLength} are supported";
        }

        shape = found;
        return null;
    }

    static string Describe(ReadOnlySpan<long> dimensions) => $"[{string.Join(", ", dimensions.ToArray())}]";
}
