using System.Runtime.InteropServices;
using LatentBridge.Files;
using LatentBridge.Formats;
using LatentBridge.Imaging;
using LatentBridge.Latents;

namespace LatentBridge.Host.Commands;

/// <summary>A latent read from a file, its format decided.</summary>
sealed class LatentInput
{
    LatentInput(LoadedLatent loaded, LatentFormat format, LatentShape shape, string formatReason, bool isGuess)
    {
        (Loaded, Format, Shape) = (loaded, format, shape);
        (FormatReason, IsGuess) = (formatReason, isGuess);
    }

    internal LoadedLatent Loaded { get; }

    internal LatentFormat Format { get; }

    internal LatentShape Shape { get; }

    /// <summary>How the format was decided, to follow its name.</summary>
    internal string FormatReason { get; }

    /// <summary>True when nobody named the format.</summary>
    internal bool IsGuess { get; }

    /// <summary>The latent as the core reads it.</summary>
    internal Latent View => new(Loaded.Bytes, Loaded.ElementType, Shape, Loaded.Space);

    /// <summary>Reads a file; the format is the one given, else the one the file names, else a guess.</summary>
    /// <exception cref="InputException">The file is not readable as a latent, or does not fit the format.</exception>
    internal static LatentInput Open(string path, string? key, LatentSpace? space, string? formatId)
    {
        try
        {
            LoadedLatent loaded = IsPicture(path) ? LoadPicture(path, space) : LatentFile.Load(path, key, space);
            (LatentFormat format, string reason, bool isGuess) = Decide(loaded, formatId);
            string? fault = LatentShape.FromDimensions(loaded.Axes, format.Dimensions, out LatentShape shape);
            return fault is null
                ? new(loaded, format, shape, reason, isGuess)
                : throw new InputException($"\"{path}\": {fault} for format {format.Id} ({reason}). Name another with --format.");
        }
        catch (LatentBridgeException failure) when (failure is not InputException)
        {
            throw new InputException(failure.Message);
        }
    }

    static (LatentFormat Format, string Reason, bool IsGuess) Decide(LoadedLatent loaded, string? formatId)
    {
        if (formatId is not null)
        {
            return (LatentFormats.Get(formatId), "as asked for", false);
        }

        if (loaded.FormatId is { } named && LatentFormats.Find(named) is { } format)
        {
            return (format, "named by the file", false);
        }

        FormatGuess guess = LatentFormats.Guess(loaded.Axes);
        return (guess.Format, guess.Reason, true);
    }

    static bool IsPicture(string path)
    {
        Span<byte> start = stackalloc byte[8];
        using FileStream? file = File.Exists(path) ? File.OpenRead(path) : null;
        return file is not null && LatentPicture.IsPng(start[..file.ReadAtLeast(start, start.Length, throwOnEndOfStream: false)]);
    }

    static LoadedLatent LoadPicture(string path, LatentSpace? space)
    {
        try
        {
            (string formatId, long[] axes, float[] values) = LatentPicture.Read(File.ReadAllBytes(path));
            byte[] bytes = MemoryMarshal.AsBytes(values.AsSpan()).ToArray();
            return new(path, "latent", bytes, LatentElementType.F32, axes, space ?? LatentSpace.Sampler, formatId, ["latent"]);
        }
        catch (LatentBridgeException failure)
        {
            throw new InputException($"\"{path}\": {failure.Message}");
        }
    }
}
