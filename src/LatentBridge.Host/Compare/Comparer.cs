using System.Diagnostics;
using LatentBridge.Decoders;
using LatentBridge.Host.Commands;
using LatentBridge.Host.Sheets;
using LatentBridge.Latents;
using LatentBridge.Weights;

namespace LatentBridge.Host.Compare;

/// <summary>Decodes the same planes in C# and with a reference.</summary>
/// <param name="weights">Where the C# decoders' files are; the reference reads the same.</param>
/// <param name="reference">What they are compared with.</param>
/// <param name="threads">Threads each side may use.</param>
/// <param name="runs">Decodes of each; the fastest counts.</param>
sealed class Comparer(WeightLibrary weights, IReference reference, int threads, int runs)
{
    /// <summary>Compares one decoder on one latent.</summary>
    /// <param name="entry">The C# decoder.</param>
    /// <param name="input">The latent.</param>
    /// <param name="planes">What both decode.</param>
    /// <param name="problem">Why there is nothing to compare; null when there is.</param>
    internal Comparison? Compare(DecoderEntry entry, LatentInput input, LatentPlanes planes, out string? problem)
    {
        if (reference.Library(entry.Description) is not { } library)
        {
            problem = $"{reference.Name} has no reference for it";
            return null;
        }

        string? path = weights.Found
            .FirstOrDefault(found => found.Problem is null && found.FileName == entry.Description.Source && found.Formats.Contains(input.Format.Id))?.Path;
        ReferencePicture theirs = reference.Decode(entry.Description, planes, input.Format.Id, path, threads, runs);
        (int width, int height) = entry.Description.OutputSize(planes.Height, planes.Width);
        problem = theirs.Problem;
        if (theirs.Picture is not { } picture)
        {
            return null;
        }

        if ((picture.Width, picture.Height) != (width, height))
        {
            problem = $"{reference.Name} made {picture.Width} x {picture.Height} pixels, C# {width} x {height}";
            return null;
        }

        using ILatentDecoder decoder = entry.Load();
        Picture ours = new(new byte[3 * width * height], width, height);
        double fastest = double.PositiveInfinity;
        for (int run = 0; run < runs; run++)
        {
            long started = Stopwatch.GetTimestamp();
            decoder.Decode(planes, ours.Pixels, threads, CancellationToken.None);
            fastest = Math.Min(fastest, Stopwatch.GetElapsedTime(started).TotalMilliseconds);
        }

        return new(
            input.Loaded.Path, input.Format.Id, entry.Description, library, PictureDifference.Between(ours, picture),
            (fastest, decoder.WorkingBytes(planes.Height, planes.Width)), (theirs.Milliseconds, theirs.MemoryBytes), $"{width}x{height}")
        {
            Pictures = (ours, picture),
        };
    }
}
