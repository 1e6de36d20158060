using LatentBridge.Decoders;
using LatentBridge.Decoders.Taesd;
using LatentBridge.Formats;
using LatentBridge.Host.Commands;
using LatentBridge.Imaging;
using LatentBridge.Latents;
using LatentBridge.Previews;
using LatentBridge.Weights;

namespace LatentBridge.Host.Fit;

/// <summary>Reads pairs as cells: planes in the sampler's scale, and for each cell the mean colour of its part of the picture.</summary>
/// <param name="format">The latents' format.</param>
/// <param name="weights">Where TAESD is looked for, when it is needed.</param>
/// <param name="decoded">True to take TAESD's decode of the latent in place of the picture.</param>
/// <param name="threads">Threads of the networks.</param>
sealed class PairReader(LatentFormat format, WeightLibrary weights, bool decoded, int threads) : IDisposable
{
    readonly ImageScaler _scaler = new();
    readonly PreviewRenderer _renderer = new(format);
    TaesdEncoder? _encoder;
    ILatentDecoder? _decoder;

    /// <summary>Reads a pair.</summary>
    /// <param name="pair">The pair.</param>
    /// <param name="divisor">The picture is taken reduced by area to 1 / this of its side; only where an encoder makes the latent.</param>
    /// <exception cref="InputException">Picture and latent do not belong together, or the latent has values that are no numbers.</exception>
    internal (float[] Planes, int Width, byte[] Rgb) Read(TrainingPair pair, int divisor)
    {
        PngImage image = PngReader.Read(File.ReadAllBytes(pair.Picture));
        (byte[] pixels, int width, int height) = (image.ToRgb(), image.Width, image.Height);
        if (divisor > 1)
        {
            Reduce(ref pixels, ref width, ref height, pair.Latent is null ? divisor : throw new InputException($"--scales is for pictures without latents; \"{pair.Picture}\" has one."));
        }

        (float[] planes, int across, int down) = pair.Latent is null ? Encode(ref pixels, ref width, ref height) : Load(pair.Latent);
        if (decoded)
        {
            (pixels, width, height) = Decode(planes, across, down);
        }

        if (width % across != 0 || height % down != 0 || width / across != height / down)
        {
            throw new InputException(
                $"\"{pair.Picture}\" is {width} x {height} pixels, its latent \"{pair.Latent}\" {across} x {down} cells: the picture's sides must be the same whole multiple of the latent's. They are not of one run; leave the pair out.");
        }

        byte[] rgb = new byte[3 * across * down];
        _scaler.Scale(pixels, width, height, rgb, across, down, ImageScaling.Smooth);
        return (planes, across, rgb);
    }

    void Reduce(ref byte[] pixels, ref int width, ref int height, int divisor)
    {
        (int across, int down) = (Math.Max(1, width / divisor), Math.Max(1, height / divisor));
        byte[] reduced = new byte[3 * across * down];
        _scaler.Scale(pixels, width, height, reduced, across, down, ImageScaling.Smooth);
        (pixels, width, height) = (reduced, across, down);
    }

    public void Dispose()
    {
        _renderer.Dispose();
        _encoder?.Dispose();
        _decoder?.Dispose();
    }

    (float[] Planes, int Across, int Down) Load(string file)
    {
        LatentInput input = LatentInput.Open(file, null, null, format.Id);
        if (input.Shape.Batch != 1)
        {
            throw new InputException($"\"{file}\" holds a batch of {input.Shape.Batch} latents; a pair has one. Write them to a file each.");
        }

        _renderer.Stage(input.View, new PreviewOptions());
        return _renderer.NonFiniteCount == 0
            ? (_renderer.Planes(0).Values.ToArray(), _renderer.PlaneWidth, _renderer.PlaneHeight)
            : throw new InputException($"\"{file}\" has {_renderer.NonFiniteCount} values that are NaN or infinite. The run that made it failed; leave the pair out.");
    }

    /// <summary>The latent that TAESD's encoder makes of whole cells of the picture, as F16 like one that travelled.</summary>
    (float[] Planes, int Across, int Down) Encode(ref byte[] pixels, ref int width, ref int height)
    {
        _encoder ??= OpenEncoder();
        (int across, int down) = (width / 16 * 2, height / 16 * 2);
        if (across == 0 || down == 0)
        {
            throw new InputException($"A picture is {width} x {height} pixels; at least 16 x 16 are needed.");
        }

        byte[] whole = new byte[3 * 64 * across * down];
        for (int y = 0; y < 8 * down; y++)
        {
            pixels.AsSpan(3 * y * width, 24 * across).CopyTo(whole.AsSpan(24 * y * across));
        }

        (pixels, width, height) = (whole, 8 * across, 8 * down);
        float[] planes = new float[_encoder.Channels * across * down];
        _encoder.Encode(pixels, width, height, planes, threads, CancellationToken.None);
        for (int i = 0; i < planes.Length; i++)
        {
            planes[i] = (float)(Half)planes[i];
        }

        return (planes, across, down);
    }

    (byte[] Pixels, int Width, int Height) Decode(float[] planes, int across, int down)
    {
        _decoder ??= (LatentDecoders.For(format, weights).FirstOrDefault(e => e.Description.Id == TaesdDecoder.Id) ?? throw Missing("decoder")).Load();
        (int width, int height) = _decoder.Description.OutputSize(down, across);
        byte[] pixels = new byte[3 * width * height];
        _decoder.Decode(new LatentPlanes(planes, _decoder.Description.Channels, down, across), pixels, threads, CancellationToken.None);
        return (pixels, width, height);
    }

    TaesdEncoder OpenEncoder()
    {
        FoundWeights found = weights.Found.FirstOrDefault(f => f.Architecture == TaesdEncoder.Architecture && f.Formats.Contains(format.Id) && f.Problem is null) ?? throw Missing("encoder");
        using NetworkTensors tensors = found.Open();
        return new(tensors);
    }

    InputException Missing(string part) => new(
        $"No TAESD {part} for {format.Id} is among the weights found. Put it into a folder and name that by --models or {WeightLibrary.FoldersVariable}, or give latents beside the pictures.");
}
