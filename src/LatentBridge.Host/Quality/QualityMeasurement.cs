using LatentBridge.Decoders;
using LatentBridge.Decoders.Linear;
using LatentBridge.Host.Commands;
using LatentBridge.Host.Photographs;
using LatentBridge.Host.Sheets;
using LatentBridge.Imaging.Quality;

namespace LatentBridge.Host.Quality;

/// <summary>
/// Compares a format's decoders with its full TAESD decode: the latent of a picture is TAESD's own, as F16; the reference is
/// reduced by area to half, a quarter and an eighth of its side, and so is each decoder's picture where it is larger.
/// </summary>
sealed class QualityMeasurement : IDisposable
{
    /// <summary>Sides in a full picture's that are compared.</summary>
    static readonly int[] Divisors = [8, 4, 2];

    readonly TaesdPair _taesd;
    readonly List<(ILatentDecoder Decoder, string Id)> _decoders = [];
    readonly Dictionary<(string Decoder, int Divisor), List<(double Psnr, double Ssim, double Mean, double Percentile)>> _results = [];
    readonly int _threads;
    readonly QualitySheet? _sheet;

    /// <summary>Loads what is to be compared.</summary>
    /// <param name="taesd">The format and its TAESD, which must be there.</param>
    /// <param name="only">Ids of decoders; none: all.</param>
    /// <param name="threads">Threads to measure with.</param>
    /// <param name="sheet">Gets each decoder's pictures, or null.</param>
    internal QualityMeasurement(TaesdPair taesd, string[] only, int threads, QualitySheet? sheet)
    {
        (_taesd, _threads, _sheet) = (taesd, threads, sheet);
        foreach (LinearDecoder decoder in taesd.Format.RgbMaps.Reverse().Select(map => new LinearDecoder(taesd.Format, map)).Where(decoder => Wanted(decoder.Description)))
        {
            _decoders.Add((decoder, decoder.Description.Id));
        }

        // `estimated` has no colours to compare; latent2rgb is there already, with each of its maps.
        string reference = taesd.Decoder.Description.Id;
        _decoders.AddRange(taesd.Decoders.Reverse()
            .Where(entry => entry.Description.Id != reference && !entry.Stateful && entry.Description.Id != LinearDecoder.Id && Wanted(entry.Description))
            .Select(entry => (entry.Load(), entry.Description.Id)));
        _decoders.Add((taesd.Decoder, reference));

        if (only.FirstOrDefault(id => id != reference && !_decoders.Exists(entry => string.Equals(entry.Id, id, StringComparison.OrdinalIgnoreCase))) is { } unknown)
        {
            IEnumerable<string> known = taesd.Format.RgbMaps.Select(map => new LinearDecoder(taesd.Format, map).Description.Id)
                .Concat(taesd.Decoders.Where(entry => !entry.Stateful && entry.Description.Id != LinearDecoder.Id).Select(entry => entry.Description.Id));
            throw new InputException($"There is no decoder \"{unknown}\" for {taesd.Format.Id}. Available: {string.Join(", ", known.Distinct())}.");
        }

        bool Wanted(DecoderDescription decoder) => only.Length == 0 || only.Contains(decoder.Id, StringComparer.OrdinalIgnoreCase);
    }

    /// <summary>Encodes a picture of that name, decodes it with everything there is and takes the differences down.</summary>
    internal void Add(string name, Picture photograph)
    {
        PhotographLatent latent = _taesd.Encode(photograph);
        (int width, int height) = (latent.Photograph.Width, latent.Photograph.Height);
        Picture full = _taesd.Decode(latent.Planes);
        Dictionary<int, Picture> references = Divisors.ToDictionary(divisor => divisor, divisor => full.Scale(width / divisor, height / divisor));
        Picture[] decoded = [.. _decoders.Select(entry => entry.Decoder == _taesd.Decoder ? full : _taesd.Decode(entry.Decoder, latent.Planes))];

        (int Decoder, int Divisor)[] comparisons =
        [
            .. from divisor in Divisors.Reverse() // the largest first, so that cores end together
               from index in Enumerable.Range(0, _decoders.Count)
               where decoded[index].Width >= width / divisor && (decoded[index] != full || divisor == Divisors[0])
               select (index, divisor),
        ];
        var results = new (double Psnr, double Ssim, double Mean, double Percentile)[comparisons.Length];
        Parallel.For(0, comparisons.Length, new ParallelOptions { MaxDegreeOfParallelism = _threads }, i =>
        {
            (int index, int divisor) = comparisons[i];
            Picture reference = references[divisor], reduced = decoded[index].Scale(reference.Width, reference.Height);
            (double mean, double percentile) = ImageQuality.CieDe2000(reference.Pixels, reduced.Pixels);
            results[i] = (ImageQuality.Psnr(reference.Pixels, reduced.Pixels), ImageQuality.Ssim(reference.Pixels, reduced.Pixels, reduced.Width, reduced.Height), mean, percentile);
        });
        foreach (((int index, int divisor), var result) in comparisons.Zip(results))
        {
            if (!_results.TryGetValue((_decoders[index].Id, divisor), out var list))
            {
                _results[(_decoders[index].Id, divisor)] = list = [];
            }

            list.Add(result);
        }

        _sheet?.Start(_taesd.Format.Id, name);
        foreach (((_, string id), Picture picture) in _decoders.Zip(decoded))
        {
            _sheet?.Add(id, picture, width, height, _results[(id, Divisors[0])][^1].Psnr);
        }
    }

    /// <summary>The means so far, worst decoder first, smallest pictures first.</summary>
    internal IEnumerable<QualityRow> Rows(bool withCost) =>
        from decoder in _decoders
        let cost = withCost ? DecodeCost.Measure(decoder.Decoder) : (DecodeCost?)null
        from divisor in Divisors
        where _results.ContainsKey((decoder.Id, divisor))
        let results = _results[(decoder.Id, divisor)]
        let description = decoder.Decoder.Description
        select new QualityRow(
            _taesd.Format.Id, decoder.Id, description.Source, description.MultiplyAddsPerCell, cost, divisor, results.Count,
            results.Average(r => r.Psnr), results.Average(r => r.Ssim), results.Average(r => r.Mean), results.Average(r => r.Percentile));

    public void Dispose()
    {
        foreach ((ILatentDecoder decoder, _) in _decoders.Where(entry => entry.Decoder != _taesd.Decoder))
        {
            decoder.Dispose();
        }

        _taesd.Dispose();
    }
}
