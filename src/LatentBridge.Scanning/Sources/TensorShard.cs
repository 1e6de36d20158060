using LatentBridge.Files;
using LatentBridge.Formats;

namespace LatentBridge.Scanning.Sources;

/// <summary>A file of tensors as a shard: each tensor that looks like a latent, row by row of its batch, so that a file of any length takes the memory of one latent.</summary>
static class TensorShard
{
    /// <summary>Endings of such files' names.</summary>
    public static readonly string[] Endings = [".safetensors", ".latent", ".npy", ".npz", ".pt", ".pth", ".gz"];

    /// <summary>Reads a file.</summary>
    /// <exception cref="LatentBridgeException">It is no file of tensors.</exception>
    /// <exception cref="NoLatentException">It is one, and none of its tensors looks like a latent.</exception>
    public static IEnumerable<ShardItem> Read(string path, LatentRequest request)
    {
        using var file = TensorFile.Open(path);
        foreach (ShardItem item in Read(file, path, request, 0))
        {
            yield return item;
        }
    }

    /// <summary>Reads an open file; its first latent has the number <paramref name="first"/>.</summary>
    public static IEnumerable<ShardItem> Read(TensorFile file, string path, LatentRequest request, int first)
    {
        TensorEntry[] latents = Find(file, path, request);
        foreach (TensorEntry entry in latents)
        {
            foreach (ShardItem item in Read(file, entry, latents, path, request, first))
            {
                first++;
                yield return item;
            }
        }
    }

    static TensorEntry[] Find(TensorFile file, string path, LatentRequest request)
    {
        if (request.Key is { } key)
        {
            return [file.Find(key) ?? throw new NoLatentException($"{path}: there is no tensor \"{TensorEntry.Shorten(key)}\".")];
        }

        TensorEntry[] latents = LatentFile.Candidates(file);
        TensorEntry[] mirrored = [.. file.Tensors.Where(entry => Array.Exists(latents, latent => entry.Name != latent.Name
            && entry.Name.Replace("_flipped", "", StringComparison.Ordinal).Replace("_flip", "", StringComparison.Ordinal) == latent.Name))];
        return latents.Length > 0 ? [.. latents, .. mirrored]
            : file.Tensors is [{ Dimensions.Count: >= 2 } only] ? [only]
            : throw new NoLatentException($"{path}: no tensor looks like a latent.");
    }

    static IEnumerable<ShardItem> Read(TensorFile file, TensorEntry entry, TensorEntry[] latents, string path, LatentRequest request, int first)
    {
        Plan plan = Plan.Of(file, entry, path, request);
        if (plan.Problem is not null)
        {
            yield return new(first, entry.Name, null, 0, plan.Problem);
            yield break;
        }

        int item = first;
        for (long row = 0; row < plan.Rows; row++)
        {
            (LoadedLatent? latent, string? problem) = Load(file, plan.IsBatch ? plan.Entry.Row(row) : plan.Entry, latents, path, plan.Request);
            for (int index = 0; index < (latent?.Shape.Batch ?? 1); index++)
            {
                yield return new(item++, entry.Name, latent, index, problem);
            }
        }
    }

    static (LoadedLatent? Latent, string? Problem) Load(TensorFile file, TensorEntry entry, TensorEntry[] latents, string path, LatentRequest request)
    {
        try
        {
            return (LatentFile.Load(file, entry, latents, path, request), null);
        }
        catch (LatentBridgeException failure)
        {
            return (null, failure.Message);
        }
    }

    /// <summary>How a tensor is cut into rows, and how each is read.</summary>
    /// <param name="Entry">The tensor, without the half that holds log variances.</param>
    /// <param name="Request">For each row.</param>
    /// <param name="Rows">Number of rows.</param>
    /// <param name="IsBatch">Whether the first axis is cut.</param>
    /// <param name="Problem">Why it cannot be read, or null.</param>
    readonly record struct Plan(TensorEntry Entry, LatentRequest Request, long Rows, bool IsBatch, string? Problem)
    {
        public static Plan Of(TensorFile file, TensorEntry entry, string path, LatentRequest request)
        {
            try
            {
                return Of(entry, LatentFile.Plan(file, entry, path, request), request);
            }
            catch (LatentBridgeException failure)
            {
                return WithoutVariances(file, entry, path, request) ?? new(entry, request, 0, false, failure.Message);
            }
        }

        static Plan Of(TensorEntry entry, (LatentFormat Format, AxisReading Reading) found, LatentRequest request)
        {
            bool isBatch = found.Reading.Order is ['B', _, ..] && entry.Dimensions[0] > 1 && LatentFormats.Find(found.Format.Id) is not null;
            return isBatch
                ? new(entry, request with { FormatId = found.Format.Id, Axes = found.Reading.Order[1..] }, entry.Dimensions[0], true, null)
                : new(entry, request, 1, false, null);
        }

        /// <summary>A VAE's output before it is sampled: means, then log variances, on the axis of the channels.</summary>
        static Plan? WithoutVariances(TensorFile file, TensorEntry entry, string path, LatentRequest request)
        {
            for (int axis = 0; axis < Math.Min(2, entry.Dimensions.Count - 2); axis++)
            {
                if (entry.Dimensions[axis] % 2 == 0)
                {
                    try
                    {
                        TensorEntry means = entry.FirstHalf(axis);
                        return Of(means, LatentFile.Plan(file, means, path, request), request);
                    }
                    catch (LatentBridgeException)
                    {
                        // Not this axis.
                    }
                }
            }

            return null;
        }
    }
}
