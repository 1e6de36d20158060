using LatentBridge.Decoders;
using LatentBridge.Decoders.Linear;
using LatentBridge.Decoders.Taesd;
using LatentBridge.Formats;
using LatentBridge.Host.Sheets;
using LatentBridge.Imaging;
using LatentBridge.Imaging.Quality;
using LatentBridge.Latents;
using LatentBridge.Weights;

namespace LatentBridge.Host.Quality;

/// <summary>
/// Compares a format's decoders with its full TAESD decode: the latent of a picture is TAESD's own, as F16; the reference is
/// reduced by area to half, a quarter and an eighth of its side, and so is each decoder's picture where it is larger.
/// </summary>
sealed class QualityMeasurement : IDisposable
{
    /// <summary>Sides in a full picture's that are compared.</summary>
    static readonly int[] Divisors = [8, 4, 2];

    readonly LatentFormat _format;
    readonly TaesdEncoder _encoder;
    readonly ILatentDecoder _reference;
    readonly List<(ILatentDecoder Decoder, string Id)> _decoders = [];
    readonly Dictionary<(string Decoder, int Divisor), List<(double Psnr, double Ssim, double Mean, double Percentile)>> _results = [];
    readonly ImageScaler _scaler = new();
    readonly int _threads;
    readonly QualitySheet? _sheet;

    QualityMeasurement(LatentFormat format, FoundWeights encoder, IReadOnlyList<DecoderEntry> entries, DecoderEntry reference, string[] only, int threads, QualitySheet? sheet)
    {
        (_format, _threads, _sheet) = (format, threads, sheet);
        using NetworkTensors weights = encoder.Open();
        _encoder = new TaesdEncoder(weights);
        _reference = reference.Load();
        foreach (LatentRgbMap map in format.RgbMaps.Reverse())
        {
            var decoder = new LinearDecoder(format, map);
            if (Wanted(decoder.Description.Id))
            {
                _decoders.Add((decoder, decoder.Description.Id));
            }
        }

        // `estimated` has no colours to compare; latent2rgb is there already, with each of its maps.
        _decoders.AddRange(entries.Reverse().Where(e => e != reference && !e.Stateful && e.Description.Id != LinearDecoder.Id && Wanted(e.Description.Id)).Select(e => (e.Load(), e.Description.Id)));
        _decoders.Add((_reference, reference.Description.Id));

        bool Wanted(string id) => only.Length == 0 || only.Contains(id);
    }

    /// <summary>Loads what is to be compared; null and why when the format's TAESD is not there.</summary>
    internal static (QualityMeasurement? Measurement, string? Missing) Open(LatentFormat format, WeightLibrary weights, string[] only, int threads, QualitySheet? sheet)
    {
        IReadOnlyList<DecoderEntry> entries = LatentDecoders.For(format, weights);
        DecoderEntry? reference = entries.FirstOrDefault(e => e.Description.Id == TaesdDecoder.Id);
        FoundWeights? encoder = weights.Found.FirstOrDefault(f => f.Architecture == TaesdEncoder.Architecture && f.Formats.Contains(format.Id) && f.Problem is null);
        return reference is null || encoder is null
            ? (null, $"{format.Id}: left out, no TAESD {(reference is null ? encoder is null ? "decoder and encoder" : "decoder" : "encoder")} for it among the weights found.")
            : (new(format, encoder, entries, reference, only, threads, sheet), null);
    }

    /// <summary>Encodes a picture of that name, decodes it with everything there is and takes the differences down.</summary>
    internal void Add(string name, Picture picture)
    {
        // Whole cells, and of FLUX.2's packed latents whole pairs of them.
        int height = picture.Height / 16 * 2, width = picture.Width / 16 * 2;
        byte[] pixels = Crop(picture, 8 * width, 8 * height);
        var latent = new float[_reference.Description.Channels * height * width];
        _encoder.Encode(pixels, 8 * width, 8 * height, latent, _threads, CancellationToken.None);
        for (int i = 0; i < latent.Length; i++)
        {
            latent[i] = (float)(Half)latent[i];
        }

        var planes = new LatentPlanes(latent, _reference.Description.Channels, height, width);
        byte[] full = Decode(_reference, planes);
        Dictionary<int, byte[]> references = Divisors.ToDictionary(divisor => divisor, divisor => Reduce(full, 8 * width, 8 * height, 8 * width / divisor, 8 * height / divisor));
        _sheet?.Start(_format.Id, name);
        foreach ((ILatentDecoder decoder, string id) in _decoders)
        {
            byte[] decoded = decoder == _reference ? full : Decode(decoder, planes);
            int perCell = decoder.Description.PixelsPerCell;
            foreach (int divisor in Divisors.Where(divisor => 8 / divisor <= perCell && (decoder != _reference || divisor == Divisors[0])))
            {
                (int w, int h) = (8 * width / divisor, 8 * height / divisor);
                byte[] reduced = Reduce(decoded, perCell * width, perCell * height, w, h);
                (double mean, double percentile) = ImageQuality.CieDe2000(references[divisor], reduced);
                if (!_results.TryGetValue((id, divisor), out var results))
                {
                    _results[(id, divisor)] = results = [];
                }

                results.Add((ImageQuality.Psnr(references[divisor], reduced), ImageQuality.Ssim(references[divisor], reduced, w, h), mean, percentile));
            }

            _sheet?.Add(id, decoded, perCell * width, perCell * height, 8 / perCell, _results[(id, Divisors[0])][^1].Psnr);
        }
    }

    /// <summary>The means so far, worst decoder first, smallest pictures first.</summary>
    internal IEnumerable<QualityRow> Rows() =>
        from decoder in _decoders
        let cost = DecodeCost.Measure(decoder.Decoder)
        from divisor in Divisors
        where _results.ContainsKey((decoder.Id, divisor))
        let results = _results[(decoder.Id, divisor)]
        let description = decoder.Decoder.Description
        select new QualityRow(
            _format.Id, decoder.Id, description.Source, description.MultiplyAddsPerCell, cost, divisor, results.Count,
            results.Average(r => r.Psnr), results.Average(r => r.Ssim), results.Average(r => r.Mean), results.Average(r => r.Percentile));

    public void Dispose()
    {
        _encoder.Dispose();
        _decoders.ForEach(decoder => decoder.Decoder.Dispose());
    }

    byte[] Decode(ILatentDecoder decoder, in LatentPlanes latent)
    {
        (int width, int height) = decoder.Description.OutputSize(latent.Height, latent.Width);
        var pixels = new byte[3 * width * height];
        decoder.Decode(latent, pixels, _threads, CancellationToken.None);
        return pixels;
    }

    byte[] Reduce(byte[] pixels, int width, int height, int newWidth, int newHeight)
    {
        var reduced = new byte[3 * newWidth * newHeight];
        _scaler.Scale(pixels, width, height, reduced, newWidth, newHeight, ImageScaling.Smooth);
        return reduced;
    }

    static byte[] Crop(Picture picture, int width, int height)
    {
        var pixels = new byte[3 * width * height];
        for (int y = 0; y < height; y++)
        {
            picture.Pixels.AsSpan(3 * y * picture.Width, 3 * width).CopyTo(pixels.AsSpan(3 * y * width));
        }

        return pixels;
    }
}
