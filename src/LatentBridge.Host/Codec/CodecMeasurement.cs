using System.Globalization;
using LatentBridge.Files;
using LatentBridge.Host.Commands;
using LatentBridge.Host.Photographs;
using LatentBridge.Host.Sheets;
using LatentBridge.Imaging;
using LatentBridge.Imaging.Quality;

namespace LatentBridge.Host.Codec;

/// <summary>
/// Stores photographs as latents of ever fewer bits and looks how near TAESD's decodes come to the photographs; and how near JPEG
/// and WebP of at most as many bytes do.
/// </summary>
sealed class CodecMeasurement : IDisposable
{
    /// <summary>Bits of a value of the latent; 0: F16.</summary>
    static readonly int[] Depths = [2, 3, 4, 5, 6, 8, 0];

    readonly TaesdPair[] _formats;
    readonly PicturePeers? _peers;
    readonly int _threads;
    readonly Dictionary<(string Format, int Depth, string Kind), List<CodecPoint>> _points = [];
    int _pictures;

    /// <summary>Nothing is loaded yet.</summary>
    /// <exception cref="InputException">A format has no TAESD.</exception>
    internal CodecMeasurement(TaesdPair[] formats, PicturePeers? peers, int threads)
    {
        (_formats, _peers, _threads) = (formats, peers, threads);
        if (formats.FirstOrDefault(format => format.Missing is not null) is { } lacking)
        {
            throw lacking.IsMissing(lacking.Missing!);
        }
    }

    /// <summary>Stores a picture in every way and takes down what came of it.</summary>
    internal void Add(Picture photograph)
    {
        (TaesdPair Taesd, int Depth, PhotographLatent Latent, long Bytes)[] stored =
        [
            .. from taesd in _formats
               let latent = taesd.Encode(photograph)
               from depth in Depths
               let file = Store(taesd.Format.Id, latent, depth)
               select (taesd, depth, latent with { Values = file.Values }, file.Bytes),
        ];

        // The peers search in a separate process while the networks decode.
        Picture original = stored[0].Latent.Photograph;
        Task<IReadOnlyList<PeerPicture>> searching = Task.Run(() => _peers?.Compress(original, stored.Select(entry => entry.Bytes)) ?? []);
        Picture[] decoded = [.. stored.Select(entry => entry.Taesd.Decode(entry.Latent.Planes))];
        IReadOnlyList<PeerPicture> peers = searching.GetAwaiter().GetResult();

        (long Bytes, byte[] Pixels)[] pictures = [.. stored.Zip(decoded, (entry, picture) => (entry.Bytes, picture.Pixels)), .. peers.Select(peer => (peer.Bytes, peer.Pixels))];
        CodecPoint[] points = new CodecPoint[pictures.Length];
        Parallel.For(0, points.Length, new ParallelOptions { MaxDegreeOfParallelism = _threads }, i => points[i] = Measure(original, pictures[i].Bytes, pictures[i].Pixels));

        _pictures++;
        foreach (((TaesdPair taesd, int depth, _, long bytes), CodecPoint point) in stored.Zip(points))
        {
            Take("latent", point);
            foreach ((PeerPicture peer, CodecPoint ofPeer) in peers.Zip(points[stored.Length..]).Where(pair => pair.First.Budgets.Contains(bytes)))
            {
                Take(peer.Kind, ofPeer);
            }

            void Take(string kind, CodecPoint taken)
            {
                if (!_points.TryGetValue((taesd.Format.Id, depth, kind), out List<CodecPoint>? list))
                {
                    _points[(taesd.Format.Id, depth, kind)] = list = [];
                }

                list.Add(taken);
            }
        }
    }

    /// <summary>The means, format by format, fewest bits first.</summary>
    internal IEnumerable<CodecRow> Rows() =>
        from format in _formats.Select(taesd => taesd.Format.Id)
        from depth in Depths
        select new CodecRow(
            format,
            depth == 0 ? "F16" : string.Create(CultureInfo.InvariantCulture, $"{depth} bits"),
            CodecPoint.Mean(_points[(format, depth, "latent")])!.Value,
            PicturePeers.Kinds.Where(kind => _points.Keys.Any(key => key.Kind == kind)).ToDictionary(
                kind => kind,
                kind => _points.TryGetValue((format, depth, kind), out List<CodecPoint>? points) && points.Count == _pictures ? CodecPoint.Mean(points) : null));

    public void Dispose()
    {
        foreach (TaesdPair format in _formats)
        {
            format.Dispose();
        }
    }

    // As files would have it: the picture of a latent that `encode --as png` writes, or its safetensors.
    static (long Bytes, float[] Values) Store(string format, PhotographLatent latent, int depth)
    {
        if (depth > 0)
        {
            byte[] png = LatentPicture.Write(latent.Planes, format, depth);
            return (png.Length, LatentPicture.Read(png).Values);
        }

        using MemoryStream file = new();
        SafetensorsWriter.Write(file, [StoredTensor.FromValues("latent", latent.Values, [1, latent.Channels, latent.Height, latent.Width], TensorElementType.F16)], new Dictionary<string, string> { ["latent_format"] = format });
        return (file.Length, latent.Values);
    }

    static CodecPoint Measure(Picture original, long bytes, byte[] pixels) => new(
        bytes, 8.0 * bytes / (original.Width * original.Height), ImageQuality.Psnr(original.Pixels, pixels),
        ImageQuality.Ssim(original.Pixels, pixels, original.Width, original.Height), ImageQuality.CieDe2000(original.Pixels, pixels).Mean);
}
