namespace LatentBridge.Host.Compare;

/// <summary>Which library of Python decodes what C# decodes: <c>python/latentbridge/reference</c>.</summary>
static class References
{
    internal const string NumPy = "numpy";
    internal const string Torch = "torch";

    /// <summary>Its AutoencoderTiny; taken only when it is asked for by name.</summary>
    internal const string Diffusers = "diffusers";

    static readonly string[] InNumPy = ["latent2rgb", "mlp", "linear", "linear3x3", "quadratic", "cubic"];
    static readonly string[] InDiffusers = ["taesd"];
    static readonly string[] InTorch = ["taesd", "taesd-half", "tiny", "latent2rgb"];

    /// <summary>The libraries that <c>--against</c> takes beside <c>python</c>, which takes whichever has the decoder.</summary>
    internal static readonly string[] Libraries = [NumPy, Torch, Diffusers];

    /// <summary>The library that has a decoder; null when none that was asked for has it.</summary>
    /// <param name="decoderId">As the catalogue names it; what follows a colon names a file and does not matter.</param>
    /// <param name="against">What <c>--against</c> said.</param>
    internal static string? Library(string decoderId, string against)
    {
        string kind = decoderId.Split(':')[0];
        return against == Diffusers ? (InDiffusers.Contains(kind) ? Diffusers : null)
            : against != Torch && InNumPy.Contains(kind) ? NumPy
            : against != NumPy && InTorch.Contains(kind) ? Torch
            : null;
    }
}
