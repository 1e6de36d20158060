using LatentBridge.Decoders.ApproxNn;
using LatentBridge.Decoders.Estimated;
using LatentBridge.Decoders.Linear;
using LatentBridge.Decoders.Mlp;
using LatentBridge.Decoders.Polynomial;
using LatentBridge.Decoders.Taesd;
using LatentBridge.Decoders.Tiny;
using LatentBridge.Formats;
using LatentBridge.Weights;

namespace LatentBridge.Decoders;

/// <summary>The catalogue: every kind of decoder there is, and which of them a format has with the weights at hand.</summary>
public static class LatentDecoders
{
    /// <summary>The decoders that a recognised network makes, by its architecture.</summary>
    static readonly Dictionary<string, Func<FoundWeights, DecoderEntry[]>> ByNetwork = new()
    {
        [NetworkArchitectures.TaesdDecoder.Id] = Taesd,
        [NetworkArchitectures.SanaDecoder.Id] = Taesd,
        [NetworkArchitectures.Tiny.Id] = found => [new(TinyDecoder.Describe(found), false, () => Load(found, weights => new TinyDecoder(weights)))],
        [NetworkArchitectures.ApproxNn.Id] = found => [new(ApproxNnDecoder.Describe(found), false, () => Load(found, weights => new ApproxNnDecoder(weights)))],
        [NetworkArchitectures.MlpDecoder.Id] = found => [new(MlpDecoder.Describe(found), false, () => Load(found, weights => new MlpDecoder(weights)))],
        [NetworkArchitectures.Mlp3x3Decoder.Id] = found => [new(MlpDecoder.Describe(found), false, () => Load(found, weights => new MlpDecoder(weights)))],
        [NetworkArchitectures.Polynomial.Id] = found => [new(PolynomialDecoder.Describe(found), false, () => Load(found, weights => new PolynomialDecoder(weights)))],
    };

    /// <summary>The decoders of a format, best picture first; never empty.</summary>
    /// <param name="format">The latent format.</param>
    /// <param name="weights">Where to look for the networks' numbers.</param>
    /// <remarks>
    /// Each id is there once. Of several files of one kind the first found has the kind's id, a further one with other numbers
    /// has its name behind it: <c>taesd:my-finetune</c>.
    /// </remarks>
    public static IReadOnlyList<DecoderEntry> For(LatentFormat format, WeightLibrary weights)
    {
        var entries = new List<DecoderEntry>();
        var taken = new HashSet<string>(StringComparer.OrdinalIgnoreCase);
        var known = new HashSet<KnownWeights>(ReferenceEqualityComparer.Instance);
        foreach (FoundWeights found in weights.Found)
        {
            if (found.Channels != format.PlaneChannels || !found.Formats.Contains(format.Id) || found.Problem is not null)
            {
                continue;
            }

            if (found.Kind is { } kind)
            {
                entries.Add(Named(kind.Decoder(found, format)));
            }
            else if (ByNetwork.TryGetValue(found.Architecture, out Func<FoundWeights, DecoderEntry[]>? decoders) && (found.Known is null || known.Add(found.Known)))
            {
                entries.AddRange(decoders(found).Select(Named));
            }
        }

        if (format.Rgb is not null)
        {
            entries.Add(new(new LinearDecoder(format).Description, false, () => new LinearDecoder(format)));
        }

        entries.Add(new(new EstimatedDecoder(format.PlaneChannels).Description, Stateful: true, () => new EstimatedDecoder(format.PlaneChannels)));
        return [.. entries.OrderByDescending(entry => entry.Description.Quality)];

        DecoderEntry Named(DecoderEntry entry)
        {
            string id = entry.Description.Id;
            for (int i = 1; !taken.Add(id); i++)
            {
                id = $"{entry.Description.Id}:{Path.GetFileNameWithoutExtension(entry.Description.Source)}{(i > 1 ? $"-{i}" : "")}";
            }

            return id == entry.Description.Id ? entry : entry with { Description = entry.Description with { Id = id } };
        }
    }

    static DecoderEntry[] Taesd(FoundWeights found) =>
    [
        new(TaesdDecoder.Describe(found, half: false), false, () => Load(found, weights => new TaesdDecoder(weights))),
        new(TaesdDecoder.Describe(found, half: true), false, () => Load(found, weights => new TaesdDecoder(weights, half: true))),
    ];

    static ILatentDecoder Load(FoundWeights found, Func<NetworkTensors, ILatentDecoder> make)
    {
        using NetworkTensors tensors = found.Open();
        return make(tensors);
    }
}
