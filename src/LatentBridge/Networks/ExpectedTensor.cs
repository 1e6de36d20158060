namespace LatentBridge.Networks;

/// <summary>A tensor a network must have.</summary>
/// <param name="Name">Its key, as in the architecture's own repository.</param>
/// <param name="Dimensions">Its axes, outermost first.</param>
readonly record struct ExpectedTensor(string Name, long[] Dimensions)
{
    /// <summary>Number of elements.</summary>
    public long Length => Dimensions.Aggregate(1L, (product, axis) => product * axis);
}
