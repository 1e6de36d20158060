using LatentBridge.Decoders;
using LatentBridge.Latents;

namespace LatentBridge.Host.Compare;

/// <summary>What the C# decoders are compared with.</summary>
interface IReference : IDisposable
{
    /// <summary>What people call it: <c>Python</c>, <c>ONNX Runtime</c>.</summary>
    string Name { get; }

    /// <summary>With its versions, and where it is.</summary>
    string Description { get; }

    /// <summary>Who decodes: <c>numpy</c>, <c>torch</c>, an ONNX file; null when there is no reference of this decoder.</summary>
    string? Library(DecoderDescription decoder);

    /// <summary>Decodes the planes that the decoder gets.</summary>
    /// <param name="decoder">The C# decoder whose picture is wanted; <see cref="Library"/> has it.</param>
    /// <param name="planes">F32, in the sampler's scale.</param>
    /// <param name="formatId">The latent format.</param>
    /// <param name="weights">The decoder's file; null where it has none.</param>
    /// <param name="threads">Threads it may use.</param>
    /// <param name="runs">How often it decodes.</param>
    ReferencePicture Decode(DecoderDescription decoder, LatentPlanes planes, string formatId, string? weights, int threads, int runs);
}
