using LatentBridge.Decoders;
using LatentBridge.Decoders.Taesd;
using LatentBridge.Formats;
using LatentBridge.Host.Commands;
using LatentBridge.Host.Sheets;
using LatentBridge.Latents;
using LatentBridge.Weights;

namespace LatentBridge.Host.Photographs;

/// <summary>A latent format's TAESD: its encoder makes latents of photographs as they would travel, its decoder the pictures that others are measured with. Each is loaded when first used.</summary>
/// <param name="format">The latents' format.</param>
/// <param name="weights">Where TAESD is looked for.</param>
/// <param name="threads">Threads of the networks.</param>
sealed class TaesdPair(LatentFormat format, WeightLibrary weights, int threads) : IDisposable
{
    readonly FoundWeights? _encoderFile = weights.Found.FirstOrDefault(found => found.Architecture == TaesdEncoder.Architecture && found.Formats.Contains(format.Id) && found.Problem is null);
    TaesdEncoder? _encoder;
    ILatentDecoder? _decoder;

    internal LatentFormat Format => format;

    /// <summary>Every decoder of the format, best first.</summary>
    internal IReadOnlyList<DecoderEntry> Decoders { get; } = LatentDecoders.For(format, weights);

    /// <summary>What there is no file for, as <c>decoder and encoder</c>; null when both are there.</summary>
    internal string? Missing => (Entry, _encoderFile) switch
    {
        (null, null) => "decoder and encoder",
        (null, _) => "decoder",
        (_, null) => "encoder",
        _ => null,
    };

    /// <summary>The encoder.</summary>
    /// <exception cref="InputException">There is none.</exception>
    internal TaesdEncoder Encoder => _encoder ??= OpenEncoder();

    /// <summary>The full decoder.</summary>
    /// <exception cref="InputException">There is none.</exception>
    internal ILatentDecoder Decoder => _decoder ??= (Entry ?? throw IsMissing("decoder")).Load();

    DecoderEntry? Entry => Decoders.FirstOrDefault(entry => entry.Description.Id == TaesdDecoder.Id);

    /// <summary>The latent of a photograph's whole cells, and for FLUX.2's packed latents whole pairs of them; rounded to F16 like one that travelled.</summary>
    /// <exception cref="InputException">There is no encoder, or the photograph is smaller than 16 x 16.</exception>
    internal PhotographLatent Encode(Picture photograph)
    {
        (int height, int width) = (photograph.Height / 16 * 2, photograph.Width / 16 * 2);
        if (height == 0 || width == 0)
        {
            throw new InputException($"A picture is {photograph.Width} x {photograph.Height} pixels; at least 16 x 16 are needed.");
        }

        Picture whole = photograph.Crop(0, 0, 8 * width, 8 * height);
        float[] values = new float[Encoder.Channels * height * width];
        Encoder.Encode(whole.Pixels, whole.Width, whole.Height, values, threads, CancellationToken.None);
        for (int i = 0; i < values.Length; i++)
        {
            values[i] = (float)(Half)values[i];
        }

        return new(whole, values, Encoder.Channels, height, width);
    }

    /// <summary>The full decode.</summary>
    /// <exception cref="InputException">There is no decoder.</exception>
    internal Picture Decode(in LatentPlanes latent) => Decode(Decoder, latent);

    /// <summary>Another decoder's picture, with as many threads.</summary>
    internal Picture Decode(ILatentDecoder decoder, in LatentPlanes latent)
    {
        (int width, int height) = decoder.Description.OutputSize(latent.Height, latent.Width);
        byte[] pixels = new byte[3 * width * height];
        decoder.Decode(latent, pixels, threads, CancellationToken.None);
        return new(pixels, width, height);
    }

    /// <summary>Says where the missing part belongs.</summary>
    internal InputException IsMissing(string part) => new(
        $"No TAESD {part} for {format.Id} was found among the weights. Put it into a folder and name the folder with --models or {WeightLibrary.FoldersVariable}.");

    public void Dispose()
    {
        _encoder?.Dispose();
        _decoder?.Dispose();
    }

    TaesdEncoder OpenEncoder()
    {
        using NetworkTensors tensors = (_encoderFile ?? throw IsMissing("encoder")).Open();
        return new(tensors);
    }
}
