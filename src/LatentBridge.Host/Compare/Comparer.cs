using System.Diagnostics;
using LatentBridge.Decoders;
using LatentBridge.Host.Commands;
using LatentBridge.Host.Sheets;
using LatentBridge.Latents;
using LatentBridge.Weights;

namespace LatentBridge.Host.Compare;

/// <summary>Decodes the same planes in C# and in Python.</summary>
/// <param name="weights">Where the C# decoders' files are; Python reads the same.</param>
/// <param name="python">The references.</param>
/// <param name="against">What <c>--against</c> said.</param>
/// <param name="threads">Threads each side may use.</param>
/// <param name="runs">Decodes of each; the fastest counts.</param>
sealed class Comparer(WeightLibrary weights, ReferencePython python, string against, int threads, int runs)
{
    /// <summary>Compares one decoder on one latent.</summary>
    /// <param name="entry">The C# decoder.</param>
    /// <param name="input">The latent.</param>
    /// <param name="planes">What both decode.</param>
    /// <param name="problem">Why there is nothing to compare; null when there is.</param>
    internal Comparison? Compare(DecoderEntry entry, LatentInput input, LatentPlanes planes, out string? problem)
    {
        string id = entry.Description.Id;
        string? library = References.Library(id, against);
        if (library is null || !python.Libraries.ContainsKey(library))
        {
            problem = library is null ? $"--against {against} has no reference of it" : $"it needs {library}: {python.HowToInstall(library)}";
            return null;
        }

        string? path = weights.Found
            .FirstOrDefault(found => found.Problem is null && found.FileName == entry.Description.Source && found.Formats.Contains(input.Format.Id))?.Path;
        ReferencePicture theirs = python.Decode(planes, id, library, input.Format.Id, path, threads, runs);
        (int width, int height) = entry.Description.OutputSize(planes.Height, planes.Width);
        problem = theirs.Problem;
        if (theirs.Picture is not { } reference)
        {
            return null;
        }

        if ((reference.Width, reference.Height) != (width, height))
        {
            problem = $"Python made {reference.Width} x {reference.Height} pixels, C# {width} x {height}";
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
            input.Loaded.Path, input.Format.Id, entry.Description, library, PictureDifference.Between(ours, reference),
            (fastest, decoder.WorkingBytes(planes.Height, planes.Width)), (theirs.Milliseconds, theirs.MemoryBytes), $"{width}x{height}")
        {
            Pictures = (ours, reference),
        };
    }
}
