namespace LatentBridge.Formats;

/// <summary>A linear map from latent channels to colour: <c>rgb[r] = sum over c of x[c] * factors[c][r] + bias[r]</c>, nominally -1..1.</summary>
/// <param name="name">Who made the numbers: <c>fitted</c> (this project), <c>comfyui</c>, <c>a1111</c> and so on.</param>
/// <param name="source">Repository, file and table the numbers come from, or how they were fitted.</param>
/// <param name="factors">Rows of three: red, green, blue of each channel.</param>
/// <param name="bias">Three: red, green, blue.</param>
/// <param name="heldOutPsnr">See <see cref="HeldOutPsnr"/>.</param>
public sealed class LatentRgbMap(string name, string source, float[] factors, float[] bias, double? heldOutPsnr = null)
{
    /// <summary>Who made the numbers: <c>fitted</c> (this project), <c>comfyui</c>, <c>a1111</c>, <c>stable-diffusion.cpp</c> and so on.</summary>
    public string Name { get; } = name;

    /// <summary>Repository, file and table the numbers come from, or how they were fitted.</summary>
    public string Source { get; } = source;

    /// <summary>PSNR in dB on pictures that the fit did not see, where it was measured.</summary>
    public double? HeldOutPsnr { get; } = heldOutPsnr;

    /// <summary>Channels it reads (after unpacking).</summary>
    public int Channels => factors.Length / 3;

    /// <summary>Red, green and blue of channel 0, of channel 1 and so on.</summary>
    public ReadOnlySpan<float> Factors => factors;

    /// <summary>What is added to red, green and blue.</summary>
    public ReadOnlySpan<float> Bias => bias;

    /// <summary>
    /// What each colour of a video's later latent frames is multiplied by and then moved by: the map fits the first, which stands for one
    /// picture. Null where that was not measured.
    /// </summary>
    internal (float[] Gain, float[] Offset)? Later { get; init; }
}
