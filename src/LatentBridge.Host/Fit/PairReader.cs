using LatentBridge.Fitting.Training;
using LatentBridge.Formats;
using LatentBridge.Host.Commands;
using LatentBridge.Host.Photographs;
using LatentBridge.Host.Sheets;
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
    readonly PreviewRenderer _renderer = new(format);
    readonly TaesdPair _taesd = new(format, weights, threads);

    /// <summary>Reads a pair.</summary>
    /// <param name="pair">The pair.</param>
    /// <param name="divisor">The picture is taken reduced by area to 1 / this of its side; only where an encoder makes the latent.</param>
    /// <exception cref="InputException">Picture and latent do not belong together, or the latent has values that are no numbers.</exception>
    internal (float[] Planes, int Width, byte[] Rgb) Read(TrainingPair pair, int divisor)
    {
        Picture picture = PictureFiles.Read(pair.Picture, smallestSide: pair.Latent is null ? 16 * divisor : 1);
        if (divisor > 1 && pair.Latent is not null)
        {
            throw new InputException($"--scales is for pictures without latents; \"{pair.Picture}\" has one.");
        }

        PhotographLatent latent = pair.Latent is { } file
            ? Load(file, picture)
            : _taesd.Encode(picture.Scale(Math.Max(1, picture.Width / divisor), Math.Max(1, picture.Height / divisor)));
        picture = decoded ? _taesd.Decode(latent.Planes) : latent.Photograph;
        return IsMultiple(picture, latent) ? (latent.Values, latent.Width, picture.Scale(latent.Width, latent.Height).Pixels) : throw DoNotFit(pair, picture, latent);
    }

    /// <summary>Reads a pair with so many pixels per cell. A trainer's cache may be of the picture's middle, scaled: it is cut the same way.</summary>
    /// <param name="pair">The pair.</param>
    /// <param name="side">Pixels per cell and side.</param>
    /// <param name="divisor">As for <see cref="Read(TrainingPair, int)"/>.</param>
    /// <param name="early">Makes the latent one of an early step; only where TAESD decodes it.</param>
    /// <exception cref="InputException">The latent has values that are no numbers, or the picture's sides are no multiple of its and the format does not say how many pixels a cell has.</exception>
    internal PicturePair Read(TrainingPair pair, int side, int divisor, EarlyLatent? early = null)
    {
        Picture picture = PictureFiles.Read(pair.Picture, smallestSide: pair.Latent is null ? 16 * divisor : 1);
        PhotographLatent latent = pair.Latent is { } file
            ? Load(file, picture)
            : _taesd.Encode(picture.Scale(Math.Max(1, picture.Width / divisor), Math.Max(1, picture.Height / divisor)));
        early?.Apply(latent.Values, latent.Height, latent.Width);
        picture = decoded ? _taesd.Decode(latent.Planes) : latent.Photograph;
        if (!IsMultiple(picture, latent))
        {
            if (format.Process == LatentProcess.Unknown)
            {
                throw DoNotFit(pair, picture, latent);
            }

            int compression = format.SpatialCompression / format.Unpack;
            picture = picture.Cover(latent.Width * compression, latent.Height * compression);
        }

        return new(latent.Values, latent.Channels, latent.Height, latent.Width, picture.Scale(latent.Width * side, latent.Height * side).Pixels, side);
    }

    static bool IsMultiple(Picture picture, PhotographLatent latent) =>
        picture.Width % latent.Width == 0 && picture.Height % latent.Height == 0 && picture.Width / latent.Width == picture.Height / latent.Height;

    static InputException DoNotFit(TrainingPair pair, Picture picture, PhotographLatent latent) => new(
        $"\"{pair.Picture}\" is {picture.Width} x {picture.Height} pixels, its latent \"{pair.Latent}\" {latent.Width} x {latent.Height} cells: both sides of the picture must be the same whole multiple of the latent's. Picture and latent do not belong together; leave the pair out.");

    public void Dispose()
    {
        _renderer.Dispose();
        _taesd.Dispose();
    }

    PhotographLatent Load(string file, Picture picture)
    {
        LatentInput input = LatentInput.Open(file, new() { FormatId = format.Process == LatentProcess.Unknown ? null : format.Id });
        if (input.Shape.Batch != 1)
        {
            throw new InputException($"\"{file}\" holds a batch of {input.Shape.Batch} latents; a pair has one. Write each latent to its own file.");
        }

        _renderer.Stage(input.View, new PreviewOptions { Frame = FrameChoice.First });
        LatentPlanes planes = _renderer.NonFiniteCount == 0 ? _renderer.Planes(0)
            : throw new InputException($"\"{file}\" has {_renderer.NonFiniteCount} values that are NaN or infinite. The run that made it failed; leave the pair out.");
        return new(picture, planes.Values.ToArray(), planes.Channels, planes.Height, planes.Width);
    }
}
