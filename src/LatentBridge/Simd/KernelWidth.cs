namespace LatentBridge.Simd;

/// <summary>Width of the vectors that the kernels compute with.</summary>
public enum KernelWidth
{
    /// <summary>One value at a time: the reference.</summary>
    Scalar = 0,

    /// <summary>4 floats at a time.</summary>
    Vector128 = 1,

    /// <summary>8 floats at a time.</summary>
    Vector256 = 2,

    /// <summary>16 floats at a time.</summary>
    Vector512 = 3,
}
