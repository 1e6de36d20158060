using LatentBridge.Decoders;
using LatentBridge.Latents;

namespace LatentBridge.Host.Compare;

/// <summary>The reference decoders of <c>python/latentbridge/reference</c>, and diffusers' own, in a child Python.</summary>
/// <param name="python">The process.</param>
/// <param name="against">What <c>--against</c> said: <c>python</c> or one of <see cref="References.Libraries"/>.</param>
sealed class PythonReference(ReferencePython python, string against) : IReference
{
    public string Name => "Python";

    public string Description => python.Description;

    public string? Library(DecoderDescription decoder) => References.Library(decoder.Id, against);

    public ReferencePicture Decode(DecoderDescription decoder, LatentPlanes planes, string formatId, string? weights, int threads, int runs)
    {
        string library = Library(decoder)!;
        return python.Libraries.ContainsKey(library)
            ? python.Decode(planes, decoder.Id, library, formatId, weights, threads, runs)
            : new(null, 0, null, $"it needs {library}: {python.HowToInstall(library)}");
    }

    public void Dispose() => python.Dispose();
}
