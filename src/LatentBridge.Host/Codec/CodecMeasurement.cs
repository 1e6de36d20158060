using System.Globalization;
using LatentBridge.Decoders;
using LatentBridge.Decoders.Taesd;
using LatentBridge.Formats;
using LatentBridge.Host.Sheets;
using LatentBridge.Imaging;
using LatentBridge.Imaging.Quality;
using LatentBridge.Latents;
using LatentBridge.Weights;

namespace LatentBridge.Host.Codec;

/// <summary>
/// Stores photographs as latents of ever fewer bits and looks how near TAESD's decodes come to the photographs; and how near JPEG
/// and WebP of at most as many bytes do.
/// </summary>
sealed class CodecMeasurement : IDisposable
{
    /// <summary>Bits of a value of the latent; 0: F16.</summary>
    static readonly int[] Depths = [2, 3, 4, 5, 6, 8, 0];

    readonly LatentFormat _format;
    readonly TaesdEncoder _encoder;
    readonly ILatentDecoder _decoder;
    readonly int _threads;
    readonly Dictionary<(int Depth, string Kind), List<CodecPoint>> _points = [];
    int _pictures;

    CodecMeasurement(LatentFormat format, FoundWeights encoder, DecoderEntry decoder, int threads)
    {
        (_format, _threads) = (format, threads);
        using NetworkTensors weights = encoder.Open();
        _encoder = new TaesdEncoder(weights);
        _decoder = decoder.Load();
    }

    /// <summary>Loads the format's TAESD.</summary>
    /// <exception cref="LatentBridgeException">It is not there.</exception>
    internal static CodecMeasurement Open(LatentFormat format, WeightLibrary weights, int threads)
    {
        DecoderEntry? decoder = LatentDecoders.For(format, weights).FirstOrDefault(e => e.Description.Id == TaesdDecoder.Id);
        FoundWeights? encoder = weights.Found.FirstOrDefault(f => f.Architecture == TaesdEncoder.Architecture && f.Formats.Contains(format.Id) && f.Problem is null);
        return decoder is not null && encoder is not null
            ? new(format, encoder, decoder, threads)
            : throw new LatentBridgeException($"No TAESD decoder and encoder for {format.Id} were found. Put them into a folder and name that by --models or {WeightLibrary.FoldersVariable}.");
    }

    /// <summary>Stores a picture in every way and takes down what came of it.</summary>
    internal void Add(Picture photograph, PicturePeers? peers)
    {
        int height = photograph.Height / 16 * 2, width = photograph.Width / 16 * 2;
        Picture picture = photograph.Middle(8 * width, 8 * height);
        float[] latent = new float[_encoder.Channels * height * width];
        _encoder.Encode(picture.Pixels, picture.Width, picture.Height, latent, _threads, CancellationToken.None);
        _pictures++;

        Dictionary<int, long> lengths = [];
        foreach (int depth in Depths)
        {
            (long length, float[] stored) = Store(latent, height, width, depth);
            byte[] decoded = new byte[picture.Pixels.Length];
            _decoder.Decode(new LatentPlanes(stored, _encoder.Channels, height, width), decoded, _threads, CancellationToken.None);
            lengths[depth] = length;
            Take(depth, "latent", length, picture, decoded);
        }

        foreach (PeerPicture peer in peers?.Compress(picture, lengths.Values) ?? [])
        {
            foreach (int depth in Depths.Where(depth => lengths[depth] == peer.Budget))
            {
                Take(depth, peer.Kind, peer.Bytes, picture, peer.Pixels);
            }
        }
    }

    /// <summary>The means, fewest bits first.</summary>
    internal IEnumerable<CodecRow> Rows() => Depths.Select(depth => new CodecRow(
        _format.Id,
        depth == 0 ? "F16" : string.Create(CultureInfo.InvariantCulture, $"{depth} bits"),
        CodecPoint.Mean(_points[(depth, "latent")])!.Value,
        PicturePeers.Kinds.Where(kind => _points.Keys.Any(key => key.Kind == kind)).ToDictionary(
            kind => kind,
            kind => _points.TryGetValue((depth, kind), out List<CodecPoint>? points) && points.Count == _pictures ? CodecPoint.Mean(points) : null)));

    public void Dispose()
    {
        _encoder.Dispose();
        _decoder.Dispose();
    }

    // As files would have it: the picture of a latent that `encode --as png` writes, or its safetensors.
    (long Length, float[] Values) Store(float[] latent, int height, int width, int depth)
    {
        if (depth > 0)
        {
            byte[] png = LatentPicture.Write(new LatentPlanes(latent, _encoder.Channels, height, width), _format.Id, depth);
            return (png.Length, LatentPicture.Read(png).Values);
        }

        using MemoryStream file = new();
        SafetensorsWriter.Write(file, [StoredTensor.FromValues("latent", latent, [1, _encoder.Channels, height, width], TensorElementType.F16)], new Dictionary<string, string> { ["latent_format"] = _format.Id });
        return (file.Length, [.. latent.Select(value => (float)(Half)value)]);
    }

    void Take(int depth, string kind, long bytes, Picture original, byte[] pixels)
    {
        if (!_points.TryGetValue((depth, kind), out List<CodecPoint>? points))
        {
            _points[(depth, kind)] = points = [];
        }

        points.Add(new(
            bytes, 8.0 * bytes / (original.Width * original.Height), ImageQuality.Psnr(original.Pixels, pixels),
            ImageQuality.Ssim(original.Pixels, pixels, original.Width, original.Height), ImageQuality.CieDe2000(original.Pixels, pixels).Mean));
    }
}
