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
        return picture.Width % latent.Width == 0 && picture.Height % latent.Height == 0 && picture.Width / latent.Width == picture.Height / latent.Height
            ? (latent.Values, latent.Width, picture.Scale(latent.Width, latent.Height).Pixels)
            : throw new InputException(
                $"\"{pair.Picture}\" is {picture.Width} x {picture.Height} pixels, its latent \"{pair.Latent}\" {latent.Width} x {latent.Height} cells: both sides of the picture must be the same whole multiple of the latent's. Picture and latent do not belong together; leave the pair out.");
    }

    public void Dispose()
    {
        _renderer.Dispose();
        _taesd.Dispose();
    }

    PhotographLatent Load(string file, Picture picture)
    {
        LatentInput input = LatentInput.Open(file, new() { FormatId = format.Id });
        if (input.Shape.Batch != 1)
        {
            throw new InputException($"\"{file}\" holds a batch of {input.Shape.Batch} latents; a pair has one. Write each latent to its own file.");
        }

        _renderer.Stage(input.View, new PreviewOptions());
        LatentPlanes planes = _renderer.NonFiniteCount == 0 ? _renderer.Planes(0)
            : throw new InputException($"\"{file}\" has {_renderer.NonFiniteCount} values that are NaN or infinite. The run that made it failed; leave the pair out.");
        return new(picture, planes.Values.ToArray(), planes.Channels, planes.Height, planes.Width);
    }
}
