using LatentBridge.Decoders;
using LatentBridge.Host.Sheets;
using Newtonsoft.Json;

namespace LatentBridge.Host.Compare;

/// <summary>One latent through one decoder, in C# and with a reference.</summary>
/// <param name="File">The latent's file.</param>
/// <param name="FormatId">Its format.</param>
/// <param name="Decoder">The C# decoder.</param>
/// <param name="Reference">Who decoded the same: <c>numpy</c>, <c>torch</c>, <c>diffusers</c>, <c>onnx</c> or a file.</param>
/// <param name="Difference">How far their pictures are apart.</param>
/// <param name="Ours">Milliseconds of the fastest run, and working memory: weights and scratch.</param>
/// <param name="Theirs">The same; memory is the growth of the process while it loaded and decoded, null where the system does not tell.</param>
/// <param name="Size">As <c>1024x1024</c>.</param>
sealed record Comparison(
    string File,
    string FormatId,
    DecoderDescription Decoder,
    string Reference,
    PictureDifference Difference,
    (double Milliseconds, long MemoryBytes) Ours,
    (double Milliseconds, long? MemoryBytes) Theirs,
    string Size)
{
    /// <summary>Both pictures; given up when there are worse ones to show.</summary>
    internal (Picture Ours, Picture Theirs)? Pictures { get; set; }

    /// <summary>Worst first.</summary>
    internal static int ByDifference(Comparison a, Comparison b)
    {
        int order = b.Difference.Maximum.CompareTo(a.Difference.Maximum);
        return order != 0 ? order : b.Difference.Mean.CompareTo(a.Difference.Mean);
    }

    internal void WriteJson(JsonTextWriter json, int tolerance)
    {
        json.WriteStartObject();
        foreach ((string name, object? value) in ((string, object?)[])
        [
            ("file", File), ("format", FormatId), ("decoder", Decoder.Id), ("source", Decoder.Source), ("reference", Reference), ("size", Size),
            ("maximum", Difference.Maximum), ("percentile999", Difference.Percentile999), ("mean", Math.Round(Difference.Mean, 6)),
            ("psnr", double.IsInfinity(Difference.Psnr) ? null : Math.Round(Difference.Psnr, 3)), ("ssim", Difference.Ssim is { } ssim ? Math.Round(ssim, 7) : null),
            ("ciede2000", Math.Round(Difference.ColourMean, 5)), ("within", Difference.Maximum <= tolerance),
            ("milliseconds", Math.Round(Ours.Milliseconds, 3)), ("referenceMilliseconds", Math.Round(Theirs.Milliseconds, 3)),
            ("memoryBytes", Ours.MemoryBytes), ("referenceMemoryBytes", Theirs.MemoryBytes),
        ])
        {
            json.WritePropertyName(name);
            json.WriteValue(value);
        }

        json.WriteEndObject();
    }
}
